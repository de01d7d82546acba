// Symptom: a subscriber's descriptor() that failed once, for want of descriptors, said "File
// exists" at every later attempt, or handed out a descriptor that never woke anybody. Cause: the
// named pipe, or the half-made set around it, was kept.
#include <gtest/gtest.h>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"
#include "used_up_descriptors.hpp"

struct Number {
  std::uint64_t value;
};
SBX_DESCRIBE(Number, value);

namespace signalbox {
namespace {

TEST(DescriptorRefusedOnce, IsGivenTheNextTime) {
  const ScratchDomain domain;
  auto out = Publisher<Number>::open("regress/refused").value();
  auto in = Subscriber<Number>::open("regress/refused").value();
  for (rlim_t left = 0; left < 2; ++left) {
    const UsedUpDescriptors limit(left);
    const auto refused = in.descriptor();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_reached) << refused.error().text;
    EXPECT_NE(refused.error().text.find("regress/refused"), std::string::npos)
        << "the text does not name the topic: " << refused.error().text;
  }
  const auto given = in.descriptor();
  EXPECT_TRUE(given) << given.error().text;
}

}  // namespace
}  // namespace signalbox
