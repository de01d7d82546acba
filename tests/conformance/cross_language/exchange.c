/* One of the four programs of README.md: exchanges the message in C. Compiled twice, for
 * exchange_main.c: SBX_PRECISE is the type of `precise`, SBX_EXCHANGE the name of the function for
 * it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "signalbox/signalbox.h"

typedef struct {
  uint32_t id;
  float xy[2];
} Corner;
SBX_DESCRIBE(Corner, id, xy)

typedef struct {
  uint8_t n_u8;
  uint16_t n_u16;
  uint32_t n_u32;
  uint64_t n_u64;
  int8_t n_i8;
  int16_t n_i16;
  int32_t n_i32;
  int64_t n_i64;
  float n_f32;
  SBX_PRECISE precise;
  bool flag;
  char letter;
  double vector[3];
  int32_t matrix[2][3];
  Corner corner;
  Corner corners[2];
  char label[16];
} Message;

enum { messages = 3, tail_bytes_max = 100000 };
static const size_t tail_bytes[messages] = {0, 5, tail_bytes_max};

static sbx_type message_type(void) {
  static char text[1024];
  const char* corner = sbx_type_Corner().description;
  const sbx_field fields[] = {
      SBX_FIELD_(Message, n_u8) SBX_FIELD_(Message, n_u16) SBX_FIELD_(Message, n_u32)
          SBX_FIELD_(Message, n_u64) SBX_FIELD_(Message, n_i8) SBX_FIELD_(Message, n_i16)
              SBX_FIELD_(Message, n_i32) SBX_FIELD_(Message, n_i64) SBX_FIELD_(Message, n_f32)
                  SBX_FIELD_(Message, precise) SBX_FIELD_(Message, flag) SBX_FIELD_(Message, letter)
                      SBX_FIELD_(Message, vector){"matrix", "i32[3]", offsetof(Message, matrix),
                                                  sizeof(int32_t[2][3]), sizeof(int32_t[3])},
      {"corner", corner, offsetof(Message, corner), sizeof(Corner), sizeof(Corner)},
      {"corners", corner, offsetof(Message, corners), sizeof(Corner[2]), sizeof(Corner)},
      SBX_FIELD_(Message, label)};
  const size_t count = sizeof(fields) / sizeof(fields[0]);
  if (sbx_describe(fields, count, sizeof(Message), 1, text, sizeof(text)) == 0) {
    fprintf(stderr, "the table of fields is malformed\n");
  }
  return (sbx_type){"Message", text};
}

static Corner corner(unsigned n) {
  const float x = (float)n + 0.5F;
  return (Corner){.id = 7 + n, .xy = {x, -x}};
}

static void fill(Message* out, unsigned n) {
  const int i = (int)n;
  memset(out, 0, sizeof(*out));
  out->n_u8 = (uint8_t)(200 + n);
  out->n_u16 = (uint16_t)(60000 + n);
  out->n_u32 = 4000000000U + n;
  out->n_u64 = 18000000000000000000U + n;
  out->n_i8 = (int8_t)(-100 - i);
  out->n_i16 = (int16_t)(-30000 - i);
  out->n_i32 = -2000000000 - i;
  out->n_i64 = -9000000000000000000 - i;
  out->n_f32 = (float)n + 0.5F;
  out->precise = (SBX_PRECISE)(0.1 * (n + 1));
  out->flag = n % 2 == 1;
  out->letter = (char)('a' + i);
  for (int k = 0; k < 3; ++k) out->vector[k] = n + k / 4.0;
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column) {
      out->matrix[row][column] = 100 * i + 10 * row + column;
    }
  }
  out->corner = corner(n);
  out->corners[0] = corner(n + 1);
  out->corners[1] = corner(n + 2);
  snprintf(out->label, sizeof(out->label), "message %u", n);
}

static uint8_t tail_byte(size_t i, unsigned n) { return (uint8_t)(31 * i + n); }

static int refused(const sbx_error* error) {
  fprintf(stderr, "%s: %s\n", sbx_code_name(error->code), error->text);
  return 3;
}

static int wrong(unsigned n, const char* what) {
  fprintf(stderr, "message %u: %s is wrong\n", n, what);
  return 1;
}

/* The bytes themselves: that they are the same in every language is what this is about. */
static bool same(const void* got, const void* expected, size_t bytes) {
  return memcmp(got, expected, bytes) == 0;
}

#define SBX_SAME(field) \
  if (!same(&got->field, &expected.field, sizeof(expected.field))) return #field

static const char* difference(const Message* got, unsigned n) {
  Message expected;
  fill(&expected, n);
  SBX_SAME(n_u8);
  SBX_SAME(n_u16);
  SBX_SAME(n_u32);
  SBX_SAME(n_u64);
  SBX_SAME(n_i8);
  SBX_SAME(n_i16);
  SBX_SAME(n_i32);
  SBX_SAME(n_i64);
  SBX_SAME(n_f32);
  SBX_SAME(precise);
  SBX_SAME(flag);
  SBX_SAME(letter);
  SBX_SAME(vector);
  SBX_SAME(matrix);
  SBX_SAME(corner);
  SBX_SAME(corners);
  SBX_SAME(label);
  return NULL;
}

static int publish(const char* topic) {
  sbx_error error;
  const sbx_type type = message_type();
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.tail_bytes_max = tail_bytes_max;
  sbx_publisher* out = NULL;
  if (sbx_publisher_open(topic, &type, &options, &out, &error) != SBX_OK) return refused(&error);
  puts("open");
  fflush(stdout);
  for (unsigned n = 0; n < messages; ++n) {
    sbx_loan loan;
    if (sbx_publisher_loan(out, tail_bytes[n], &loan, &error) != SBX_OK) return refused(&error);
    fill(loan.data, n);
    for (size_t i = 0; i < tail_bytes[n]; ++i) ((uint8_t*)loan.tail)[i] = tail_byte(i, n);
    if (sbx_publisher_publish(out, &loan, SBX_IMMEDIATE, NULL, &error) != SBX_OK) {
      return refused(&error);
    }
  }
  while (getchar() != EOF) {
  }
  sbx_publisher_close(out);
  return 0;
}

static int check(const sbx_sample* sample, unsigned n) {
  const char* field = difference(sample->data, n);
  if (field != NULL) return wrong(n, field);
  if (sample->tail_bytes != tail_bytes[n]) return wrong(n, "the tail's length");
  for (size_t i = 0; i < tail_bytes[n]; ++i) {
    if (((const uint8_t*)sample->tail)[i] != tail_byte(i, n)) return wrong(n, "the tail");
  }
  return 0;
}

static int subscribe(const char* topic) {
  sbx_error error;
  const sbx_type type = message_type();
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.start = SBX_START_OLDEST;
  sbx_subscriber* in = NULL;
  if (sbx_subscriber_open(topic, &type, &options, &in, &error) != SBX_OK) return refused(&error);
  puts("open");
  fflush(stdout);
  for (unsigned n = 0; n < messages;) {
    int answer = 0;
    if (sbx_subscriber_wait(in, SBX_NEVER, &answer, &error) != SBX_OK) return refused(&error);
    sbx_sample sample;
    if (sbx_subscriber_take(in, &sample, &answer, &error) != SBX_OK) return refused(&error);
    if (!answer) continue;
    if (check(&sample, n) != 0) return 1;
    sbx_sample_release(&sample);
    ++n;
  }
  sbx_subscriber_close(in);
  puts("received all");
  return 0;
}

int SBX_EXCHANGE(const char* verb, const char* topic);

int SBX_EXCHANGE(const char* verb, const char* topic) {
  return strcmp(verb, "publish") == 0 ? publish(topic) : subscribe(topic);
}
