// describe.hpp: one line that states a struct's layout, the same in every language.
//
//   struct Pose { std::uint64_t seq; double xyz[3]; };
//   SBX_DESCRIBE(Pose, seq, xyz);
//
// The line yields the canonical structural description (grammar in signalbox.h), which is stored in
// every topic and compared at open: two programs that disagree about a field are refused with the
// field's name. Up to 32 fields, in order of their offsets; every field should be listed.
//
//   Threads  values, computed on first use
//   Crash    nothing to lose
//   Fork     safe
//   Limits   32 fields a struct; nest structs for more
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace signalbox {

// What SBX_DESCRIBE specialises: `static std::string text()` is the struct's description and
// `static constexpr const char* name` its name for people.
template <class T>
struct Describe;

template <class T>
concept Described = std::is_trivially_copyable_v<T> && requires {
  { Describe<T>::text() } -> std::same_as<std::string>;
};

// Messages without a fixed part: plain bytes of varying length, only a tail.
struct Bytes {};

// True for a described struct that declares `static constexpr bool sbx_tail = true;` and for Bytes:
// every message may carry a tail of bytes behind the fixed part.
template <class T>
inline constexpr bool has_tail = [] {
  if constexpr (std::same_as<T, Bytes>) {
    return true;
  } else if constexpr (requires { T::sbx_tail; }) {
    return T::sbx_tail;
  } else {
    return false;
  }
}();

namespace detail {

template <class T>
std::string kind_text() {
  if constexpr (std::is_bounded_array_v<T>) {
    // int[3][4] is an array of 3 of int[4]: outermost first, so the own extent goes before the
    // extents the element already wrote.
    std::string inner = kind_text<std::remove_extent_t<T>>();
    std::string text = kind_text<std::remove_all_extents_t<T>>();
    const std::string inner_extents = inner.substr(text.size());
    text += '[';
    text += std::to_string(std::extent_v<T>);
    text += ']';
    return text += inner_extents;
  } else if constexpr (std::is_enum_v<T>) {
    return kind_text<std::underlying_type_t<T>>();
  } else if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::same_as<T, char>) {
    return "char";
  } else if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "long double differs between machines");
    return sizeof(T) == 4 ? "f32" : "f64";
  } else if constexpr (std::is_integral_v<T>) {
    std::string text(1, std::is_signed_v<T> ? 'i' : 'u');
    return text += std::to_string(sizeof(T) * 8);
  } else if constexpr (requires {
                         std::tuple_size<T>::value;
                         typename T::value_type;
                       }) {
    return kind_text<typename T::value_type[std::tuple_size<T>::value]>();
  } else {
    return Describe<T>::text();
  }
}

template <class Field>
void append_field(std::string& out, const char* name, std::size_t offset) {
  if (out.size() > 1) out += ',';
  out += name;
  out += ':';
  out += kind_text<std::remove_cv_t<Field>>();
  out += '@';
  out += std::to_string(offset);
}

}  // namespace detail

// The description a topic of T stores: Describe<T>, and "+u8[]" where a tail is allowed.
template <class T>
std::string topic_description() {
  std::string text;
  if constexpr (!std::same_as<T, Bytes>) text = Describe<T>::text();
  if constexpr (has_tail<T>) text += "+u8[]";
  return text;
}

template <class T>
constexpr const char* type_name() {
  if constexpr (std::same_as<T, Bytes>) {
    return "bytes";
  } else {
    return Describe<T>::name;
  }
}

}  // namespace signalbox

// Use at global scope, after the struct, with its fully qualified name.
#define SBX_DESCRIBE(Type, ...)                   \
  template <>                                     \
  struct signalbox::Describe<Type> {              \
    static constexpr const char* name = #Type;    \
    static std::string text() {                   \
      using SbxSelf = Type;                       \
      std::string out(1, '{');                    \
      SBX_FOR_EACH_(SBX_FIELD_, __VA_ARGS__)      \
      out += "}#";                                \
      return out += std::to_string(sizeof(Type)); \
    }                                             \
  };                                              \
  static_assert(std::is_trivially_copyable_v<Type>, #Type " must be plain data")

#define SBX_FIELD_(field)                                                  \
  ::signalbox::detail::append_field<decltype(SbxSelf::field)>(out, #field, \
                                                              offsetof(SbxSelf, field));

// Applies a macro to each argument: the classic deferred recursion over __VA_OPT__.
#define SBX_PARENS_               ()
#define SBX_EXPAND_(...)          SBX_EXPAND1_(SBX_EXPAND1_(SBX_EXPAND1_(__VA_ARGS__)))
#define SBX_EXPAND1_(...)         SBX_EXPAND2_(SBX_EXPAND2_(SBX_EXPAND2_(__VA_ARGS__)))
#define SBX_EXPAND2_(...)         SBX_EXPAND3_(SBX_EXPAND3_(SBX_EXPAND3_(__VA_ARGS__)))
#define SBX_EXPAND3_(...)         __VA_ARGS__
#define SBX_FOR_EACH_(macro, ...) __VA_OPT__(SBX_EXPAND_(SBX_FOR_EACH_STEP_(macro, __VA_ARGS__)))
#define SBX_FOR_EACH_STEP_(macro, first, ...) \
  macro(first) __VA_OPT__(SBX_FOR_EACH_AGAIN_ SBX_PARENS_(macro, __VA_ARGS__))
#define SBX_FOR_EACH_AGAIN_() SBX_FOR_EACH_STEP_
