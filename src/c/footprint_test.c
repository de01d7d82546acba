/* The footprint from C: what it says is what the files of a topic take, options count as they do at
 * open, the table is whole or not there, and structs of another header's size are told so. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/c/footprint.h"

typedef struct {
  uint64_t seq;
  uint8_t bytes[1000];
} Large;
SBX_DESCRIBE(Large, seq, bytes)

static sbx_footprint of(const sbx_type* type, const sbx_publisher_options* options) {
  sbx_footprint sum = {.struct_size = sizeof(sum)};
  SBX_CHECK(sbx_footprint_of(type, options, &sum, &sbx_last_error) == SBX_OK);
  return sum;
}

/* Bytes that the files in a folder take. */
static uint64_t taken_by(const char* folder) {
  DIR* const all = opendir(folder);
  SBX_CHECK(all != NULL);
  uint64_t bytes = 0;
  for (const struct dirent* one; (one = readdir(all)) != NULL;) {
    struct stat facts;
    if (one->d_name[0] == '.') continue;
    SBX_CHECK(fstatat(dirfd(all), one->d_name, &facts, 0) == 0);
    if (S_ISREG(facts.st_mode)) bytes += (uint64_t)facts.st_blocks * 512;
  }
  closedir(all);
  return bytes;
}

static void it_says_what_a_topic_takes(void) {
  const sbx_type type = sbx_type_Large();
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.depth = 8;
  const sbx_footprint sum = of(&type, &options);
  SBX_CHECK(sum.struct_size == sizeof(sum) && sum.frames == 8 + 1 + 4 && sum.arenas == 0);
  char folder[64];
  snprintf(folder, sizeof(folder), "%s/default/test+footprint", sbx_scratch);
  SBX_CHECK(access(folder, F_OK) != 0); /* nothing was created */
  sbx_publisher* publishers[2] = {NULL, NULL};
  sbx_subscriber* subscriber = NULL;
  for (int i = 0; i < 2; ++i) {
    SBX_CHECK(sbx_publisher_open("test/footprint", &type, &options, &publishers[i],
                                 &sbx_last_error) == SBX_OK);
  }
  SBX_CHECK(sbx_subscriber_open("test/footprint", &type, NULL, &subscriber, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(taken_by(folder) == sbx_footprint_total_bytes(&sum, 2, 1));
  sbx_subscriber_close(subscriber);
  for (int i = 0; i < 2; ++i) sbx_publisher_close(publishers[i]);
}

static void options_count_as_at_open(void) {
  const sbx_type bytes = {NULL, SBX_BYTES_DESCRIPTION};
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.tail_bytes_max = 4096;
  options.grown_tail_bytes_max = 4096 * 4;
  const sbx_footprint sum = of(&bytes, &options);
  SBX_CHECK(sum.arenas == 2 && sum.grown_bytes_max > sum.publisher_bytes);

  sbx_footprint unfilled = {.struct_size = sizeof(unfilled), .frames = 99};
  options.depth = 3;
  SBX_CHECK(sbx_footprint_of(&bytes, &options, &unfilled, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "depth is 3") && unfilled.frames == 99);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "cannot add up the memory of a topic of"));
  options.depth = 4;
  options.wake = 7;
  SBX_CHECK(sbx_footprint_of(&bytes, &options, &unfilled, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "SBX_WAKE_SLEEPERS"));
  const sbx_type none = {"none", "{nonsense}"};
  SBX_CHECK(sbx_footprint_of(&none, NULL, &unfilled, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_footprint_of(NULL, NULL, &unfilled, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_footprint_of(&bytes, NULL, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  const sbx_type unsaid = {"unsaid", NULL};
  SBX_CHECK(sbx_footprint_of(&unsaid, NULL, &unfilled, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "'type->description' is NULL"));
  SBX_CHECK(unfilled.frames == 99);
}

static void the_table_is_whole_or_not_there(void) {
  const sbx_type bytes = {NULL, SBX_BYTES_DESCRIPTION};
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.tail_bytes_max = 1;
  options.grown_tail_bytes_max = (uint64_t)1 << 40;
  options.depth = 65536;
  const sbx_footprint largest = of(&bytes, &options);
  char text[SBX_FOOTPRINT_TEXT_MAX];
  const size_t length = sbx_footprint_text(&largest, text, sizeof(text));
  SBX_CHECK(length > 0 && strlen(text) == length && text[length - 1] == '\n');
  SBX_CHECK(strstr(text, "publisher: ring of") != NULL && strstr(text, "when grown") != NULL);
  SBX_CHECK(sbx_footprint_text(&largest, text, length + 1) == length);
  SBX_CHECK(sbx_footprint_text(&largest, text, length) == 0 && text[0] == '\0');
  SBX_CHECK(sbx_footprint_text(&largest, NULL, 100) == 0);
  SBX_CHECK(sbx_footprint_text(&largest, text, 0) == 0);
  SBX_CHECK(sbx_footprint_text(NULL, text, sizeof(text)) == 0);
  const sbx_footprint unfilled = {0};
  SBX_CHECK(sbx_footprint_text(&unfilled, text, sizeof(text)) == 0);
}

static void structs_of_another_header_are_told_so(void) {
  const sbx_type type = sbx_type_Large();
  struct {
    sbx_footprint sum;
    uint64_t later;
    uint64_t behind;
  } newer = {.sum.struct_size = sizeof(sbx_footprint) + 8, .later = 7, .behind = 7};
  SBX_CHECK(sbx_footprint_of(&type, NULL, &newer.sum, &sbx_last_error) == SBX_OK);
  SBX_CHECK(newer.sum.frames > 0 && newer.later == 0 && newer.behind == 7);
  newer.sum.struct_size = sizeof(sbx_footprint) - 8;
  SBX_CHECK(sbx_footprint_of(&type, NULL, &newer.sum, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "struct_size"));
}

int main(void) {
  use_scratch_domain();
  it_says_what_a_topic_takes();
  options_count_as_at_open();
  the_table_is_whole_or_not_there();
  structs_of_another_header_are_told_so();
  return 0;
}
