// System V semaphore sets of three, and SemaphoreSet.
#include <sys/sem.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "family.hpp"
#include "ours.hpp"
#include "signalbox/os/semaphore_set.hpp"

namespace signalbox::differential {

namespace {

constexpr int semaphores = 3;
// A count that can be set, so that the kernel's bound comes into play.
constexpr int largest = 32767;

enum Verb : std::uint8_t { apply, put, put_all };

// apply: INDEX DELTA UNDO for each operation, at most two, then how often the last is repeated.
std::vector<sembuf> operations_of(const Operation& operation) {
  std::vector<sembuf> operations;
  for (std::size_t i = 0; i + 2 < operation.count; i += 3) {
    operations.push_back({static_cast<unsigned short>(operation.numbers.at(i)),
                          static_cast<short>(operation.numbers.at(i + 1)),
                          static_cast<short>(operation.numbers.at(i + 2) != 0 ? SEM_UNDO : 0)});
  }
  if (operation.numbers.at(7) != 0) {
    operations.resize(static_cast<std::size_t>(operation.numbers.at(7)), operations.back());
  }
  return operations;
}

union Argument {
  int value;
  unsigned short* array;
};

class BareSet : public Side {
 public:
  std::int64_t make() override {
    id_ = ::semget(IPC_PRIVATE, semaphores, IPC_CREAT | 0600);
    if (id_ < 0) throw std::runtime_error("semget says " + std::to_string(errno));
    // As ours does, so that the last process is the same from the start.
    unsigned short zeroes[semaphores]{};
    ::semctl(id_, 0, SETALL, Argument{.array = zeroes});
    return id_;
  }
  void meet(std::int64_t address) override { id_ = static_cast<int>(address); }

  Answer perform(const Operation& operation) override {
    if (operation.verb == apply) return bare_apply(operation);
    Answer answer;
    int result = 0;
    if (operation.verb == put) {
      result = ::semctl(id_, operation.numbers[0], SETVAL, Argument{.value = operation.numbers[1]});
    } else {
      unsigned short values[semaphores];
      for (std::size_t i = 0; i < semaphores; ++i) {
        values[i] = static_cast<unsigned short>(operation.numbers.at(i));
      }
      result = ::semctl(id_, 0, SETALL, Argument{.array = values});
    }
    answer.error = result < 0 ? errno : 0;
    return answer;
  }

  Facts look(const WhoIs& who_is) override {
    Facts facts;
    for (int i = 0; i < semaphores; ++i) {
      facts.add(::semctl(id_, i, GETVAL, Argument{}));
      facts.add(who_is(::semctl(id_, i, GETPID, Argument{})));
      facts.add(::semctl(id_, i, GETNCNT, Argument{}));
      facts.add(::semctl(id_, i, GETZCNT, Argument{}));
    }
    return facts;
  }
  void remove() override { ::semctl(id_, 0, IPC_RMID, Argument{}); }

 private:
  Answer bare_apply(const Operation& operation) const {
    auto operations = operations_of(operation);
    Answer answer;
    int result = 0;
    if (operation.wait == Wait::shortly) {
      const timespec timeout{0, shortly_us * 1000};
      result = ::semtimedop(id_, operations.data(), operations.size(), &timeout);
    } else {
      for (sembuf& one : operations) {
        if (operation.wait == Wait::never) one.sem_flg |= IPC_NOWAIT;
      }
      do {
        result = ::semop(id_, operations.data(), operations.size());
      } while (result < 0 && errno == EINTR && operation.wait == Wait::until_done);
    }
    answer.error = result < 0 ? errno : 0;
    return answer;
  }

  int id_ = -1;
};

class OurSet : public Side {
 public:
  std::int64_t make() override {
    const std::uint16_t zeroes[semaphores]{};
    set_ = must(os::SemaphoreSet::create(os::SysvKey::private_key(), zeroes));
    return set_->id();
  }
  void meet(std::int64_t address) override {
    set_ = must(os::SemaphoreSet::attach(static_cast<int>(address)));
  }

  Answer perform(const Operation& operation) override {
    if (operation.verb == put) {
      return answer_of(
          set_->set_value(static_cast<std::uint16_t>(operation.numbers[0]), operation.numbers[1]));
    }
    if (operation.verb == put_all) {
      std::uint16_t values[semaphores];
      for (std::size_t i = 0; i < semaphores; ++i) {
        values[i] = static_cast<std::uint16_t>(operation.numbers.at(i));
      }
      return answer_of(set_->set_values(values));
    }
    std::vector<os::SemOp> operations;
    for (const sembuf& one : operations_of(operation)) {
      operations.push_back({one.sem_num, one.sem_op, one.sem_flg != 0});
    }
    if (operation.wait == Wait::never) {
      return answer_or_would_block(set_->try_apply(operations));
    }
    return answer_of(set_->apply(operations, deadline_of(operation), on_signal_of(operation)));
  }

  Facts look(const WhoIs& who_is) override {
    Facts facts;
    for (std::uint16_t i = 0; i < semaphores; ++i) {
      facts.add(must(set_->value(i)));
      facts.add(who_is(must(set_->last_pid(i))));
      facts.add(must(set_->waiting_to_take(i)));
      facts.add(must(set_->waiting_for_zero(i)));
    }
    return facts;
  }
  void remove() override { static_cast<void>(set_->remove()); }

 private:
  std::optional<os::SemaphoreSet> set_;
};

Operation random_operation(std::mt19937_64& random) {
  Operation operation;
  if (once_in(random, 40)) {
    operation.verb = put;
    operation.numbers[0] = number_below(random, once_in(random, 10) ? 5 : semaphores);
    operation.numbers[1] = number_below(random, 4);
    if (once_in(random, 4)) operation.numbers[1] = largest - 1 + number_below(random, 4);
    operation.count = 2;
    return operation;
  }
  if (once_in(random, 60)) {
    operation.verb = put_all;
    for (std::size_t i = 0; i < semaphores; ++i) operation.numbers.at(i) = number_below(random, 4);
    if (once_in(random, 5)) operation.numbers[1] = 65535;
    operation.count = semaphores;
    return operation;
  }
  operation.wait = random_wait(random);
  const int steps = once_in(random, 3) ? 2 : 1;
  for (int i = 0; i < steps; ++i) {
    const bool gives = number_below(random, 2) == 0;
    const int delta = once_in(random, 8) ? 0 : 1 + number_below(random, 3);
    operation.numbers.at(operation.count++) =
        number_below(random, once_in(random, 100) ? 5 : semaphores);
    operation.numbers.at(operation.count++) = gives ? delta : -delta;
    operation.numbers.at(operation.count++) = once_in(random, 3) ? 1 : 0;
  }
  if (once_in(random, 300)) operation.numbers[1] = largest;
  if (once_in(random, 500)) operation.numbers[7] = 501;
  return operation;
}

std::string text_of_operation(const Operation& operation) {
  if (operation.verb == put) {
    return "set_put s " + std::to_string(operation.numbers[0]) + " " +
           std::to_string(operation.numbers[1]);
  }
  if (operation.verb == put_all) {
    std::string text = "set_put_all s";
    for (std::size_t i = 0; i < semaphores; ++i) {
      text += " " + std::to_string(operation.numbers.at(i));
    }
    return text;
  }
  std::string text = operation.wait == Wait::never     ? "set_try s"
                     : operation.wait == Wait::shortly ? "set_timed s 1ms"
                                                       : "set_apply s";
  for (std::size_t i = 0; i + 2 < operation.count; i += 3) {
    text += " " + std::to_string(operation.numbers.at(i)) + ":" +
            std::to_string(operation.numbers.at(i + 1)) +
            (operation.numbers.at(i + 2) != 0 ? "~" : "");
  }
  if (operation.numbers[7] != 0) text += " x" + std::to_string(operation.numbers[7]);
  return text;
}

}  // namespace

Family semaphore_sets() {
  return {.name = "semaphore_sets",
          .setting = "set_create s $key 3",
          .meeting = "set_open s $key",
          .facts = "value, last process, waiters for more and for zero of each",
          .bare = [] { return std::make_unique<BareSet>(); },
          .ours = [] { return std::make_unique<OurSet>(); },
          .random_operation = random_operation,
          .text_of = text_of_operation,
          .removal_wakes = true};
}

}  // namespace signalbox::differential
