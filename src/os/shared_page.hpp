// shared_page.hpp: for tests: zeroed memory that forked children share.
//
//   Threads  any     Crash  gone with its last process     Fork  shared     Limits  none
#pragma once

#include <sys/mman.h>

#include <new>

namespace signalbox::os::test {

// Holds a T of plain or atomic members, beginning as zeroes.
template <class T>
class Shared {
 public:
  Shared()
      : bytes_(
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        at_(new(bytes_) T) {}
  ~Shared() { ::munmap(bytes_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return at_; }
  T& operator*() const { return *at_; }

 private:
  void* bytes_;
  T* at_;
};

}  // namespace signalbox::os::test
