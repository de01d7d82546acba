// Symptom: a loan that its program did not fill showed other processes what lay on
// the publisher's stack, where the message travels in its slot.
#include <gtest/gtest.h>

#include <cstring>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Short {
  std::uint8_t bytes[40];
};
struct Line {
  std::uint8_t bytes[48];
};
struct Long {
  std::uint8_t bytes[300];
};
}  // namespace test
SBX_DESCRIBE(test::Short, bytes);
SBX_DESCRIBE(test::Line, bytes);
SBX_DESCRIBE(test::Long, bytes);

namespace signalbox {
namespace {

// Leaves something on the stack where the loan of the next call will lie.
[[gnu::noinline]] void leave_a_secret() {
  volatile std::uint8_t secret[4096];
  for (volatile std::uint8_t& byte : secret) byte = 0x5a;
}

template <class T>
[[gnu::noinline]] void publish_unfilled(Publisher<T>& out) {
  auto loan = out.loan();
  ASSERT_TRUE(loan);
  ASSERT_TRUE(out.publish(std::move(loan)));
}

template <class T>
void expect_zeroes() {
  auto out = Publisher<T>::open("secret").value();
  auto in = Subscriber<T>::open("secret").value();
  leave_a_secret();
  publish_unfilled(out);
  const auto sample = in.take();
  ASSERT_TRUE(sample);
  for (const std::uint8_t byte : sample->bytes) ASSERT_EQ(byte, 0) << sizeof(T);
}

TEST(UnfilledLoan, OfALineShowsNothing) {
  const ScratchDomain domain;
  expect_zeroes<test::Short>();
}
TEST(UnfilledLoan, OfAWholeLineShowsNothing) {
  const ScratchDomain domain;
  expect_zeroes<test::Line>();
}
TEST(UnfilledLoan, OfSeveralLinesShowsNothing) {
  const ScratchDomain domain;
  expect_zeroes<test::Long>();
}

}  // namespace
}  // namespace signalbox
