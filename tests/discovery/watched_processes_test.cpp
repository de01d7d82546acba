// Goal: a watcher and a list tell the truth about other processes, however those end.
// Method: forked participants, killed or sent home, beside one watcher; whatever a watcher tells is
// counted by incarnation, so that nothing can be told twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "../regress/used_up_descriptors.hpp"
#include "../stop/participant.hpp"
#include "base/must.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/os/fd.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using Kind = TopicEvent::Kind;
using stop::Beat;
using stop::Participant;

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

constexpr auto kForAll = std::filesystem::perms::owner_all | std::filesystem::perms::group_read |
                         std::filesystem::perms::group_exec | std::filesystem::perms::others_read |
                         std::filesystem::perms::others_exec;

enum class Part { publisher, subscriber };

// Joins, says so, and waits for SIGTERM or worse. `messages` are published at once.
class Member {
 public:
  Member(std::string topic, Part part, int messages = 0)
      : joined_(::eventfd(0, EFD_CLOEXEC)), process_([&] { return live(topic, part, messages); }) {
    eventfd_t value = 0;
    ::eventfd_read(joined_.get(), &value);
  }
  pid_t pid() const { return process_.pid(); }
  void kill() {
    process_.signal(SIGKILL);
    process_.join();
  }
  int leave() {
    process_.signal(SIGTERM);
    return process_.join();
  }

 private:
  int live(const std::string& topic, Part part, int messages) {
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    int number = 0;
    if (part == Part::publisher) {
      auto out = Publisher<Beat>::open(topic);
      for (int i = 0; out && i < messages; ++i) static_cast<void>(out->send({1}));
      ::eventfd_write(joined_.get(), 1);
      ::sigwait(&term, &number);
      return out ? 0 : 1;
    }
    const auto in = Subscriber<Beat>::open(topic);
    ::eventfd_write(joined_.get(), 1);
    ::sigwait(&term, &number);
    return in ? 0 : 1;
  }
  os::Fd joined_;
  Participant process_;
};

TopicEvent next(TopicWatcher& watcher) {
  while (must(watcher.wait(soon())) == Wake::ready) {
    if (auto event = must(watcher.take())) return *event;
  }
  throw std::runtime_error("nothing was told");
}

// Everything that is told now; not a moment later.
std::vector<TopicEvent> all(TopicWatcher& watcher) {
  std::vector<TopicEvent> events;
  while (auto event = must(watcher.take())) events.push_back(std::move(*event));
  return events;
}

class Watched : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(Watched, AKilledPublisherIsToldDiedOnceBeforeAndAfterItsFileIsReaped) {
  auto in = must(Subscriber<Beat>::open("t"));
  Member out("t", Part::publisher, 3);
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(all(watcher).size(), 3U);
  const auto pid = static_cast<std::uint32_t>(out.pid());
  out.kill();
  const TopicEvent died = next(watcher);
  EXPECT_EQ(died.kind, Kind::publisher_died);
  EXPECT_EQ(died.pid, pid);
  const auto topics = must(list_topics());
  ASSERT_EQ(topics.at(0).publishers.size(), 1U);
  EXPECT_FALSE(topics[0].publishers[0].is_alive);
  EXPECT_EQ(topics[0].publishers[0].incarnation, died.incarnation);
  EXPECT_EQ(topics[0].publishers[0].published, 3U);
  while (in.publisher_count() != 0 || in.take()) {
  }
  {
    const auto visitor = must(Subscriber<Beat>::open("t"));
  }  // reaps
  EXPECT_EQ(must(list_topics()).at(0).publishers.size(), 0U);
  for (const TopicEvent& event : all(watcher)) EXPECT_NE(event.incarnation, died.incarnation);
}

TEST_F(Watched, WhoeverDiedAndWasReapedBetweenTwoLooksIsToldDied) {
  const auto stays = must(Subscriber<Beat>::open("t"));
  Member out("t", Part::publisher);
  Member in("t", Part::subscriber);
  Member leaves("t", Part::subscriber);
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(all(watcher).size(), 5U);
  out.kill();
  in.kill();
  EXPECT_EQ(leaves.leave(), 0);
  {
    const auto visitor = must(Subscriber<Beat>::open("t"));
  }
  std::map<Kind, int> count;
  while (count.size() < 3) ++count[next(watcher).kind];
  for (const TopicEvent& event : all(watcher)) ++count[event.kind];
  EXPECT_EQ(count, (std::map<Kind, int>{{Kind::publisher_died, 1},
                                        {Kind::subscriber_died, 1},
                                        {Kind::subscriber_left, 1}}));
}

TEST_F(Watched, TheLastOneKilledIsToldAndALaterVisitorEndsTheTopic) {
  auto watcher = must(TopicWatcher::open_topic("t"));
  Member in("t", Part::subscriber);
  EXPECT_EQ(next(watcher).kind, Kind::topic_appeared);
  EXPECT_EQ(next(watcher).kind, Kind::subscriber_joined);
  in.kill();
  EXPECT_EQ(next(watcher).kind, Kind::subscriber_died);
  EXPECT_FALSE(must(list_topics()).at(0).subscribers.at(0).is_alive);
  {
    const auto visitor = must(Subscriber<Beat>::open("t"));
  }
  TopicEvent last = next(watcher);
  while (last.kind != Kind::topic_vanished) last = next(watcher);
  EXPECT_EQ(all(watcher).size(), 0U);
  EXPECT_EQ(must(list_topics()).size(), 0U);
}

TEST_F(Watched, AStoppedProcessLives) {
  Member out("t", Part::publisher);
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(all(watcher).size(), 2U);
  ::kill(out.pid(), SIGSTOP);
  EXPECT_EQ(must(watcher.wait(Deadline::after(std::chrono::milliseconds(50)))), Wake::timed_out);
  EXPECT_TRUE(must(list_topics()).at(0).publishers.at(0).is_alive);
  out.kill();
  EXPECT_EQ(next(watcher).kind, Kind::publisher_died);
  {
    const auto visitor = must(Subscriber<Beat>::open("t"));
  }
}

// What the watcher believes, and how it is told; the end must be what the list says.
class View {
 public:
  void tell(const TopicEvent& event) {
    const bool is_topic = event.kind == Kind::topic_appeared || event.kind == Kind::topic_vanished;
    if (is_topic) return;
    const bool joined =
        event.kind == Kind::publisher_joined || event.kind == Kind::subscriber_joined;
    EXPECT_EQ(
        joined ? joined_.insert(event.incarnation).second : ended_.insert(event.incarnation).second,
        true)
        << to_string(event.kind) << " was told twice of one participant";
    if (joined) {
      living_.insert(event.incarnation);
    } else {
      EXPECT_EQ(living_.erase(event.incarnation), 1U) << "ended without having joined";
      const bool died = event.kind == Kind::publisher_died || event.kind == Kind::subscriber_died;
      (died ? died_ : left_).insert(event.pid);
    }
  }
  const std::set<std::uint64_t>& living() const { return living_; }
  const std::set<std::uint32_t>& died() const { return died_; }
  const std::set<std::uint32_t>& left() const { return left_; }

 private:
  std::set<std::uint64_t> joined_, ended_, living_;
  std::set<std::uint32_t> died_, left_;
};

std::set<std::uint64_t> living_by_list() {
  std::set<std::uint64_t> living;
  for (const TopicInfo& topic : must(list_topics())) {
    for (const auto& who : topic.publishers) {
      if (who.is_alive) living.insert(who.incarnation);
    }
    for (const auto& who : topic.subscribers) {
      if (who.is_alive) living.insert(who.incarnation);
    }
  }
  return living;
}

TEST_F(Watched, FiftyThatComeAndGoLeaveTheViewTrue) {
  const char* const given = std::getenv("SIGNALBOX_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                                     : std::random_device()();
  SCOPED_TRACE("SIGNALBOX_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  auto watcher = must(TopicWatcher::open());
  View view;
  std::vector<std::unique_ptr<Member>> members;
  std::set<std::uint32_t> killed;
  const auto end_one = [&] {
    const auto index = static_cast<std::ptrdiff_t>(random() % members.size());
    Member& member = *members[static_cast<std::size_t>(index)];
    if (random() % 2 == 0) {
      killed.insert(static_cast<std::uint32_t>(member.pid()));
      member.kill();
    } else {
      EXPECT_EQ(member.leave(), 0);
    }
    members.erase(members.begin() + index);
  };
  for (int i = 0; i < 50; ++i) {
    const std::string topic = "t" + std::to_string(random() % 4);
    const Part part = random() % 5 == 0 ? Part::subscriber : Part::publisher;
    members.push_back(std::make_unique<Member>(topic, part, static_cast<int>(random() % 3)));
    if (random() % 2 == 0) {
      for (const TopicEvent& event : all(watcher)) view.tell(event);
    }
    if (members.size() > 10 || random() % 3 == 0) end_one();
  }
  const auto settle = [&] {
    const auto truth = living_by_list();
    while (view.living() != truth) view.tell(next(watcher));
  };
  settle();
  EXPECT_EQ(view.living().size(), members.size());
  while (!members.empty()) end_one();
  settle();
  EXPECT_TRUE(view.living().empty());
  for (const std::uint32_t pid : view.died()) EXPECT_TRUE(killed.contains(pid)) << "it had left";
  for (const std::uint32_t pid : view.left()) EXPECT_FALSE(killed.contains(pid)) << "it was killed";
  for (const char* const topic : {"t0", "t1", "t2", "t3"}) {
    const auto visitor = must(Subscriber<Beat>::open(topic));
  }
}

TEST_F(Watched, OfAnotherUserIsSeenAsFarAsPermissionsGo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be two users";
  const auto out = must(Publisher<Beat>::open("t"));
  const auto as_stranger = [&](auto&& look) {
    return Participant([&] {
             if (::setresgid(65534, 65534, 65534) != 0) return 10;
             if (::setresuid(65534, 65534, 65534) != 0) return 11;
             return look();
           })
        .join();
  };
  EXPECT_EQ(as_stranger([] {
              const auto topics = list_topics();
              const auto watcher = TopicWatcher::open();
              if (topics || topics.error().code != Errc::permission_denied) return 1;
              return watcher || watcher.error().code != Errc::permission_denied ? 2 : 0;
            }),
            0);
  std::filesystem::permissions(domain_.root(), kForAll);
  std::filesystem::permissions(domain_.root() + "/default", kForAll);
  EXPECT_EQ(as_stranger([] {
              const auto topics = list_topics();
              auto watcher = TopicWatcher::open();
              if (!topics || topics->size() != 1 || !(*topics)[0].error) return 1;
              if ((*topics)[0].error->code != Errc::permission_denied) return 2;
              if (!watcher) return 3;
              const auto event = watcher->take();
              if (!event || !*event || (*event)->kind != Kind::topic_appeared) return 4;
              const auto nothing = watcher->take();
              return nothing && !*nothing ? 0 : 5;
            }),
            0);
  // The folder may be looked into, its files not: somebody is there, and no more is known.
  std::filesystem::permissions(domain_.topic_path("t"), kForAll);
  EXPECT_EQ(as_stranger([] {
              const auto topics = list_topics();
              if (!topics || topics->size() != 1) return 1;
              const TopicInfo& topic = (*topics)[0];
              if (topic.publishers.size() != 1 || !topic.publishers[0].error) return 2;
              return topic.publishers[0].error->code == Errc::permission_denied ? 0 : 3;
            }),
            0);
  // And root sees a stranger's topic as its own.
  const auto topics = must(list_topics());
  EXPECT_FALSE(topics.at(0).publishers.at(0).error);
}

TEST_F(Watched, AChildOfAForkIsTurnedAwayAndChangesNothing) {
  const auto out = must(Publisher<Beat>::open("t"));
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(all(watcher).size(), 2U);
  Participant child([&] {
    TopicWatcher mine = std::move(watcher);
    const auto taken = mine.take();
    const auto slept = mine.wait(Deadline::immediate());
    if (taken || taken.error().code != Errc::wrong_process) return 1;
    return slept || slept.error().code != Errc::wrong_process ? 2 : 0;
  });
  EXPECT_EQ(child.join(), 0);
  const auto in = must(Subscriber<Beat>::open("t"));
  EXPECT_EQ(next(watcher).kind, Kind::subscriber_joined);
}

TEST_F(Watched, WithoutDescriptorsLeftWhoCameIsToldByALaterCall) {
  auto watcher = must(TopicWatcher::open());
  Member out("t", Part::publisher);
  Member in("t", Part::subscriber);
  std::vector<TopicEvent> told;
  {
    const UsedUpDescriptors none(0);
    for (;;) {
      const auto event = watcher.take();
      if (!event) {
        EXPECT_EQ(event.error().code, Errc::limit_reached);
        break;
      }
      ASSERT_TRUE(*event) << "a failure was hidden";
      told.push_back(**event);
    }
    // And again, until it was looked: no notice is needed for that.
    for (int i = 0; i < 10; ++i) ASSERT_FALSE(watcher.take());
    ASSERT_FALSE(watcher.wait(soon()));
    EXPECT_EQ(list_topics().error().code, Errc::limit_reached);
  }
  while (told.size() < 3) told.push_back(next(watcher));
  EXPECT_EQ(all(watcher).size(), 0U);
  EXPECT_EQ(out.leave() + in.leave(), 0);
}

}  // namespace
}  // namespace signalbox
