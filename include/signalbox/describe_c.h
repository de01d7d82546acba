/* describe_c.h: SBX_DESCRIBE for C11. Included by signalbox.h; do not include it alone.
 *
 *   typedef struct { uint64_t seq; double xyz[3]; char label[16]; } Pose;
 *   SBX_DESCRIBE(Pose, seq, xyz, label)
 *   ...
 *   sbx_type type = sbx_type_Pose();
 *
 * Up to 32 scalar fields and one-dimensional arrays of scalars, in order. A struct with nested
 * structs or more dimensions lists its sbx_field table by hand and calls sbx_describe().
 */
#ifndef SIGNALBOX_DESCRIBE_C_H
#define SIGNALBOX_DESCRIBE_C_H

#include <stdbool.h>

#define SBX_KIND_(expression)     \
  _Generic((expression),          \
      uint8_t: "u8",              \
      uint8_t*: "u8",             \
      uint16_t: "u16",            \
      uint16_t*: "u16",           \
      uint32_t: "u32",            \
      uint32_t*: "u32",           \
      unsigned long: "u64",       \
      unsigned long*: "u64",      \
      unsigned long long: "u64",  \
      unsigned long long*: "u64", \
      int8_t: "i8",               \
      int8_t*: "i8",              \
      int16_t: "i16",             \
      int16_t*: "i16",            \
      int32_t: "i32",             \
      int32_t*: "i32",            \
      long: "i64",                \
      long*: "i64",               \
      long long: "i64",           \
      long long*: "i64",          \
      float: "f32",               \
      float*: "f32",              \
      double: "f64",              \
      double*: "f64",             \
      bool: "bool",               \
      bool*: "bool",              \
      char: "char",               \
      char*: "char")

/* What one element weighs: the pointer a decayed array becomes tells its element's size. */
#define SBX_ELEMENT_SIZE_(expression) \
  _Generic((expression),              \
      uint8_t: 1,                     \
      uint8_t*: 1,                    \
      uint16_t: 2,                    \
      uint16_t*: 2,                   \
      uint32_t: 4,                    \
      uint32_t*: 4,                   \
      unsigned long: sizeof(long),    \
      unsigned long*: sizeof(long),   \
      unsigned long long: 8,          \
      unsigned long long*: 8,         \
      int8_t: 1,                      \
      int8_t*: 1,                     \
      int16_t: 2,                     \
      int16_t*: 2,                    \
      int32_t: 4,                     \
      int32_t*: 4,                    \
      long: sizeof(long),             \
      long*: sizeof(long),            \
      long long: 8,                   \
      long long*: 8,                  \
      float: 4,                       \
      float*: 4,                      \
      double: 8,                      \
      double*: 8,                     \
      bool: 1,                        \
      bool*: 1,                       \
      char: 1,                        \
      char*: 1)

#define SBX_FIELD_(type, field)                                                            \
  {#field, SBX_KIND_(((type*)0)->field), offsetof(type, field), sizeof(((type*)0)->field), \
   SBX_ELEMENT_SIZE_(((type*)0)->field)},

#define SBX_DESCRIBE(type, ...)                                                            \
  static inline sbx_type sbx_type_##type(void) {                                           \
    static const sbx_field fields[] = {SBX_EACH_(type, __VA_ARGS__)};                      \
    static char description[2048];                                                         \
    sbx_type result = {#type, description};                                                \
    sbx_describe(fields, sizeof(fields) / sizeof(fields[0]), sizeof(type), 0, description, \
                 sizeof(description));                                                     \
    return result;                                                                         \
  }

/* SBX_FIELD_ for each of up to 32 names: the count picks the macro to start from. */
#define SBX_EACH_(t, ...)                                                                        \
  SBX_PICK_(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, \
            14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)(t, __VA_ARGS__)
#define SBX_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
                  a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, n, ...)    \
  SBX_E##n##_
#define SBX_E1_(t, f)       SBX_FIELD_(t, f)
#define SBX_E2_(t, f, ...)  SBX_FIELD_(t, f) SBX_E1_(t, __VA_ARGS__)
#define SBX_E3_(t, f, ...)  SBX_FIELD_(t, f) SBX_E2_(t, __VA_ARGS__)
#define SBX_E4_(t, f, ...)  SBX_FIELD_(t, f) SBX_E3_(t, __VA_ARGS__)
#define SBX_E5_(t, f, ...)  SBX_FIELD_(t, f) SBX_E4_(t, __VA_ARGS__)
#define SBX_E6_(t, f, ...)  SBX_FIELD_(t, f) SBX_E5_(t, __VA_ARGS__)
#define SBX_E7_(t, f, ...)  SBX_FIELD_(t, f) SBX_E6_(t, __VA_ARGS__)
#define SBX_E8_(t, f, ...)  SBX_FIELD_(t, f) SBX_E7_(t, __VA_ARGS__)
#define SBX_E9_(t, f, ...)  SBX_FIELD_(t, f) SBX_E8_(t, __VA_ARGS__)
#define SBX_E10_(t, f, ...) SBX_FIELD_(t, f) SBX_E9_(t, __VA_ARGS__)
#define SBX_E11_(t, f, ...) SBX_FIELD_(t, f) SBX_E10_(t, __VA_ARGS__)
#define SBX_E12_(t, f, ...) SBX_FIELD_(t, f) SBX_E11_(t, __VA_ARGS__)
#define SBX_E13_(t, f, ...) SBX_FIELD_(t, f) SBX_E12_(t, __VA_ARGS__)
#define SBX_E14_(t, f, ...) SBX_FIELD_(t, f) SBX_E13_(t, __VA_ARGS__)
#define SBX_E15_(t, f, ...) SBX_FIELD_(t, f) SBX_E14_(t, __VA_ARGS__)
#define SBX_E16_(t, f, ...) SBX_FIELD_(t, f) SBX_E15_(t, __VA_ARGS__)
#define SBX_E17_(t, f, ...) SBX_FIELD_(t, f) SBX_E16_(t, __VA_ARGS__)
#define SBX_E18_(t, f, ...) SBX_FIELD_(t, f) SBX_E17_(t, __VA_ARGS__)
#define SBX_E19_(t, f, ...) SBX_FIELD_(t, f) SBX_E18_(t, __VA_ARGS__)
#define SBX_E20_(t, f, ...) SBX_FIELD_(t, f) SBX_E19_(t, __VA_ARGS__)
#define SBX_E21_(t, f, ...) SBX_FIELD_(t, f) SBX_E20_(t, __VA_ARGS__)
#define SBX_E22_(t, f, ...) SBX_FIELD_(t, f) SBX_E21_(t, __VA_ARGS__)
#define SBX_E23_(t, f, ...) SBX_FIELD_(t, f) SBX_E22_(t, __VA_ARGS__)
#define SBX_E24_(t, f, ...) SBX_FIELD_(t, f) SBX_E23_(t, __VA_ARGS__)
#define SBX_E25_(t, f, ...) SBX_FIELD_(t, f) SBX_E24_(t, __VA_ARGS__)
#define SBX_E26_(t, f, ...) SBX_FIELD_(t, f) SBX_E25_(t, __VA_ARGS__)
#define SBX_E27_(t, f, ...) SBX_FIELD_(t, f) SBX_E26_(t, __VA_ARGS__)
#define SBX_E28_(t, f, ...) SBX_FIELD_(t, f) SBX_E27_(t, __VA_ARGS__)
#define SBX_E29_(t, f, ...) SBX_FIELD_(t, f) SBX_E28_(t, __VA_ARGS__)
#define SBX_E30_(t, f, ...) SBX_FIELD_(t, f) SBX_E29_(t, __VA_ARGS__)
#define SBX_E31_(t, f, ...) SBX_FIELD_(t, f) SBX_E30_(t, __VA_ARGS__)
#define SBX_E32_(t, f, ...) SBX_FIELD_(t, f) SBX_E31_(t, __VA_ARGS__)

#endif /* SIGNALBOX_DESCRIBE_C_H */
