#include "subscriber.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <utility>

#include "c_name.hpp"
#include "clock.hpp"
#include "docs.hpp"
#include "failure.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

// From here on copying a batch takes long enough for other threads to run meanwhile.
constexpr std::size_t kCopyAloneMax = 64 * 1024;

std::shared_ptr<SubscriberHandle> open(const std::string& topic, const std::string& description,
                                       bool has_fixed_part, const SubscriberSettings& settings) {
  const sbx_type type{has_fixed_part ? nullptr : "bytes", description.c_str()};
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.start = settings.start;
  options.reliable = settings.reliable ? 1 : 0;
  options.domain = settings.domain ? c_name(*settings.domain) : nullptr;
  options.spin_max_ns = narrow<std::int64_t>(settings.spin_max_ns, "spin_max_ns", {.low = 0});
  options.tier = tier_of(in_words(topic), settings.tier);
  options.writable_ring = settings.writable_ring ? 1 : 0;
  const char* const name = c_name(topic);
  sbx_subscriber* raw = nullptr;
  sbx_error error;
  int code;
  {
    nb::gil_scoped_release others_run;
    code = sbx_subscriber_open(name, &type, &options, &raw, &error);
  }
  check(code, error);
  return std::make_shared<SubscriberHandle>(topic, raw);
}

}  // namespace

// ---- SampleBlock

SampleBlock::~SampleBlock() {
  // The pin is in shared memory: a forked child that dropped its copy would unpin the parent's.
  if (taken_ && forks_ == fork_count()) sbx_sample_release(&sample_);
}

bool SampleBlock::is_gone() const noexcept {
  return sample_.hold_ != nullptr && taken_ && forks_ != fork_count();
}

void SampleBlock::mark_taken() noexcept {
  taken_ = true;
  forks_ = fork_count();
}

// ---- Sample

Sample::Sample(std::shared_ptr<SampleBlock> block, nb::object dtype)
    : block_(std::move(block)),
      dtype_(std::move(dtype)),
      position_(block_->raw().position),
      publisher_(block_->raw().publisher) {}

SampleBlock& Sample::held_block() const {
  if (block_ == nullptr) {
    throw Failure("closed", 0,
                  "sample " + std::to_string(position_) +
                      " was released. Use its data before, or keep the array itself.");
  }
  if (block_->is_gone()) {
    throw Failure("wrong_process", 0,
                  "sample " + std::to_string(position_) +
                      " was taken before os.fork() and its memory is the parent's. Copy what a "
                      "child needs before.");
  }
  return *block_;
}

nb::object Sample::data() {
  const sbx_sample& sample = held_block().raw();
  if (dtype_.is_none()) return nb::none();
  if (!data_.is_valid()) {
    data_ = sample.hold_ == nullptr ? record_copy(dtype_, sample.data, sample.data_bytes)
                                    : record_array(block_, dtype_, sample.data, sample.data_bytes);
  }
  return data_;
}

nb::object Sample::tail() {
  const sbx_sample& sample = held_block().raw();
  if (!tail_.is_valid()) tail_ = byte_array(block_, sample.tail, sample.tail_bytes);
  return tail_;
}

void Sample::release() noexcept {
  data_.reset();
  tail_.reset();
  block_.reset();
}

std::string Sample::repr() const {
  return "<signalbox.Sample " + std::to_string(position_) +
         (block_ == nullptr ? " released>" : ">");
}

// ---- Subscriber

Subscriber::Subscriber(const std::string& topic, nb::object dtype, const std::string& description,
                       const SubscriberSettings& settings)
    : topic_(topic),
      dtype_(std::move(dtype)),
      fixed_bytes_(dtype_.is_none() ? 0 : nb::cast<std::size_t>(dtype_.attr("itemsize"))),
      handle_(open(topic_, description, !dtype_.is_none(), settings)) {}

SubscriberHandle& Subscriber::open_handle() const {
  if (handle_ == nullptr) {
    throw Failure("closed", 0, "the subscriber of topic '" + topic_ + "' is closed");
  }
  return *handle_;
}

std::shared_ptr<SubscriberHandle> Subscriber::handle() const {
  open_handle();
  return handle_;
}

// With the GIL held: a look takes less time than letting go of it.
nb::object Subscriber::take_by(Take which) {
  SubscriberHandle& subscriber = open_handle();
  if (next_ == nullptr) next_ = std::make_shared<SampleBlock>();
  int taken = 0;
  {
    Turn turn(subscriber);
    sbx_error error;
    check(which(subscriber.raw(), &next_->raw(), &taken, &error), error);
  }
  if (taken == 0) return nb::none();
  next_->mark_taken();
  return nb::cast(Sample(std::move(next_), dtype_));
}

nb::object Subscriber::take() { return take_by(sbx_subscriber_take); }

nb::object Subscriber::take_latest() { return take_by(sbx_subscriber_take_latest); }

nb::object Subscriber::take_batch(const Whole& room, nb::object out) {
  const auto subscriber = handle();
  if (untold_) {
    const Failure failure = *std::exchange(untold_, std::nullopt);
    throw failure;
  }
  if (dtype_.is_none()) throw nb::type_error("take_batch: messages of plain bytes come one by one");
  if (out.is_none()) {
    constexpr Range<std::size_t> kIndices{0, std::numeric_limits<Py_ssize_t>::max()};
    out = new_records(dtype_, narrow<std::size_t>(room, "room", kIndices));
  }
  const Records records = records_of(out, dtype_, Use::write, "take_batch");
  const bool is_much = records.count * fixed_bytes_ > kCopyAloneMax;
  std::size_t taken = 0;
  sbx_error error;
  int code;
  {
    Turn turn(*subscriber);
    std::optional<nb::gil_scoped_release> others_run;
    if (is_much) others_run.emplace();
    code =
        sbx_subscriber_take_batch(subscriber->raw(), records.data, records.count, &taken, &error);
  }
  if (taken == 0) check(code, error);
  if (code != SBX_OK) untold_.emplace(sbx_code_name(code), error.sys_errno, error.text);
  return first_records(out, taken);
}

bool Subscriber::wait(std::optional<double> timeout) { return wait_until(deadline_after(timeout)); }

bool Subscriber::wait_until(std::int64_t deadline) {
  const auto subscriber = handle();
  for (;;) {
    const std::int64_t until = sleep_end(deadline, kWaitNsMax);
    int wake = SBX_WAKE_INTERRUPTED;
    int code;
    sbx_error error;
    {
      Turn turn(*subscriber);
      nb::gil_scoped_release others_run;
      code = sbx_subscriber_wait(subscriber->raw(), until, &wake, &error);
    }
    check(code, error);
    if (wake == SBX_WAKE_READY) return true;
    run_signal_handlers();
    if (wake == SBX_WAKE_TIMED_OUT && until == deadline) return false;
  }
}

nb::object Subscriber::receive(std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  for (;;) {
    nb::object sample = take();
    // A message that made wait() return can be overwritten before take() reaches it.
    if (!sample.is_none() || !wait_until(deadline)) return sample;
  }
}

int Subscriber::descriptor() {
  const auto subscriber = handle();
  Turn turn(*subscriber);
  int fd = -1;
  sbx_error error;
  check(sbx_subscriber_descriptor(subscriber->raw(), &fd, &error), error);
  return fd;
}

std::uint64_t Subscriber::lost_count() {
  const auto subscriber = handle();
  Turn turn(*subscriber);
  return sbx_subscriber_lost_count(subscriber->raw());
}

std::uint64_t Subscriber::skipped_count() {
  const auto subscriber = handle();
  Turn turn(*subscriber);
  return sbx_subscriber_skipped_count(subscriber->raw());
}

std::uint64_t Subscriber::dropped_count() {
  const auto subscriber = handle();
  Turn turn(*subscriber);
  return sbx_subscriber_dropped_count(subscriber->raw());
}

std::uint32_t Subscriber::publisher_count() {
  const auto subscriber = handle();
  Turn turn(*subscriber);
  return sbx_subscriber_publisher_count(subscriber->raw());
}

void Subscriber::close() {
  if (handle_ == nullptr) return;
  if (handle_->is_ours()) Turn turn(*handle_);  // not under a thread that is inside a call
  handle_->mark_closed();
  handle_.reset();
}

std::string Subscriber::repr() const {
  return "<signalbox.Subscriber '" + topic_ + "'" + (is_closed() ? " closed>" : ">");
}

namespace {

PyObject* sample_data(PyObject* self, void* /*closure*/) {
  if (!is_made(self)) return nullptr;
  return without_nanobind([&] { return nb::inst_ptr<Sample>(self)->data(); });
}

PyGetSetDef sample_properties[] = {
    {"data", sample_data, nullptr, docs::kSampleData, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot sample_slots[] = {{Py_tp_getset, sample_properties}, {0, nullptr}};

template <nb::object (Subscriber::*take)()>
PyObject* subscriber_take(PyObject* self, PyObject* /*none*/) {
  if (!is_made(self)) return nullptr;
  return without_nanobind([&] { return (nb::inst_ptr<Subscriber>(self)->*take)(); });
}

PyMethodDef subscriber_methods[] = {
    {"take", subscriber_take<&Subscriber::take>, METH_NOARGS, docs::kTake},
    {"take_latest", subscriber_take<&Subscriber::take_latest>, METH_NOARGS, docs::kTakeLatest},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot subscriber_slots[] = {{Py_tp_methods, subscriber_methods}, {0, nullptr}};

}  // namespace

void bind_subscriber(nb::module_& module) {
  nb::class_<Sample>(module, "Sample", docs::kSample, nb::is_final(), nb::type_slots(sample_slots))
      .def_prop_ro("tail", &Sample::tail, docs::kSampleTail)
      .def_prop_ro("position", &Sample::position, docs::kSamplePosition)
      .def_prop_ro("publisher", &Sample::publisher, docs::kSamplePublisher)
      .def("release", &Sample::release, docs::kSampleRelease)
      .def("__enter__", [](nb::object self) { return self; })
      .def(
          "__exit__", [](Sample& self, nb::handle, nb::handle, nb::handle) { self.release(); },
          nb::arg("type").none(), nb::arg("value").none(), nb::arg("traceback").none())
      .def("__repr__", &Sample::repr);

  nb::class_<Subscriber>(module, "Subscriber", docs::kSubscriber, nb::type_slots(subscriber_slots))
      .def(
          "__init__",
          [](Subscriber* self, const std::string& topic, nb::object dtype,
             const std::string& description, std::uint64_t start, bool reliable,
             std::optional<std::string> domain, const Whole& spin_max_ns, std::string tier,
             bool writable_ring) {
            new (self) Subscriber(
                topic, std::move(dtype), description,
                {start, reliable, std::move(domain), spin_max_ns, std::move(tier), writable_ring});
          },
          nb::arg("topic"), nb::arg("dtype").none(), nb::arg("description"), nb::arg("start"),
          nb::arg("reliable"), nb::arg("domain").none(), nb::arg("spin_max_ns"), nb::arg("tier"),
          nb::arg("writable_ring"))
      .def("take_batch", &Subscriber::take_batch, nb::arg("room") = 256,
           nb::arg("out").none() = nb::none(), docs::kTakeBatch)
      .def("wait", &Subscriber::wait, nb::arg("timeout").none() = nb::none(), docs::kWait)
      .def("receive", &Subscriber::receive, nb::arg("timeout").none() = nb::none(), docs::kReceive)
      .def("fileno", &Subscriber::descriptor, docs::kFileno)
      .def("close", &Subscriber::close, docs::kSubscriberClose)
      .def_prop_ro("lost_count", &Subscriber::lost_count, docs::kLostCount)
      .def_prop_ro("skipped_count", &Subscriber::skipped_count, docs::kSkippedCount)
      .def_prop_ro("dropped_count", &Subscriber::dropped_count, docs::kSubscriberDroppedCount)
      .def_prop_ro("publisher_count", &Subscriber::publisher_count, docs::kPublisherCount)
      .def_prop_ro("topic", &Subscriber::topic, docs::kTopic)
      .def_prop_ro("dtype", &Subscriber::dtype, docs::kDtype)
      .def_prop_ro("closed", &Subscriber::is_closed, docs::kClosed)
      .def("__repr__", &Subscriber::repr);
}

}  // namespace signalbox_python
