// os/fd.hpp: a descriptor with an owner.
//
//   Threads  an Fd belongs to one thread at a time
//   Crash    the kernel closes descriptors
//   Fork     what this library opens is close-on-exec; a forked child holds a copy until it execs
//   Limits   RLIMIT_NOFILE
#pragma once

#include <utility>

#include "signalbox/os/kernel_entry.hpp"

namespace signalbox::os {

// What a descriptor or a mapping of it is for.
enum class Access { read, read_write };

// Owns a descriptor and closes it. Not convertible to bool: 0 is a valid descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  // Closes what it has, and owns that one.
  void reset(int fd = -1) noexcept {
    // Linux closes even when it answers EINTR; a retry could hit another's descriptor.
    if (fd_ >= 0) kernel::enter(kernel::KernelCall::close, fd_);
    fd_ = fd;
  }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace signalbox::os
