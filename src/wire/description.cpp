// description.cpp: the parser for type descriptions, by recursive descent over one pass of the
// text.
#include "wire/description.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace signalbox::wire {
namespace {

struct Scalar {
  std::string_view name;
  Kind kind;
  std::uint64_t bytes;
};

constexpr std::array<Scalar, 12> scalars{{
    {"u8", Kind::u8, 1},
    {"u16", Kind::u16, 2},
    {"u32", Kind::u32, 4},
    {"u64", Kind::u64, 8},
    {"i8", Kind::i8, 1},
    {"i16", Kind::i16, 2},
    {"i32", Kind::i32, 4},
    {"i64", Kind::i64, 8},
    {"f32", Kind::f32, 4},
    {"f64", Kind::f64, 8},
    {"bool", Kind::boolean, 1},
    {"char", Kind::character, 1},
}};

constexpr std::string_view tail_text = "+u8[]";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// One printable character as it stands, anything else by its number.
std::string shown(char c) {
  if (c >= ' ' && c <= '~') return std::string("'") + c + "'";
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15];
}

// What a parsed struct is, before it becomes a field or the message itself.
struct Structure {
  std::vector<Field> fields;
  std::uint64_t bytes = 0;
};

// Each step answers false once something did not fit; `error_` then says where and what.
class Parser {
 public:
  explicit Parser(std::string_view text) noexcept : text_(text) {}

  Result<ParsedType> topic();

 private:
  bool structure(Structure& out);
  bool field(Field& out);
  bool name(std::string& out);
  bool type(Field& out);
  bool scalar(Field& out);
  bool dimensions(Field& out);
  bool number(std::uint64_t& out, std::string_view what);
  bool place(const Field& field, std::size_t column, std::uint64_t& end);

  bool at(char c) const noexcept { return at_ < text_.size() && text_[at_] == c; }
  bool expect(char c, std::string_view what);
  bool fail_expected(std::string_view what);
  bool fail(std::size_t column, std::string problem);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::optional<Error> error_;
};

bool Parser::fail(std::size_t column, std::string problem) {
  error_ = Error{
      .code = Errc::bad_argument,
      .text = "type description, column " + std::to_string(column + 1) + ": " + std::move(problem)};
  return false;
}

bool Parser::fail_expected(std::string_view what) {
  std::string problem = "expected " + std::string(what) + ", found ";
  problem += at_ < text_.size() ? shown(text_[at_]) : "the end";
  return fail(at_, std::move(problem));
}

bool Parser::expect(char c, std::string_view what) {
  if (!at(c)) return fail_expected(what);
  ++at_;
  return true;
}

bool Parser::number(std::uint64_t& out, std::string_view what) {
  const std::size_t start = at_;
  if (at_ >= text_.size() || !is_digit(text_[at_])) return fail_expected(what);
  out = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    out = out * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
    if (out > size_max) return fail(start, std::string(what) + " is more than 2^40");
  }
  if (text_[start] == '0' && at_ - start > 1) {
    return fail(start, std::string(what) + " has a leading zero");
  }
  return true;
}

bool Parser::name(std::string& out) {
  const std::size_t start = at_;
  if (at_ >= text_.size() || !is_letter(text_[at_])) {
    return fail_expected("a field's name (letters, digits and '_', no digit first)");
  }
  while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
  if (at_ - start > name_bytes_max) {
    return fail(start,
                "the field's name is longer than " + std::to_string(name_bytes_max) + " bytes");
  }
  out = text_.substr(start, at_ - start);
  return true;
}

bool Parser::scalar(Field& out) {
  std::size_t end = at_;
  while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
  const std::string_view word = text_.substr(at_, end - at_);
  const auto found = std::ranges::find(scalars, word, &Scalar::name);
  if (found == scalars.end()) {
    constexpr std::string_view expected =
        "expected a type (u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool char, or '{')";
    if (word.empty()) return fail_expected(expected.substr(sizeof("expected ") - 1));
    std::string problem(expected);
    problem.append(", found '").append(word.substr(0, 32)).append("'");
    return fail(at_, std::move(problem));
  }
  out.kind = found->kind;
  out.element_bytes = found->bytes;
  at_ = end;
  return true;
}

bool Parser::dimensions(Field& out) {
  out.bytes = out.element_bytes;
  while (at('[')) {
    const std::size_t column = at_++;
    std::uint64_t count = 0;
    if (!number(count, "an array's length") || !expect(']', "']' behind the array's length")) {
      return false;
    }
    if (count == 0) return fail(column, "an array's length is 0");
    if (out.counts.size() == dimensions_max) {
      return fail(column, "more than " + std::to_string(dimensions_max) + " array dimensions");
    }
    if (count > size_max / out.bytes) return fail(column, "the field is larger than 2^40 bytes");
    out.bytes *= count;
    out.counts.push_back(count);
  }
  return true;
}

bool Parser::type(Field& out) {
  if (at('{')) {
    Structure inner;
    if (!structure(inner)) return false;
    out.kind = Kind::structure;
    out.element_bytes = inner.bytes;
    out.fields = std::move(inner.fields);
  } else if (!scalar(out)) {
    return false;
  }
  return dimensions(out);
}

bool Parser::field(Field& out) {
  return name(out.name) && expect(':', "':' and the field's type") && type(out) &&
         expect('@', "'[' and a length, or '@' and the field's offset") &&
         number(out.offset, "the field's offset");
}

// Fields follow one another without overlap; `end` is the first byte behind those placed so far.
bool Parser::place(const Field& field, std::size_t column, std::uint64_t& end) {
  if (field.offset < end) {
    return fail(column, "field '" + field.name + "' starts at byte " +
                            std::to_string(field.offset) +
                            ", inside or before the field ahead of "
                            "it, which ends at byte " +
                            std::to_string(end));
  }
  end = field.offset + field.bytes;
  return true;
}

bool Parser::structure(Structure& out) {
  const std::size_t start = at_;
  if (!expect('{', "'{'")) return false;
  if (++depth_ > nesting_max) {
    return fail(start, "more than " + std::to_string(nesting_max) + " structs inside one another");
  }
  std::uint64_t end = 0;
  std::set<std::string> names;
  do {
    const std::size_t column = at_;
    Field one;
    if (!field(one) || !place(one, column, end)) return false;
    if (!names.insert(one.name).second) {
      return fail(column, "field '" + one.name + "' is there twice");
    }
    out.fields.push_back(std::move(one));
  } while (at(',') && ++at_);
  if (!expect('}', "',' and a field, or '}'") || !expect('#', "'#' and the struct's size")) {
    return false;
  }
  const std::size_t column = at_;
  if (!number(out.bytes, "the struct's size")) return false;
  if (out.bytes < end) {
    return fail(column, "the struct's size is " + std::to_string(out.bytes) + ", but field '" +
                            out.fields.back().name + "' ends at byte " + std::to_string(end));
  }
  --depth_;
  return true;
}

std::uint64_t scalar_alignment(const std::vector<Field>& fields, std::uint64_t struct_bytes) {
  std::uint64_t alignment = 1;
  for (const Field& field : fields) {
    std::uint64_t natural = field.kind == Kind::structure
                                ? scalar_alignment(field.fields, field.element_bytes)
                                : field.element_bytes;
    if (field.offset % natural == 0 && struct_bytes % natural == 0) {
      alignment = std::max(alignment, natural);
    }
  }
  return alignment;
}

Result<ParsedType> Parser::topic() {
  if (text_.size() > description_bytes_max) {
    fail(description_bytes_max,
         "the text is longer than " + std::to_string(description_bytes_max) + " bytes");
    return std::unexpected(std::move(*error_));
  }
  ParsedType type;
  if (!at('+')) {
    Structure fixed;
    if (at_ >= text_.size() || !at('{')) {
      fail_expected("'{' or \"+u8[]\"");
    } else if (structure(fixed)) {
      type.fixed_bytes = fixed.bytes;
      type.alignment = static_cast<std::uint32_t>(scalar_alignment(fixed.fields, fixed.bytes));
      type.fields = std::move(fixed.fields);
    }
  }
  if (!error_ && text_.substr(at_).starts_with(tail_text)) {
    type.has_tail = true;
    at_ += tail_text.size();
  }
  if (!error_ && at_ != text_.size()) {
    fail_expected(type.has_tail ? "the end" : "\"+u8[]\" or the end");
  }
  if (error_) return std::unexpected(std::move(*error_));
  return type;
}

}  // namespace

Result<ParsedType> parse_description(std::string_view text) { return Parser(text).topic(); }

std::string type_text(const Field& field) {
  std::string text = "struct";
  for (const Scalar& scalar : scalars) {
    if (scalar.kind == field.kind) text = scalar.name;
  }
  for (const std::uint64_t count : field.counts) text += '[' + std::to_string(count) + ']';
  return text;
}

}  // namespace signalbox::wire
