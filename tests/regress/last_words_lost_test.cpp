// Symptom: what a publisher published before it closed never arrived.
// Cause: closing with no descriptor left, it could not look at the subscriber's page, took that for
// nobody being there, and removed its file before the subscriber had met it.
#include <gtest/gtest.h>

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

TEST(LastWords, ArriveThoughTheSpeakerHadNoDescriptorLeft) {
  const ScratchDomain domain;
  auto in = Subscriber<Number>::open("regress/last_words").value();
  std::optional out(Publisher<Number>::open("regress/last_words").value());
  ASSERT_TRUE(out->send({42}));
  {
    const UsedUpDescriptors limit(1);  // enough to list the directory
    out.reset();
  }
  const auto sample = in.take();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->value, 42U);
}

}  // namespace
}  // namespace signalbox
