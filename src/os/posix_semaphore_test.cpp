// Goal: named and placed POSIX semaphores count, time out and are found and removed by name as
// sem_overview(7) says, whatever the umask and however many signals come.
// Method: real semaphores under names of this process, unlinked at the end; real processes.
#include "signalbox/os/posix_semaphore.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <vector>

#include "base/watchdog.hpp"
#include "os/shared_page.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::Forked;

class NamedSemaphoreTest : public ::testing::Test {
 protected:
  void TearDown() override { static_cast<void>(NamedSemaphore::unlink(name_)); }
  std::string name_ = "/signalbox-test-" + std::to_string(::getpid());
};

TEST_F(NamedSemaphoreTest, IsCreatedOnceAndOpenedByAll) {
  EXPECT_EQ(NamedSemaphore::open(name_).error().code, Errc::not_found);
  EXPECT_EQ(NamedSemaphore::open(name_).error().sys_errno, ENOENT);
  auto made = NamedSemaphore::create(name_, 2);
  ASSERT_TRUE(made) << made.error().text;
  const auto again = NamedSemaphore::create(name_, 7);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_EQ(again.error().sys_errno, EEXIST);
  auto opened = NamedSemaphore::open_or_create(name_, 9);
  ASSERT_TRUE(opened);
  ASSERT_TRUE(opened->post());
  EXPECT_EQ(made->value(), 3);
}

TEST_F(NamedSemaphoreTest, KeepsItsCountWhileNobodyHasItOpen) {
  {
    auto made = NamedSemaphore::create(name_, 2);
    ASSERT_TRUE(made->wait(watchdog()));
  }
  EXPECT_EQ(NamedSemaphore::open_or_create(name_, 3).value().value(), 1);
}

TEST_F(NamedSemaphoreTest, AnUnlinkedOneGoesOnBesideItsSuccessor) {
  auto before = NamedSemaphore::create(name_, 1).value();
  ASSERT_TRUE(NamedSemaphore::unlink(name_));
  EXPECT_EQ(NamedSemaphore::unlink(name_).error().code, Errc::not_found);
  auto after = NamedSemaphore::create(name_, 5).value();
  ASSERT_TRUE(before.wait(watchdog()));
  EXPECT_EQ(before.value(), 0);
  EXPECT_EQ(after.value(), 5);
}

TEST_F(NamedSemaphoreTest, RefusesBadNamesAndCounts) {
  for (const std::string& name : {std::string(), std::string("/"), std::string("plain"),
                                  std::string("/a/b"), "/" + std::string(252, 'x')}) {
    EXPECT_EQ(NamedSemaphore::create(name, 1).error().code, Errc::bad_name) << name;
    EXPECT_EQ(NamedSemaphore::open(name).error().code, Errc::bad_name) << name;
    EXPECT_FALSE(NamedSemaphore::unlink(name)) << name;
  }
  const auto made = NamedSemaphore::create(name_, 2147483648U);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::out_of_range);
  EXPECT_EQ(made.error().sys_errno, EINVAL);
  EXPECT_EQ(NamedSemaphore::open(name_).error().code, Errc::not_found) << "it left one behind";
}

TEST_F(NamedSemaphoreTest, TheLongestNameIsTheOneThatTheCardTells) {
  const std::string longest = name_ + std::string(252 - name_.size(), 'x');
  ASSERT_TRUE(NamedSemaphore::create(longest, 1));
  EXPECT_TRUE(NamedSemaphore::unlink(longest));
}

TEST_F(NamedSemaphoreTest, TheUmaskTakesNothingAndAddsNothing) {
  for (const unsigned mask : {0U, 022U, 0777U}) {
    for (const unsigned mode : {0600U, 0666U, 0640U}) {
      const mode_t before = ::umask(mask);
      const auto made = NamedSemaphore::create(name_, 1, {.mode = mode});
      ::umask(before);
      ASSERT_TRUE(made) << made.error().text;
      struct stat facts{};
      ASSERT_EQ(::stat(("/dev/shm/sem." + name_.substr(1)).c_str(), &facts), 0);
      EXPECT_EQ(facts.st_mode & 0777U, mode) << "under umask " << mask;
      ASSERT_TRUE(NamedSemaphore::unlink(name_));
    }
  }
}

TEST_F(NamedSemaphoreTest, AnEmptyHandleSaysSo) {
  auto made = NamedSemaphore::create(name_, 1).value();
  NamedSemaphore moved = std::move(made);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(made);
  EXPECT_EQ(made.post().error().code, Errc::closed);
  EXPECT_EQ(made.wait(watchdog()).error().code, Errc::closed);
  EXPECT_EQ(made.try_wait().error().code, Errc::closed);
  EXPECT_EQ(made.value().error().code, Errc::closed);
  made = std::move(moved);
  EXPECT_EQ(made.value(), 1);
}

struct Scene {
  PlacedSemaphore::Memory memory;
  PlacedSemaphore::Memory second;
};

class PlacedSemaphoreTest : public ::testing::Test {
 protected:
  PlacedSemaphore create(std::uint32_t initial) {
    return PlacedSemaphore::create(scene_->memory, initial).value();
  }
  test::Shared<Scene> scene_;
};

TEST_F(PlacedSemaphoreTest, IsFoundInTheMemoryByOtherProcesses) {
  EXPECT_EQ(PlacedSemaphore::open(scene_->memory).error().code, Errc::not_found);
  auto semaphore = create(0);
  EXPECT_EQ(PlacedSemaphore::create(scene_->memory, 1).error().code, Errc::already_exists);
  Forked child([&] {
    auto opened = PlacedSemaphore::open(scene_->memory);
    return opened && opened->post() ? 0 : 1;
  });
  EXPECT_TRUE(semaphore.wait(watchdog()));
  EXPECT_EQ(child.wait(), 0);
  ASSERT_TRUE(semaphore.destroy());
  EXPECT_EQ(semaphore.destroy().error().code, Errc::closed);
  EXPECT_EQ(PlacedSemaphore::open(scene_->memory).error().code, Errc::not_found);
  EXPECT_TRUE(PlacedSemaphore::create(scene_->memory, 1));
}

TEST_F(PlacedSemaphoreTest, KnowsTheRangeOfItsCount) {
  const auto made = PlacedSemaphore::create(scene_->memory, 2147483648U);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::out_of_range);
  EXPECT_EQ(made.error().sys_errno, EINVAL);
  auto semaphore = create(2147483647U);
  const auto posted = semaphore.post();
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().code, Errc::out_of_range);
  EXPECT_EQ(posted.error().sys_errno, EOVERFLOW);
  EXPECT_EQ(semaphore.value(), 2147483647);
}

TEST_F(PlacedSemaphoreTest, ADeadlinePassesAndTheCountIsUnchanged) {
  auto semaphore = create(0);
  EXPECT_EQ(semaphore.try_wait(), false);
  for (const Deadline deadline :
       {Deadline::immediate(), Deadline::at_ns(-5), Deadline::after(20ms)}) {
    const auto waited = semaphore.wait(deadline);
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code, Errc::timed_out);
    EXPECT_EQ(waited.error().sys_errno, ETIMEDOUT);
    EXPECT_TRUE(deadline.passed()) << "it ended early";
    EXPECT_EQ(semaphore.value(), 0);
  }
  ASSERT_TRUE(semaphore.post());
  EXPECT_TRUE(semaphore.wait(Deadline::immediate())) << "what is there needs no time";
  ASSERT_TRUE(semaphore.post());
  EXPECT_EQ(semaphore.try_wait(), true);
}

TEST_F(PlacedSemaphoreTest, EachUnitWakesOneOfMany) {
  auto units = create(0);
  auto taken = PlacedSemaphore::create(scene_->second, 0).value();
  std::vector<std::unique_ptr<Forked>> takers;
  takers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    takers.push_back(std::make_unique<Forked>([&] {
      for (int unit = 0; unit < 50; ++unit) {
        if (!units.wait(watchdog()) || !taken.post()) return 1;
      }
      return 0;
    }));
  }
  for (int unit = 0; unit < 200; ++unit) ASSERT_TRUE(units.post());
  for (int unit = 0; unit < 200; ++unit) ASSERT_TRUE(taken.wait(watchdog()));
  for (auto& taker : takers) EXPECT_EQ(taker->wait(), 0);
  EXPECT_EQ(units.value(), 0);
  EXPECT_EQ(taken.value(), 0);
}

TEST_F(PlacedSemaphoreTest, RoomIsCheckedForSizeAndAlignment) {
  alignas(8) std::array<std::byte, 80> bytes{};
  EXPECT_TRUE(PlacedSemaphore::Memory::in(bytes));
  EXPECT_EQ(PlacedSemaphore::Memory::in(std::span(bytes).first(63)).error().code,
            Errc::bad_argument);
  EXPECT_EQ(PlacedSemaphore::Memory::in(std::span(bytes).subspan(4)).error().code,
            Errc::bad_argument);
}

class PlacedSemaphoreStorm : public PlacedSemaphoreTest,
                             public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Handlers, PlacedSemaphoreStorm, ::testing::Values(0, SA_RESTART));

TEST_P(PlacedSemaphoreStorm, SignalsNeitherShortenNorLengthenAWait) {
  auto semaphore = create(0);
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return semaphore.wait(at); });
  test::expect_given_up(GetParam(),
                        [&](Deadline at) { return semaphore.wait(at, OnSignal::give_up); });
  // A wait without an end is one that the kernel restarts where the handler asks for that.
  if (GetParam() != SA_RESTART) {
    test::expect_given_up(
        GetParam(), [&](Deadline) { return semaphore.wait(Deadline::never(), OnSignal::give_up); });
  }
  EXPECT_EQ(semaphore.value(), 0);
}

}  // namespace
}  // namespace signalbox::os
