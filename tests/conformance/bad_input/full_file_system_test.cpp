// Goal: shortage of memory is an error when something is opened, names both sides, leaves nothing
// behind, and never reaches those who are running: no SIGBUS.
// Method: each attempt gets a mount name space and a small tmpfs of its own, which vanish with it.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "attempt.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

struct Frame {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};
SBX_DESCRIBE(Frame, number);

namespace signalbox {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t picture_bytes = 6'220'800;  // 1920 x 1080 I420, twice what is there

// Mounts a tmpfs over the domain's root, for this process only. Empty, or what is missing.
std::string mount_tmpfs(const std::string& root, const char* options) {
  if (::unshare(CLONE_NEWNS) != 0) return "unshare: " + std::string(strerror(errno));
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", root.c_str(), "tmpfs", 0, options) != 0) {
    return "mount: " + std::string(strerror(errno));
  }
  return {};
}

class FullFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    const Attempt allowed = attempt([&] { return mount_tmpfs(domain_.root(), "size=4m"); });
    if (!allowed.text.empty()) {
      GTEST_SKIP() << "needs the right to mount a tmpfs of 4 MB (" << allowed.text
                   << "): run as root, in a container with --privileged";
    }
  }

  template <class Body>
  Attempt attempt_on(const char* options, Body&& body) {
    return attempt([&] {
      const std::string missing = mount_tmpfs(domain_.root(), options);
      return missing.empty() ? body() : missing;
    });
  }

  // Takes every byte that is left, or all but `spare`.
  void fill(std::uint64_t spare = 0) {
    const std::string path = domain_.root() + "/filler";
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    const auto size = static_cast<std::uint64_t>(fs::file_size(path));
    if (spare != 0) static_cast<void>(::ftruncate(fd, static_cast<off_t>(size - spare)));
    ::close(fd);
  }

  std::string left_behind() const {
    std::string names;
    for (const auto& entry : fs::recursive_directory_iterator(domain_.root())) {
      if (entry.path().filename() != "filler") names += entry.path().string() + " ";
    }
    return names;
  }

  ScratchDomain domain_;
};

TEST_F(FullFileSystem, APublisherThatDoesNotFitIsRefusedAndLeavesNothing) {
  const Attempt result = attempt_on("size=4m", [&] {
    auto out = Publisher<Frame>::open("frames", {.tail_bytes_max = picture_bytes});
    return outcome(out) + "\nleft: " + left_behind() + "|";
  });
  // Both sides: how much was wanted, how much is there, and in which directory.
  expect_outcome(result, "no_space",
                 {domain_.root(), "reserve ", "bytes are free", "21 frames (depth 16,", "left: |"});
}

TEST_F(FullFileSystem, WhatFitsBesideItStillWorks) {
  const Attempt result = attempt_on("size=4m", [&]() -> std::string {
    auto in = Subscriber<Frame>::open("frames", Start::next);
    auto large = Publisher<Frame>::open("frames", {.tail_bytes_max = picture_bytes});
    auto out = Publisher<Frame>::open("frames", {.depth = 4, .tail_bytes_max = 1000});
    if (large || !out || !in) return "opened wrongly";
    for (std::uint64_t i = 0; i < 100; ++i) {
      auto loan = out->loan(1000);
      if (!loan) return out->why().text;
      loan->number = i;
      if (!out->publish(std::move(loan))) return "not published";
      if (in->take()->number != i) return "lost";
    }
    return "all arrived";
  });
  expect_outcome(result, "all arrived");
}

TEST_F(FullFileSystem, ThoseWhoAreRunningNeverNotice) {
  const Attempt result = attempt_on("size=4m", [&]() -> std::string {
    auto out = Publisher<Frame>::open("frames", {.depth = 4, .tail_bytes_max = 100'000});
    auto in = Subscriber<Frame>::open("frames", Start::next);
    if (!out || !in) return outcome(out) + outcome(in);
    fill();
    for (std::uint64_t i = 0; i < 100; ++i) {
      auto loan = out->loan(100'000);
      if (!loan) return out->why().text;
      loan->number = i;
      std::memset(loan.tail().data(), static_cast<int>(i), loan.tail().size());
      if (!out->publish(std::move(loan))) return "not published";
      const auto sample = in->take();
      if (!sample || sample->number != i) return "lost";
      if (sample.tail().back() != static_cast<std::byte>(i)) return "torn";
    }
    return "all arrived";
  });
  expect_outcome(result, "all arrived");
}

TEST_F(FullFileSystem, NewcomersAreRefusedAndLeaveNothing) {
  for (const std::uint64_t spare : {0U, 4096U, 8192U, 12288U}) {
    SCOPED_TRACE(spare);
    const Attempt result = attempt_on("size=4m", [&] {
      fill(spare);
      const std::string published =
          outcome(Publisher<Frame>::open("frames", {.depth = 256, .tail_bytes_max = 1000}));
      return published + "\nleft: " + left_behind() + "|";
    });
    expect_outcome(result, "no_space", {domain_.root(), "left: |"});
  }
}

TEST_F(FullFileSystem, ASubscriberIsRefusedAndThePublisherGoesOn) {
  const Attempt result = attempt_on("size=4m", [&]() -> std::string {
    auto out = Publisher<Frame>::open("frames", {.depth = 4, .tail_bytes_max = 1000});
    if (!out) return outcome(out);
    fill();
    const std::string refused = outcome(Subscriber<Frame>::open("frames"));
    if (!out->send({1})) return "not published";
    return refused + "\nsubscribers: " + std::to_string(out->subscriber_count());
  });
  expect_outcome(result, "no_space", {domain_.root(), "subscribers: 0"});
}

TEST_F(FullFileSystem, WithoutInodesIsSaidToo) {
  const Attempt result = attempt_on("size=4m,nr_inodes=4", [&] {
    auto in = Subscriber<Frame>::open("frames");
    return outcome(in) + "\nleft: " + left_behind() + "|";
  });
  expect_outcome(result, "no_space", {"df -i", "left: |"});
}

// A file with holes has no memory behind it; looking at one on a full file system is how SIGBUS
// comes about.
TEST_F(FullFileSystem, AFileWithHolesIsRefusedWithoutSigbus) {
  const Attempt result = attempt_on("size=4m", [&] {
    fs::create_directories(domain_.topic_path("frames"));
    const std::string path = domain_.topic_path("frames") + "/topic";
    std::ofstream(path).close();
    fs::resize_file(path, 65536);
    fill();
    return outcome(Subscriber<Frame>::open("frames"));
  });
  expect_outcome(result, "damaged", {"/topic"});
}

}  // namespace
}  // namespace signalbox
