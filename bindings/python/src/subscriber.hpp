// subscriber.hpp: the compiled halves of signalbox.Subscriber and signalbox.Sample.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "array.hpp"
#include "failure.hpp"
#include "handle.hpp"
#include "whole.hpp"

namespace signalbox_python {

// A sample of the C library. Arrays over it share it: the last one ends the pin, in any thread,
// also after the subscriber is gone.
class SampleBlock final : public Block {
 public:
  SampleBlock() = default;
  ~SampleBlock() override;

  bool is_writable() const noexcept override { return false; }
  sbx_sample& raw() noexcept { return sample_; }
  void mark_taken() noexcept;
  // Was it taken before this process was forked? Then what it held is not mapped here.
  bool is_gone() const noexcept;

 private:
  sbx_sample sample_{};  // never moves: small messages lie inside it
  std::uint32_t forks_ = 0;
  bool taken_ = false;
};

class Sample {
 public:
  Sample(std::shared_ptr<SampleBlock> block, nanobind::object dtype);

  nanobind::object data();
  nanobind::object tail();
  std::uint64_t position() const noexcept { return position_; }
  std::uint64_t publisher() const noexcept { return publisher_; }
  void release() noexcept;
  std::string repr() const;

 private:
  SampleBlock& held_block() const;

  std::shared_ptr<SampleBlock> block_;  // null once released
  nanobind::object dtype_;
  nanobind::object data_{};
  nanobind::object tail_{};
  std::uint64_t position_;
  std::uint64_t publisher_;
};

struct SubscriberSettings {
  std::uint64_t start;
  bool reliable;
  std::optional<std::string> domain;
  Whole spin_max_ns;
  std::string tier;
  bool writable_ring;
};

class Subscriber {
 public:
  Subscriber(const std::string& topic, nanobind::object dtype, const std::string& description,
             const SubscriberSettings& settings);

  nanobind::object take();
  nanobind::object take_latest();
  nanobind::object take_batch(const Whole& room, nanobind::object out);
  bool wait(std::optional<double> timeout);
  nanobind::object receive(std::optional<double> timeout);
  int descriptor();
  std::uint64_t lost_count();
  std::uint64_t skipped_count();
  std::uint64_t dropped_count();
  std::uint32_t publisher_count();
  void close();

  // Shared, so that a signal handler that closes the subscriber does not close it under the call
  // it interrupted. Throws Failure: closed.
  std::shared_ptr<SubscriberHandle> handle() const;

  const std::string& topic() const noexcept { return topic_; }
  nanobind::object dtype() const { return dtype_; }
  bool is_closed() const noexcept { return handle_ == nullptr; }
  std::string repr() const;

 private:
  using Take = int (*)(sbx_subscriber*, sbx_sample*, int*, sbx_error*);

  // As handle(), without a share of it: for calls that run no Python code until they are over.
  SubscriberHandle& open_handle() const;
  nanobind::object take_by(Take which);
  bool wait_until(std::int64_t deadline);

  std::string topic_;
  nanobind::object dtype_;
  std::size_t fixed_bytes_;
  std::shared_ptr<SubscriberHandle> handle_;  // null once closed
  std::shared_ptr<SampleBlock> next_{};       // where the next message is taken to
  std::optional<Failure> untold_{};           // what stopped a batch behind its first message
};

void bind_subscriber(nanobind::module_& module);

}  // namespace signalbox_python
