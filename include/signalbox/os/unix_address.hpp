// os/unix_address.hpp: the name of a Unix socket: a file, or an abstract name without one.
//
//   Lives     a value; a path stays until it is unlinked, an abstract name ends with its socket
//   Threads   a value
//   Crash     a path stays behind, and nobody answers there; an abstract name vanishes
//   Fork      safe
//   Limits    107 bytes; with in(), of the last part only some 80. An abstract name has no
//             permissions: whoever shares the network name space may connect, so ask peer()
//   Pollable  no
//   Manual    unix(7)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

class UnixAddress {
 public:
  static constexpr std::size_t bytes_max = 107;

  // No name: what a socket has that was never bound.
  UnixAddress() = default;
  // A file. A relative path counts from where the process is when it is used.
  // Errors: bad_name (empty, longer than bytes_max, or with a zero byte).
  static Result<UnixAddress> path(std::string_view path);
  // No file: any bytes. Errors: bad_name (longer than bytes_max).
  static Result<UnixAddress> abstract(std::string_view name);
  // A file in an open directory, however long its path: named by /proc/self/fd, so it holds as long
  // as the directory is open, and in this process only. Errors: bad_name.
  static Result<UnixAddress> in(const Fd& directory, std::string_view name);
  // An abstract name that the kernel chooses when it is bound, for who only wants to be answered.
  static UnixAddress chosen_by_kernel() noexcept;

  bool is_path() const noexcept { return kind_ == Kind::path; }
  bool is_abstract() const noexcept { return kind_ == Kind::abstract; }
  bool is_unnamed() const noexcept { return kind_ == Kind::unnamed; }
  // The bytes of the name.
  std::string_view name() const noexcept { return {name_.data(), length_}; }
  // For people: "/run/x", "@x" or "(unnamed)".
  std::string to_string() const;
  friend bool operator==(const UnixAddress& one, const UnixAddress& other) noexcept {
    return one.kind_ == other.kind_ && one.name() == other.name();
  }

 private:
  friend struct UnixName;
  enum class Kind : std::uint8_t { unnamed, chosen_by_kernel, path, abstract };
  std::array<char, bytes_max + 1> name_{};
  std::uint8_t length_ = 0;
  Kind kind_ = Kind::unnamed;
};

}  // namespace signalbox::os
