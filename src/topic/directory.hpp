// directory.hpp: being in a topic: its directory, its type, its bell, and who else is there.
//
// Everyone who is in a topic holds a shared lock on its `topic` file. Whoever can turn his into an
// exclusive one is the last, and removes the directory; a joiner that meets a file which is being
// removed starts again. Each participant also holds an exclusive lock on his own file for life;
// a file without that lock belongs to the dead, and anyone may remove it (reap). At most
// publishers_max segments of ended publishers wait for subscribers that have not met them; beyond
// that the oldest go.
//
// In the hardened tier the files are only name plates, and what others map is memory that they are
// handed over a socket: directory_hardened.cpp, docs/decisions/010.
//
//   Threads  one at a time, with its publisher or subscriber
//   Crash    locks fall with the process; the next to attach, detach or look reaps what is left
//   Fork     the child's copies of the locks are closed before fork() returns
//   Limits   publishers_max and subscribers_max in raw_topic.hpp
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/file.hpp"
#include "os/process.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/raw_topic.hpp"
#include "topic/footprint.hpp"
#include "topic/layout.hpp"
#include "topic/meeting_point.hpp"
#include "topic/place.hpp"
#include "topic/segment.hpp"
#include "topic/sharing.hpp"
#include "wire/description.hpp"

namespace signalbox::topic {

// What a participant owns in a topic.
struct OwnSegment {
  std::uint64_t incarnation;
  std::string file;
  os::LifeFd life;  // its file, exclusively locked
  os::Mapping mapping;
  os::Fd memory{};  // hardened: what is mapped
};

class TopicDirectory {
 public:
  // Finds or creates the topic and enters it. Errors: bad_name, type_mismatch, layout_mismatch,
  // damaged, no_space, permission_denied, abandoned, timed_out, and what the kernel says.
  static Result<TopicDirectory> attach(std::string_view topic, const TypeDescription& type,
                                       std::string_view domain, Tier tier);
  TopicDirectory(TopicDirectory&&) noexcept = default;
  TopicDirectory& operator=(TopicDirectory&&) noexcept = default;
  // Leaves; removes the whole topic if nobody else is in it. Does nothing in a forked child.
  ~TopicDirectory();

  const std::string& name() const noexcept { return place_.name; }
  const os::Fd& fd() const noexcept { return directory_; }
  std::string path_of(const std::string& file) const { return place_.topic_path + "/" + file; }
  const wire::Hash128& type_hash() const noexcept { return type_hash_; }
  const wire::ParsedType& type() const noexcept { return type_; }
  shm::Bell<Atomics>& bell() const noexcept { return bell_.at<BellPage>(0)->bell; }

  // Error damaged: somebody shortened the bell, or the file that this participant's mapping is of.
  // Asked only after the epoch has changed, as it does then (os/lost_pages.hpp).
  Result<void> check_whole(const os::Mapping& own, const std::string& own_file) const noexcept;
  // Is a participant's file still as long as it was mapped? Sealed memory always is.
  void look_for_loss(const os::Mapping& mapping, const os::Fd& file) const noexcept {
    if (tier_ == Tier::plain) mapping.look_for_loss(file);
  }

  const Sharing& sharing() const noexcept { return sharing_; }
  Tier tier() const noexcept { return tier_; }

  // Shows our segment, complete and locked, to everybody; in the hardened tier only after we and
  // all who are on the other side have each other's memory. Errors: already_exists, timed_out (one
  // of them is stopped), permission_denied, damaged, and what the kernel says.
  Result<void> introduce(OwnSegment& own);
  // Says that its owner has closed, and answers nobody for it any more. The name is the caller's to
  // remove.
  void withdraw(const OwnSegment& own) noexcept;
  // Somebody else's segment, checked. Errors: not_found (gone, or not introduced yet), damaged,
  // layout_mismatch, permission_denied.
  Result<OpenSegment> segment_of(const Participant& who) const;

  // Creates a further arena of ours, to be filled in. Errors: no_space, out_of_memory,
  // limit_reached, and what the kernel says.
  Result<NewSegment> create_arena(const OwnSegment& own, std::uint32_t number,
                                  const ArenaPlan& plan) const;
  // Gives it its name; in the hardened tier takes the descriptor and hands it to all subscribers,
  // and may be called again when one of them did not answer. Errors: those of introduce().
  Result<void> show_arena(const OwnSegment& own, std::uint32_t number, os::Fd& arena);
  // Which of the arenas that a publisher's page speaks of can be mapped: a bit for each.
  std::uint32_t arenas_within_reach(const Participant& who, std::uint32_t spoken_of) const noexcept;
  // One of them, its header checked. Errors as segment_of().
  Result<OpenSegment> arena_of(const Participant& who, std::uint32_t number) const;
  // Removes a publisher's file, and then those of its arenas, of which there are at most so many.
  bool unlink_publisher(const std::string& file, std::uint32_t arenas) noexcept;

  // Who has a file here, alive or not. Sets *has_arenas if there are files of further arenas.
  Result<std::vector<Participant>> participants(bool* has_arenas = nullptr) const;

  // How many of this role live.
  Result<std::size_t> count_alive(Role role) const;

  // Tells everyone that somebody joined, left or died, and wakes those who sleep on the epoch.
  void announce_change() noexcept;

  // Removes the file of somebody dead or closed. True if it did. A publisher's file stays while a
  // living subscriber has not met it: what it published is still to be taken.
  bool reap(const Participant& who) noexcept;
  // Has every living subscriber mapped this publisher's segment and these of its arenas, so that
  // their names may go?
  bool everyone_met(std::uint64_t publisher, std::uint32_t arenas) const noexcept;
  // Reaps every dead participant.
  void reap_all();

 private:
  TopicDirectory() = default;
  Result<bool> try_attach(const TypeDescription& type);
  Result<void> open_or_create_topic(const TypeDescription& type);
  Result<bool> enter(os::Fd topic_file);
  Result<bool> check_type(const TypeDescription& type);
  Result<bool> compare_type(std::span<const std::byte> page, const TypeDescription& type);
  Result<bool> refuse_tier(Tier theirs);
  Result<void> open_or_create_bell();
  // Hardened.
  Result<void> make_text_and_bell(const TypeDescription& type);
  Result<bool> receive_text_and_bell(const TypeDescription& type);
  Result<bool> accept_text_and_bell(Given given, const Participant& from,
                                    const TypeDescription& type);
  Result<void> open_meeting_point(OwnSegment& own);
  Result<void> meet_all(const OwnSegment& own);
  Result<void> keep_given(const Participant& who, Given given);
  Result<void> hand_to_all(const OwnSegment& own, int arena);
  Request request(Ask ask, const Participant& whom) const noexcept;
  Asking asking() const noexcept { return {directory_, place_.topic_path, sharing_}; }
  bool reap(const Participant& who, bool even_if_unmet) noexcept;
  bool try_reap(const Participant& who, bool even_if_unmet);
  bool ask_everyone_about(std::uint64_t publisher, std::uint32_t arenas) const;
  void leave();
  bool try_become_last() noexcept;
  void remove_everything();
  void remove_orphans();
  void remove_empty_directories() noexcept;

  Place place_;
  os::Fd directory_;
  os::LifeFd topic_file_;
  os::Mapping bell_;
  wire::Hash128 type_hash_;
  wire::ParsedType type_;
  Tier tier_ = Tier::plain;
  Sharing sharing_;
  std::uint64_t topic_inode_ = 0;
  os::Fd text_;  // hardened: what we hand on to those who come
  os::Fd bell_memory_;
  std::shared_ptr<MeetingPoint> point_;
  bool is_valid_ = false;  // the topic file is a topic of our type: ours to remove as the last
  unsigned generation_ = 0;
};

// The error damaged of whoever uses a file that was shortened under him.
Error shortened(const std::string& path) noexcept;

// Creates a participant's segment with its life lock taken, ready to be filled and introduced.
Result<OwnSegment> create_own_segment(const TopicDirectory& topic, Role role,
                                      std::uint64_t total_bytes, std::uint32_t header_bytes);

// Of the hardened tier.
Result<OwnSegment> create_own_memory(const TopicDirectory& topic, Participant who,
                                     std::uint64_t total_bytes, std::uint32_t header_bytes);
// Which tier a topic's file says it is of. Errors: damaged, layout_mismatch.
Result<Tier> tier_of(const os::Fd& topic_file, const std::string& path);
// Fills a fresh topic page.
void write_type(const os::Mapping& fresh, const wire::Hash128& hash, const TypeDescription& type);

// Of a publisher's file: how many arenas it may have, and a bit for each that its page speaks of.
struct Grown {
  std::uint32_t most = 0;
  std::uint32_t spoken_of = 0;
};
Grown grown_of(const os::Fd& publisher_file) noexcept;

// Does the owner of this participant's file live?
bool is_alive(const os::Fd& participant_file) noexcept;

}  // namespace signalbox::topic
