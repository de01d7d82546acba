// One of the four programs of README.md: exchanges the message in C++.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ranges>
#include <string>
#include <string_view>

#include "signalbox/topic.hpp"

namespace exchange {

struct Corner {
  std::uint32_t id;
  float xy[2];
};

template <class Precise>
struct Message {
  static constexpr bool sbx_tail = true;
  std::uint8_t n_u8;
  std::uint16_t n_u16;
  std::uint32_t n_u32;
  std::uint64_t n_u64;
  std::int8_t n_i8;
  std::int16_t n_i16;
  std::int32_t n_i32;
  std::int64_t n_i64;
  float n_f32;
  Precise precise;
  bool flag;
  char letter;
  double vector[3];
  std::int32_t matrix[2][3];
  Corner corner;
  Corner corners[2];
  char label[16];
};

}  // namespace exchange

SBX_DESCRIBE(exchange::Corner, id, xy);
SBX_DESCRIBE(exchange::Message<double>, n_u8, n_u16, n_u32, n_u64, n_i8, n_i16, n_i32, n_i64, n_f32,
             precise, flag, letter, vector, matrix, corner, corners, label);
SBX_DESCRIBE(exchange::Message<float>, n_u8, n_u16, n_u32, n_u64, n_i8, n_i16, n_i32, n_i64, n_f32,
             precise, flag, letter, vector, matrix, corner, corners, label);

namespace {

using exchange::Corner;
using exchange::Message;

constexpr std::size_t tail_bytes[] = {0, 5, 100000};
constexpr std::size_t tail_bytes_max = 100000;

Corner corner(unsigned n) {
  const auto x = static_cast<float>(n) + 0.5F;
  return {.id = 7 + n, .xy = {x, -x}};
}

template <class Precise>
Message<Precise> message(unsigned n) {
  // Zeros first: padding is compared too.
  Message<Precise> out;
  std::memset(&out, 0, sizeof(out));
  const int i = static_cast<int>(n);
  out.n_u8 = static_cast<std::uint8_t>(200 + n);
  out.n_u16 = static_cast<std::uint16_t>(60000 + n);
  out.n_u32 = 4000000000U + n;
  out.n_u64 = 18000000000000000000U + n;
  out.n_i8 = static_cast<std::int8_t>(-100 - i);
  out.n_i16 = static_cast<std::int16_t>(-30000 - i);
  out.n_i32 = -2000000000 - i;
  out.n_i64 = -9000000000000000000 - i;
  out.n_f32 = static_cast<float>(n) + 0.5F;
  out.precise = static_cast<Precise>(0.1 * (n + 1));
  out.flag = n % 2 == 1;
  out.letter = static_cast<char>('a' + n);
  for (int k = 0; k < 3; ++k) out.vector[k] = n + k / 4.0;
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column)
      out.matrix[row][column] = 100 * i + 10 * row + column;
  }
  out.corner = corner(n);
  out.corners[0] = corner(n + 1);
  out.corners[1] = corner(n + 2);
  std::snprintf(out.label, sizeof(out.label), "message %u", n);
  return out;
}

std::byte tail_byte(std::size_t i, unsigned n) { return static_cast<std::byte>(31 * i + n); }

int refused(const signalbox::Error& error) {
  const std::string code(signalbox::to_string(error.code));
  std::fprintf(stderr, "%s: %s\n", code.c_str(), error.text.c_str());
  return 3;
}

int wrong(unsigned n, const char* what) {
  std::fprintf(stderr, "message %u: %s is wrong\n", n, what);
  return 1;
}

// The bytes themselves: that they are the same in every language is what this is about.
bool same(const void* got, const void* expected, std::size_t bytes) {
  return std::memcmp(got, expected, bytes) == 0;
}

// Every field by name, so that a failure says which; the whole struct would do for a verdict.
template <class Precise>
const char* difference(const Message<Precise>& got, const Message<Precise>& expected) {
  if (got.n_u8 != expected.n_u8) return "n_u8";
  if (got.n_u16 != expected.n_u16) return "n_u16";
  if (got.n_u32 != expected.n_u32) return "n_u32";
  if (got.n_u64 != expected.n_u64) return "n_u64";
  if (got.n_i8 != expected.n_i8) return "n_i8";
  if (got.n_i16 != expected.n_i16) return "n_i16";
  if (got.n_i32 != expected.n_i32) return "n_i32";
  if (got.n_i64 != expected.n_i64) return "n_i64";
  if (got.n_f32 != expected.n_f32) return "n_f32";
  if (got.precise != expected.precise) return "precise";
  if (got.flag != expected.flag) return "flag";
  if (got.letter != expected.letter) return "letter";
  if (!std::ranges::equal(got.vector, expected.vector)) return "vector";
  if (!same(got.matrix, expected.matrix, sizeof(got.matrix))) return "matrix";
  if (!same(&got.corner, &expected.corner, sizeof(Corner))) return "corner";
  if (!same(got.corners, expected.corners, sizeof(got.corners))) return "corners";
  if (!same(got.label, expected.label, sizeof(got.label))) return "label";
  return nullptr;
}

template <class Precise>
int publish(const char* topic) {
  auto out =
      signalbox::Publisher<Message<Precise>>::open(topic, {.tail_bytes_max = tail_bytes_max});
  if (!out) return refused(out.error());
  std::puts("open");
  std::fflush(stdout);
  for (unsigned n = 0; n < 3; ++n) {
    auto loan = out->loan(tail_bytes[n]);
    if (!loan) return refused(out->why());
    *loan = message<Precise>(n);
    for (std::size_t i = 0; i < tail_bytes[n]; ++i) loan.tail()[i] = tail_byte(i, n);
    if (auto sent = out->publish(std::move(loan)); !sent) return refused(sent.error());
  }
  while (std::getchar() != EOF) {
  }
  return 0;
}

template <class Precise>
int subscribe(const char* topic) {
  auto in = signalbox::Subscriber<Message<Precise>>::open(topic, signalbox::Start::oldest);
  if (!in) return refused(in.error());
  std::puts("open");
  std::fflush(stdout);
  for (unsigned n = 0; n < 3;) {
    if (auto woken = in->wait(signalbox::Deadline::never()); !woken) return refused(woken.error());
    const auto sample = in->take();
    if (!sample) continue;
    if (const char* field = difference(*sample, message<Precise>(n))) return wrong(n, field);
    if (sample.tail().size() != tail_bytes[n]) return wrong(n, "the tail's length");
    for (std::size_t i = 0; i < tail_bytes[n]; ++i) {
      if (sample.tail()[i] != tail_byte(i, n)) return wrong(n, "the tail");
    }
    ++n;
  }
  std::puts("received all");
  return 0;
}

template <class Precise>
int run(std::string_view verb, const char* topic) {
  return verb == "publish" ? publish<Precise>(topic) : subscribe<Precise>(topic);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return 2;
  const bool changed = count > 3 && std::string_view(words[3]) == "changed";
  return changed ? run<float>(words[1], words[2]) : run<double>(words[1], words[2]);
}
