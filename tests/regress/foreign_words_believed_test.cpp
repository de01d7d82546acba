// Symptom: a program that wrote into a topic's files made others crash or spin: a publisher lent
// memory outside its segment, a subscriber never came back from take(), a publisher had no frame
// left.
// Cause: the publisher read its sizes from its own header at each loan; a reliable reader stepped
// through a ring whose slots all said "lapped" for ever; and a page of another layout stopped
// frames from being reused.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>

#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/scratch_domain.hpp"

struct Picture {
  std::uint64_t words[32];
};
SBX_DESCRIBE(Picture, words);

namespace signalbox {
namespace {

class ForeignWords : public testing::Test {
 protected:
  template <class Page>
  Page& page_of(const char* prefix) {
    for (const auto& entry : std::filesystem::directory_iterator(domain_.topic_path("regress"))) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      const int fd = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
      void* const place = ::mmap(nullptr, sizeof(Page) + shm::ring_lines(4) * sizeof(topic::Slot),
                                 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      ::close(fd);
      return *static_cast<Page*>(place);
    }
    std::abort();
  }

  ScratchDomain domain_;
  Publisher<Picture> out_ =
      Publisher<Picture>::open("regress", {.depth = 4, .held_max = 1}).value();
};

TEST_F(ForeignWords, DoNotMoveThePublishersFrames) {
  auto& page = page_of<topic::PublisherPage>("pub-");
  page.frames_offset = UINT64_MAX / 2;
  page.fixed_bytes = UINT64_MAX / 2;
  page.tail_bytes_max = UINT64_MAX;
  ASSERT_TRUE(out_.send({{1}}));
  EXPECT_FALSE(out_.loan(1)) << "a tail that the type has not";
}

TEST_F(ForeignWords, DoNotKeepAReaderForEver) {
  auto in = Subscriber<Picture>::open("regress", {.reliable = true}).value();
  auto& page = page_of<topic::PublisherPage>("pub-");
  auto* const slots = reinterpret_cast<topic::Slot*>(&page + 1);
  for (std::size_t i = 0; i < shm::ring_lines(4); ++i) slots[i].sequence = UINT64_MAX / 2;
  EXPECT_FALSE(in.take());
}

TEST_F(ForeignWords, DoNotTakeThePublishersFrames) {
  auto in = Subscriber<Picture>::open("regress").value();
  page_of<topic::SubscriberPage>("sub-").header.major = topic::layout_major + 1;
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(out_.send({{i}})) << out_.why().text;
}

}  // namespace
}  // namespace signalbox
