#include "topic/introduction.hpp"

#include <algorithm>
#include <ctime>

#include "os/process.hpp"
#include "os/readiness.hpp"
#include "signalbox/os/file_lock.hpp"
#include "topic/directory.hpp"

namespace signalbox::topic {

namespace {

using Asked = Result<std::optional<Given>>;

std::string named(const os::Peer& peer) { return "process " + std::to_string(peer.pid); }

std::string_view why(Answer answer) noexcept {
  switch (answer) {
    case Answer::given:
      break;
    case Answer::malformed:
      return "it did not understand the request";
    case Answer::other_version:
      return "it speaks another version of the exchange; run both programs with the same Signalbox "
             "version";
    case Answer::elsewhere:
      return "it is in another topic of that name";
    case Answer::bad_memory:
      return "the memory sent to it is not sealed, too short or no segment";
    case Answer::nobody:
      return "it found no file of ours in the topic";
    case Answer::exhausted:
      return "it has no descriptors or no memory left";
    case Answer::stranger:
      return "the domain is not shared with this user";
  }
  return "its answer is none";
}

Error refusal(const Asking& at, const Participant& whom, const os::Peer& peer, Answer answer) {
  const Errc code = answer == Answer::other_version ? Errc::layout_mismatch
                    : answer == Answer::exhausted   ? Errc::limit_reached
                    : answer == Answer::stranger    ? Errc::permission_denied
                                                    : Errc::damaged;
  return {code,
          0,
          {},
          "cannot be introduced to " + at.path + "/" + whom.file + ": " + named(peer) +
              " refused, " + std::string(why(answer)) + "."};
}

bool lives(const Asking& at, const Participant& whom) {
  const auto plate = os::open_file(at.directory, whom.file, os::Access::read);
  return plate && is_alive(*plate);
}

// A queue that is full, or an end in the middle, is worth another try after a moment.
void pause_a_moment() noexcept {
  const timespec pause{.tv_sec = 0, .tv_nsec = 500'000};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

Error stuck(const Asking& at, const Participant& whom, const std::string& who) {
  return {Errc::timed_out,
          0,
          {},
          "cannot be introduced to " + at.path + "/" + whom.file + ": " + who +
              " lives and does not answer; is it stopped? Let it go on or kill it."};
}

enum class Step { again, over };

// One connection. `again`: it ended without an answer.
Result<Step> converse(const Asking& at, const Participant& whom, const Request& request,
                      std::span<const int> descriptors, Deadline deadline, std::string& last,
                      std::optional<Given>& given) {
  const auto to = os::UnixAddress::in(at.directory, socket_name(whom.file));
  if (!to) return std::unexpected(to.error());
  auto connected = os::connect_unix(SOCK_SEQPACKET, *to);
  if (!connected) {
    if (connected.error().code == Errc::would_block) return Step::again;
    if (connected.error().code == Errc::not_found) return Step::over;
    return std::unexpected(std::move(connected.error()));
  }
  // A child forked meanwhile must not keep it open: the other side would wait for its end.
  const os::LifeFd connection(std::move(*connected));
  auto peer = os::peer_of(connection.fd());
  if (!peer) return std::unexpected(std::move(peer.error()));
  if (!admits(at.sharing, *peer)) {
    return std::unexpected(
        Error{Errc::permission_denied,
              0,
              {},
              "cannot be introduced to " + at.path + "/" + whom.file + ": " + named(*peer) +
                  " answers there as uid " + std::to_string(peer->uid) +
                  ", which this domain is not shared with. Remove the file if nobody needs it."});
  }
  last = named(*peer);
  const auto bytes = std::as_bytes(std::span(&request, 1));
  if (auto sent = os::send_message(connection.fd(), bytes, descriptors); !sent) {
    // It may have closed after an answer that needs no question.
    if (sent.error().code != Errc::closed) return std::unexpected(std::move(sent.error()));
  }
  os::Readable readable[] = {{connection.fd().get()}};
  os::wait_readable(readable, deadline);
  Reply reply{};
  std::vector<os::Fd> came;
  auto received =
      os::receive_unix(connection.fd(), {.room = std::as_writable_bytes(std::span(&reply, 1)),
                                         .descriptors = &came,
                                         .descriptors_max = introduction_descriptors_max});
  if (!received) {
    const Errc code = received.error().code;
    if (code == Errc::closed || code == Errc::would_block) return Step::again;
    return std::unexpected(std::move(received.error()));
  }
  if (received->bytes == 0) return Step::again;  // the end
  if (!received->is_whole() || received->bytes != sizeof(reply) ||
      reply.magic != introduction_magic) {
    return std::unexpected(refusal(at, whom, *peer, Answer{}));
  }
  if (reply.version != introduction_version) {
    return std::unexpected(refusal(at, whom, *peer, Answer::other_version));
  }
  if (reply.answer != Answer::given) {
    return std::unexpected(refusal(at, whom, *peer, reply.answer));
  }
  given.emplace(std::move(*peer), std::move(came));
  return Step::over;
}

}  // namespace

std::string socket_name(const std::string& participant_file) { return participant_file + ".sock"; }

bool admits(const Sharing& sharing, const os::Peer& peer) noexcept {
  static_assert(sizeof(peer.uid) == 4);
  if (peer.uid == 0 || peer.uid == os::identity_of_this_process().uid) return true;
  if (!sharing.group) return false;
  return peer.gid == *sharing.group ||
         std::ranges::find(peer.groups, *sharing.group) != peer.groups.end();
}

Asked ask(const Asking& at, const Participant& whom, const Request& request,
          std::span<const int> descriptors, Deadline deadline) {
  std::string last = "its process";
  for (;;) {
    std::optional<Given> given;
    const auto step = converse(at, whom, request, descriptors, deadline, last, given);
    if (!step) return std::unexpected(step.error());
    if (*step == Step::over) return given;
    if (!lives(at, whom)) return std::nullopt;
    if (deadline.passed()) return std::unexpected(stuck(at, whom, last));
    pause_a_moment();
  }
}

}  // namespace signalbox::topic
