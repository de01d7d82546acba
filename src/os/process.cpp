#include "os/process.hpp"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "os/failure.hpp"

namespace signalbox::os {

std::atomic<unsigned> detail::fork_generation_word{0};
thread_local constinit std::uint32_t detail::known_thread_number = 0;

namespace {

struct Word {
  void* at;
  std::size_t bytes;
};

// What of an identity is the same for as long as the process lives, and dear to ask for: three
// files of /proc, which would be read anew for each segment.
struct Origin {
  std::uint64_t start_ticks;
  std::uint64_t pid_namespace;
  std::array<std::uint8_t, 16> boot_id;
  std::array<char, 32> program;
};

// What the fork handler must undo in the child: all open life descriptors, and the words that say
// that a fast path may be taken.
// It also keeps what the parent alone was asked for.
struct LifeRegistry {
  std::mutex mutex;
  std::vector<int> descriptors;
  std::vector<Word> words;
  std::optional<Origin> origin;
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
  registry().origin.reset();
  detail::fork_generation_word.fetch_add(1);
  detail::known_thread_number = 0;  // a child's first thread begins with its maker's
  registry().mutex.unlock();
}

// When the library is loaded, and not with the first topic: a handle that holds no lock, such as a
// wait set, must know a child as well.
[[maybe_unused]] const int fork_handlers =
    ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

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

Origin ask_for_origin() {
  Origin origin{.start_ticks = start_ticks_of_self(),
                .pid_namespace = 0,
                .boot_id = boot_id(),
                .program = {}};
  struct stat st{};
  if (::stat("/proc/self/ns/pid", &st) == 0) origin.pid_namespace = st.st_ino;
  const std::string program = read_small_file("/proc/self/comm");
  const std::size_t bytes = std::min(program.size(), origin.program.size() - 1);
  std::memcpy(origin.program.data(), program.data(), bytes);
  return origin;
}

Origin origin_of_this_process() {
  const std::lock_guard lock(registry().mutex);
  if (registry().origin) return *registry().origin;
  const Origin origin = ask_for_origin();
  // What could not be read (no descriptors left, say) is asked for again the next time.
  const bool is_whole = origin.start_ticks != 0 && origin.pid_namespace != 0 &&
                        origin.boot_id != decltype(origin.boot_id){} && origin.program[0] != 0;
  if (is_whole) registry().origin = origin;
  return origin;
}

int membarrier(int command) noexcept {
  return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0));
}

}  // namespace

LifeFd::LifeFd(Fd fd) : fd_(std::move(fd)), generation_(fork_generation()) {
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
  const std::lock_guard lock(registry().mutex);
  registry().words.push_back({word, bytes});
}

ZeroedInChild::~ZeroedInChild() {
  const std::lock_guard lock(registry().mutex);
  std::erase_if(registry().words, [this](const Word& word) { return word.at == word_; });
}

Identity identity_of_this_process() {
  const Origin origin = origin_of_this_process();
  return {.pid = static_cast<std::uint32_t>(::getpid()),
          .uid = static_cast<std::uint32_t>(::geteuid()),
          .start_ticks = origin.start_ticks,
          .pid_namespace = origin.pid_namespace,
          .boot_id = origin.boot_id,
          .program = origin.program};
}

std::uint32_t detail::ask_for_thread_number() noexcept {
  known_thread_number = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  return known_thread_number;
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

bool register_for_heavy_barrier() noexcept {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
  return registered;
}

bool heavy_barrier() noexcept { return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0; }

}  // namespace signalbox::os
