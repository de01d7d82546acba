/* footprint.h: from C, the memory that a topic will take, as a sum, before anything is created.
 *
 *   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
 *
 * signalbox/footprint.hpp says more.
 */
#ifndef SIGNALBOX_C_FOOTPRINT_H
#define SIGNALBOX_C_FOOTPRINT_H

#include "signalbox/signalbox.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of tmpfs, as `du` counts them on a kernel with pages of 4 KiB. All is reserved when a
 * publisher or subscriber is opened, and nothing is allocated later, but for the arenas of a
 * publisher that was told to grow. */
typedef struct sbx_footprint {
  uint32_t struct_size; /* set it to sizeof(sbx_footprint) before you ask */
  /* What a publisher with grown_tail_bytes_max may take besides: so many further arenas, each of as
   * many frames, the tails twice as long each time; `grown_bytes_max` in all. */
  uint32_t arenas;
  uint64_t description_bytes; /* once for a topic: the type's name and text */
  uint64_t bell_bytes;        /* once for a topic */
  /* For each publisher: control + ring + frames * frame_bytes, and what rounds that up to pages. */
  uint64_t control_bytes;
  uint64_t ring_bytes;
  uint64_t frames; /* depth + loans_max + held_max; 0 where every message fits its slot */
  uint64_t frame_bytes;
  uint64_t publisher_bytes;
  uint64_t grown_bytes_max;
  uint64_t subscriber_bytes; /* for each subscriber */
} sbx_footprint;

/* The sum for a topic of this type with publishers of these options, NULL: the defaults; those that
 * do not shape memory, the domain among them, change nothing. Enters no kernel and creates nothing.
 * Errors: BAD_ARGUMENT (the description is none, an option is outside its range, or struct_size is
 * no size of the struct), OUT_OF_MEMORY. */
SBX_EXPORT int sbx_footprint_of(const sbx_type* type, const sbx_publisher_options* options,
                                sbx_footprint* footprint, sbx_error* error);

/* All of a topic as opened; grown as far as they may, publishers take grown_bytes_max more each. */
static inline uint64_t sbx_footprint_total_bytes(const sbx_footprint* footprint,
                                                 uint64_t publishers, uint64_t subscribers) {
  return footprint->description_bytes + footprint->bell_bytes +
         publishers * footprint->publisher_bytes + subscribers * footprint->subscriber_bytes;
}

/* Room for any footprint's table, with its final 0. */
#define SBX_FOOTPRINT_TEXT_MAX 1024

/* Writes the sum as a table, a part a line, to `out` (at most `capacity` bytes with the final 0).
 * Returns the length without the final 0, or 0 and an empty text if it does not fit or `footprint`
 * is none that sbx_footprint_of() has filled. Where the heap is used up the text says so. */
SBX_EXPORT size_t sbx_footprint_text(const sbx_footprint* footprint, char* out, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_FOOTPRINT_H */
