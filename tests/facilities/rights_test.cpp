// Goal: who may do what with an object that has a name is decided by the mode that its maker asked
// for, 0600 where he asked for none, and never by a umask.
// Method: each of three users makes each object under each of three umasks, with the usual mode and
// with one that lets others read or write; each user, in a process of his own, then tries to read,
// to write and to remove it. The table is printed and compared with what the modes say.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "../proof_counts.hpp"
#include "done.hpp"
#include "ground.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/mapped_file.hpp"
#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/posix_semaphore.hpp"
#include "signalbox/os/semaphore_set.hpp"
#include "signalbox/os/shared_memory.hpp"
#include "signalbox/os/sysv_queue.hpp"
#include "signalbox/os/unix_listener.hpp"

namespace {

using namespace signalbox::os;
using facilities::done;
using facilities::Ground;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Result;
using test::Forked;

using Action = Result<void> (*)(const Ground&);

// What needs both rights to be opened at all says so.
struct Object {
  const char* name;
  Result<void> (*make)(const Ground&, unsigned mode);  // 0: the usual one
  Action read;
  Action write;
  Action remove;
  bool reading_needs_both = false;
  bool writing_needs_both = false;
};

constexpr unsigned kUsual = 0;
unsigned mode_of(unsigned asked) { return asked == kUsual ? 0600 : asked; }

template <class Options>
Options options_of(unsigned mode) {
  Options options{};
  if (mode != kUsual) options.mode = mode;
  return options;
}

std::vector<Object> files() {
  return {
      {"shared memory",
       [](const Ground& g, unsigned mode) {
         return done(SharedMemory::create(g.name(), 4096, options_of<SharedMemoryOptions>(mode)));
       },
       [](const Ground& g) { return done(SharedMemory::open(g.name(), Access::read)); },
       [](const Ground& g) { return done(SharedMemory::open(g.name(), Access::read_write)); },
       [](const Ground& g) { return SharedMemory::unlink(g.name()); }, false, true},
      {"named semaphore",
       [](const Ground& g, unsigned mode) {
         return done(NamedSemaphore::create(g.name(), 1, options_of<NamedSemaphoreOptions>(mode)));
       },
       [](const Ground& g) { return done(NamedSemaphore::open(g.name())); },
       [](const Ground& g) { return done(NamedSemaphore::open(g.name())); },
       [](const Ground& g) { return NamedSemaphore::unlink(g.name()); }, true, true},
      {"POSIX queue",
       [](const Ground& g, unsigned mode) {
         return done(PosixQueue::create(g.name(), options_of<PosixQueueOptions>(mode)));
       },
       [](const Ground& g) { return done(PosixQueue::open(g.name(), QueueAccess::receive)); },
       [](const Ground& g) { return done(PosixQueue::open(g.name(), QueueAccess::send)); },
       [](const Ground& g) { return PosixQueue::unlink(g.name()); }},
      {"FIFO",
       [](const Ground& g, unsigned mode) {
         return mode == kUsual ? Fifo::create(g.path("it")) : Fifo::create(g.path("it"), mode);
       },
       [](const Ground& g) { return done(Fifo::try_open_reader(g.path("it"))); },
       [](const Ground& g) -> Result<void> {
         auto opened = Fifo::try_open_writer(g.path("it"));
         // Nobody reads: to be told that needs the right to write.
         if (!opened && opened.error().code == Errc::would_block) return {};
         return done(std::move(opened));
       },
       [](const Ground& g) { return Fifo::unlink(g.path("it")); }},
      {"file with locks",
       [](const Ground& g, unsigned mode) {
         return done(MappedFile::create(g.path("it"), 4096, mode_of(mode), {}));
       },
       [](const Ground& g) { return done(MappedFile::open(g.path("it"), {})); },
       [](const Ground& g) {
         return done(MappedFile::open(g.path("it"), {.access = Access::read_write}));
       },
       nullptr, false, true},
  };
}

std::vector<Object> others() {
  return {
      {"Unix socket",
       [](const Ground& g, unsigned mode) {
         auto listener = UnixListener::listen(UnixAddress::path(g.path("it")).value(),
                                              {.name = options_of<UnixNameOptions>(mode)});
         if (!listener) return done(std::move(listener));
         static_cast<void>(listener->release().release());  // as long as its maker lives
         return Result<void>();
       },
       nullptr,
       [](const Ground& g) {
         const auto at = UnixAddress::path(g.path("it")).value();
         return done(UnixStream::connect(at, Deadline::never()));
       },
       nullptr},
      {"semaphore set",
       [](const Ground& g, unsigned mode) {
         const std::array<std::uint16_t, 1> one{1};
         return done(SemaphoreSet::create(g.key(), one, options_of<SemaphoreSetOptions>(mode)));
       },
       [](const Ground& g) -> Result<void> {
         auto set = SemaphoreSet::open_as_is(g.key());
         return set ? done(set->value(0)) : done(std::move(set));
       },
       [](const Ground& g) -> Result<void> {
         auto set = SemaphoreSet::open_as_is(g.key());
         return set ? done(set->try_apply({give(0), take(0)})) : done(std::move(set));
       },
       [](const Ground& g) -> Result<void> {
         auto set = SemaphoreSet::open_as_is(g.key());
         return set ? set->remove() : done(std::move(set));
       }},
      {"System V queue",
       [](const Ground& g, unsigned mode) {
         return done(SysvQueue::create(g.key(), options_of<SysvQueueOptions>(mode)));
       },
       [](const Ground& g) -> Result<void> {
         auto queue = SysvQueue::open(g.key());
         std::array<std::byte, 8> room{};
         return queue ? done(queue->try_receive(room, MessageFilter::any()))
                      : done(std::move(queue));
       },
       [](const Ground& g) -> Result<void> {
         auto queue = SysvQueue::open(g.key());
         return queue ? done(queue->try_send(1, {})) : done(std::move(queue));
       },
       [](const Ground& g) -> Result<void> {
         auto queue = SysvQueue::open(g.key());
         return queue ? queue->remove() : done(std::move(queue));
       }},
  };
}

// Becomes the user and does it: 0 done, 1 permission_denied, 2 anything else, 3 no such user.
int as(uid_t user, const std::function<Result<void>()>& act) {
  if (user != 0 && (::setgid(user) != 0 || ::setuid(user) != 0)) return 3;
  const auto result = act();
  if (result) return 0;
  if (result.error().code == Errc::permission_denied) return 1;
  std::fprintf(stderr, "%s\n", result.error().text.c_str());
  return 2;
}

struct Cell {
  uid_t maker;
  mode_t umask_of_maker;
  unsigned mode;
  uid_t user;
};

constexpr int kMay = 0;
constexpr int kMayNot = 1;

// Root may do all; the owner what his bits say, which are 6 here; others what theirs say.
int expected(const Cell& cell, unsigned bits) {
  if (cell.user == 0 || cell.user == cell.maker) return kMay;
  return (mode_of(cell.mode) & bits) == bits ? kMay : kMayNot;
}

const char* word(int answer) { return answer == kMay ? "yes" : answer == kMayNot ? "no" : "?"; }

class Rights : public testing::Test {
 protected:
  // The object lives as long as its maker, who waits until the test has tried everything.
  void try_cell(const Object& object, const Cell& cell) {
    const Ground ground;
    ASSERT_EQ(::chmod(ground.folder().c_str(), 01777), 0);
    test::Milestone made;
    test::Milestone tried;
    Forked maker([&] {
      ::umask(cell.umask_of_maker);
      const int answer = as(cell.maker, [&] { return object.make(ground, cell.mode); });
      made.reach();
      tried.wait();
      return answer;
    });
    made.wait();
    const auto attempt = [&](Action act) {
      if (act == nullptr) return -1;
      Forked user([&] { return as(cell.user, [&] { return act(ground); }); });
      return user.wait();
    };
    const int reads = attempt(object.read);
    const int writes = attempt(object.write);
    const int removes = attempt(object.remove);
    tried.reach();
    EXPECT_EQ(maker.wait(), 0) << "it could not be made";
    std::printf("  %-16s %6u  %03o  %04o  %6u  %-4s %-5s %s\n", object.name, cell.maker,
                cell.umask_of_maker, mode_of(cell.mode), cell.user, reads < 0 ? "-" : word(reads),
                writes < 0 ? "-" : word(writes), removes < 0 ? "-" : word(removes));
    if (reads >= 0) {
      EXPECT_EQ(reads, expected(cell, object.reading_needs_both ? 6 : 4)) << "reads";
    }
    if (writes >= 0) {
      EXPECT_EQ(writes, expected(cell, object.writing_needs_both ? 6 : 2)) << "writes";
    }
    // To remove it is the maker's and root's, whatever the mode.
    const bool may_remove = cell.user == 0 || cell.user == cell.maker;
    if (removes >= 0) {
      EXPECT_EQ(removes, may_remove ? kMay : kMayNot) << "removes";
    }
  }

  void try_object(const Object& object) {
    std::uint64_t cells = 0;
    for (const uid_t maker : {0U, 64001U, 64002U}) {
      for (const mode_t mask : {0U, 077U, 0377U}) {
        for (const unsigned mode : {kUsual, 0644U, 0622U, 0666U}) {
          for (const uid_t user : {0U, 64001U, 64002U}) {
            try_cell(object, {maker, mask, mode, user});
            ++cells;
          }
        }
      }
    }
    proof::count({{"tries", cells}});
  }
};

TEST_F(Rights, AreWhatTheMakerAskedFor) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become three users";
  facilities::enter_own_name_spaces();
  std::printf("  %-16s %6s  %4s %4s  %6s  %-4s %-5s %s\n", "object", "maker", "mask", "mode",
              "user", "read", "write", "remove");
  for (const auto& objects : {files(), others()}) {
    for (const Object& object : objects) try_object(object);
  }
}

}  // namespace
