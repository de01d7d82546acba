// file_lock.cpp: sbx_file_lock over os::lock() and its like.
#include "signalbox/c/file_lock.h"

#include <string_view>

#include "c/object_calls.hpp"
#include "signalbox/os/file_lock.hpp"

using signalbox::Deadline;
using signalbox::c::answer;
using signalbox::c::bad_argument;
using signalbox::c::guarded;
using signalbox::c::need;
using signalbox::c::on_signal_of;
using signalbox::c::report;
using signalbox::os::Fd;
using signalbox::os::LockKind;
using signalbox::os::LockOptions;
using signalbox::os::LockOwner;

static_assert(SBX_LOCK_SHARED == static_cast<int>(LockKind::shared));
static_assert(SBX_LOCK_EXCLUSIVE == static_cast<int>(LockKind::exclusive));
static_assert(SBX_OWNER_OPEN_FILE == static_cast<int>(LockOwner::open_file));
static_assert(SBX_OWNER_FLOCK == static_cast<int>(LockOwner::flock));
static_assert(SBX_OWNER_PROCESS == static_cast<int>(LockOwner::process));

namespace {

// A caller's descriptor as C++ takes it, for one call: it stays his.
class Borrowed {
 public:
  explicit Borrowed(int fd) noexcept : fd_(fd) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() { static_cast<void>(fd_.release()); }
  const Fd& get() const noexcept { return fd_; }

 private:
  Fd fd_;
};

// Runs `call` with the kind and the options in C++'s form.
template <class Call>
int with(std::string_view function, int fd, int kind, const sbx_file_lock_options* options,
         sbx_error* error, Call&& call) noexcept {
  return guarded(function, error, [&]() -> int {
    sbx_file_lock_options read{};
    sbx_file_lock_options_init(&read);
    if (const int bad = signalbox::c::read_first_options(function, options, read, error))
      return bad;
    if (kind != SBX_LOCK_SHARED && kind != SBX_LOCK_EXCLUSIVE) {
      return bad_argument(function, "'kind' is no sbx_lock_kind", error);
    }
    if (read.owner > SBX_OWNER_PROCESS) {
      return bad_argument(function, "'options->owner' is no sbx_lock_owner", error);
    }
    const Borrowed file(fd);
    const LockOptions native{.range = {.begin = read.range.begin, .bytes = read.range.bytes},
                             .owner = static_cast<LockOwner>(read.owner)};
    return call(file.get(), static_cast<LockKind>(kind), native);
  });
}

}  // namespace

extern "C" {

void sbx_file_lock_options_init_sized(sbx_file_lock_options* options, size_t size) {
  const sbx_file_lock_options whole{.struct_size = sizeof(whole),
                                    .owner = SBX_OWNER_OPEN_FILE,
                                    .range = {.begin = 0, .bytes = 0}};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_file_lock_take(int fd, int kind, const sbx_file_lock_options* options, int64_t deadline_ns,
                       int on_signal, sbx_error* error) {
  return with("sbx_file_lock_take", fd, kind, options, error,
              [&](const Fd& file, LockKind wanted, const LockOptions& native) {
                return answer(
                    signalbox::os::lock(file, wanted, native, Deadline::at_ns(deadline_ns),
                                        on_signal_of(on_signal)),
                    error);
              });
}

int sbx_file_lock_try_take(int fd, int kind, const sbx_file_lock_options* options, int* taken,
                           sbx_error* error) {
  constexpr std::string_view function = "sbx_file_lock_try_take";
  if (const int bad = need(function, {{taken, "taken"}}, error)) return bad;
  *taken = 0;
  return with(function, fd, kind, options, error,
              [&](const Fd& file, LockKind wanted, const LockOptions& native) {
                const auto result = signalbox::os::try_lock(file, wanted, native);
                if (result) *taken = *result ? 1 : 0;
                return answer(result, error);
              });
}

int sbx_file_lock_release(int fd, const sbx_file_lock_options* options, sbx_error* error) {
  return with("sbx_file_lock_release", fd, SBX_LOCK_SHARED, options, error,
              [&](const Fd& file, LockKind /*any*/, const LockOptions& native) {
                signalbox::os::unlock(file, native);
                return SBX_OK;
              });
}

int sbx_file_lock_holder(int fd, int kind, const sbx_file_lock_options* options, int* found,
                         sbx_lock_holder* holder, sbx_error* error) {
  constexpr std::string_view function = "sbx_file_lock_holder";
  if (const int bad = need(function, {{found, "found"}, {holder, "holder"}}, error)) return bad;
  *found = 0;
  return with(function, fd, kind, options, error,
              [&](const Fd& file, LockKind wanted, const LockOptions& native) -> int {
                const auto other = signalbox::os::holder_of(file, wanted, native);
                if (!other) return report(other.error(), error);
                if (!*other) return SBX_OK;
                *found = 1;
                *holder = {
                    .kind = static_cast<std::int32_t>((*other)->kind),
                    .pid = (*other)->pid,
                    .range = {.begin = (*other)->range.begin, .bytes = (*other)->range.bytes}};
                return SBX_OK;
              });
}

}  // extern "C"
