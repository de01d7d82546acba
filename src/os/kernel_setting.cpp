#include "os/kernel_setting.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "signalbox/os/fd.hpp"

namespace signalbox::os {

std::array<long, 4> kernel_settings(const char* path) {
  std::array<long, 4> settings{-1, -1, -1, -1};
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  // One byte less than there is room for, so that a zero ends the text.
  if (!file.is_open() || ::read(file.get(), text.data(), text.size() - 1) <= 0) return settings;
  char* at = text.data();
  for (long& setting : settings) {
    char* end = at;
    const long number = std::strtol(at, &end, 10);
    if (end == at) break;
    setting = number;
    at = end;
  }
  return settings;
}

std::string said(long limit) {
  return limit < 0 ? "a number that cannot be read" : std::to_string(limit);
}

}  // namespace signalbox::os
