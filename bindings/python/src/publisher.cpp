#include "publisher.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <utility>

#include "bytes.hpp"
#include "c_name.hpp"
#include "clock.hpp"
#include "docs.hpp"
#include "failure.hpp"
#include "patience.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

// What a slot has room for; a message up to here without a tail needs no loan.
constexpr std::size_t kSlotBytes = sizeof(sbx_sample::inline_);

void copy(void* target, const void* source, std::size_t bytes) {
  if (bytes == 0) return;
  if (bytes <= kCopyAloneMax) {
    std::memcpy(target, source, bytes);
    return;
  }
  nb::gil_scoped_release others_run;
  std::memcpy(target, source, bytes);
}

// The number of a policy in the C library.
std::uint32_t policy_of(const std::string& subject, const std::string& name) {
  if (name == "wait") return SBX_WHEN_BEHIND_WAIT;
  if (name == "drop_new") return SBX_WHEN_BEHIND_DROP_NEW;
  if (name == "evict") return SBX_WHEN_BEHIND_EVICT;
  throw Failure(
      "bad_argument", 0,
      subject + ": when_behind is '" + name + "'. Use \"wait\", \"drop_new\" or \"evict\".");
}

// signalbox._values.pack, looked up once and never released: the interpreter may be gone by the
// time static destructors run.
const nb::object& pack() {
  static const auto* const function =
      new nb::object(nb::module_::import_("signalbox._values").attr("pack"));
  return *function;
}

std::shared_ptr<PublisherHandle> open(const std::string& topic, const std::string& description,
                                      bool has_fixed_part, const PublisherSettings& settings) {
  const sbx_type type{has_fixed_part ? nullptr : "bytes", description.c_str()};
  const sbx_publisher_options options = options_from(settings, in_words(topic));
  const char* const name = c_name(topic);
  sbx_publisher* raw = nullptr;
  sbx_error error;
  int code;
  {
    nb::gil_scoped_release others_run;
    code = sbx_publisher_open(name, &type, &options, &raw, &error);
  }
  check(code, error);
  return std::make_shared<PublisherHandle>(topic, raw, options.when_behind == SBX_WHEN_BEHIND_WAIT);
}

}  // namespace

sbx_publisher_options options_from(const PublisherSettings& settings, const std::string& subject) {
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.depth = checked<std::uint32_t>(settings.depth, subject, "depth");
  options.loans_max = checked<std::uint32_t>(settings.loans_max, subject, "loans_max");
  options.held_max = checked<std::uint32_t>(settings.held_max, subject, "held_max");
  options.tail_bytes_max = checked<std::uint64_t>(settings.tail_max, subject, "tail_max");
  options.grown_tail_bytes_max =
      checked<std::uint64_t>(settings.grown_tail_max, subject, "grown_tail_max");
  options.domain = settings.domain ? c_name(*settings.domain) : nullptr;
  options.when_behind = policy_of(subject, settings.when_behind);
  options.wake = settings.wake ? SBX_WAKE_SLEEPERS_YES : SBX_WAKE_SLEEPERS_NO;
  options.tier = tier_of(subject, settings.tier);
  return options;
}

// ---- LoanBlock

LoanBlock::LoanBlock(std::shared_ptr<PublisherHandle> publisher, std::uint64_t tail_bytes)
    : publisher_(std::move(publisher)), loan_(std::make_shared<sbx_loan>()) {
  Turn turn(*publisher_);
  sbx_error error;
  check(sbx_publisher_loan(publisher_->raw(), tail_bytes, loan_.get(), &error), error);
  open_ = true;
}

LoanBlock::~LoanBlock() { drop(); }

void LoanBlock::check_usable() const { Turn turn(*publisher_); }

void LoanBlock::shorten(std::uint64_t tail_bytes) {
  Turn turn(*publisher_);
  sbx_error error;
  check(sbx_loan_shorten(loan_.get(), tail_bytes, &error), error);
}

std::uint64_t LoanBlock::publish(std::int64_t deadline) {
  std::uint64_t position = 0;
  sbx_error error;
  const int code = with_patience(*publisher_, deadline, [&](std::int64_t until) {
    if (!open_) throw Failure("closed", 0, "a signal handler dropped the loan being published");
    return try_publish(until, position, error);
  });
  check(code, error);
  open_ = false;
  return position;
}

int LoanBlock::try_publish(std::int64_t deadline, std::uint64_t& position, sbx_error& error) {
  Turn turn(*publisher_);
  publishing_ = true;
  const int code = without_gil_if(deadline != SBX_IMMEDIATE, [&] {
    return sbx_publisher_publish(publisher_->raw(), loan_.get(), deadline, &position, &error);
  });
  publishing_ = false;
  return code;
}

void LoanBlock::end_publishing(bool was_published) noexcept {
  publishing_ = false;
  if (was_published) open_ = false;
}

void LoanBlock::drop() noexcept {
  if (!open_ || publishing_) return;
  open_ = false;
  publisher_->give_back(loan_);
}

// ---- Loan

Loan::Loan(std::shared_ptr<LoanBlock> block, nb::object dtype)
    : block_(std::move(block)), dtype_(std::move(dtype)) {}

LoanBlock& Loan::open_block() const {
  if (block_ == nullptr) {
    throw Failure("closed", 0,
                  std::string("the loan was already ") +
                      (was_published_ ? "published" : "dropped") +
                      ". Take another one with loan().");
  }
  block_->check_usable();
  return *block_;
}

nb::object Loan::data() {
  const LoanBlock& block = open_block();
  if (dtype_.is_none()) return nb::none();
  if (!data_.is_valid()) {
    data_ = record_array(block_, dtype_, block.raw().data, block.raw().data_bytes);
  }
  return data_;
}

nb::object Loan::tail() {
  const LoanBlock& block = open_block();
  if (!tail_.is_valid()) tail_ = byte_array(block_, block.raw().tail, block.raw().tail_bytes);
  return tail_;
}

void Loan::shorten(const Whole& tail_bytes) {
  open_block().shorten(narrow<std::uint64_t>(tail_bytes, "tail_bytes"));
  tail_.reset();
}

std::shared_ptr<LoanBlock> Loan::open_block_of(const PublisherHandle& publisher) const {
  const LoanBlock& block = open_block();
  if (block.publisher() != &publisher) {
    throw Failure("bad_argument", 0,
                  "the loan belongs to the " + block.publisher()->name() + ", not to the " +
                      publisher.name() + ". Publish it there.");
  }
  return block_;
}

std::uint64_t Loan::publish(const PublisherHandle& publisher, std::int64_t deadline) {
  // A signal handler may finish this loan while publishing waits.
  const std::shared_ptr<LoanBlock> keep = open_block_of(publisher);
  position_ = keep->publish(deadline);
  finish_published();
  return *position_;
}

void Loan::finish_published() {
  was_published_ = true;
  finish();
}

void Loan::drop() {
  if (block_ == nullptr) return;
  block_->drop();
  finish();
}

void Loan::leave(nb::handle exception_type) {
  if (block_ == nullptr) return;
  if (!exception_type.is_none()) {
    drop();
    return;
  }
  try {
    publish(*block_->publisher(), SBX_IMMEDIATE);
  } catch (...) {
    drop();
    throw;
  }
}

// What was lent is no longer ours to write.
void Loan::finish() {
  if (data_.is_valid()) forbid_writing(data_);
  if (tail_.is_valid()) forbid_writing(tail_);
  data_.reset();
  tail_.reset();
  block_.reset();
}

std::string Loan::repr() const {
  if (position_) return "<signalbox.Loan published at " + std::to_string(*position_) + ">";
  if (was_published_) return "<signalbox.Loan published>";
  if (block_ == nullptr) return "<signalbox.Loan dropped>";
  return "<signalbox.Loan of the " + block_->publisher()->name() + ">";
}

// ---- Publisher

Publisher::Publisher(const std::string& topic, nb::object dtype, const std::string& description,
                     const PublisherSettings& settings)
    : topic_(topic),
      dtype_(std::move(dtype)),
      fixed_bytes_(dtype_.is_none() ? 0 : nb::cast<std::size_t>(dtype_.attr("itemsize"))),
      fits_slot_(fixed_bytes_ != 0 && fixed_bytes_ <= kSlotBytes && settings.tail_max.is_zero() &&
                 settings.grown_tail_max.is_zero()),
      handle_(open(topic_, description, !dtype_.is_none(), settings)) {}

std::shared_ptr<PublisherHandle> Publisher::handle() const {
  if (handle_ == nullptr) {
    throw Failure("closed", 0, "the publisher of topic '" + topic_ + "' is closed");
  }
  return handle_;
}

Loan Publisher::loan(const Whole& tail_bytes) {
  const auto bytes = checked<std::uint64_t>(tail_bytes, in_words(topic_), "tail_bytes");
  return Loan(std::make_shared<LoanBlock>(handle(), bytes), dtype_);
}

std::uint64_t Publisher::publish(Loan& loan, std::optional<double> timeout) {
  return loan.publish(*handle(), deadline_after(timeout));
}

std::uint64_t Publisher::send(nb::handle value, nb::handle tail, std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  if (fits_slot_ && tail.is_none()) return send_in_slot(value, deadline);
  nb::object packed;
  const void* fixed_part = nullptr;
  if (!dtype_.is_none()) {
    packed = pack()(dtype_, value);
    fixed_part = message_bytes(packed, dtype_);
  } else if (!value.is_none()) {
    // Plain bytes: the value is the message.
    if (!tail.is_none()) throw nb::type_error("send: give plain bytes once, as value or as tail");
    tail = value;
  }
  const Bytes tail_part = Bytes::unless_none(tail);
  const auto block = std::make_shared<LoanBlock>(handle(), tail_part.size());
  copy(block->raw().data, fixed_part, fixed_bytes_);
  copy(block->raw().tail, tail_part.data(), tail_part.size());
  return block->publish(deadline);
}

std::optional<std::uint64_t> Publisher::try_quick_send(nb::handle value) {
  const void* bytes = fits_slot_ ? message_bytes(value, dtype_) : nullptr;
  if (bytes == nullptr || handle_ == nullptr) return std::nullopt;
  Turn turn(*handle_);
  std::uint64_t position = 0;
  sbx_error error;
  check(sbx_publisher_send(handle_->raw(), bytes, nullptr, 0, SBX_IMMEDIATE, &position, &error),
        error);
  return position;
}

std::uint64_t Publisher::send_in_slot(nb::handle value, std::int64_t deadline) {
  // Values of the very dtype, the usual ones in a loop, need no word of Python.
  nb::object packed;
  const void* bytes = message_bytes(value, dtype_);
  if (bytes == nullptr) {
    packed = pack()(dtype_, value);
    bytes = message_bytes(packed, dtype_);
  }
  // A copy of our own: others may write to the value while this waits.
  alignas(16) std::byte message[kSlotBytes];
  std::memcpy(message, bytes, fixed_bytes_);
  const auto publisher = handle();
  std::uint64_t position = 0;
  sbx_error error;
  check(with_patience(*publisher, deadline,
                      [&](std::int64_t until) {
                        Turn turn(*publisher);
                        return without_gil_if(until != SBX_IMMEDIATE, [&] {
                          return sbx_publisher_send(publisher->raw(), message, nullptr, 0, until,
                                                    &position, &error);
                        });
                      }),
        error);
  return position;
}

std::uint32_t Publisher::subscriber_count() {
  const auto publisher = handle();
  Turn turn(*publisher);
  return sbx_publisher_subscriber_count(publisher->raw());
}

std::uint64_t Publisher::dropped_count() {
  const auto publisher = handle();
  Turn turn(*publisher);
  return sbx_publisher_dropped_count(publisher->raw());
}

std::uint64_t Publisher::evicted_count() {
  const auto publisher = handle();
  Turn turn(*publisher);
  return sbx_publisher_evicted_count(publisher->raw());
}

void Publisher::close() {
  if (handle_ == nullptr) return;
  if (handle_->is_ours()) Turn turn(*handle_);  // not under a thread that is inside a call
  handle_->mark_closed();
  handle_.reset();
}

std::string Publisher::repr() const {
  return "<signalbox.Publisher '" + topic_ + "'" + (is_closed() ? " closed>" : ">");
}

namespace {

// Most calls in a loop are send(value); all others take the way through nanobind.
PyObject* publisher_send(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                         PyObject* keywords) {
  if (!is_made(self)) return nullptr;
  return without_nanobind([&]() -> nb::object {
    if (count == 1 && keywords == nullptr) {
      const auto sent = nb::inst_ptr<Publisher>(self)->try_quick_send(arguments[0]);
      if (sent) return nb::int_(*sent);
    }
    const nb::object slowly = nb::getattr(nb::handle(self), "_send");
    const auto given = static_cast<std::size_t>(count);
    return nb::steal(PyObject_Vectorcall(slowly.ptr(), arguments, given, keywords));
  });
}

PyMethodDef publisher_methods[] = {
    {"send", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(publisher_send)),
     METH_FASTCALL | METH_KEYWORDS, docs::kPublisherSend},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot publisher_slots[] = {{Py_tp_methods, publisher_methods}, {0, nullptr}};

}  // namespace

void bind_publisher(nb::module_& module) {
  nb::class_<Loan>(module, "Loan", docs::kLoan, nb::is_final())
      .def_prop_ro("data", &Loan::data, docs::kLoanData)
      .def_prop_ro("tail", &Loan::tail, docs::kLoanTail)
      .def_prop_ro("position", &Loan::position, docs::kLoanPosition)
      .def("shorten", &Loan::shorten, nb::arg("tail_bytes"), docs::kLoanShorten)
      .def("drop", &Loan::drop, docs::kLoanDrop)
      .def("__enter__", [](nb::object self) { return self; })
      .def(
          "__exit__", [](Loan& self, nb::handle type, nb::handle, nb::handle) { self.leave(type); },
          nb::arg("type").none(), nb::arg("value").none(), nb::arg("traceback").none())
      .def("__repr__", &Loan::repr);

  nb::class_<Publisher>(module, "Publisher", docs::kPublisher, nb::type_slots(publisher_slots))
      .def(
          "__init__",
          [](Publisher* self, const std::string& topic, nb::object dtype,
             const std::string& description, const Whole& depth, const Whole& loans_max,
             const Whole& held_max, const Whole& tail_max, const Whole& grown_tail_max,
             std::optional<std::string> domain, std::string when_behind, bool wake,
             std::string tier) {
            new (self)
                Publisher(topic, std::move(dtype), description,
                          {depth, loans_max, held_max, tail_max, grown_tail_max, std::move(domain),
                           std::move(when_behind), wake, std::move(tier)});
          },
          nb::arg("topic"), nb::arg("dtype").none(), nb::arg("description"), nb::arg("depth"),
          nb::arg("loans_max"), nb::arg("held_max"), nb::arg("tail_max"), nb::arg("grown_tail_max"),
          nb::arg("domain").none(), nb::arg("when_behind"), nb::arg("wake"), nb::arg("tier"))
      .def("loan", &Publisher::loan, nb::arg("tail_bytes") = 0, docs::kPublisherLoan)
      .def("publish", &Publisher::publish, nb::arg("loan"), nb::arg("timeout").none() = 0.0,
           docs::kPublisherPublish)
      .def("loan_batch", &Publisher::loan_batch, nb::arg("count"), nb::arg("tail_bytes") = 0,
           docs::kLoanBatch)
      .def("publish_batch", &Publisher::publish_batch, nb::arg("loans"),
           nb::arg("timeout").none() = 0.0, docs::kPublishBatch)
      .def("_send", &Publisher::send, nb::arg("value").none(), nb::arg("tail").none() = nb::none(),
           nb::arg("timeout").none() = 0.0)
      .def("send_batch", &Publisher::send_batch, nb::arg("values"), nb::arg("timeout").none() = 0.0,
           docs::kSendBatch)
      .def("close", &Publisher::close, docs::kPublisherClose)
      .def_prop_ro("subscriber_count", &Publisher::subscriber_count, docs::kSubscriberCount)
      .def_prop_ro("dropped_count", &Publisher::dropped_count, docs::kDroppedCount)
      .def_prop_ro("evicted_count", &Publisher::evicted_count, docs::kEvictedCount)
      .def_prop_ro("topic", &Publisher::topic, docs::kTopic)
      .def_prop_ro("dtype", &Publisher::dtype, docs::kDtype)
      .def_prop_ro("closed", &Publisher::is_closed, docs::kClosed)
      .def("__repr__", &Publisher::repr);
}

}  // namespace signalbox_python
