// file_lock.hpp: open-file-description locks over a whole file.
//
//   Threads  the lock belongs to the open file description, not to a thread or process
//   Crash    the kernel drops it when the last descriptor is closed, by any death
//   Fork     a child shares it; process.hpp closes the child's copy
//   Limits   none in practice
//   Manual   fcntl(2), "Open file description locks"
#pragma once

#include "os/file.hpp"

namespace signalbox::os {

enum class LockKind { shared, exclusive };

// True if the lock was taken (or converted), false if somebody else's stands in the way.
// A shared lock needs a readable descriptor, an exclusive one a writable descriptor.
Result<bool> try_lock(const Fd& file, LockKind kind);
void unlock(const Fd& file) noexcept;

// Does anybody else hold an exclusive lock? Asked as "would a shared lock conflict?", so that
// somebody with mere reading rights cannot pretend to be alive.
Result<bool> is_exclusively_locked(const Fd& file);

}  // namespace signalbox::os
