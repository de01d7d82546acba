#include "inspect/handed_page.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "topic/directory.hpp"

namespace signalbox::inspect {

namespace {

// One who is stopped must not use up the time of all.
constexpr auto kAnswerPatience = std::chrono::milliseconds(200);

// What a look is answered with: the topic's text and the participant's memory.
struct Handed {
  os::Fd text;
  os::Fd memory;
};

Result<Handed> ask_to_look(const Look& look, const topic::Participant& who) {
  const std::string path = look.path + "/" + who.file;
  const topic::Request request{.ask = topic::Ask::look, .addressee = who.incarnation};
  auto given = topic::ask({look.directory, look.path, look.sharing}, who, request, {},
                          std::min(look.deadline, Deadline::after(kAnswerPatience)));
  if (!given) return std::unexpected(std::move(given.error()));
  if (!*given) {
    return std::unexpected(Error{Errc::abandoned,
                                 0,
                                 {},
                                 "cannot look into " + path +
                                     ": its owner is dead or leaving, and its memory went with "
                                     "it."});
  }
  if ((*given)->descriptors.size() != 2) {
    return std::unexpected(Error{Errc::damaged,
                                 0,
                                 {},
                                 "cannot look into " + path + ": process " +
                                     std::to_string((*given)->peer.pid) +
                                     " sent too few descriptors."});
  }
  return Handed{std::move((*given)->descriptors[0]), std::move((*given)->descriptors[1])};
}

}  // namespace

Result<ForeignPage> topic_page(const Look& look, std::span<const topic::Participant> everyone) {
  std::optional<Error> trouble;
  for (const topic::Participant& who : everyone) {
    const auto plate = os::open_file(look.directory, who.file, os::Access::read);
    if (!plate || !topic::is_alive(*plate)) continue;
    auto handed = ask_to_look(look, who);
    if (!handed) {
      trouble = std::move(handed.error());
      continue;
    }
    return ForeignPage::of_memory(std::move(handed->text), look.path + "/topic",
                                  topic::SegmentKind::topic, 0, os::sealed_contents);
  }
  if (trouble) return std::unexpected(std::move(*trouble));
  return std::unexpected(Error{Errc::not_found, 0, {}, "nobody of " + look.path + " lives."});
}

Result<ForeignPage> participant_page(const Look& look, const topic::Participant& who) {
  auto handed = ask_to_look(look, who);
  if (!handed) return std::unexpected(std::move(handed.error()));
  return ForeignPage::of_memory(std::move(handed->memory), look.path + "/" + who.file,
                                topic::kind_of(who.role), who.incarnation, os::sealed_to_others);
}

}  // namespace signalbox::inspect
