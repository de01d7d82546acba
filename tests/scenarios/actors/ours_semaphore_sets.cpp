// System V semaphore sets by os::SemaphoreSet.
#include <cstdint>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/semaphore_set.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, os::SemaphoreSet> sets;

os::SemaphoreSet& set_of(const Words& words) { return sets.at(words[0]); }

std::uint16_t index_of(const Words& words) { return static_cast<std::uint16_t>(words.number(1)); }

os::SysvKey key_of(const std::string& word) {
  return word == "private" ? os::SysvKey::private_key()
                           : os::SysvKey::number(static_cast<std::int32_t>(std::stol(word)));
}

std::string create(const Words& words) {
  const std::vector<std::uint16_t> zeroes(static_cast<std::size_t>(words.number(2)));
  return keep(sets, words[0],
              os::SemaphoreSet::create(key_of(words[1]), zeroes, {.mode = mode_of(words, 3)}));
}

// Who may not read a set cannot learn either whether it is ready: it opens it as it is.
std::string open(const Words& words) {
  const auto count = static_cast<std::int32_t>(words.has(2) ? words.number(2) : 0);
  const auto key = key_of(words[1]);
  return keep(sets, words[0],
              count == 0
                  ? os::SemaphoreSet::open_as_is(key)
                  : os::SemaphoreSet::open(key, count, Deadline::after(std::chrono::seconds(10))));
}

os::SemOp operation_of(const std::string& word) {
  const auto colon = word.find(':');
  const auto index = static_cast<std::uint16_t>(std::stol(word.substr(0, colon)));
  const auto delta = static_cast<std::int16_t>(std::stol(word.substr(colon + 1)));
  const os::SemOp operation = delta == 0  ? os::until_zero(index)
                              : delta < 0 ? os::take(index, static_cast<std::int16_t>(-delta))
                                          : os::give(index, delta);
  return word.back() == '~' ? os::undo_on_exit(operation) : operation;
}

std::vector<os::SemOp> operations_of(const Words& words, std::size_t first) {
  std::vector<os::SemOp> operations;
  for (std::size_t i = first; i < words.count(); ++i) {
    if (words[i][0] == 'x') {
      operations.resize(std::stoul(words[i].substr(1)), operations.back());
    } else {
      operations.push_back(operation_of(words[i]));
    }
  }
  return operations;
}

std::string put_all(const Words& words) {
  std::vector<std::uint16_t> values;
  for (std::size_t i = 1; i < words.count(); ++i) {
    values.push_back(static_cast<std::uint16_t>(words.number(i)));
  }
  return answer_of(set_of(words).set_values(values));
}

std::string all(const Words& words) {
  const auto values = set_of(words).values();
  std::string answer = answer_of(values);
  if (values) {
    for (const std::uint16_t value : *values) answer += " " + std::to_string(value);
  }
  return answer;
}

template <class T>
std::string number(const Result<T>& result) {
  return result ? ok(*result) : answer_of(result.error());
}

std::string waiters(const Words& words) {
  const auto for_more = set_of(words).waiting_to_take(index_of(words));
  if (!for_more) return answer_of(for_more.error());
  const auto for_zero = set_of(words).waiting_for_zero(index_of(words));
  return for_zero ? ok(*for_more, *for_zero) : answer_of(for_zero.error());
}

std::string status(const Words& words) {
  const auto facts = set_of(words).facts();
  if (!facts) return answer_of(facts.error());
  char mode[16];
  std::snprintf(mode, sizeof mode, "%03o", facts->access.mode);
  return ok(facts->count, mode);
}

}  // namespace

void offer_semaphore_sets(Actor& actor) {
  actor.offer("set_create", create);
  actor.offer("set_open", open);
  actor.offer("set_apply", [](const Words& words) {
    return answer_of(
        set_of(words).apply(operations_of(words, 1), Deadline::never(), as_the_kernel));
  });
  actor.offer("set_try", [](const Words& words) {
    return answer_or_would_block(set_of(words).try_apply(operations_of(words, 1)));
  });
  actor.offer("set_timed", [](const Words& words) {
    return answer_of(
        set_of(words).apply(operations_of(words, 2), deadline_of(words, 1), as_the_kernel));
  });
  actor.offer("set_put", [](const Words& words) {
    return answer_of(
        set_of(words).set_value(index_of(words), static_cast<std::int32_t>(words.number(2))));
  });
  actor.offer("set_put_all", put_all);
  actor.offer("set_all", all);
  actor.offer("set_at",
              [](const Words& words) { return number(set_of(words).value(index_of(words))); });
  actor.offer("set_last_pid",
              [](const Words& words) { return number(set_of(words).last_pid(index_of(words))); });
  actor.offer("set_waiters", waiters);
  actor.offer("set_status", status);
  actor.offer("set_remove", [](const Words& words) { return answer_of(set_of(words).remove()); });
}

}  // namespace signalbox::scenarios
