// description.hpp: the canonical structural description of a message type, parsed and compared.
//
//   Threads  values and pure functions
//   Crash    nothing to lose
//   Fork     safe
//   Limits   description_bytes_max, size_max, nesting_max, dimensions_max, name_bytes_max below;
//            any text of any content is parsed without undefined behaviour and in bounded memory
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "signalbox/error.hpp"

namespace signalbox::wire {

inline constexpr std::size_t description_bytes_max = 16 * 1024;
inline constexpr std::uint64_t size_max = std::uint64_t{1} << 40;  // bytes in a struct or field
inline constexpr std::size_t nesting_max = 16;                     // structs inside one another
inline constexpr std::size_t dimensions_max = 8;                   // "[n]" behind one type
inline constexpr std::size_t name_bytes_max = 128;

enum class Kind : std::uint8_t {
  u8,
  u16,
  u32,
  u64,
  i8,
  i16,
  i32,
  i64,
  f32,
  f64,
  boolean,
  character,
  structure,
};

// One field, with everything a tool needs to print or check its bytes.
struct Field {
  std::string name;
  Kind kind = Kind::u8;
  std::uint64_t offset = 0;           // from the start of the struct the field stands in
  std::uint64_t element_bytes = 0;    // of one element
  std::uint64_t bytes = 0;            // of the whole field: element_bytes times every count
  std::vector<std::uint64_t> counts;  // array extents, outermost first; empty for a single value
  std::vector<Field> fields;          // of a structure
};

// A message type. `alignment` is the largest alignment that all messages can rely on: the greatest
// natural alignment of a scalar in it such that the offset and the struct's size are multiples of
// it, so a packed struct counts only with what happens to be aligned. 1 when there is no fixed
// part.
struct ParsedType {
  std::uint64_t fixed_bytes = 0;
  std::uint32_t alignment = 1;
  bool has_tail = false;
  std::vector<Field> fields;
};

// Reads a description strictly: one text per layout, no blanks, no leading zeros, fields in order
// of their offsets, distinct and inside the struct. Error: bad_argument, with the column (from 1)
// and what was expected there.
Result<ParsedType> parse_description(std::string_view text);

// A phrase that names the first field that differs and both sides, "the topic" being `theirs`:
// "field 'yaw' is f32 at byte 16 in the topic, f64 at byte 16 here". A field of a nested struct
// goes by its path, "items.yaw". Empty when the two are the same type.
std::string first_difference(const ParsedType& theirs, const ParsedType& ours);

// The type of a field without its offset, for people: "f64[3]", "struct[8]".
std::string type_text(const Field& field);

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  constexpr bool operator==(const Hash128&) const noexcept = default;
};

// FNV-1a with 128 bits over the text: equal descriptions are equal types, so a topic compares these
// sixteen bytes first. It keeps honest programs apart; it is not a defence against forgery.
// Parameters: draft-eastlake-fnv, offset basis 0x6c62272e07bb014262b821756295c58d and prime
// 2^88 + 0x13b.
constexpr Hash128 hash_description(std::string_view text) noexcept;

// ---- definitions --------------------------------------------------------------------------------

namespace detail {

// hash * (2^88 + 0x13b) modulo 2^128 in halves of 64 bits, since 32-bit targets have no wider type.
constexpr Hash128 fnv_multiply(Hash128 hash) noexcept {
  constexpr std::uint64_t small = 0x13b;
  const std::uint64_t low_low = (hash.low & 0xffffffffu) * small;
  const std::uint64_t low_high = (hash.low >> 32) * small + (low_low >> 32);
  Hash128 product{};
  product.low = (low_high << 32) | (low_low & 0xffffffffu);
  // (low_high >> 32) carries into the upper half; low << 88 lands there as low << 24.
  product.high = hash.high * small + (low_high >> 32) + (hash.low << 24);
  return product;
}

}  // namespace detail

constexpr Hash128 hash_description(std::string_view text) noexcept {
  Hash128 hash{0x6c62272e07bb0142u, 0x62b821756295c58du};
  for (const char byte : text) {
    hash.low ^= static_cast<unsigned char>(byte);
    hash = detail::fnv_multiply(hash);
  }
  return hash;
}

}  // namespace signalbox::wire
