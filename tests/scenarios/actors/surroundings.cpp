// What happens around the objects that are judged: children, signals, rights, limits.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::atomic<int> handled[64];

void count_signal(int number) { handled[number].fetch_add(1); }

int signal_number(const std::string& name) {
  return name == "USR1" ? SIGUSR1 : name == "USR2" ? SIGUSR2 : name == "PIPE" ? SIGPIPE : SIGTERM;
}

// handle NAME [restart]
std::string handle(const Words& words) {
  struct sigaction action{};
  action.sa_handler = count_signal;
  action.sa_flags = words.contains("restart") ? SA_RESTART : 0;
  return answer_of(::sigaction(signal_number(words[0]), &action, nullptr));
}

std::string dispose(const Words& words, void (*how)(int)) {
  return answer_of(::signal(signal_number(words[0]), how) == SIG_ERR ? -1 : 0);
}

// fork PATH: the child talks to whoever listens there.
std::string fork_child(const Words& words) {
  const pid_t child = ::fork();
  if (child != 0) return child < 0 ? answer_of(-1) : ok(child);
  ::alarm(600);
  const int ours = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, words[0].c_str(), sizeof address.sun_path - 1);
  if (::connect(ours, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
  ::dup2(ours, STDIN_FILENO);
  ::dup2(ours, STDOUT_FILENO);
  ::close(ours);
  return ok(::getpid());  // its own first line, which the engine waits for
}

std::string become(const Words& words) {
  const auto user = static_cast<uid_t>(words.number(0));
  return answer_of(::setresuid(user, user, user));
}

std::ptrdiff_t descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return std::distance(begin(entries), end(entries)) - 1;  // but for the one that looks
}

// descriptors_left COUNT: so many more can be opened, if the numbers below are taken.
std::string leave_descriptors(const Words& words) {
  const int probe = ::dup(STDIN_FILENO);
  ::close(probe);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = static_cast<rlim_t>(probe + words.number(0));
  return answer_of(::setrlimit(RLIMIT_NOFILE, &limit));
}

std::string mode_of(const Words& words) {
  struct stat status{};
  if (::stat(words[0].c_str(), &status) != 0) return answer_of(-1);
  char text[8];
  std::snprintf(text, sizeof text, "%03o", status.st_mode & 0777U);
  return ok(text);
}

}  // namespace

void offer_surroundings(Actor& actor) {
  actor.offer("fork", fork_child);
  actor.offer("handle", handle);
  actor.offer("ignore", [](const Words& words) { return dispose(words, SIG_IGN); });
  actor.offer("default", [](const Words& words) { return dispose(words, SIG_DFL); });
  actor.offer("handled",
              [](const Words& words) { return ok(handled[signal_number(words[0])].load()); });
  actor.offer("become", become);
  actor.offer("umask", [](const Words& words) {
    ::umask(static_cast<mode_t>(std::stoi(words[0], nullptr, 8)));
    return ok();
  });
  actor.offer("descriptors", [](const Words&) { return ok(descriptors()); });
  actor.offer("descriptors_left", leave_descriptors);
  actor.offer("exists", [](const Words& words) {
    return ok(std::filesystem::exists(words[0]) ? "yes" : "no");
  });
  actor.offer("file_mode", mode_of);
  actor.offer("new_ipc_name_space",
              [](const Words&) { return answer_of(::unshare(CLONE_NEWIPC)); });
}

void prepare() {
  ::alarm(600);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace signalbox::scenarios
