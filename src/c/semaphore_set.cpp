// semaphore_set.cpp: sbx_semaphore_set over os::SemaphoreSet.
#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "c/object_calls.hpp"
#include "c/sysv_access.hpp"
#include "signalbox/c/semaphore_set.h"
#include "signalbox/os/semaphore_set.hpp"

using signalbox::Deadline;
using signalbox::Result;
using signalbox::c::act;
using signalbox::c::answer;
using signalbox::c::ask;
using signalbox::c::bad_argument;
using signalbox::c::guarded;
using signalbox::c::make;
using signalbox::c::need;
using signalbox::c::need_bytes;
using signalbox::c::on_signal_of;
using signalbox::c::read_first_options;
using signalbox::c::report;
using signalbox::os::SemaphoreSet;
using signalbox::os::SemOp;
using signalbox::os::SysvKey;

struct sbx_semaphore_set {
  SemaphoreSet raw;
};

namespace {

// The operations in C++'s form; on the stack unless they are unusually many.
class Operations {
 public:
  // Throws std::bad_alloc.
  Operations(const sbx_sem_op* ops, std::size_t count) : count_(count) {
    if (count > few_.size()) many_.resize(count);
    SemOp* const out = many_.empty() ? few_.data() : many_.data();
    std::transform(ops, ops + count, out, [](const sbx_sem_op& op) {
      return SemOp{.index = op.index, .delta = op.delta, .undo = (op.flags & SBX_SEM_UNDO) != 0};
    });
  }
  std::span<const SemOp> all() const noexcept {
    return {many_.empty() ? few_.data() : many_.data(), count_};
  }

 private:
  std::array<SemOp, 64> few_;
  std::vector<SemOp> many_;
  std::size_t count_;
};

bool has_unknown_flags(const sbx_sem_op* ops, std::size_t count) noexcept {
  return std::any_of(ops, ops + count,
                     [](const sbx_sem_op& op) { return (op.flags & ~SBX_SEM_UNDO) != 0; });
}

int check_operations(std::string_view function, const sbx_semaphore_set* set, const sbx_sem_op* ops,
                     std::size_t count, sbx_error* error) noexcept {
  if (const int bad = need(function, {{set, "set"}}, error)) return bad;
  if (const int bad = need_bytes(function, ops, count, "ops", error)) return bad;
  if (!has_unknown_flags(ops, count)) return SBX_OK;
  return bad_argument(function, "ops[i].flags has a bit other than SBX_SEM_UNDO", error);
}

template <class Make>
int make_with(std::string_view function, const std::uint16_t* initial, std::size_t count,
              const sbx_semaphore_set_options* options, sbx_semaphore_set** out, sbx_error* error,
              Make&& made) {
  sbx_semaphore_set_options read{};
  sbx_semaphore_set_options_init(&read);
  if (const int bad = read_first_options(function, options, read, error)) return bad;
  if (const int bad = need_bytes(function, initial, count, "initial", error)) return bad;
  return make(function, out, error, [&] {
    return made(std::span(initial, count), signalbox::os::SemaphoreSetOptions{.mode = read.mode});
  });
}

Result<sbx_semaphore_users> users_of(const SemaphoreSet& set, std::uint16_t index) {
  const auto last = set.last_pid(index);
  if (!last) return std::unexpected(last.error());
  const auto takers = set.waiting_to_take(index);
  if (!takers) return std::unexpected(takers.error());
  const auto for_zero = set.waiting_for_zero(index);
  if (!for_zero) return std::unexpected(for_zero.error());
  return sbx_semaphore_users{
      .last_pid = *last, .waiting_to_take = *takers, .waiting_for_zero = *for_zero};
}

}  // namespace

extern "C" {

int sbx_sysv_key_of_file(const char* path, uint8_t project, int32_t* key, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_key_of_file";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{path, "path"}, {key, "key"}}, error)) return bad;
    const auto made = SysvKey::of_file(path, project);
    if (made) *key = made->value();
    return answer(made, error);
  });
}

void sbx_semaphore_set_options_init_sized(sbx_semaphore_set_options* options, size_t size) {
  const signalbox::os::SemaphoreSetOptions defaults{};
  const sbx_semaphore_set_options whole{.struct_size = sizeof(whole), .mode = defaults.mode};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_semaphore_set_create(int32_t key, const uint16_t* initial, size_t count,
                             const sbx_semaphore_set_options* options, sbx_semaphore_set** out,
                             sbx_error* error) {
  return make_with("sbx_semaphore_set_create", initial, count, options, out, error,
                   [&](auto counts, auto with) {
                     return SemaphoreSet::create(SysvKey::number(key), counts, with);
                   });
}

int sbx_semaphore_set_open(int32_t key, int32_t count, int64_t deadline_ns, sbx_semaphore_set** out,
                           sbx_error* error) {
  return make("sbx_semaphore_set_open", out, error, [&] {
    return SemaphoreSet::open(SysvKey::number(key), count, Deadline::at_ns(deadline_ns));
  });
}

int sbx_semaphore_set_open_or_create(int32_t key, const uint16_t* initial, size_t count,
                                     int64_t deadline_ns, const sbx_semaphore_set_options* options,
                                     sbx_semaphore_set** out, sbx_error* error) {
  return make_with("sbx_semaphore_set_open_or_create", initial, count, options, out, error,
                   [&](auto counts, auto with) {
                     return SemaphoreSet::open_or_create(SysvKey::number(key), counts,
                                                         Deadline::at_ns(deadline_ns), with);
                   });
}

int sbx_semaphore_set_open_as_is(int32_t key, sbx_semaphore_set** out, sbx_error* error) {
  return make("sbx_semaphore_set_open_as_is", out, error,
              [&] { return SemaphoreSet::open_as_is(SysvKey::number(key)); });
}

int sbx_semaphore_set_attach(int id, sbx_semaphore_set** out, sbx_error* error) {
  return make("sbx_semaphore_set_attach", out, error, [&] { return SemaphoreSet::attach(id); });
}

void sbx_semaphore_set_close(sbx_semaphore_set* set) { delete set; }

int sbx_semaphore_set_id(const sbx_semaphore_set* set) {
  return set == nullptr ? -1 : set->raw.id();
}

int sbx_semaphore_set_apply(sbx_semaphore_set* set, const sbx_sem_op* ops, size_t count,
                            int64_t deadline_ns, int on_signal, sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_set_apply";
  return guarded(function, error, [&]() -> int {
    if (const int bad = check_operations(function, set, ops, count, error)) return bad;
    return answer(set->raw.apply(Operations(ops, count).all(), Deadline::at_ns(deadline_ns),
                                 on_signal_of(on_signal)),
                  error);
  });
}

int sbx_semaphore_set_try_apply(sbx_semaphore_set* set, const sbx_sem_op* ops, size_t count,
                                int* done, sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_set_try_apply";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{done, "done"}}, error)) return bad;
    *done = 0;
    if (const int bad = check_operations(function, set, ops, count, error)) return bad;
    const auto result = set->raw.try_apply(Operations(ops, count).all());
    if (result) *done = *result ? 1 : 0;
    return answer(result, error);
  });
}

int sbx_semaphore_set_enter(sbx_semaphore_set* set, uint16_t index, int64_t deadline_ns,
                            int on_signal, sbx_error* error) {
  return act("sbx_semaphore_set_enter", set, "set", error, [&](SemaphoreSet& raw) {
    return raw.apply({signalbox::os::undo_on_exit(signalbox::os::take(index))},
                     Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_semaphore_set_leave(sbx_semaphore_set* set, uint16_t index, sbx_error* error) {
  return act("sbx_semaphore_set_leave", set, "set", error, [&](SemaphoreSet& raw) {
    return raw.apply({signalbox::os::undo_on_exit(signalbox::os::give(index))}, Deadline::never());
  });
}

int sbx_semaphore_set_remove(sbx_semaphore_set* set, sbx_error* error) {
  return act("sbx_semaphore_set_remove", set, "set", error,
             [](SemaphoreSet& raw) { return raw.remove(); });
}

int sbx_semaphore_set_value(const sbx_semaphore_set* set, uint16_t index, uint16_t* value,
                            sbx_error* error) {
  return ask("sbx_semaphore_set_value", set, "set", value, "value", error,
             [&](const SemaphoreSet& raw) { return raw.value(index); });
}

int sbx_semaphore_set_values(const sbx_semaphore_set* set, uint16_t* values, size_t room,
                             size_t* count, sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_set_values";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{set, "set"}, {count, "count"}}, error)) return bad;
    if (const int bad = need_bytes(function, values, room, "values", error)) return bad;
    const auto all = set->raw.values();
    if (!all) return report(all.error(), error);
    *count = all->size();
    std::copy_n(all->begin(), std::min(room, all->size()), values);
    return SBX_OK;
  });
}

int sbx_semaphore_set_users(const sbx_semaphore_set* set, uint16_t index,
                            sbx_semaphore_users* users, sbx_error* error) {
  return ask("sbx_semaphore_set_users", set, "set", users, "users", error,
             [&](const SemaphoreSet& raw) { return users_of(raw, index); });
}

int sbx_semaphore_set_look(const sbx_semaphore_set* set, sbx_semaphore_set_facts* facts,
                           sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_set_look";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{set, "set"}, {facts, "facts"}}, error)) return bad;
    const auto found = set->raw.facts();
    if (!found) return report(found.error(), error);
    const sbx_semaphore_set_facts whole{.struct_size = sizeof(whole),
                                        .id = found->id,
                                        .access = signalbox::c::access_of(found->access),
                                        .count = found->count,
                                        .reserved = 0,
                                        .last_operation = found->last_operation,
                                        .last_change = found->last_change};
    return signalbox::c::write_facts(function, &whole, sizeof(whole), facts, sizeof(whole), error);
  });
}

int sbx_semaphore_set_set_value(sbx_semaphore_set* set, uint16_t index, int32_t value,
                                sbx_error* error) {
  return act("sbx_semaphore_set_set_value", set, "set", error,
             [&](SemaphoreSet& raw) { return raw.set_value(index, value); });
}

int sbx_semaphore_set_set_values(sbx_semaphore_set* set, const uint16_t* values, size_t count,
                                 sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_set_set_values";
  if (const int bad = need(function, {{values, "values"}}, error)) return bad;
  return act(function, set, "set", error,
             [&](SemaphoreSet& raw) { return raw.set_values(std::span(values, count)); });
}

int sbx_semaphore_set_set_mode(sbx_semaphore_set* set, uint32_t mode, sbx_error* error) {
  return act("sbx_semaphore_set_set_mode", set, "set", error,
             [&](SemaphoreSet& raw) { return raw.set_mode(mode); });
}

}  // extern "C"
