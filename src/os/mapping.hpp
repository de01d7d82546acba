// mapping.hpp: a file mapped into memory, shared.
//
//   Threads  the bytes are shared; the handle belongs to one thread at a time
//   Crash    the kernel unmaps
//   Fork     not inherited (MADV_DONTFORK): a child touching it gets SIGSEGV, so handles check
//   first Limits   /proc/sys/vm/max_map_count, address space
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "os/file.hpp"

namespace signalbox::os {

class Mapping {
 public:
  Mapping() = default;
  // Maps the first `bytes` of the file. The file must be at least that long: check first.
  static Result<Mapping> map(const Fd& file, std::size_t bytes, Access access);

  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        generation_(other.generation_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(generation_, other.generation_);
    return *this;
  }
  ~Mapping();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  bool is_mapped() const noexcept { return data_ != nullptr; }
  template <class T>
  T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(data_ + offset);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  unsigned generation_ = 0;  // process.hpp: which process mapped it
};

}  // namespace signalbox::os
