// file_locks.cpp: what signalbox.FileLock asks of the C library.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "kernel_object.hpp"
#include "signalbox/c/file_lock.h"
#include "sliced_wait.hpp"
#include "whole.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

// Where a byte of a file can lie.
constexpr Range<std::uint64_t> kOffsets{0, std::numeric_limits<std::int64_t>::max()};

sbx_file_lock_options options_of(std::uint32_t owner, const Whole& begin, const Whole& bytes) {
  sbx_file_lock_options options;
  sbx_file_lock_options_init(&options);
  options.owner = owner;
  options.range = {.begin = narrow<std::uint64_t>(begin, "begin", kOffsets),
                   .bytes = narrow<std::uint64_t>(bytes, "bytes", kOffsets)};
  return options;
}

bool try_take(int fd, bool exclusive, const sbx_file_lock_options& options) {
  int taken = 0;
  checked([&](sbx_error* error) {
    return sbx_file_lock_try_take(fd, exclusive ? SBX_LOCK_EXCLUSIVE : SBX_LOCK_SHARED, &options,
                                  &taken, error);
  });
  return taken != 0;
}

// A sleep for ever is the kernel's own, in its line. One with an end looks again and again anyway.
void take(int fd, bool exclusive, std::uint32_t owner, const Whole& begin, const Whole& bytes,
          std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const sbx_file_lock_options options = options_of(owner, begin, bytes);
  if (try_take(fd, exclusive, options)) return;
  sbx_error error;
  const int code = wait_in_slices(
      deadline, sleep_max_of_naps(deadline), error, [&](std::int64_t until, sbx_error* why) {
        return sbx_file_lock_take(fd, exclusive ? SBX_LOCK_EXCLUSIVE : SBX_LOCK_SHARED, &options,
                                  until, SBX_ON_SIGNAL_GIVE_UP, why);
      });
  check(code, error);
}

using Holder = std::tuple<bool, int, std::uint64_t, std::uint64_t>;

std::optional<Holder> holder_of(int fd, bool exclusive, std::uint32_t owner, const Whole& begin,
                                const Whole& bytes) {
  const sbx_file_lock_options options = options_of(owner, begin, bytes);
  int found = 0;
  sbx_lock_holder holder{};
  checked([&](sbx_error* error) {
    return sbx_file_lock_holder(fd, exclusive ? SBX_LOCK_EXCLUSIVE : SBX_LOCK_SHARED, &options,
                                &found, &holder, error);
  });
  if (found == 0) return std::nullopt;
  return Holder(holder.kind == SBX_LOCK_EXCLUSIVE, holder.pid, holder.range.begin,
                holder.range.bytes);
}

}  // namespace

void bind_file_locks(nb::module_& module) {
  module.def("take_file_lock", &take, nb::arg("fd"), nb::arg("exclusive"), nb::arg("owner"),
             nb::arg("begin"), nb::arg("bytes"), nb::arg("timeout").none());
  module.def("try_take_file_lock", [](int fd, bool exclusive, std::uint32_t owner,
                                      const Whole& begin, const Whole& bytes) {
    return try_take(fd, exclusive, options_of(owner, begin, bytes));
  });
  module.def(
      "release_file_lock", [](int fd, std::uint32_t owner, const Whole& begin, const Whole& bytes) {
        const sbx_file_lock_options options = options_of(owner, begin, bytes);
        checked([&](sbx_error* error) { return sbx_file_lock_release(fd, &options, error); });
      });
  module.def("file_lock_holder", &holder_of);
}

}  // namespace signalbox_python
