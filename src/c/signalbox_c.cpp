// signalbox_c.cpp: the parts of the C ABI that need no topic: versions, codes, the clock and types.
#include <algorithm>
#include <cstring>
#include <string>

#include "c/edge.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/signalbox.h"
#include "topic/layout.hpp"
#include "wire/description.hpp"

using signalbox::Errc;

// The numbers of signalbox.h and error.hpp are one list.
static_assert(SBX_BAD_ARGUMENT == static_cast<int>(Errc::bad_argument));
static_assert(SBX_BAD_NAME == static_cast<int>(Errc::bad_name));
static_assert(SBX_PERMISSION_DENIED == static_cast<int>(Errc::permission_denied));
static_assert(SBX_NOT_FOUND == static_cast<int>(Errc::not_found));
static_assert(SBX_ALREADY_EXISTS == static_cast<int>(Errc::already_exists));
static_assert(SBX_TYPE_MISMATCH == static_cast<int>(Errc::type_mismatch));
static_assert(SBX_LAYOUT_MISMATCH == static_cast<int>(Errc::layout_mismatch));
static_assert(SBX_DAMAGED == static_cast<int>(Errc::damaged));
static_assert(SBX_NO_SPACE == static_cast<int>(Errc::no_space));
static_assert(SBX_LIMIT_REACHED == static_cast<int>(Errc::limit_reached));
static_assert(SBX_TOO_LARGE == static_cast<int>(Errc::too_large));
static_assert(SBX_TIMED_OUT == static_cast<int>(Errc::timed_out));
static_assert(SBX_WOULD_BLOCK == static_cast<int>(Errc::would_block));
static_assert(SBX_INTERRUPTED == static_cast<int>(Errc::interrupted));
static_assert(SBX_CLOSED == static_cast<int>(Errc::closed));
static_assert(SBX_ABANDONED == static_cast<int>(Errc::abandoned));
static_assert(SBX_WRONG_PROCESS == static_cast<int>(Errc::wrong_process));
static_assert(SBX_NOT_SUPPORTED == static_cast<int>(Errc::not_supported));
static_assert(SBX_OUT_OF_MEMORY == static_cast<int>(Errc::out_of_memory));
static_assert(SBX_SYSTEM == static_cast<int>(Errc::system));
static_assert(SBX_EVICTED == static_cast<int>(Errc::evicted));
static_assert(SBX_REMOVED == static_cast<int>(Errc::removed));
static_assert(SBX_OUT_OF_RANGE == static_cast<int>(Errc::out_of_range));
static_assert(SBX_WOULD_DEADLOCK == static_cast<int>(Errc::would_deadlock));

static_assert(SBX_NEVER == signalbox::Deadline::never().monotonic_ns());
static_assert(SBX_IMMEDIATE == signalbox::Deadline::immediate().monotonic_ns());

namespace {

// One field of a description. The own length is the outermost dimension, so it goes between the
// element's base type and the dimensions its kind may already carry. False: the sizes contradict.
bool append_field(const sbx_field& field, std::string& out) {
  if (field.name == nullptr || field.kind == nullptr || field.element_size == 0) return false;
  if (field.size == 0 || field.size % field.element_size != 0) return false;
  const std::string kind = field.kind;
  // A nested struct's own arrays stand inside its braces; what follows the last one is the kind's.
  const std::size_t brace = kind.rfind('}');
  const std::size_t dimensions =
      std::min(kind.find('[', brace == std::string::npos ? 0 : brace), kind.size());
  if (out.back() != '{') out += ',';
  out += std::string(field.name) + ':' + kind.substr(0, dimensions);
  if (field.size != field.element_size) {
    out += '[' + std::to_string(field.size / field.element_size) + ']';
  }
  out += kind.substr(dimensions) + '@' + std::to_string(field.offset);
  return true;
}

// The description of the whole struct; empty when a field is malformed.
std::string describe(const sbx_field* fields, std::size_t count, std::uint64_t struct_size) {
  std::string text = "{";
  for (std::size_t i = 0; i < count; ++i) {
    if (!append_field(fields[i], text)) return {};
  }
  text += "}#" + std::to_string(struct_size);
  const auto parsed = signalbox::wire::parse_description(text);
  if (!parsed || parsed->fields.size() != count) return {};
  // The kind's own size must be what the field was said to occupy.
  for (std::size_t i = 0; i < count; ++i) {
    if (parsed->fields[i].bytes != fields[i].size) return {};
  }
  return text;
}

}  // namespace

extern "C" {

const char* sbx_code_name(int code) {
  if (code == SBX_OK) return "ok";
  // A view of a literal, hence with its final 0.
  return signalbox::to_string(static_cast<Errc>(code)).data();
}

const char* sbx_version(void) { return SIGNALBOX_VERSION; }

uint32_t sbx_layout_version(void) { return signalbox::topic::layout_major; }

int64_t sbx_now_ns(void) { return signalbox::monotonic_now_ns(); }

size_t sbx_describe(const sbx_field* fields, size_t count, uint64_t struct_size, int has_tail,
                    char* out, size_t capacity) {
  std::size_t length = 0;
  signalbox::c::guarded("sbx_describe", nullptr, [&] {
    if (out == nullptr || (fields == nullptr && count > 0)) return 1;
    if (count == 0 && has_tail == 0) return 1;
    std::string text;
    if (count > 0) {
      text = describe(fields, count, struct_size);
      if (text.empty()) return 1;
    }
    if (has_tail != 0) text += SBX_BYTES_DESCRIPTION;
    if (text.size() + 1 > capacity) return 1;
    std::memcpy(out, text.c_str(), text.size() + 1);
    length = text.size();
    return 0;
  });
  if (length == 0 && out != nullptr && capacity > 0) out[0] = '\0';
  return length;
}

int sbx_description_check(const char* description, uint64_t* fixed_bytes, int* has_tail,
                          sbx_error* error) {
  constexpr std::string_view function = "sbx_description_check";
  return signalbox::c::guarded(function, error, [&]() -> int {
    if (description == nullptr) {
      return signalbox::c::bad_argument(function, "'description' is NULL", error);
    }
    const auto parsed = signalbox::wire::parse_description(description);
    if (!parsed) return signalbox::c::report(parsed.error(), error);
    if (fixed_bytes != nullptr) *fixed_bytes = parsed->fixed_bytes;
    if (has_tail != nullptr) *has_tail = parsed->has_tail ? 1 : 0;
    return SBX_OK;
  });
}

}  // extern "C"
