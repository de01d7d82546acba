// Runs a daemon as a child: tells it to read its settings and to open its log anew, and ends it:
// SIGTERM, a wait, and SIGKILL if it has not listened. Its word is the daemon, graceful_shutdown.
#include <csignal>
#include <fstream>
#include <iostream>

#include "signalbox/os/child.hpp"
#include "signalbox/os/pipe.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

struct Daemon {
  os::PipeReader output;
  os::Child child;

  Daemon(std::initializer_list<std::string> argv) {
    auto pipe = os::Pipe::create().value();
    output = std::move(pipe.reader);
    // SIGKILL also when this process is killed: a daemon without its supervisor must not stay.
    os::SpawnOptions options{.output = os::ChildStream::give(pipe.writer.release())};
    options.death_signal = SIGKILL;
    child = os::Child::spawn(std::span(argv.begin(), argv.size()), std::move(options)).value();
    tell_what_it_says();
  }
  void tell_what_it_says() {
    std::byte room[256];
    const std::size_t got = output.read(room, Deadline::never()).value();
    std::cout.write(reinterpret_cast<const char*>(room), static_cast<std::streamsize>(got));
  }
  void end(std::chrono::milliseconds grace) {
    const os::ChildEnd end = child.terminate(Deadline::after(grace)).value();
    std::cout << (end.by_signal ? "killed by signal " : "ended with status ") << end.status << "\n";
  }
};

int main(int words, char* word[]) {
  if (words != 2) return std::cerr << "usage: supervise DAEMON\n", 2;
  Daemon daemon{word[1]};
  std::ofstream("daemon.conf") << "welcome\n";
  daemon.child.signal(SIGHUP).value();
  daemon.tell_what_it_says();

  if (std::rename("daemon.log", "daemon.log.1") != 0) return std::perror("daemon.log"), 1;
  daemon.child.signal(SIGUSR1).value();
  daemon.tell_what_it_says();
  std::cout << (std::ifstream("daemon.log") ? "there are two logs" : "one log") << "\n"
            << std::flush;

  daemon.end(std::chrono::seconds(30));
  daemon.tell_what_it_says();

  Daemon stubborn{"sh", "-c", "trap '' TERM; echo I stay; exec sleep infinity"};
  stubborn.end(std::chrono::milliseconds(50));
}
