#include "bench/crowd.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

using Subscriber = signalbox::Subscriber<Payload>;

constexpr std::size_t kSleepersMax = 8;

void sleep_on(Subscriber& other) {
  for (;;) static_cast<void>(other.wait(signalbox::Deadline::never()));
}

[[noreturn]] void be_the_crowd(const std::string& topic, std::size_t count, int told) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<Subscriber> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(Subscriber::open(topic).value());
  std::vector<Subscriber> others;
  others.reserve(kSleepersMax);
  for (std::size_t i = 0; i < std::min(count, kSleepersMax); ++i) {
    others.push_back(Subscriber::open(topic + "/other/" + std::to_string(i)).value());
  }
  for (Subscriber& other : others) std::thread([&other] { sleep_on(other); }).detach();
  if (::write(told, "h", 1) != 1) std::_Exit(1);
  for (;;) ::pause();
}

}  // namespace

Crowd::Crowd(const std::string& topic, std::size_t count) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("cannot fork the subscribers");
  if (process_ == 0) be_the_crowd(topic, count, ends[1]);
  ::close(ends[1]);
  char word = 0;
  const bool are_here = ::read(ends[0], &word, 1) == 1;
  ::close(ends[0]);
  if (!are_here) throw std::runtime_error("the subscribers did not join " + topic);
}

Crowd::~Crowd() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace bench
