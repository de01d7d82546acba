// System V semaphore sets by bare system calls.
#include <sys/ipc.h>
#include <sys/sem.h>

#include <cstdint>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, int> sets;

key_t key_of(const std::string& word) {
  return word == "private" ? IPC_PRIVATE : static_cast<key_t>(std::stol(word));
}

std::string keep(const std::string& name, int id) {
  if (id >= 0) sets[name] = id;
  return answer_of(id);
}

// set_create NAME KEY COUNT [MODE]
std::string create(const Words& words) {
  const int mode = words.has(3) ? std::stoi(words[3], nullptr, 8) : 0600;
  return keep(words[0], ::semget(key_of(words[1]), static_cast<int>(words.number(2)),
                                 IPC_CREAT | IPC_EXCL | mode));
}

// set_open NAME KEY [COUNT]
std::string open(const Words& words) {
  const int count = words.has(2) ? static_cast<int>(words.number(2)) : 0;
  return keep(words[0], ::semget(key_of(words[1]), count, 0));
}

// INDEX:DELTA, with ~ behind it for undo
sembuf operation_of(const std::string& word) {
  const auto colon = word.find(':');
  sembuf operation{};
  operation.sem_num = static_cast<unsigned short>(std::stol(word.substr(0, colon)));
  operation.sem_op = static_cast<short>(std::stol(word.substr(colon + 1)));
  operation.sem_flg = word.back() == '~' ? SEM_UNDO : 0;
  return operation;
}

// OPERATION... | OPERATION xCOUNT: one operation so many times
std::vector<sembuf> operations_of(const Words& words, std::size_t first) {
  std::vector<sembuf> operations;
  for (std::size_t i = first; i < words.count(); ++i) {
    if (words[i][0] == 'x') {
      operations.resize(std::stoul(words[i].substr(1)), operations.back());
    } else {
      operations.push_back(operation_of(words[i]));
    }
  }
  return operations;
}

std::string apply(const Words& words) {
  auto operations = operations_of(words, 1);
  return answer_of(::semop(sets.at(words[0]), operations.data(), operations.size()));
}

std::string try_apply(const Words& words) {
  auto operations = operations_of(words, 1);
  for (sembuf& operation : operations) operation.sem_flg |= IPC_NOWAIT;
  return answer_of(::semop(sets.at(words[0]), operations.data(), operations.size()));
}

// set_timed NAME SPAN OPERATION...
std::string timed_apply(const Words& words) {
  const long long span = words.span_ns(1);
  const timespec timeout{span / 1'000'000'000, span % 1'000'000'000};
  auto operations = operations_of(words, 2);
  return answer_of(::semtimedop(sets.at(words[0]), operations.data(), operations.size(), &timeout));
}

union Argument {
  int value;
  semid_ds* status;
  unsigned short* array;
};

std::string put(const Words& words) {
  const Argument argument{.value = static_cast<int>(words.number(2))};
  return answer_of(
      ::semctl(sets.at(words[0]), static_cast<int>(words.number(1)), SETVAL, argument));
}

std::string put_all(const Words& words) {
  std::vector<unsigned short> values;
  for (std::size_t i = 1; i < words.count(); ++i) {
    values.push_back(static_cast<unsigned short>(words.number(i)));
  }
  return answer_of(::semctl(sets.at(words[0]), 0, SETALL, Argument{.array = values.data()}));
}

std::string all(const Words& words) {
  const int id = sets.at(words[0]);
  semid_ds status{};
  if (::semctl(id, 0, IPC_STAT, Argument{.status = &status}) < 0) return answer_of(-1);
  std::vector<unsigned short> values(status.sem_nsems);
  if (::semctl(id, 0, GETALL, Argument{.array = values.data()}) < 0) return answer_of(-1);
  std::string answer = "ok";
  for (const unsigned short value : values) answer += " " + std::to_string(value);
  return answer;
}

// One number about one semaphore.
std::string ask(const Words& words, int command) {
  const int number =
      ::semctl(sets.at(words[0]), static_cast<int>(words.number(1)), command, Argument{});
  return number < 0 ? answer_of(number) : ok(number);
}

// For more, and for zero.
std::string waiters(const Words& words) {
  const int id = sets.at(words[0]);
  const int index = static_cast<int>(words.number(1));
  const int for_more = ::semctl(id, index, GETNCNT, Argument{});
  if (for_more < 0) return answer_of(for_more);
  return ok(for_more, ::semctl(id, index, GETZCNT, Argument{}));
}

// Semaphores, mode.
std::string status(const Words& words) {
  semid_ds status{};
  if (::semctl(sets.at(words[0]), 0, IPC_STAT, Argument{.status = &status}) < 0) {
    return answer_of(-1);
  }
  char mode[8];
  std::snprintf(mode, sizeof mode, "%03o", status.sem_perm.mode & 0777U);
  return ok(status.sem_nsems, mode);
}

}  // namespace

void offer_semaphore_sets(Actor& actor) {
  actor.offer("set_create", create);
  actor.offer("set_open", open);
  actor.offer("set_apply", apply);
  actor.offer("set_try", try_apply);
  actor.offer("set_timed", timed_apply);
  actor.offer("set_put", put);
  actor.offer("set_put_all", put_all);
  actor.offer("set_all", all);
  actor.offer("set_at", [](const Words& words) { return ask(words, GETVAL); });
  actor.offer("set_last_pid", [](const Words& words) { return ask(words, GETPID); });
  actor.offer("set_waiters", waiters);
  actor.offer("set_status", status);
  actor.offer("set_remove", [](const Words& words) {
    return answer_of(::semctl(sets.at(words[0]), 0, IPC_RMID, Argument{}));
  });
}

}  // namespace signalbox::scenarios
