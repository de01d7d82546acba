// Three readers, who may all be inside at once, and a writer, who is alone: "[" and "]" of readers
// nest, and nothing stands between the writer's "{" and "}".
#include <optional>

#include "brackets.hpp"
#include "forked.hpp"
#include "signalbox/os/barrier.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/set_reader_writer_lock.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

constexpr std::uint16_t readers = 3;

int main() {
  Brackets brackets;
  auto lock = os::SetReaderWriterLock::open_or_create(os::SysvKey::private_key(), readers,
                                                      Deadline::never())
                  .value();
  const auto memory =
      os::Mapping::anonymous(os::page_bytes(), {.access = os::Access::read_write}).value();
  auto* const room = os::Barrier::Memory::in(memory.writable_bytes()).value();
  auto meeting = os::Barrier::create(*room, readers + 1).value();

  const auto read_often = [&] {
    std::optional guard = lock.lock_shared(Deadline::never()).value();
    std::putchar('[');
    static_cast<void>(meeting.wait());  // all readers are inside, or this would never end
    std::putchar(']');
    guard.reset();
    for (int round = 0; round < 10; ++round) {
      guard = lock.lock_shared(Deadline::never()).value();
      brackets.write('[', ']');
      guard.reset();
    }
  };
  const auto write_often = [&] {
    static_cast<void>(meeting.wait());  // outside, before the writer's first turn
    for (int round = 0; round < 10; ++round) {
      const auto guard = lock.lock_exclusive(Deadline::never()).value();
      brackets.write('{', '}');
    }
  };
  os::Child children[] = {start(read_often), start(read_often), start(read_often),
                          start(write_often)};
  const bool all_well = all_ended_well(children);
  std::puts("");
  static_cast<void>(lock.remove());
  return all_well ? 0 : 1;
}
