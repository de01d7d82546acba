// publisher.hpp: the compiled halves of signalbox.Publisher and signalbox.Loan.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "array.hpp"
#include "handle.hpp"
#include "whole.hpp"

namespace signalbox_python {

// A loan of the C library. Arrays over it share it, so that the memory they look at stays mapped:
// the publisher leaves its topic when the last of them is gone.
class LoanBlock final : public Block {
 public:
  LoanBlock(std::shared_ptr<PublisherHandle> publisher, std::uint64_t tail_bytes);
  ~LoanBlock() override;

  bool is_writable() const noexcept override { return open_; }
  const PublisherHandle* publisher() const noexcept { return publisher_.get(); }
  const sbx_loan& raw() const noexcept { return *loan_; }

  void shorten(std::uint64_t tail_bytes);
  // Answers the position. On failure the loan stays open.
  std::uint64_t publish(std::int64_t deadline);
  // Publishing was done for it and others at once; before and after.
  void begin_publishing() noexcept { publishing_ = true; }
  void end_publishing(bool was_published) noexcept;
  // Gives the loan back; nothing if it was published or is being published.
  void drop() noexcept;
  // Throws Failure when the publisher is closed or belongs to another process.
  void check_usable() const;

 private:
  int try_publish(std::int64_t deadline, std::uint64_t& position, sbx_error& error);

  std::shared_ptr<PublisherHandle> publisher_;
  std::shared_ptr<sbx_loan> loan_;  // shared, and so never moved: small messages may lie in it
  bool open_ = false;
  bool publishing_ = false;
};

class Loan {
 public:
  Loan(std::shared_ptr<LoanBlock> block, nanobind::object dtype);

  nanobind::object data();
  nanobind::object tail();
  void shorten(const Whole& tail_bytes);
  void drop();
  void leave(nanobind::handle exception_type);
  std::uint64_t publish(const PublisherHandle& publisher, std::int64_t deadline);
  // The open loan, which must be this publisher's. And what happens once it was published.
  std::shared_ptr<LoanBlock> open_block_of(const PublisherHandle& publisher) const;
  void finish_published();
  std::optional<std::uint64_t> position() const noexcept { return position_; }
  std::string repr() const;

 private:
  LoanBlock& open_block() const;
  void finish();

  std::shared_ptr<LoanBlock> block_;  // null once published or dropped
  nanobind::object dtype_;
  nanobind::object data_{};
  nanobind::object tail_{};
  std::optional<std::uint64_t> position_{};
  bool was_published_ = false;
};

struct PublisherSettings {
  Whole depth;
  Whole loans_max;
  Whole held_max;
  Whole tail_max;
  Whole grown_tail_max;
  std::optional<std::string> domain;
  std::string when_behind;
  bool wake;
  std::string tier;
};

// The same for the library, which reads `settings` while the answer is used; `subject` is whose
// they are. Throws Failure.
sbx_publisher_options options_from(const PublisherSettings& settings, const std::string& subject);

class Publisher {
 public:
  Publisher(const std::string& topic, nanobind::object dtype, const std::string& description,
            const PublisherSettings& settings);

  Loan loan(const Whole& tail_bytes);
  nanobind::list loan_batch(const Whole& count, const Whole& tail_bytes);
  std::uint64_t publish(Loan& loan, std::optional<double> timeout);
  std::size_t publish_batch(const nanobind::sequence& loans, std::optional<double> timeout);
  // send() of a value of the very dtype that needs no loan, without waiting; empty for all others.
  std::optional<std::uint64_t> try_quick_send(nanobind::handle value);
  std::uint64_t send(nanobind::handle value, nanobind::handle tail, std::optional<double> timeout);
  std::size_t send_batch(nanobind::handle values, std::optional<double> timeout);
  std::uint32_t subscriber_count();
  std::uint64_t dropped_count();
  std::uint64_t evicted_count();
  void close();

  const std::string& topic() const noexcept { return topic_; }
  nanobind::object dtype() const { return dtype_; }
  bool is_closed() const noexcept { return handle_ == nullptr; }
  std::string repr() const;

 private:
  // Shared, so that a signal handler that closes the publisher does not close it under the call
  // it interrupted.
  std::shared_ptr<PublisherHandle> handle() const;
  std::uint64_t send_in_slot(nanobind::handle value, std::int64_t deadline);

  std::string topic_;
  nanobind::object dtype_;
  std::size_t fixed_bytes_;
  bool fits_slot_;  // messages have no tail and travel in their slot, so that none needs a loan
  std::shared_ptr<PublisherHandle> handle_;  // null once closed
};

void bind_publisher(nanobind::module_& module);

}  // namespace signalbox_python
