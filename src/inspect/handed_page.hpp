// handed_page.hpp: the pages of a topic of the hardened tier: asked for, never joined, never
// mapped.
//
//   Threads  one at a time
//   Crash    nothing to lose; nothing is written or locked
//   Fork     nothing is shared but the open files
//   Limits   a look has one deadline for all who do not answer
#pragma once

#include <span>
#include <string>

#include "inspect/foreign_page.hpp"
#include "topic/introduction.hpp"

namespace signalbox::inspect {

// Where to look, and how long in all.
struct Look {
  const os::Fd& directory;
  const std::string& path;
  topic::Sharing sharing;
  Deadline deadline;
};

// The topic's text, from any of them that lives and answers. Errors: not_found (none lives), and
// those of participant_page().
Result<ForeignPage> topic_page(const Look& look, std::span<const topic::Participant> everyone);
// A participant's memory. Errors: abandoned (it is dead, and its memory went with it), timed_out
// (it lives and does not answer), damaged, layout_mismatch, permission_denied, limit_reached,
// system.
Result<ForeignPage> participant_page(const Look& look, const topic::Participant& who);

}  // namespace signalbox::inspect
