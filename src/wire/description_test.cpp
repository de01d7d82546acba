// Type descriptions: what the languages write is read back exactly, every malformed text is refused
// with its column, a difference names its field, and no input of any kind makes the parser stumble.
#include "wire/description.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>

#include "signalbox/describe.hpp"

namespace test {

enum class Mode : std::uint16_t { off, on };

struct Point {
  float x, y;
};

struct Everything {
  static constexpr bool sbx_tail = true;
  std::uint8_t a;
  std::uint16_t b;
  std::uint32_t c;
  std::uint64_t d;
  std::int8_t e;
  std::int16_t f;
  std::int32_t g;
  std::int64_t h;
  float i;
  double j;
  bool k;
  char l;
  Mode mode;
  double matrix[2][3];
  std::array<std::int32_t, 5> list;
  Point corner;
  Point corners[4][2];
  char label[16];
};

#pragma pack(push, 1)
struct Packed {
  std::uint8_t a;
  std::uint64_t b;
  std::uint16_t c;
};
#pragma pack(pop)

}  // namespace test

SBX_DESCRIBE(test::Point, x, y);
SBX_DESCRIBE(test::Everything, a, b, c, d, e, f, g, h, i, j, k, l, mode, matrix, list, corner,
             corners, label);
SBX_DESCRIBE(test::Packed, a, b, c);

namespace signalbox::wire {
namespace {

using test::Everything;
using test::Packed;
using test::Point;
using testing::HasSubstr;

ParsedType parsed(const std::string& text) {
  auto type = parse_description(text);
  EXPECT_TRUE(type.has_value()) << text << "\n" << type.error().text;
  return type ? *type : ParsedType{};
}

std::string refusal(const std::string& text) {
  const auto type = parse_description(text);
  if (type) return "accepted";
  EXPECT_EQ(type.error().code, Errc::bad_argument);
  return type.error().text;
}

std::string difference(const std::string& theirs, const std::string& ours) {
  return first_difference(parsed(theirs), parsed(ours));
}

// The inverse of the parser: what was read, written again, must be the text that was read.
std::string written(const std::vector<Field>& fields, std::uint64_t bytes) {
  std::string text = "{";
  for (const Field& field : fields) {
    if (text.size() > 1) text += ',';
    text += field.name + ':';
    std::string type = type_text(field);
    if (field.kind == Kind::structure) {
      type.replace(0, sizeof("struct") - 1, written(field.fields, field.element_bytes));
    }
    text += type + '@' + std::to_string(field.offset);
  }
  return text + "}#" + std::to_string(bytes);
}

std::string written(const ParsedType& type) {
  std::string text;
  if (!type.fields.empty()) text = written(type.fields, type.fixed_bytes);
  return type.has_tail ? text + "+u8[]" : text;
}

TEST(Description, ReadsWhatDescribeWrites) {
  const std::string text = topic_description<Everything>();
  const ParsedType type = parsed(text);
  EXPECT_EQ(type.fixed_bytes, sizeof(Everything));
  EXPECT_EQ(type.alignment, alignof(Everything));
  EXPECT_TRUE(type.has_tail);
  ASSERT_EQ(type.fields.size(), 18u);
  EXPECT_EQ(type.fields[12].kind, Kind::u16) << "an enumeration is its underlying type";
  const Field& corners = type.fields[16];
  EXPECT_EQ(corners.offset, offsetof(Everything, corners));
  EXPECT_THAT(corners.counts, testing::ElementsAre(4, 2));
  EXPECT_EQ(corners.element_bytes, sizeof(Point));
  EXPECT_EQ(corners.bytes, sizeof(Everything::corners));
  EXPECT_EQ(written(type), text);
}

TEST(Description, ReadsPlainBytes) {
  const ParsedType type = parsed(topic_description<Bytes>());
  EXPECT_EQ(type.fixed_bytes, 0u);
  EXPECT_EQ(type.alignment, 1u);
  EXPECT_TRUE(type.has_tail);
  EXPECT_TRUE(type.fields.empty());
}

TEST(Description, PackedStructsAreAllowedAndAlignOnlyWhatIsAligned) {
  EXPECT_EQ(parsed(topic_description<Packed>()).fixed_bytes, 11u);
  EXPECT_EQ(parsed(topic_description<Packed>()).alignment, 1u);
  EXPECT_EQ(parsed("{a:u32@0,b:u64@4}#12").alignment, 4u);
  EXPECT_EQ(parsed("{a:u64@0,b:u8@8}#9").alignment, 1u);
  EXPECT_EQ(parsed("{a:u8@0,p:{x:f64@0}#8@8}#16").alignment, 8u);
  EXPECT_EQ(parsed("{a:u8@0,p:{x:f64@0}#8@4}#12").alignment, 1u);
}

TEST(Description, RefusesEveryMalformedTextWithItsColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "column 1: expected '{' or \"+u8[]\", found the end"},
      {"u64", "column 1: expected '{'"},
      {"{}#0", "column 2: expected a field's name"},
      {"{a:u64@0}", "column 10: expected '#' and the struct's size, found the end"},
      {"{a:u64@0}#", "column 11: expected the struct's size, found the end"},
      {"{a:u64@0}#8 ", "column 12: expected \"+u8[]\" or the end, found ' '"},
      {"{a:u64@0}#8+u8[]+u8[]", "column 17: expected the end, found '+'"},
      {"{a:u64@0}#8+u8[4]", "column 12: expected \"+u8[]\""},
      {"{ a:u64@0}#8", "column 2: expected a field's name"},
      {"{a :u64@0}#8", "column 3: expected ':'"},
      {"{1a:u64@0}#8", "column 2: expected a field's name"},
      {"{a:u64}#8", "column 7: expected '[' and a length, or '@' and the field's offset"},
      {"{a:u64@}#8", "column 8: expected the field's offset, found '}'"},
      {"{a:u65@0}#8", "column 4: expected a type (u8 u16"},
      {"{a:U64@0}#8", "found 'U64'"},
      {"{a:@0}#8", "column 4: expected a type (u8 u16"},
      {"{a:u64@0,}#8", "column 10: expected a field's name"},
      {"{a:u64@0;b:u8@8}#9", "column 9: expected ',' and a field, or '}', found ';'"},
      {"{a:u64@00}#8", "column 8: the field's offset has a leading zero"},
      {"{a:u64@0}#08", "column 11: the struct's size has a leading zero"},
      {"{a:u8[0]@0}#8", "column 6: an array's length is 0"},
      {"{a:u8[]@0}#8", "column 7: expected an array's length, found ']'"},
      {"{a:u8[4@0}#8", "column 8: expected ']' behind the array's length, found '@'"},
      {"{a:u8[1][1][1][1][1][1][1][1][1]@0}#8", "more than 8 array dimensions"},
      {"{a:u8@0,a:u8@1}#2", "column 9: field 'a' is there twice"},
      {"{a:u64@0,b:u8@7}#16", "column 10: field 'b' starts at byte 7, inside or before"},
      {"{a:u8@8,b:u8@0}#16", "column 9: field 'b' starts at byte 0, inside or before"},
      {"{a:u64@0}#7", "column 11: the struct's size is 7, but field 'a' ends at byte 8"},
      {"{p:{x:f64@0}#4@0}#8", "column 14: the struct's size is 4, but field 'x' ends at byte 8"},
      {"{a:u8@0}#1099511627777", "the struct's size is more than 2^40"},
      {"{a:u8@99999999999999999999999999}#1", "the field's offset is more than 2^40"},
      {"{a:u8[1099511627776][2]@0}#1", "the field is larger than 2^40 bytes"},
      {"{\x01", "found byte 0x01"},
      {"{\xff", "found byte 0xff"},
      {std::string("{a:u64@0}#8\0", 12),
       "column 12: expected \"+u8[]\" or the end, found byte 0x00"},
      {"{" + std::string(name_bytes_max + 1, 'n') + ":u8@0}#1", "longer than 128 bytes"},
      {std::string(description_bytes_max + 1, '{'), "the text is longer than 16384 bytes"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_THAT(refusal(text), HasSubstr(expected)) << text;
}

std::string nested(std::size_t depth) {
  std::string text = "{a:u8@0}#1";
  for (std::size_t i = 1; i < depth; ++i) text = "{a:" + text + "@0}#1";
  return text;
}

TEST(Description, NestsUpToItsLimit) {
  EXPECT_EQ(written(parsed(nested(nesting_max))), nested(nesting_max));
  EXPECT_THAT(refusal(nested(nesting_max + 1)),
              HasSubstr("more than 16 structs inside one another"));
}

TEST(Description, TakesTheLargestSizes) {
  EXPECT_EQ(parsed("{a:u8[1099511627776]@0}#1099511627776").fixed_bytes, size_max);
}

TEST(Difference, IsEmptyForTheSameType) {
  const std::string text = topic_description<Everything>();
  EXPECT_EQ(difference(text, text), "");
  EXPECT_EQ(difference("+u8[]", "+u8[]"), "");
}

TEST(Difference, NamesTheFieldAndBothSides) {
  EXPECT_EQ(difference("{x:f64@0,y:f64@8,yaw:f32@16}#24", "{x:f64@0,y:f64@8,yaw:f64@16}#24"),
            "field 'yaw' is f32 at byte 16 in the topic, f64 at byte 16 here");
  EXPECT_EQ(difference("{x:f32@0}#8", "{x:f32@4}#8"),
            "field 'x' is f32 at byte 0 in the topic, f32 at byte 4 here");
  EXPECT_EQ(difference("{x:f32[3]@0}#12", "{x:f32[4]@0}#16"),
            "field 'x' is f32[3] at byte 0 in the topic, f32[4] at byte 0 here");
  EXPECT_EQ(difference("{x:f32[2][3]@0}#24", "{x:f32[3][2]@0}#24"),
            "field 'x' is f32[2][3] at byte 0 in the topic, f32[3][2] at byte 0 here");
  EXPECT_EQ(difference("{p:{x:u8@0}#1[2]@0}#2", "{p:u8[2]@0}#2"),
            "field 'p' is struct[2] at byte 0 in the topic, u8[2] at byte 0 here");
}

TEST(Difference, NamesFieldsThatExistOnOneSideOnly) {
  EXPECT_EQ(difference("{x:f32@0,z:f32@4}#8", "{x:f32@0}#4"), "field 'z' exists only in the topic");
  EXPECT_EQ(difference("{x:f32@0}#4", "{x:f32@0,z:f32@4}#8"), "field 'z' exists only here");
  EXPECT_EQ(difference("{x:f32@0,z:f32@4,y:f32@8}#12", "{x:f32@0,y:f32@4}#8"),
            "field 'z' exists only in the topic")
      << "the new field is the cause, the moved ones behind it are not";
  EXPECT_EQ(difference("{x:f32@0}#4", "{y:f32@0}#4"),
            "field 'x' (f32 at byte 0) in the topic is 'y' (f32 at byte 0) here");
}

TEST(Difference, NamesFieldsInAnotherOrder) {
  EXPECT_EQ(difference("{x:f32@0,y:f32@4}#8", "{y:f32@0,x:f32@4}#8"),
            "field 'x' is f32 at byte 0 in the topic, f32 at byte 4 here");
  EXPECT_EQ(difference("{x:f32@4,y:f32@8}#12", "{y:f32@0,x:f32@4}#12"),
            "field 'y' is f32 at byte 8 in the topic, f32 at byte 0 here");
}

TEST(Difference, NamesNestedFieldsByTheirPath) {
  EXPECT_EQ(difference("{n:u64@0,items:{id:u32@0,label:char[16]@4}#20[2]@8}#48",
                       "{n:u64@0,items:{id:u32@0,label:char[24]@4}#28[2]@8}#64"),
            "field 'items.label' is char[16] at byte 4 of 'items' in the topic, "
            "char[24] at byte 4 of 'items' here");
  EXPECT_EQ(difference("{a:{b:{c:u8@0}#1@0}#1@0}#1", "{a:{b:{c:u8@0,d:u8@1}#2@0}#2@0}#2"),
            "field 'a.b.d' exists only here");
  EXPECT_EQ(difference("{a:{b:u8@0}#1@0}#8", "{a:{b:u8@0}#2@0}#8"),
            "the size of one 'a' is 1 bytes in the topic, 2 here");
}

TEST(Difference, NamesSizesTailsAndMissingFixedParts) {
  EXPECT_EQ(difference("{x:f32@0}#48", "{x:f32@0}#40"),
            "the size is 48 bytes in the topic, 40 here");
  EXPECT_EQ(difference("{x:f32@0}#4+u8[]", "{x:f32@0}#4"),
            "the topic's messages carry a tail, ours do not");
  EXPECT_EQ(difference("{x:f32@0}#4", "{x:f32@0}#4+u8[]"),
            "our messages carry a tail, the topic's do not");
  EXPECT_EQ(difference("+u8[]", "{x:f32@0}#4"),
            "the topic's messages have no fixed part, ours have one of 4 bytes");
  EXPECT_EQ(difference("{x:f32@0}#4+u8[]", "+u8[]"),
            "the topic's messages have a fixed part of 4 bytes, ours have none");
}

TEST(Hash, IsFnv1aWith128Bits) {
  static_assert(hash_description("") == Hash128{0x6c62272e07bb0142u, 0x62b821756295c58du});
  static_assert(hash_description("a") == Hash128{0xd228cb696f1a8cafu, 0x78912b704e4a8964u});
  static_assert(hash_description("ab") == Hash128{0x08809544bbab1be9u, 0x5aa0733055b69a62u});
  static_assert(hash_description("abc") == Hash128{0xa68d622cec8b5822u, 0x836dbc7977af7f3bu});
  EXPECT_EQ(hash_description("foobar"), (Hash128{0x343e1662793c64bfu, 0x6f0d3597ba446f18u}));
  EXPECT_NE(hash_description("{x:f32@0}#4"), hash_description("{x:f32@0}#8"));
}

// Whatever the parser accepts it must write back to the same text, and compare equal to itself.
void check_any(const std::string& text) {
  const auto type = parse_description(text);
  if (!type) {
    EXPECT_THAT(type.error().text, HasSubstr("column ")) << text;
    return;
  }
  EXPECT_EQ(written(*type), text);
  EXPECT_EQ(first_difference(*type, *type), "");
}

TEST(Fuzz, RandomTextsOverTheGrammarsAlphabet) {
  constexpr std::string_view pieces[] = {"{",   "}",     "}#8", ",", ":", "@0",  "@8",
                                         "[2]", "[",     "]",   "a", "b", "u8",  "f64",
                                         "#",   "+u8[]", "0",   "9", " ", "\xff"};
  constexpr std::uint32_t seed = 20240611;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto left = random() % 24; left > 0; --left) text += pieces[random() % std::size(pieces)];
    check_any(text);
  }
}

TEST(Fuzz, MutationsOfRealDescriptions) {
  const std::string originals[] = {topic_description<Everything>(), topic_description<Packed>(),
                                   "{n:u64@0,items:{id:u32@0,label:char[16]@4}#20[2]@8}#48+u8[]"};
  constexpr std::uint32_t seed = 7041776;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 30000; ++round) {
    const std::string& original = originals[random() % std::size(originals)];
    std::string text = original;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 12));
          break;
        default:
          text[at] = original[random() % original.size()];
          break;
      }
      if (text.empty()) text = "{";
    }
    check_any(text);
    const auto type = parse_description(text);
    if (!type) continue;
    // Two accepted texts are the same type exactly when they are the same text.
    EXPECT_EQ(first_difference(*type, parsed(original)).empty(), text == original) << text;
  }
}

}  // namespace
}  // namespace signalbox::wire
