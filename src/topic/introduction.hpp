// introduction.hpp: how participants of the hardened tier hand each other their memory: one request
// and one reply over a socket in the topic's directory (docs/decisions/010).
//
// This is the side that asks; introduction_server.hpp is the one that answers.
//
//   Threads  one at a time
//   Crash    the other side sees the end of the connection
//   Fork     a child closes its copy of the connection
//   Limits   each call has a deadline, and nothing else makes it wait
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "os/unix_calls.hpp"
#include "signalbox/deadline.hpp"
#include "topic/place.hpp"
#include "topic/sharing.hpp"

namespace signalbox::topic {

inline constexpr std::uint64_t introduction_magic = 0x0a444e4148584253;  // "SBXHAND\n"
inline constexpr std::uint32_t introduction_version = 1;
// More in one message are closed unseen: a stranger must not use up our descriptors.
inline constexpr std::size_t introduction_descriptors_max = 32;  // a publisher with all its arenas

enum class Ask : std::uint32_t {
  topic = 1,  // by who wants in: answered with the topic's text and its bell
  meet = 2,   // by a participant, which sends its own memory: answered with the other's, and the
              // further arenas it has
  look = 3,   // by who only looks on: answered with the topic's text and the participant's memory
  arena = 4,  // by a publisher, which sends a further arena of its own: answered with nothing
};

enum class Answer : std::uint32_t {
  given = 1,          // the descriptors are in this message
  malformed = 2,      // the request is none
  other_version = 3,  // of another version of this exchange
  elsewhere = 4,      // it is for another topic or another participant
  bad_memory = 5,     // what was sent is not sealed, too short or no segment
  nobody = 6,         // who sent it has no file in the topic that it holds locked
  exhausted = 7,      // no descriptors or no memory left at the other side
  stranger = 8,       // the asker's user is none that the domain is for
};

//    0 magic (8) | 8 version (4) | 12 ask (4) | 16 topic's inode (8) | 24 addressee (8)
//   32 sender (8) | 40 sender is a publisher (4) | 44 reserved (20) | 64
struct Request {
  std::uint64_t magic = introduction_magic;
  std::uint32_t version = introduction_version;
  Ask ask{};
  std::uint64_t topic_inode = 0;  // 0: not known to who only looks on
  std::uint64_t addressee = 0;
  std::uint64_t sender = 0;  // its incarnation; 0: none yet
  std::uint32_t is_publisher = 0;
  std::uint8_t reserved[20] = {};
};
static_assert(sizeof(Request) == 64);

//    0 magic (8) | 8 version (4) | 12 answer (4) | 16 reserved (48) | 64
struct Reply {
  std::uint64_t magic;
  std::uint32_t version;
  Answer answer;
  std::uint8_t reserved[48];
};
static_assert(sizeof(Reply) == 64);

std::string socket_name(const std::string& participant_file);

// Is whoever is at the other end one of those that the domain is for? Our own user and root are,
// and in a domain that is shared with a group, its members.
bool admits(const Sharing& sharing, const os::Peer& peer) noexcept;

// Where to ask, for all askers of one topic.
struct Asking {
  const os::Fd& directory;
  const std::string& path;  // of the directory, for messages
  const Sharing& sharing;
};

struct Given {
  os::Peer peer;
  std::vector<os::Fd> descriptors;
};
// Asks a participant and waits for its answer until the deadline. Empty: it is dead, has left, or
// has not come far enough to be asked. Errors: permission_denied (another user answers there),
// timed_out (it lives and does not answer: both name its process), damaged or layout_mismatch (it
// refused), and what the kernel says.
Result<std::optional<Given>> ask(const Asking& at, const Participant& whom, const Request& request,
                                 std::span<const int> descriptors, Deadline deadline);

}  // namespace signalbox::topic
