#include "signalbox/os/inherited_sockets.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace signalbox::os {

namespace {

constexpr int kFirst = 3;
constexpr int kMost = 4096;

int number_in(const char* name) noexcept {
  const char* const text = std::getenv(name);
  int number = -1;
  if (text == nullptr) return number;
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  return read.ptr == end && read.ec == std::errc() ? number : -1;
}

Error untrue(const std::string& what) {
  return {Errc::bad_argument,
          0,
          {},
          "cannot take the sockets that LISTEN_FDS announces: " + what +
              " Start this program by its service manager, or unset the variable."};
}

}  // namespace

Result<std::vector<InheritedSocket>> take_inherited_sockets() {
  std::vector<InheritedSocket> sockets;
  const char* const named = std::getenv("LISTEN_FDNAMES");
  const std::string all_names = named == nullptr ? "" : named;
  const bool is_for_us = number_in("LISTEN_PID") == ::getpid();
  const bool is_announced = std::getenv("LISTEN_FDS") != nullptr;
  const int count = number_in("LISTEN_FDS");
  // Another process's are left as they are: it may be a child of ours that was told so.
  if (!is_for_us || !is_announced) return sockets;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (count < 0 || count > kMost) return std::unexpected(untrue("its value is no such count."));
  sockets.reserve(static_cast<std::size_t>(count));
  std::string_view names = all_names;
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return std::unexpected(untrue("descriptor " + std::to_string(fd) + " is not open."));
    }
    const std::string_view name = names.substr(0, names.find(':'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    sockets.push_back({Fd(fd), name.empty() ? "unknown" : std::string(name)});
  }
  return sockets;
}

}  // namespace signalbox::os
