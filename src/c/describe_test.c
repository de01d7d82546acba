/* Descriptions from C: the macro and the table write what every other language writes, malformed
 * tables yield nothing, and sbx_description_check() explains what is wrong with a text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "c/check.h"
#include "signalbox/signalbox.h"

typedef struct {
  uint8_t a;
  uint16_t b;
  uint32_t c;
  uint64_t d;
  int8_t e;
  int16_t f;
  int32_t g;
  int64_t h;
  float i;
  double j;
  bool k;
  char l;
  double xyz[3];
  char label[16];
  uint8_t raw[4];
} Scalars;
SBX_DESCRIBE(Scalars, a, b, c, d, e, f, g, h, i, j, k, l, xyz, label, raw)

typedef struct {
  float x, y;
} Point;
SBX_DESCRIBE(Point, x, y)

typedef struct {
  Point corners[2];
  double matrix[2][3];
  char one[1];
} Nested;

static void the_macro_describes_every_scalar(void) {
  const char* expected =
      "{a:u8@0,b:u16@2,c:u32@4,d:u64@8,e:i8@16,f:i16@18,g:i32@20,h:i64@24,i:f32@32,j:f64@40,"
      "k:bool@48,l:char@49,xyz:f64[3]@56,label:char[16]@80,raw:u8[4]@96}#104";
  SBX_CHECK(strcmp(sbx_type_Scalars().description, expected) == 0);
  SBX_CHECK(strcmp(sbx_type_Scalars().name, "Scalars") == 0);
}

static void a_table_describes_nested_structs_and_more_dimensions(void) {
  const sbx_type point = sbx_type_Point();
  const sbx_field fields[] = {
      {"corners", point.description, offsetof(Nested, corners), sizeof(Point[2]), sizeof(Point)},
      {"matrix", "f64[3]", offsetof(Nested, matrix), sizeof(double[2][3]), sizeof(double[3])},
      {"one", "char[1]", offsetof(Nested, one), 1, 1},
  };
  const char* expected =
      "{corners:{x:f32@0,y:f32@4}#8[2]@0,matrix:f64[2][3]@16,one:char[1]@64}#72+u8[]";
  char text[256];
  const size_t length = sbx_describe(fields, 3, sizeof(Nested), 1, text, sizeof(text));
  SBX_CHECK(length == strlen(expected) && strcmp(text, expected) == 0);
  /* Exactly enough room is enough, one byte less is not. */
  SBX_CHECK(sbx_describe(fields, 3, sizeof(Nested), 1, text, length + 1) == length);
  SBX_CHECK(sbx_describe(fields, 3, sizeof(Nested), 1, text, length) == 0 && text[0] == '\0');
  SBX_CHECK(sbx_describe(NULL, 0, 0, 1, text, sizeof(text)) == strlen(SBX_BYTES_DESCRIPTION));
  SBX_CHECK(strcmp(text, SBX_BYTES_DESCRIPTION) == 0);
}

static void malformed_tables_yield_nothing(void) {
  static const sbx_field malformed[] = {
      {NULL, "u8", 0, 1, 1},        {"a", NULL, 0, 1, 1},   {"a", "u8", 0, 0, 1},
      {"a", "u8", 0, 1, 0},         {"a", "u32", 0, 6, 4},  {"a", "u9", 0, 1, 1},
      {"a", "u64", 0, 4, 4}, /* size of u64 */
      {"a", "u8", 64, 1, 1}, /* past the struct */
      {"", "u8", 0, 1, 1},          {"a b", "u8", 0, 1, 1}, {"a", "u8@0,b:u8", 0, 1, 1},
      {"a", "{x:u8@0}#2", 0, 1, 1},
  };
  char text[256];
  for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); ++i) {
    SBX_CHECK(sbx_describe(&malformed[i], 1, 64, 0, text, sizeof(text)) == 0 && text[0] == '\0');
  }
  const sbx_field overlapping[] = {{"a", "u32", 0, 4, 4}, {"b", "u32", 2, 4, 4}};
  SBX_CHECK(sbx_describe(overlapping, 2, 8, 0, text, sizeof(text)) == 0);
  SBX_CHECK(sbx_describe(NULL, 0, 8, 0, text, sizeof(text)) == 0);
  SBX_CHECK(sbx_describe(NULL, 1, 8, 0, text, sizeof(text)) == 0);
  SBX_CHECK(sbx_describe(overlapping, 1, 8, 0, NULL, 0) == 0);
}

static void a_text_is_checked_and_measured(void) {
  uint64_t fixed_bytes = 0;
  int has_tail = -1;
  SBX_CHECK(sbx_description_check("{seq:u64@0,xyz:f64[3]@8}#32", &fixed_bytes, &has_tail,
                                  &sbx_last_error) == SBX_OK);
  SBX_CHECK(fixed_bytes == 32 && has_tail == 0);
  SBX_CHECK(sbx_description_check(SBX_BYTES_DESCRIPTION, &fixed_bytes, &has_tail, NULL) == SBX_OK);
  SBX_CHECK(fixed_bytes == 0 && has_tail == 1);
  SBX_CHECK(sbx_description_check("{a:u8@0}#1", NULL, NULL, NULL) == SBX_OK);
  SBX_CHECK(sbx_description_check("{a:u9@0}#1", NULL, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "column 4: expected a type"));
  SBX_CHECK(sbx_description_check(NULL, NULL, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "sbx_description_check: 'description' is NULL"));
  SBX_CHECK(sbx_description_check(NULL, NULL, NULL, NULL) == SBX_BAD_ARGUMENT);
}

static void codes_and_versions_have_names(void) {
  SBX_CHECK(strcmp(sbx_code_name(SBX_OK), "ok") == 0);
  SBX_CHECK(strcmp(sbx_code_name(SBX_TYPE_MISMATCH), "type_mismatch") == 0);
  SBX_CHECK(strcmp(sbx_code_name(SBX_SYSTEM), "system") == 0);
  SBX_CHECK(strcmp(sbx_code_name(SBX_WOULD_DEADLOCK), "would_deadlock") == 0);
  SBX_CHECK(strcmp(sbx_code_name(25), "unknown") == 0 && strcmp(sbx_code_name(-1), "unknown") == 0);
  int major = 0, minor = 0, patch = 0;
  SBX_CHECK(sscanf(sbx_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
  SBX_CHECK(sbx_layout_version() == 2);
  const int64_t now = sbx_now_ns();
  SBX_CHECK(now > 0 && sbx_now_ns() >= now);
}

int main(void) {
  the_macro_describes_every_scalar();
  a_table_describes_nested_structs_and_more_dimensions();
  malformed_tables_yield_nothing();
  a_text_is_checked_and_measured();
  codes_and_versions_have_names();
  return 0;
}
