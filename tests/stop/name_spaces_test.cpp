// Goal: who lives is decided by locks, and never by a number: a dead owner's process number may be
// given to somebody else, and processes of two pid name spaces may share a domain. And the rights
// of files are what we promise, whatever the creator's umask is. Method: real name spaces and users
// where the test may make them (root), else it is skipped and says so.
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <fstream>

#include "../proof_counts.hpp"
#include "participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::Subscriber;
using signalbox::Wake;
using stop::Beat;
using stop::eventually;
using stop::Participant;
using stop::Report;
using namespace std::chrono_literals;

bool may_make_pid_name_spaces() {
  Participant try_it([] { return ::unshare(CLONE_NEWPID) == 0 ? 0 : 1; });
  return try_it.join() == 0;
}

// Runs `work` as a process of a new pid name space; the caller is its parent outside.
int in_new_pid_name_space(const std::function<int()>& work) {
  if (::unshare(CLONE_NEWPID) != 0) return 99;
  Participant first(work);  // process 1 there: when it ends, so do all
  return first.join();
}

// In a pid name space of its own: a publisher is killed and reaped, and its number is given to an
// innocent process, before anybody looks.
int meet_a_reused_number() {
  auto in = Subscriber<Beat>::open(stop::beats);
  if (!in || !in->descriptor()) return 1;
  Report& report = *stop::map_report();
  pid_t number = 0;
  {
    Participant publisher([&] { return stop::publish_beats(report); });
    number = publisher.pid();
    if (!eventually([&] { return in->publisher_count() == 1 && report.published > 0; })) return 2;
    publisher.signal(SIGKILL);
    publisher.join();
  }
  std::ofstream("/proc/sys/kernel/ns_last_pid") << number - 1;
  Participant innocent([] {
    ::pause();
    return 0;
  });
  if (innocent.pid() != number) return 77;
  if (!eventually([&] {
        while (in->take()) {
        }
        return in->publisher_count() == 0;
      })) {
    return 3;
  }
  // The next publisher is met and heard, and its death is told by the descriptor.
  Participant next([&] { return stop::publish_beats(report); });
  if (!eventually([&] { return static_cast<bool>(in->take()); })) return 4;
  next.signal(SIGKILL);
  next.join();
  pollfd one{.fd = in->descriptor().value(), .events = POLLIN, .revents = 0};
  return eventually([&] {
    ::poll(&one, 1, 1000);
    while (in->take()) {
    }
    return in->publisher_count() == 0;
  })
             ? 0
             : 5;
}

TEST(PidReuse, DoesNotRevive) {
  if (!may_make_pid_name_spaces()) GTEST_SKIP() << "needs the right to make a pid name space";
  const signalbox::ScratchDomain domain;
  Participant outside([] { return in_new_pid_name_space(meet_a_reused_number); });
  const int answer = outside.join();
  if (answer == 77) GTEST_SKIP() << "the kernel did not give the number again (ns_last_pid)";
  EXPECT_EQ(answer, 0);
}

// Publisher here, subscriber there: process numbers mean nothing to each other.
TEST(TwoPidNameSpaces, ShareADomain) {
  if (!may_make_pid_name_spaces()) GTEST_SKIP() << "needs the right to make a pid name space";
  const signalbox::ScratchDomain domain;
  {
    Report& there = *stop::map_report();
    Report& in_a_loop = *stop::map_report();
    Participant waits([&] {
      return in_new_pid_name_space([&] { return stop::take_beats(there, true, false); });
    });
    Participant polls([&] {
      return in_new_pid_name_space([&] { return stop::take_beats(in_a_loop, false, true); });
    });
    auto out = Publisher<Beat>::open(stop::beats).value();
    ASSERT_TRUE(eventually([&] { return out.subscriber_count() == 2; }));
    // One at a time, each after the last has arrived: every one is a wake-up of both.
    for (std::uint64_t i = 0; i < 200; ++i) {
      ASSERT_TRUE(out.send({i}, Deadline::after(60s)));
      ASSERT_TRUE(eventually([&] { return there.taken > i && in_a_loop.taken > i; })) << i;
    }
    EXPECT_EQ(there.errors + in_a_loop.errors + there.lost, 0U);
  }
  EXPECT_TRUE(eventually(
      [] { return Publisher<Beat>::open(stop::beats).value().subscriber_count() == 0; }));
}

TEST(TwoPidNameSpaces, ADeathIsToldAcross) {
  if (!may_make_pid_name_spaces()) GTEST_SKIP() << "needs the right to make a pid name space";
  const signalbox::ScratchDomain domain;
  auto in = Subscriber<Beat>::open(stop::beats).value();
  const int descriptor = in.descriptor().value();
  Report& report = *stop::map_report();
  Participant far(
      [&] { return in_new_pid_name_space([&] { return stop::publish_beats(report); }); });
  ASSERT_TRUE(eventually([&] { return static_cast<bool>(in.take()); }));
  // Killing the parent leaves the child alive; the child dies when told so through the report.
  EXPECT_EQ(in.publisher_count(), 1U);
  const fs::path children =
      "/proc/" + std::to_string(far.pid()) + "/task/" + std::to_string(far.pid()) + "/children";
  pid_t child = 0;
  std::ifstream(children) >> child;
  if (child == 0) GTEST_SKIP() << "this kernel does not list children in /proc";
  ::kill(child, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
    ::poll(&one, 1, 1000);
    while (in.take()) {
    }
    return in.publisher_count() == 0;
  }));
}

// ---- users and umasks ---------------------------------------------------------------------------

struct Cell {
  uid_t creator;
  mode_t creators_umask;
  uid_t opener;
};

std::string attempt_as(uid_t user, mode_t umask_of_it) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::umask(umask_of_it);
    if (::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(1);
    std::string text("ok");
    // Closed before the process ends: what a root that was killed leaves behind, only root removes.
    if (const auto in = Subscriber<Beat>::open(stop::beats); !in) text = to_string(in.error().code);
    ::_exit(::write(ends[1], text.data(), text.size()) > 0 ? 0 : 1);
  }
  ::close(ends[1]);
  char text[64] = {};
  const ssize_t got = ::read(ends[0], text, sizeof(text) - 1);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return got > 0 ? text : "nothing";
}

// "" if every directory and file of the topic has the promised mode, else what has not.
std::string wrong_modes(const signalbox::ScratchDomain& domain) {
  std::string wrong;
  const auto look = [&](const fs::path& path, mode_t promised) {
    struct stat facts{};
    ::lstat(path.c_str(), &facts);
    if ((facts.st_mode & 07777) == promised) return;
    char octal[16];
    std::snprintf(octal, sizeof(octal), "%04o", facts.st_mode & 07777);
    wrong += path.string() + " has mode " + octal + "; ";
  };
  look(domain.root() + "/default", 0700);
  look(domain.topic_path("stop+beats"), 0700);
  for (const auto& entry : fs::directory_iterator(domain.topic_path("stop+beats"))) {
    look(entry.path(), 0600);
  }
  return wrong;
}

void try_cell(const Cell& cell) {
  const signalbox::ScratchDomain domain;
  ASSERT_EQ(::chmod(domain.root().c_str(), 0777), 0);  // anybody may make a domain here
  Report& report = *stop::map_report();
  Participant creator([&] {
    ::umask(cell.creators_umask);
    if (::setgid(cell.creator) != 0 || ::setuid(cell.creator) != 0) return 1;
    auto out = Publisher<Beat>::open(stop::beats);
    auto in = Subscriber<Beat>::open(stop::beats);
    if (!out || !in || !in->descriptor()) return 2;
    report.mark = 1;
    // The end of this process is the creator's leaving.
    return eventually([&] { return report.mark == 2; }) ? 0 : 3;
  });
  ASSERT_TRUE(eventually([&] { return report.mark == 1; }));
  const std::string found = attempt_as(cell.opener, 022);
  const bool may = cell.opener == 0 || cell.opener == cell.creator;
  std::printf("  %7u  %03o  %7u  %s\n", cell.creator, cell.creators_umask, cell.opener,
              found.c_str());
  EXPECT_EQ(found, may ? "ok" : "permission_denied");
  EXPECT_EQ(wrong_modes(domain), "");
  report.mark = 2;
  EXPECT_EQ(creator.join(), 0);
}

TEST(UsersAndUmasks, DecideAsThePromisedModesSay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become three users";
  std::printf("  creator  mask   opener  answer\n");
  std::uint64_t cells = 0;
  for (const uid_t creator : {0U, 64001U, 64002U}) {
    // The last would take our own rights away if modes followed it.
    for (const mode_t mask : {0U, 022U, 077U, 0377U}) {
      for (const uid_t opener : {0U, 64001U, 64002U}) {
        try_cell({creator, mask, opener});
        if (HasFailure()) return;  // each further cell would wait for its creator in vain
        ++cells;
      }
    }
  }
  proof::count({{"tries", cells}});
}

// ---- a group ------------------------------------------------------------------------------------

constexpr gid_t kGroup = 64100;

// A domain that an administrator has made for a group: with the setgid bit or without.
void make_shared(const signalbox::ScratchDomain& domain, mode_t mode) {
  const std::string path = domain.root() + "/default";
  ASSERT_EQ(::chmod(domain.root().c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(::chown(path.c_str(), static_cast<uid_t>(-1), kGroup), 0);
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

// Becomes this user, a member of the group or not.
bool become(uid_t user, bool is_member) {
  const gid_t groups[] = {kGroup};
  return ::setgroups(is_member ? 1 : 0, groups) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0;
}

// "" if all of the topic is the group's, as promised.
std::string not_the_groups(const signalbox::ScratchDomain& domain) {
  std::string wrong;
  const auto look = [&](const fs::path& path, mode_t promised) {
    struct stat facts{};
    ::lstat(path.c_str(), &facts);
    if ((facts.st_mode & 07777) == promised && facts.st_gid == kGroup) return;
    char text[64];
    std::snprintf(text, sizeof(text), " has mode %04o, group %u; ", facts.st_mode & 07777,
                  facts.st_gid);
    wrong += path.string() + text;
  };
  look(domain.topic_path("stop+beats"), 02770);
  for (const auto& entry : fs::directory_iterator(domain.topic_path("stop+beats"))) {
    look(entry.path(), 0660);
  }
  return wrong;
}

struct GroupCell {
  mode_t domain_mode;
  mode_t creators_umask;
  signalbox::Tier tier;
};

void try_group_cell(const GroupCell& cell) {
  const signalbox::ScratchDomain domain;
  make_shared(domain, cell.domain_mode);
  Report& report = *stop::map_report();
  Participant creator([&] {
    ::umask(cell.creators_umask);
    if (!become(64001, true)) return 1;
    auto out = Publisher<Beat>::open(stop::beats, {.tier = cell.tier});
    auto in = Subscriber<Beat>::open(stop::beats, {.tier = cell.tier});
    if (!out || !in || !in->descriptor()) return 2;
    report.mark = 1;
    if (!eventually([&] { return report.mark == 2; })) return 3;
    if (!out->send({1}) || !in->take()) return 4;
    // What the member published while it was here.
    return eventually([&] { return in->take() && report.mark == 3; }) ? 0 : 5;
  });
  ASSERT_TRUE(eventually([&] { return report.mark == 1; }));
  EXPECT_EQ(not_the_groups(domain), "");
  // A member has all rights, and wakes and is woken.
  Participant member([&] {
    ::umask(077);
    if (!become(64002, true)) return 1;
    auto in = Subscriber<Beat>::open(stop::beats, {.tier = cell.tier});
    if (!in) return 2;
    report.mark = 2;
    if (!eventually([&] { return in->wait(Deadline::after(1s)).value() == Wake::ready; })) return 3;
    auto out = Publisher<Beat>::open(stop::beats, {.tier = cell.tier});
    if (!out || !out->send({2})) return 4;
    report.mark = 3;
    return 0;
  });
  ASSERT_EQ(member.join(), 0);  // else the creator waits in vain, and is killed
  EXPECT_EQ(creator.join(), 0);
  Participant stranger([&] {
    if (!become(64003, false)) return 1;
    const auto in = Subscriber<Beat>::open(stop::beats, {.tier = cell.tier});
    return !in && in.error().code == Errc::permission_denied ? 0 : 2;
  });
  EXPECT_EQ(stranger.join(), 0);
  // The topic is gone; what the administrator made is not ours to remove.
  EXPECT_TRUE(fs::is_empty(domain.root() + "/default"));
  fs::remove(domain.root() + "/default");
}

TEST(SharedWithAGroup, MembersMayAllAndOthersNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become three users";
  std::uint64_t cells = 0;
  for (const mode_t mode : {02770U, 0770U}) {
    for (const mode_t mask : {0U, 022U, 0377U}) {
      for (const auto tier : {signalbox::Tier::plain, signalbox::Tier::hardened}) {
        SCOPED_TRACE("mode " + std::to_string(mode) + ", mask " + std::to_string(mask) +
                     (tier == signalbox::Tier::plain ? ", plain" : ", hardened"));
        try_group_cell({mode, mask, tier});
        if (HasFailure()) return;
        ++cells;
      }
    }
  }
  proof::count({{"tries", cells}});
}

// A member that was killed is cleaned up after by another.
TEST(SharedWithAGroup, MembersCleanUpAfterEachOther) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become two users";
  for (const auto tier : {signalbox::Tier::plain, signalbox::Tier::hardened}) {
    const signalbox::ScratchDomain domain;
    make_shared(domain, 02770);
    Participant killed([&] {
      if (!become(64001, true)) return 1;
      auto out = Publisher<Beat>::open(stop::beats, {.tier = tier});
      auto in = Subscriber<Beat>::open(stop::beats, {.tier = tier});
      if (out && in && in->descriptor()) ::raise(SIGKILL);
      return 2;
    });
    EXPECT_EQ(killed.join(), 128 + SIGKILL);
    Participant member([&] {
      if (!become(64002, true)) return 1;
      return Subscriber<Beat>::open(stop::beats, {.tier = tier}) ? 0 : 2;
    });
    EXPECT_EQ(member.join(), 0);
    EXPECT_TRUE(fs::is_empty(domain.root() + "/default"));
    fs::remove(domain.root() + "/default");
  }
}

// All rights for the group and the right to write for everybody is no sharing with a group: a
// directory like /tmp.
TEST(SharedWithAGroup, NeedsADomainThatOthersCannotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  for (const mode_t mode : {0777U, 02777U, 0750U, 0755U}) {
    const signalbox::ScratchDomain domain;
    make_shared(domain, mode);
    auto out = Publisher<Beat>::open(stop::beats).value();
    struct stat facts{};
    ASSERT_EQ(::stat(domain.topic_path("stop+beats").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0700U);
    ASSERT_EQ(::stat((domain.topic_path("stop+beats") + "/topic").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600U);
  }
}

}  // namespace
