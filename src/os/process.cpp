#include "os/process.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

struct Word {
  void* at;
  std::size_t bytes;
};

// What the fork handler must undo in the child: all open life descriptors, and the words that say
// that a fast path may be taken.
struct LifeRegistry {
  std::mutex mutex;
  std::vector<int> descriptors;
  std::vector<Word> words;
};

LifeRegistry& registry() {
  static LifeRegistry* const the_one =
      new LifeRegistry;  // never destroyed: handlers outlive statics
  return *the_one;
}

void before_fork() { registry().mutex.lock(); }
void after_fork_in_parent() { registry().mutex.unlock(); }
void after_fork_in_child() {
  for (const int fd : registry().descriptors) ::close(fd);
  registry().descriptors.clear();
  for (const Word& word : registry().words) std::memset(word.at, 0, word.bytes);
  detail::fork_generation_word.fetch_add(1);
  registry().mutex.unlock();
}

void install_fork_handlers_once() {
  static const int installed =
      ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  static_cast<void>(installed);
}

std::uint64_t start_ticks_of_self() {
  const std::string stat = read_small_file("/proc/self/stat");
  // The command in field 2 may hold blanks and parentheses: count from the last ')'.
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(stat.c_str() + at, nullptr, 10);
}

std::array<std::uint8_t, 16> boot_id() {
  std::array<std::uint8_t, 16> id{};
  std::size_t nibble = 0;
  for (const char c : read_small_file("/proc/sys/kernel/random/boot_id")) {
    if (c == '-' || nibble == 32) continue;
    const int value = c >= 'a' ? c - 'a' + 10 : c - '0';
    id[nibble / 2] = static_cast<std::uint8_t>(id[nibble / 2] << 4 | value);
    ++nibble;
  }
  return id;
}

int membarrier(int command) noexcept {
  return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0));
}

}  // namespace

LifeFd::LifeFd(Fd fd) : fd_(std::move(fd)), generation_(fork_generation()) {
  install_fork_handlers_once();
  const std::lock_guard lock(registry().mutex);
  registry().descriptors.push_back(fd_.get());
}

LifeFd::LifeFd(LifeFd&& other) noexcept
    : fd_(std::move(other.fd_)), generation_(other.generation_) {}

LifeFd& LifeFd::operator=(LifeFd&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::move(other.fd_);
    generation_ = other.generation_;
  }
  return *this;
}

LifeFd::~LifeFd() { close(); }

void LifeFd::close() noexcept {
  if (!fd_.is_open()) return;
  if (generation_ != fork_generation()) {
    static_cast<void>(
        fd_.release());  // the fork handler closed it; the number may be another's now
    return;
  }
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().descriptors, fd_.get());
  fd_.reset();
}

ZeroedInChild::ZeroedInChild(void* word, std::size_t bytes) : word_(word) {
  install_fork_handlers_once();
  const std::lock_guard lock(registry().mutex);
  registry().words.push_back({word, bytes});
}

ZeroedInChild::~ZeroedInChild() {
  const std::lock_guard lock(registry().mutex);
  std::erase_if(registry().words, [this](const Word& word) { return word.at == word_; });
}

Identity identity_of_this_process() {
  Identity who{};
  who.pid = static_cast<std::uint32_t>(::getpid());
  who.uid = static_cast<std::uint32_t>(::geteuid());
  who.start_ticks = start_ticks_of_self();
  struct stat st{};
  if (::stat("/proc/self/ns/pid", &st) == 0) who.pid_namespace = st.st_ino;
  who.boot_id = boot_id();
  const std::string program = read_small_file("/proc/self/comm");
  std::memcpy(who.program.data(), program.data(), std::min(program.size(), who.program.size() - 1));
  return who;
}

Result<std::uint64_t> random_word() {
  std::uint64_t word = 0;
  ssize_t got = 0;
  do {
    got = ::getrandom(&word, sizeof(word), 0);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(word)) {
    return std::unexpected(failure(errno, "getrandom", "draw an incarnation number"));
  }
  return word;
}

Result<Fd> open_pidfd(std::uint32_t pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
  if (fd < 0) {
    return std::unexpected(failure(errno, "pidfd_open", "watch process " + std::to_string(pid)));
  }
  return Fd(fd);
}

bool register_for_heavy_barrier() noexcept {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
  return registered;
}

bool heavy_barrier() noexcept { return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0; }

}  // namespace signalbox::os
