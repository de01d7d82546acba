#include "signalbox/os/unix_address.hpp"

#include <algorithm>
#include <cstdio>

#include "os/unix_calls.hpp"

namespace signalbox::os {

namespace {

Error bad_name(std::string_view name, std::string_view why) {
  return {Errc::bad_name,
          ENAMETOOLONG,
          {},
          "cannot name a Unix socket \"" + std::string(name) + "\": " + std::string(why)};
}

}  // namespace

Result<UnixAddress> UnixAddress::path(std::string_view path) {
  if (path.size() > bytes_max) {
    return std::unexpected(bad_name(path,
                                    "a socket's address holds 107 bytes. Use a shorter path, "
                                    "or UnixAddress::in() with its directory."));
  }
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    return std::unexpected(bad_name(path, "a path is not empty and has no zero byte."));
  }
  UnixAddress made;
  std::ranges::copy(path, made.name_.begin());
  made.length_ = static_cast<std::uint8_t>(path.size());
  made.kind_ = Kind::path;
  return made;
}

Result<UnixAddress> UnixAddress::abstract(std::string_view name) {
  if (name.size() > bytes_max) {
    return std::unexpected(bad_name(name, "a socket's address holds 107 bytes."));
  }
  UnixAddress made;
  std::ranges::copy(name, made.name_.begin());
  made.length_ = static_cast<std::uint8_t>(name.size());
  made.kind_ = Kind::abstract;
  return made;
}

Result<UnixAddress> UnixAddress::in(const Fd& directory, std::string_view name) {
  char path[bytes_max + 2];
  const std::string_view start = name.substr(0, 256);  // enough to be too long
  const int length = std::snprintf(path, sizeof(path), "/proc/self/fd/%d/%.*s", directory.get(),
                                   static_cast<int>(start.size()), start.data());
  if (length < 0 || static_cast<std::size_t>(length) > bytes_max) {
    return std::unexpected(bad_name(name,
                                    "with its directory's descriptor it is longer than 107 "
                                    "bytes."));
  }
  return UnixAddress::path({path, static_cast<std::size_t>(length)});
}

UnixAddress UnixAddress::chosen_by_kernel() noexcept {
  UnixAddress made;
  made.kind_ = Kind::chosen_by_kernel;
  return made;
}

std::string UnixAddress::to_string() const {
  switch (kind_) {
    case Kind::path:
      return std::string(name());
    case Kind::abstract:
      return "@" + std::string(name());
    case Kind::chosen_by_kernel:
      return "(chosen by the kernel)";
    case Kind::unnamed:
      break;
  }
  return "(unnamed)";
}

UnixName UnixName::of(const UnixAddress& address) noexcept {
  UnixName made{};
  made.raw.sun_family = AF_UNIX;
  const std::string_view name = address.name();
  made.bytes = offsetof(sockaddr_un, sun_path);
  if (address.is_path()) {
    std::ranges::copy(name, made.raw.sun_path);
    made.bytes += static_cast<socklen_t>(std::min(name.size() + 1, sizeof(made.raw.sun_path)));
  } else if (address.is_abstract()) {
    std::ranges::copy(name, made.raw.sun_path + 1);
    made.bytes += static_cast<socklen_t>(1 + name.size());
  }
  return made;
}

UnixAddress UnixName::address() const noexcept {
  UnixAddress made;
  constexpr std::size_t before = offsetof(sockaddr_un, sun_path);
  if (bytes <= before) return made;
  const char* const end =
      raw.sun_path + std::min<std::size_t>(bytes - before, sizeof(raw.sun_path));
  const bool is_abstract = raw.sun_path[0] == '\0';
  const char* const begin = raw.sun_path + (is_abstract ? 1 : 0);
  const char* const stop = is_abstract ? end : std::find(begin, end, '\0');
  std::copy(begin, stop, made.name_.begin());
  made.length_ = static_cast<std::uint8_t>(stop - begin);
  made.kind_ = is_abstract ? UnixAddress::Kind::abstract : UnixAddress::Kind::path;
  return made;
}

}  // namespace signalbox::os
