#include "leftovers.hpp"

#include <mqueue.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#include <cerrno>
#include <random>

namespace signalbox::scenarios {

int unused_key() {
  std::random_device device;
  for (;;) {
    const int key = static_cast<int>(device() & 0x7fffffff);
    const bool is_free = key != IPC_PRIVATE && ::semget(key, 0, 0) < 0 && errno == ENOENT &&
                         ::msgget(key, 0) < 0 && errno == ENOENT;
    if (is_free) return key;
  }
}

void remove_leftovers(const std::string& variable, const std::string& value) {
  if (variable.starts_with("key")) {
    const int key = std::stoi(value);
    if (const int set = ::semget(key, 0, 0); set >= 0) ::semctl(set, 0, IPC_RMID);
    if (const int queue = ::msgget(key, 0); queue >= 0) ::msgctl(queue, IPC_RMID, nullptr);
  } else if (variable.starts_with("name")) {
    ::sem_unlink(value.c_str());
    ::mq_unlink(value.c_str());
    ::shm_unlink(value.c_str());
  }
}

bool enter_own_ipc_name_space() { return ::geteuid() == 0 && ::unshare(CLONE_NEWIPC) == 0; }

}  // namespace signalbox::scenarios
