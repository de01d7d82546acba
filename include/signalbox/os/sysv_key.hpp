// os/sysv_key.hpp: how programs that share a System V object find it, and who may use it.
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe
//   Limits   keys are 32 bits, and only as unique as you make them
#pragma once

#include <cstdint>
#include <string>

#include "signalbox/error.hpp"

namespace signalbox::os {

// The number under which an object is found. A value of the interprocess name space: processes of
// another one see other objects under the same key.
class SysvKey {
 public:
  // This very number, for example one that another program documents. 0 is private_key().
  static constexpr SysvKey number(std::int32_t key) noexcept { return SysvKey(key); }
  // A new object without a key at every create(): relatives are told its id, and attach to it.
  static constexpr SysvKey private_key() noexcept { return SysvKey(0); }
  // As ftok(3): from a file that exists and a project number of 1 to 255. It keeps 16 bits of the
  // file's number and 8 of its device's, so two files may give the same key, and a file that is
  // replaced gives another. Errors: not_found, permission_denied, bad_argument (project 0),
  // bad_name (a zero byte).
  static Result<SysvKey> of_file(const std::string& path, std::uint8_t project);

  constexpr std::int32_t value() const noexcept { return key_; }
  constexpr bool is_private() const noexcept { return key_ == 0; }
  constexpr bool operator==(const SysvKey&) const noexcept = default;

 private:
  constexpr explicit SysvKey(std::int32_t key) noexcept : key_(key) {}
  std::int32_t key_;
};

// Whose an object is. The mode is what was asked: System V knows no umask. Its bits for execution
// mean nothing; those for writing allow to change counts, or to send.
struct SysvAccess {
  std::int32_t key;
  std::uint32_t owner_uid;
  std::uint32_t owner_gid;
  std::uint32_t creator_uid;  // may do what the owner may, and stays the same
  std::uint32_t creator_gid;
  std::uint32_t mode;
};

}  // namespace signalbox::os
