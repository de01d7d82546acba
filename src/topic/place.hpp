// place.hpp: where a topic lives: names, domains and directories.
//
//   root     $SIGNALBOX_DIR, else /dev/shm/signalbox-<uid>
//   domain   the caller's, else $SIGNALBOX_DOMAIN, else "default": a directory under the root
//   topic    a directory under the domain, its name with '+' for each '/'
//
//   Threads  reads the environment: do not setenv() at the same time
//   Crash    nothing to lose     Fork  safe     Limits  name_bytes_max
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"

namespace signalbox::topic {

inline constexpr std::size_t name_bytes_max = 128;

struct Place {
  std::string root;
  bool root_is_ours;  // the default root: created and removed by us
  std::string domain_path;
  std::string topic_path;
  std::string name;  // as the caller wrote it
};

// Errors: bad_name, with the character and the rule.
Result<Place> locate(std::string_view topic, std::string_view domain);

// The two files that every topic has.
inline constexpr char topic_file_name[] = "topic";
inline constexpr char bell_file_name[] = "bell";

// What a file in a topic's directory is, judged by its name.
enum class Role { publisher, subscriber };
struct Participant {
  Role role;
  std::uint64_t incarnation;
  std::string file;
};
std::string file_name(Role role, std::uint64_t incarnation);
std::string fifo_name(const std::string& subscriber_file);
std::string arena_name(const std::string& publisher_file, std::uint32_t number);
// Is this a name that arena_name() makes?
bool is_arena_name(std::string_view file) noexcept;
// Empty if the name is no participant's segment.
std::optional<Participant> participant_of(const std::string& file);

}  // namespace signalbox::topic
