#include "c/edge.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/text.hpp"
#include "wire/description.hpp"

namespace signalbox::c {
namespace {

// No options struct grows larger than this; a larger size is a struct that nobody filled, whose
// bytes had better not be looked for.
constexpr std::size_t options_bytes_max = 4096;

void copy_text(std::string_view text, char* out, std::size_t capacity) noexcept {
  constexpr std::string_view cut = "...";
  std::size_t length = text.size();
  if (length + 1 > capacity) length = cut_to(text, capacity - 1 - cut.size()).size();
  std::memcpy(out, text.data(), length);
  if (length < text.size()) {
    std::memcpy(out + length, cut.data(), cut.size());
    length += cut.size();
  }
  out[length] = '\0';
}

}  // namespace

int report(Errc code, int sys_errno, std::string_view text, sbx_error* error) noexcept {
  if (error != nullptr) {
    error->code = static_cast<std::int32_t>(code);
    error->sys_errno = sys_errno;
    copy_text(text, error->text, sizeof(error->text));
  }
  return static_cast<int>(code);
}

int report(const Error& failure, sbx_error* error) noexcept {
  return report(failure.code, failure.sys_errno, failure.text, error);
}

int bad_argument(std::string_view function, std::string_view problem, sbx_error* error) noexcept {
  // Built without the heap: this also reports exceptions, and want of memory may be one.
  std::array<char, 256> text{};
  const auto end = text.end();
  const auto append = [end](char* at, std::string_view part) {
    return std::copy_n(part.begin(), std::min<std::ptrdiff_t>(std::ssize(part), end - at), at);
  };
  const char* const last = append(append(append(text.begin(), function), ": "), problem);
  return report(Errc::bad_argument, 0, {text.begin(), last}, error);
}

int need(std::string_view function, std::initializer_list<Needed> all, sbx_error* error) noexcept {
  for (const Needed& one : all) {
    if (one.pointer != nullptr) continue;
    std::array<char, 64> problem{};
    constexpr std::string_view is_null = "' is NULL";
    char* at = problem.data();
    *at++ = '\'';
    const std::size_t length = std::min(one.name.size(), problem.size() - is_null.size() - 1);
    at = std::copy_n(one.name.begin(), length, at);
    at = std::copy_n(is_null.begin(), is_null.size(), at);
    return bad_argument(function, {problem.data(), at}, error);
  }
  return SBX_OK;
}

TypeDescription described(const sbx_type& type) {
  // The name is for people and stands in sentences such as "the caller has ...".
  const bool named = type.name != nullptr && type.name[0] != '\0';
  return {named ? type.name : "an unnamed type", type.description};
}

Shape shape_of(const sbx_type& type) {
  const auto parsed = wire::parse_description(type.description);
  if (!parsed) return {0, false};
  return {static_cast<std::size_t>(parsed->fixed_bytes), parsed->has_tail};
}

void write_options(const void* defaults, std::size_t defaults_size, void* options,
                   std::size_t size) noexcept {
  const auto stated = static_cast<std::uint32_t>(size);
  if (options == nullptr || size < sizeof(stated)) return;
  const std::size_t known = std::min(size, defaults_size);
  std::memcpy(options, defaults, known);
  std::memset(static_cast<std::byte*>(options) + known, 0, size - known);
  std::memcpy(options, &stated, sizeof(stated));
}

int read_options(std::string_view function, const void* options, void* out, std::size_t out_size,
                 std::size_t first_size, sbx_error* error) noexcept {
  std::uint32_t size = 0;
  std::memcpy(&size, options, sizeof(size));
  if (size < first_size || size > options_bytes_max) {
    return bad_argument(function,
                        "options->struct_size is no size of this struct: fill the options with the "
                        "matching ..._options_init() first",
                        error);
  }
  const auto* bytes = static_cast<const unsigned char*>(options);
  const bool unknown_set = size > out_size && std::any_of(bytes + out_size, bytes + size,
                                                          [](unsigned char b) { return b != 0; });
  if (unknown_set) {
    return bad_argument(function,
                        "an option is set that this library is too old to know: update "
                        "libsignalbox.so, or leave the option 0",
                        error);
  }
  std::memcpy(out, options, std::min<std::size_t>(size, out_size));
  return SBX_OK;
}

int check_facts_size(std::string_view function, const void* facts, std::size_t first_size,
                     sbx_error* error) noexcept {
  std::uint32_t size = 0;
  std::memcpy(&size, facts, sizeof(size));
  if (size >= first_size && size <= options_bytes_max) return SBX_OK;
  return bad_argument(function,
                      "the struct_size of what is to be filled is no size of that struct: set it "
                      "to the struct's sizeof before you ask",
                      error);
}

int write_facts(std::string_view function, const void* whole, std::size_t whole_size, void* facts,
                std::size_t first_size, sbx_error* error) noexcept {
  if (const int bad = check_facts_size(function, facts, first_size, error)) return bad;
  std::uint32_t size = 0;
  std::memcpy(&size, facts, sizeof(size));
  write_options(whole, whole_size, facts, size);
  return SBX_OK;
}

}  // namespace signalbox::c
