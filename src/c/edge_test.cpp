// The edge between C++ and C: texts are cut without splitting a character, options of older and
// newer headers are understood or refused, and exceptions become codes.
#include "c/edge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

namespace signalbox::c {
namespace {

constexpr std::size_t text_bytes = sizeof(sbx_error::text);

std::string reported(const std::string& text) {
  sbx_error error{};
  EXPECT_EQ(report(Errc::damaged, 5, text, &error), SBX_DAMAGED);
  EXPECT_EQ(error.code, SBX_DAMAGED);
  EXPECT_EQ(error.sys_errno, 5);
  return error.text;
}

TEST(Report, KeepsTextsThatFit) {
  EXPECT_EQ(reported(""), "");
  const std::string longest(text_bytes - 1, 'x');
  EXPECT_EQ(reported(longest), longest);
}

TEST(Report, CutsLongerTextsWithDots) {
  const std::string cut = reported(std::string(text_bytes, 'x'));
  EXPECT_EQ(cut.size(), text_bytes - 1);
  EXPECT_THAT(cut, testing::EndsWith("xxx..."));
}

TEST(Report, NeverSplitsACharacter) {
  const std::string euro = "\xe2\x82\xac";
  for (std::size_t before = 0; before < 4; ++before) {
    std::string text(before, 'x');
    while (text.size() < text_bytes + 8) text += euro;
    const std::string cut = reported(text);
    ASSERT_THAT(cut, testing::EndsWith(euro + "..."));
    EXPECT_EQ((cut.size() - before - 3) % 3, 0u);
  }
}

TEST(Report, WorksWithoutAnErrorStruct) {
  EXPECT_EQ(report(Errc::no_space, 0, "text", nullptr), SBX_NO_SPACE);
  EXPECT_EQ(bad_argument("sbx_f", "'x' is NULL", nullptr), SBX_BAD_ARGUMENT);
}

TEST(Guarded, TurnsExceptionsIntoCodes) {
  sbx_error error{};
  EXPECT_EQ(guarded("sbx_f", &error, []() -> int { throw std::bad_alloc(); }), SBX_OUT_OF_MEMORY);
  EXPECT_EQ(error.code, SBX_OUT_OF_MEMORY);
  EXPECT_EQ(guarded("sbx_f", &error, []() -> int { throw std::length_error("too long"); }),
            SBX_BAD_ARGUMENT);
  EXPECT_STREQ(error.text, "sbx_f: too long");
}

// Three generations of one options struct.
struct First {
  std::uint32_t struct_size;
  std::uint32_t depth;
};
struct Second {
  std::uint32_t struct_size;
  std::uint32_t depth;
  std::uint32_t added;
};
struct Third {
  std::uint32_t struct_size;
  std::uint32_t depth;
  std::uint32_t added;
  std::uint32_t later;
};

Second defaults() { return {.struct_size = sizeof(Second), .depth = 16, .added = 7}; }

int read(const void* options, Second& out, sbx_error* error) {
  return read_options("sbx_f", options, &out, sizeof(out), sizeof(First), error);
}

TEST(Options, OfAnOlderHeaderKeepTheDefaultsOfNewFields) {
  const First old{.struct_size = sizeof(First), .depth = 64};
  Second out = defaults();
  EXPECT_EQ(read(&old, out, nullptr), SBX_OK);
  EXPECT_EQ(out.depth, 64u);
  EXPECT_EQ(out.added, 7u);
}

TEST(Options, OfANewerHeaderAreTakenWhenTheirNewFieldsAreZero) {
  Third later{.struct_size = sizeof(Third), .depth = 64, .added = 1, .later = 0};
  Second out = defaults();
  EXPECT_EQ(read(&later, out, nullptr), SBX_OK);
  EXPECT_EQ(out.added, 1u);
  later.later = 1;
  sbx_error error{};
  EXPECT_EQ(read(&later, out, &error), SBX_BAD_ARGUMENT);
  EXPECT_THAT(error.text, testing::HasSubstr("too old to know"));
}

TEST(Options, ThatWereNeverFilledAreRefused) {
  const First empty{};
  Second out = defaults();
  sbx_error error{};
  EXPECT_EQ(read(&empty, out, &error), SBX_BAD_ARGUMENT);
  EXPECT_THAT(error.text, testing::HasSubstr("_options_init()"));
  // A size that no struct has is not believed, or what lies behind the struct would be read.
  const First garbage{.struct_size = 0xdeadbeef, .depth = 1};
  EXPECT_EQ(read(&garbage, out, &error), SBX_BAD_ARGUMENT);
  EXPECT_THAT(error.text, testing::HasSubstr("_options_init()"));
}

TEST(Options, AreFilledNoFurtherThanTheCallersHeaderGoes) {
  const Second whole = defaults();
  for (std::size_t size = 0; size <= sizeof(Third); ++size) {
    std::array<unsigned char, sizeof(Third) + 8> bytes;
    bytes.fill(0xee);
    write_options(&whole, sizeof(whole), bytes.data(), size);
    for (std::size_t i = size; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], 0xee) << size;
    if (size < sizeof(std::uint32_t)) continue;  // no room to say so, and open refuses it
    std::uint32_t stated = 0;
    std::memcpy(&stated, bytes.data(), sizeof(stated));
    ASSERT_EQ(stated, size);
    for (std::size_t i = sizeof(Second); i < size; ++i) ASSERT_EQ(bytes[i], 0) << size;
  }
}

}  // namespace
}  // namespace signalbox::c
