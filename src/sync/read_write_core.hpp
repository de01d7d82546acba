// read_write_core.hpp: a reader/writer lock as one process has it open.
//
//   Threads  any
//   Crash    recover() gives back the word and the slots of the dead
//   Fork     token() is 0 in a child
//   Limits   shared_object.hpp
#pragma once

#include "shm/read_write.hpp"
#include "signalbox/read_write_lock.hpp"
#include "sync/shared_object.hpp"

namespace signalbox::sync {

//  256 the writer's word and the line | 16768 slots used (4) | 16832 slots of 64
using ReadWrite = shm::ReadWriteState<Atomics>;
static_assert(sizeof(ReadWrite) == sizeof(Lock) + 64 + shm::reader_slots * 64);

class ReadWriteCore final : public SharedObject {
 public:
  explicit ReadWriteCore(OpenObject&& opened)
      : SharedObject(std::move(opened)), rw_(state<ReadWrite>()) {}

  Result<ReadGuard> read(Deadline deadline, os::OnSignal on_signal);
  Result<Recovered<WriteGuard>> write(Deadline deadline, os::OnSignal on_signal);
  void stop_reading(std::uint32_t slot) noexcept;
  void stop_writing(bool unrepaired) noexcept;
  void forget_reader(std::uint32_t slot) noexcept;
  void forget_writer() noexcept;

  void recover(RollCall& roll) noexcept override;
  shm::Line<Atomics>& line() noexcept override { return rw_.lock.line; }
  bool is_held_here() const noexcept override;
  bool is_as_made() const noexcept override;

 private:
  bool writes_in_this_thread() const noexcept;
  bool reads_in_this_thread() const noexcept;
  shm::Turn wait(shm::Wants wants, Deadline deadline, os::OnSignal on_signal,
                 std::uint32_t& slot) noexcept;
  shm::Turn attempt(shm::Wants wants, std::uint32_t place, std::uint32_t& slot) noexcept;
  ReadGuard reader(std::uint32_t slot) noexcept;

  ReadWrite& rw_;
};

}  // namespace signalbox::sync
