// Symptom: a topic's directory stayed for good, after an open that failed half-way, and after a
// subscriber whose named pipe could not be removed.
// Cause: whoever created the topic took it for his own only once all was well; and a pipe is found
// by its subscriber's page, which was gone.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"
#include "used_up_descriptors.hpp"

struct Number {
  std::uint64_t value;
};
SBX_DESCRIBE(Number, value);

namespace signalbox {
namespace {

TEST(FailedOpen, LeavesNothingHoweverFarItCame) {
  const ScratchDomain domain;
  bool opened = false;
  for (rlim_t left = 0; !opened; ++left) {
    ASSERT_LT(left, 64U) << "so many descriptors for one publisher?";
    {
      const UsedUpDescriptors limit(left);
      const auto out = Publisher<Number>::open("regress/failed_open");
      opened = out.has_value();
      EXPECT_TRUE(opened || out.error().code == Errc::limit_reached) << out.error().text;
    }
    EXPECT_TRUE(std::filesystem::is_empty(domain.root())) << "with " << left << " descriptors left";
  }
}

TEST(OrphanedPipe, IsRemovedByTheLast) {
  const ScratchDomain domain;
  std::optional out(Publisher<Number>::open("regress/orphan").value());
  const std::string pipe = domain.topic_path("regress+orphan") + "/sub-0123456789abcdef.fifo";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  out.reset();
  EXPECT_TRUE(std::filesystem::is_empty(domain.root()));
}

}  // namespace
}  // namespace signalbox
