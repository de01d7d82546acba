// scratch_key.hpp: for tests: a System V key that nobody else has, free of objects at the end.
//
//   Threads  one at a time     Crash  what is under the key stays, see `ipcs`
//   Fork     a child's copy removes it as well: leave a child with _exit()     Limits  none
#pragma once

#include <sys/msg.h>
#include <sys/sem.h>

#include <cstdint>
#include <random>

#include "signalbox/os/sysv_key.hpp"

namespace signalbox::os::test {

class ScratchKey {
 public:
  ScratchKey() {
    std::random_device random;
    do {
      key_ = static_cast<std::int32_t>(random() | 1U);
    } while (::semget(key_, 0, 0) >= 0 || ::msgget(key_, 0) >= 0);
  }
  ~ScratchKey() {
    if (const int id = ::semget(key_, 0, 0); id >= 0) ::semctl(id, 0, IPC_RMID);
    if (const int id = ::msgget(key_, 0); id >= 0) ::msgctl(id, IPC_RMID, nullptr);
  }
  ScratchKey(const ScratchKey&) = delete;
  ScratchKey& operator=(const ScratchKey&) = delete;
  SysvKey key() const { return SysvKey::number(key_); }

 private:
  std::int32_t key_;
};

}  // namespace signalbox::os::test
