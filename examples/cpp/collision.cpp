// Two processes write "[" and "]" to one terminal, and nothing keeps them apart: the brackets nest.
// exclusive.cpp is the remedy.
#include <cstdio>

#include "forked.hpp"
#include "signalbox/os/barrier.hpp"
#include "signalbox/os/mapping.hpp"

namespace os = signalbox::os;

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // each bracket goes to the terminal at once
  const auto memory =
      os::Mapping::anonymous(os::page_bytes(), {.access = os::Access::read_write}).value();
  auto* const room = os::Barrier::Memory::in(memory.writable_bytes()).value();
  auto meeting = os::Barrier::create(*room, 2).value();

  const auto write_brackets = [&] {
    for (int round = 0; round < 5; ++round) {
      std::putchar('[');
      // In a real program this is bad luck, once a week. Here it is made certain: each waits until
      // the other is between its brackets too.
      static_cast<void>(meeting.wait());
      std::putchar(']');
      static_cast<void>(meeting.wait());
    }
  };
  os::Child both[] = {start(write_brackets), start(write_brackets)};
  const bool all_well = all_ended_well(both);
  std::puts("");
  return all_well ? 0 : 1;
}
