// mapping.hpp: a file mapped into memory, shared.
//
//   Threads  the bytes are shared; the handle belongs to one thread at a time, is_lost() to all
//   Crash    the kernel unmaps
//   Fork     not inherited (MADV_DONTFORK): a child touching it gets SIGSEGV, so handles check
//   first Limits   /proc/sys/vm/max_map_count, address space
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "os/file.hpp"
#include "os/lost_pages.hpp"

namespace signalbox::os {

class Mapping {
 public:
  Mapping() = default;
  // Maps the first `bytes` of the file. The file must be at least that long: check first. When it
  // is shortened later, what is lost reads as zeroes (lost_pages.hpp).
  static Result<Mapping> map(const Fd& file, std::size_t bytes, Access access);

  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        range_(std::exchange(other.range_, nullptr)),
        generation_(other.generation_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(range_, other.range_);
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

  // Has a part of it been lost? Then nothing in it is to be believed any more.
  bool is_lost() const noexcept { return range_ != nullptr && range_->is_lost.load(); }
  // This word changes when a part is lost. It must live as long as anybody touches the bytes.
  void raise_when_lost(std::atomic<std::uint64_t>& word) noexcept { range_->raised.store(&word); }
  // Is the file still as long as it was mapped? One that is not, is lost from here on, touched or
  // not. Enters the kernel.
  void look_for_loss(const Fd& file) const noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  WatchedRange* range_ = nullptr;
  unsigned generation_ = 0;  // process.hpp: which process mapped it
};

}  // namespace signalbox::os
