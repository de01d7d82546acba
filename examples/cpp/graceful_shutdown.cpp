// A daemon as administrators expect it: SIGHUP reads the settings anew, SIGUSR1 opens the log anew
// after it was renamed, SIGTERM and SIGINT end it in order. supervise.cpp plays the administrator.
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>

#include "signalbox/os/signals.hpp"
#include "signalbox/wait_set.hpp"

namespace sbx = signalbox;

std::string read_settings() {
  std::string greeting = "hello";
  std::ifstream("daemon.conf") >> greeting;
  return greeting;
}

std::ofstream open_log() { return std::ofstream("daemon.log", std::ios::app); }

int main() {
  // First of all: a signal that comes while the program starts waits as well.
  auto signals = sbx::os::Signals::block({SIGHUP, SIGUSR1, SIGTERM, SIGINT}).value();
  auto set = sbx::WaitSet::create(8).value();  // room for the topics, sockets and timers of yours
  const sbx::Watch watch = set.watch(signals.waitable(), 1).value();

  std::string greeting = read_settings();
  std::ofstream log = open_log();
  std::cout << "ready\n" << std::flush;

  for (;;) {
    static_cast<void>(set.wait(sbx::Deadline::never()).value());
    while (const auto signal = signals.take()) {
      log << "signal " << signal->number << " from process " << signal->pid << "\n" << std::flush;
      switch (signal->number) {
        case SIGHUP:
          greeting = read_settings();
          std::cout << "the greeting is " << greeting << "\n" << std::flush;
          break;
        case SIGUSR1:
          log = open_log();
          std::cout << "the log is a new one\n" << std::flush;
          break;
        default:  // all of main()'s objects are destroyed, as at any other end
          std::cout << "good bye\n" << std::flush;
          return 0;
      }
    }
  }
}
