/* Options of callers whose header is older or newer than the library: the inits write no byte
 * behind the caller's struct, open takes an older struct with defaults for what it lacks, and a
 * newer one unless it asks for something this library does not know. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/signalbox.h"

typedef struct {
  uint64_t seq;
} Small;
SBX_DESCRIBE(Small, seq)

/* The first version of the structs, as programs of that time carry them. */
typedef struct {
  uint32_t struct_size;
  uint32_t depth;
  uint32_t loans_max;
  uint32_t held_max;
  uint64_t tail_bytes_max;
  const char* domain;
} FirstPublisherOptions;

typedef struct {
  uint32_t struct_size;
  uint32_t reliable;
  uint64_t start;
  const char* domain;
} FirstSubscriberOptions;

enum { BEHIND = 64 };
static const unsigned char untouched = 0xa5;

static int is_untouched(const unsigned char* bytes) {
  for (int i = 0; i < BEHIND; ++i)
    if (bytes[i] != untouched) return 0;
  return 1;
}

static int publisher_opens(const void* options) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher* publisher = NULL;
  const int code = sbx_publisher_open("test/options", &type, options, &publisher, &sbx_last_error);
  sbx_publisher_close(publisher);
  return code;
}

static int subscriber_opens(const void* options) {
  const sbx_type type = sbx_type_Small();
  sbx_subscriber* subscriber = NULL;
  const int code =
      sbx_subscriber_open("test/options", &type, options, &subscriber, &sbx_last_error);
  sbx_subscriber_close(subscriber);
  return code;
}

static void an_older_programs_options_are_filled_and_taken(void) {
  struct {
    FirstPublisherOptions options;
    unsigned char behind[BEHIND];
  } out;
  memset(&out, untouched, sizeof(out));
  sbx_publisher_options_init_sized((sbx_publisher_options*)(void*)&out.options,
                                   sizeof(out.options));
  SBX_CHECK(is_untouched(out.behind));
  SBX_CHECK(out.options.struct_size == sizeof(out.options) && out.options.depth == 16);
  SBX_CHECK(out.options.loans_max == 1 && out.options.held_max == 4 && out.options.domain == NULL);
  SBX_CHECK(publisher_opens(&out.options) == SBX_OK);

  struct {
    FirstSubscriberOptions options;
    unsigned char behind[BEHIND];
  } in;
  memset(&in, untouched, sizeof(in));
  sbx_subscriber_options_init_sized((sbx_subscriber_options*)(void*)&in.options,
                                    sizeof(in.options));
  SBX_CHECK(is_untouched(in.behind));
  SBX_CHECK(in.options.struct_size == sizeof(in.options));
  SBX_CHECK(in.options.start == SBX_START_LATEST && in.options.reliable == 0);
  SBX_CHECK(subscriber_opens(&in.options) == SBX_OK);
}

static void a_newer_programs_options_are_taken_unless_they_ask_for_the_unknown(void) {
  struct {
    sbx_publisher_options options;
    uint64_t later;
    unsigned char behind[BEHIND];
  } out;
  memset(&out, untouched, sizeof(out));
  const size_t out_size = offsetof(__typeof__(out), behind);
  sbx_publisher_options_init_sized(&out.options, out_size);
  SBX_CHECK(is_untouched(out.behind));
  SBX_CHECK(out.options.struct_size == out_size && out.later == 0);
  SBX_CHECK(publisher_opens(&out.options) == SBX_OK);
  out.later = 1;
  SBX_CHECK(publisher_opens(&out.options) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "too old to know"));

  struct {
    sbx_subscriber_options options;
    uint64_t later;
    unsigned char behind[BEHIND];
  } in;
  memset(&in, untouched, sizeof(in));
  const size_t in_size = offsetof(__typeof__(in), behind);
  sbx_subscriber_options_init_sized(&in.options, in_size);
  SBX_CHECK(is_untouched(in.behind));
  SBX_CHECK(subscriber_opens(&in.options) == SBX_OK);
  in.later = 1;
  SBX_CHECK(subscriber_opens(&in.options) == SBX_BAD_ARGUMENT);
}

static void the_header_states_its_own_size(void) {
  sbx_publisher_options out;
  memset(&out, untouched, sizeof(out));
  sbx_publisher_options_init(&out);
  SBX_CHECK(out.struct_size == sizeof(out));
  SBX_CHECK(out.when_behind == SBX_WHEN_BEHIND_WAIT && out.wake == SBX_WAKE_SLEEPERS_YES);
  sbx_subscriber_options in;
  memset(&in, untouched, sizeof(in));
  sbx_subscriber_options_init(&in);
  SBX_CHECK(in.struct_size == sizeof(in) && in.spin_max_ns == 30000 && in.writable_ring == 0);
}

/* How many mappings of a publisher's file that was opened by its name may be written. */
static int writable_mappings(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  SBX_CHECK(maps != NULL);
  char line[512];
  int count = 0;
  while (fgets(line, sizeof(line), maps) != NULL) {
    if (strstr(line, "/pub-") != NULL && strstr(line, "rw-s") != NULL) ++count;
  }
  fclose(maps);
  return count;
}

static void a_ring_is_mapped_writable_where_it_is_asked_for(void) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher* publisher = NULL;
  SBX_CHECK(sbx_publisher_open("test/ring", &type, NULL, &publisher, &sbx_last_error) == SBX_OK);
  sbx_subscriber_options in;
  sbx_subscriber_options_init(&in);
  for (int writable = 0; writable < 2; ++writable) {
    in.writable_ring = (uint32_t)writable;
    sbx_subscriber* subscriber = NULL;
    SBX_CHECK(sbx_subscriber_open("test/ring", &type, &in, &subscriber, &sbx_last_error) == SBX_OK);
    SBX_CHECK(writable_mappings() == writable);
    const Small sent = {.seq = 8};
    SBX_CHECK(sbx_publisher_send(publisher, &sent, NULL, 0, SBX_IMMEDIATE, NULL, &sbx_last_error) ==
              SBX_OK);
    Small got = {0};
    size_t taken = 0;
    SBX_CHECK(sbx_subscriber_take_batch(subscriber, &got, 1, &taken, &sbx_last_error) == SBX_OK);
    SBX_CHECK(taken == 1 && got.seq == 8);
    sbx_subscriber_close(subscriber);
  }
  sbx_publisher_close(publisher);
}

static void a_topic_of_the_hardened_tier_is_asked_for_by_one_word(void) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher_options out;
  sbx_publisher_options_init(&out);
  SBX_CHECK(out.tier == SBX_TIER_PLAIN);
  out.tier = SBX_TIER_HARDENED;
  sbx_publisher* publisher = NULL;
  SBX_CHECK(sbx_publisher_open("test/options", &type, &out, &publisher, &sbx_last_error) == SBX_OK);
  sbx_subscriber_options in;
  sbx_subscriber_options_init(&in);
  SBX_CHECK(subscriber_opens(&in) == SBX_LAYOUT_MISMATCH);
  SBX_CHECK(last_error_says(SBX_LAYOUT_MISMATCH, "hardened"));
  in.tier = SBX_TIER_HARDENED;
  sbx_subscriber* subscriber = NULL;
  SBX_CHECK(sbx_subscriber_open("test/options", &type, &in, &subscriber, &sbx_last_error) ==
            SBX_OK);
  const Small sent = {.seq = 7};
  SBX_CHECK(sbx_publisher_send(publisher, &sent, NULL, 0, SBX_IMMEDIATE, NULL, &sbx_last_error) ==
            SBX_OK);
  sbx_sample sample;
  int taken = 0;
  SBX_CHECK(sbx_subscriber_take(subscriber, &sample, &taken, &sbx_last_error) == SBX_OK);
  SBX_CHECK(taken == 1 && ((const Small*)sample.data)->seq == 7);
  sbx_sample_release(&sample);
  sbx_subscriber_close(subscriber);
  sbx_publisher_close(publisher);
}

static void values_out_of_range_are_refused_by_name(void) {
  sbx_publisher_options out;
  sbx_publisher_options_init(&out);
  out.when_behind = 3;
  SBX_CHECK(publisher_opens(&out) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "when_behind"));
  sbx_publisher_options_init(&out);
  out.wake = 2;
  SBX_CHECK(publisher_opens(&out) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "wake"));
  sbx_publisher_options_init(&out);
  out.tier = 2;
  SBX_CHECK(publisher_opens(&out) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "tier"));
  sbx_subscriber_options in;
  sbx_subscriber_options_init(&in);
  in.spin_max_ns = -1;
  SBX_CHECK(subscriber_opens(&in) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "spin_max_ns"));
  sbx_subscriber_options_init(&in);
  in.tier = 2;
  SBX_CHECK(subscriber_opens(&in) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "tier"));
  sbx_subscriber_options_init(&in);
  in.writable_ring = 2;
  SBX_CHECK(subscriber_opens(&in) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "writable_ring"));
}

int main(void) {
  use_scratch_domain();
  an_older_programs_options_are_filled_and_taken();
  a_newer_programs_options_are_taken_unless_they_ask_for_the_unknown();
  the_header_states_its_own_size();
  a_topic_of_the_hardened_tier_is_asked_for_by_one_word();
  a_ring_is_mapped_writable_where_it_is_asked_for();
  values_out_of_range_are_refused_by_name();
  return 0;
}
