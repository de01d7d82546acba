#include "ground.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace facilities {

namespace {

namespace fs = std::filesystem;

bool& has_own_name_space() {
  static bool has = false;
  return has;
}

std::size_t lines_in(const char* path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count == 0 ? 0 : count - 1;  // the first one is the heading
}

bool is_ours(const std::string& line, const std::string& folder) {
  for (const char* mark : {"/dev/shm/", "/dev/zero", "memfd:", "anon_inode:", "(deleted)"}) {
    if (line.find(mark) != std::string::npos) return true;
  }
  return line.find(folder) != std::string::npos;
}

std::size_t named_files(const std::string& name) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/dev/shm")) {
    const std::string file = entry.path().filename();
    // In a name space of our own everything is ours, also what the C library forgets under names
    // like "sem.XXXXXX".
    if (has_own_name_space()) {
      ++count;
      continue;
    }
    count += file.find(name.substr(1)) != std::string::npos ? 1 : 0;
  }
  return count;
}

}  // namespace

Ground::Ground() {
  // Another /dev/shm than ours may be mounted where the runner's folder was.
  const char* const parent = has_own_name_space() ? nullptr : std::getenv("SBX_SCRATCH");
  folder_ = std::string(parent == nullptr ? "/dev/shm" : parent) + "/sbx-ground-XXXXXX";
  if (::mkdtemp(folder_.data()) == nullptr) std::abort();
  name_ = "/sbx-" + folder_.substr(folder_.size() - 6) + "-" + std::to_string(::getpid());
  std::random_device random;
  do {
    key_ = static_cast<std::int32_t>((random() | 5U) & 0x7fffffffU);
  } while (::semget(key_, 0, 0) >= 0 || ::msgget(key_, 0) >= 0);
}

Ground::~Ground() {
  clear();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Ground::clear() const {
  for (const auto& entry : fs::directory_iterator(folder_)) fs::remove_all(entry.path());
  ::unlink(("/dev/shm" + name_).c_str());
  ::unlink(("/dev/shm/sem." + name_.substr(1)).c_str());
  ::mq_unlink(name_.c_str());
  for (const std::int32_t key : {key_, key_ ^ 2}) {
    if (const int id = ::semget(key, 0, 0); id >= 0) ::semctl(id, 0, IPC_RMID);
    if (const int id = ::msgget(key, 0); id >= 0) ::msgctl(id, IPC_RMID, nullptr);
  }
}

Holdings holdings(const Ground& ground) {
  Holdings all{};
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    ++all.descriptors;
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    all.mappings += is_ours(line, ground.folder()) ? 1 : 0;
  }
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(ground.folder())) ++all.files;
  all.files += named_files(ground.name());
  if (has_own_name_space()) {
    all.sysv = lines_in("/proc/sysvipc/sem") + lines_in("/proc/sysvipc/msg");
  } else {
    for (const auto key : {ground.key().value(), ground.other_key().value()}) {
      all.sysv += (::semget(key, 0, 0) >= 0 ? 1U : 0U) + (::msgget(key, 0) >= 0 ? 1U : 0U);
    }
  }
  const mqd_t queue = ::mq_open(ground.name().c_str(), O_RDONLY);
  if (queue >= 0) {
    all.queues = 1;
    ::mq_close(queue);
  }
  return all;
}

std::ostream& operator<<(std::ostream& out, const Holdings& all) {
  return out << all.descriptors << " descriptors, " << all.mappings << " mappings, " << all.files
             << " files, " << all.sysv << " System V objects, " << all.queues << " queues";
}

bool enter_own_name_spaces() {
  if (has_own_name_space()) return true;
  if (::unshare(CLONE_NEWIPC | CLONE_NEWNS) != 0) return false;
  has_own_name_space() = ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=16m") == 0;
  return has_own_name_space();
}

}  // namespace facilities
