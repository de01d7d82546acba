/* signalbox.h: shared-memory topics from C, and the ground on which every other language stands.
 *
 *   Threads  one thread at a time per handle; open another handle for another thread.
 *            sbx_sample_release() alone may be called from any thread.
 *   Crash    a process that dies loses only what it had not published
 *   Fork     a handle belongs to the process that opened it; in a child every call answers
 *            SBX_WRONG_PROCESS and close does nothing to the parent. Of messages above 480 bytes or
 *            with a tail it has no memory behind samples and loans: to look into one is SIGSEGV
 *   Signals  an interrupted sbx_subscriber_wait() answers SBX_WAKE_INTERRUPTED, never an error
 *
 * Every function that can fail returns 0 (SBX_OK) or a positive sbx_code and, when `error` is not
 * NULL, fills it with a sentence for people. Times are nanoseconds of CLOCK_MONOTONIC, absolute.
 *
 * A message is a fixed part (your struct) and, if the topic allows it, a tail of bytes behind it.
 * Both sides state the type as a canonical structural description; a difference is refused at open
 * with an error that names the field. Grammar (docs/formats/type-description.md), no blanks:
 *
 *   topic    = [ struct ] [ "+u8[]" ]            at least one of the two
 *   struct   = "{" field { "," field } "}#" size
 *   field    = name ":" type "@" offset
 *   type     = ( scalar | struct ) { "[" count "]" }       outermost dimension first
 *   scalar   = u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 bool char
 *
 * Example: struct { uint64_t seq; double xyz[3]; } is  {seq:u64@0,xyz:f64[3]@8}#32
 * Fields stand in order of their offsets; padding is not written, sizes and offsets show it.
 */
#ifndef SIGNALBOX_H
#define SIGNALBOX_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- types ---------------------------------------------------------------------------------- */

typedef struct sbx_type {
  const char* name;        /* for people; not compared. May be NULL. */
  const char* description; /* canonical description as above; compared. Copied by every call. */
} sbx_type;

/* Plain bytes of varying length: no fixed part, only a tail. */
#define SBX_BYTES_DESCRIPTION "+u8[]"

/* One field of a C struct, as SBX_DESCRIBE writes it. */
typedef struct sbx_field {
  const char* name;
  const char* kind; /* a scalar of the grammar, or the description of a nested struct */
  uint64_t offset;
  uint64_t size;         /* of the whole field, in bytes */
  uint64_t element_size; /* of one element; size / element_size is the array's length */
} sbx_field;

/* Writes the canonical description of `count` fields in a struct of `struct_size` bytes to `out`
 * (at most `capacity` bytes with the final 0), followed by "+u8[]" when `has_tail` is not 0.
 * Returns the length without the final 0, or 0 if it does not fit or a field is malformed. */
SBX_EXPORT size_t sbx_describe(const sbx_field* fields, size_t count, uint64_t struct_size,
                               int has_tail, char* out, size_t capacity);

/* Checks a description and reports the size of its fixed part and whether it has a tail. */
SBX_EXPORT int sbx_description_check(const char* description, uint64_t* fixed_bytes, int* has_tail,
                                     sbx_error* error);

/* ---- publisher ------------------------------------------------------------------------------ */

typedef struct sbx_publisher sbx_publisher;

/* What others map of a participant; all users of a topic ask for the same. SECURITY.md says what
 * each protects from. */
typedef enum sbx_tier {
  SBX_TIER_PLAIN = 0,
  /* Memory sealed by the kernel, handed over sockets to whom the kernel says the domain is for. A
   * thread of the library answers newcomers while a participant is open. */
  SBX_TIER_HARDENED = 1
} sbx_tier;

/* What publishing does when a reliable subscriber is a whole ring behind. */
typedef enum sbx_when_behind {
  SBX_WHEN_BEHIND_WAIT = 0,     /* for it, until the deadline */
  SBX_WHEN_BEHIND_DROP_NEW = 1, /* gives this message up at once, for all: WOULD_BLOCK; both sides
                                   count it (sbx_..._dropped_count) */
  SBX_WHEN_BEHIND_EVICT = 2     /* leaves it behind: it is told EVICTED, and takes no more of us */
} sbx_when_behind;

/* Does a publish wake those who sleep? */
typedef enum sbx_wake_sleepers {
  SBX_WAKE_SLEEPERS_YES = 0,
  /* It never enters the kernel; a sleeper finds the message within 100 ms, by himself. */
  SBX_WAKE_SLEEPERS_NO = 1
} sbx_wake_sleepers;

typedef struct sbx_publisher_options {
  uint32_t struct_size;    /* the caller's sizeof(sbx_publisher_options): lets the struct grow */
  uint32_t depth;          /* messages kept for late and slow subscribers; power of two, 1..65536 */
  uint32_t loans_max;      /* messages being filled at once, 1..64 */
  uint32_t held_max;       /* frames subscribers may hold, all together, before loan finds none */
  uint64_t tail_bytes_max; /* largest tail; 0 unless the description has one */
  const char* domain;      /* NULL: $SIGNALBOX_DIR, else $SIGNALBOX_DOMAIN, else "default" */
  uint32_t when_behind;    /* an sbx_when_behind */
  uint32_t wake;           /* an sbx_wake_sleepers */
  uint32_t tier;           /* an sbx_tier */
  uint32_t reserved;       /* 0 */
  /* Largest tail at all. Above tail_bytes_max: a loan of a longer tail makes room for it then,
   * which enters the kernel and may fail with NO_SPACE. 0: no memory is taken after open. */
  uint64_t grown_tail_bytes_max;
} sbx_publisher_options;

/* Fills the first `size` bytes of `options` with the defaults; use the function below, which knows
 * the size. It is the caller's header that says how large the struct is: a newer library fills only
 * the fields this caller has, and an older one sets to 0 those it does not know. */
SBX_EXPORT void sbx_publisher_options_init_sized(sbx_publisher_options* options, size_t size);

/* Default options: depth 16, loans_max 1, held_max 4, no tail, wait for who is behind, wake,
 * plain. */
static inline void sbx_publisher_options_init(sbx_publisher_options* options) {
  sbx_publisher_options_init_sized(options, sizeof(*options));
}

/* Joins the topic as a publisher, creating the topic if nobody has. Enters the kernel.
 * Errors: BAD_NAME, BAD_ARGUMENT, TYPE_MISMATCH, LAYOUT_MISMATCH, DAMAGED, NO_SPACE,
 * PERMISSION_DENIED, LIMIT_REACHED, TIMED_OUT (hardened: a participant is stopped), NOT_SUPPORTED,
 * SYSTEM. `options` may be NULL. Options of an
 * older header are taken, with the defaults for what it lacks; those of a newer one are taken
 * unless they set what this library does not know: BAD_ARGUMENT. */
SBX_EXPORT int sbx_publisher_open(const char* topic, const sbx_type* type,
                                  const sbx_publisher_options* options, sbx_publisher** out,
                                  sbx_error* error);

/* Leaves the topic. Subscribers still receive what was published. NULL is allowed.
 * Loans that were neither published nor dropped become invalid. */
SBX_EXPORT void sbx_publisher_close(sbx_publisher* publisher);

/* A message to fill in place. `data` is the fixed part, `tail` the bytes behind it (NULL if
 * none). Bytes are uninitialised. Treat the last two fields as private. */
typedef struct sbx_loan {
  void* data;
  void* tail;
  uint64_t data_bytes;
  uint64_t tail_bytes;
  uint64_t chunk_;
  uint64_t inline_[6];
} sbx_loan;

/* Lends a message of `tail_bytes` tail. Lock-free, no system call (unless frames are short, or room
 * is made for a tail above tail_bytes_max).
 * `loan` must not move in memory until it is published or dropped.
 * Errors: WOULD_BLOCK (every frame is held by a subscriber), LIMIT_REACHED (loans_max),
 * TOO_LARGE, WRONG_PROCESS; where room is made those of sbx_publisher_open() too. */
SBX_EXPORT int sbx_publisher_loan(sbx_publisher* publisher, uint64_t tail_bytes, sbx_loan* loan,
                                  sbx_error* error);

/* The same for up to `count` loans side by side. `lent` receives how many there are from the first
 * on, also on an error: that of the first that could not be lent. The others are cleared. */
SBX_EXPORT int sbx_publisher_loan_batch(sbx_publisher* publisher, uint64_t tail_bytes,
                                        sbx_loan* loans, size_t count, size_t* lent,
                                        sbx_error* error);

/* Shortens the tail of a loan before it is published. Errors: BAD_ARGUMENT when longer. */
SBX_EXPORT int sbx_loan_shorten(sbx_loan* loan, uint64_t tail_bytes, sbx_error* error);

/* Shows the message to every subscriber and consumes the loan. Waits only if a reliable
 * subscriber is a whole ring behind and `when_behind` says so, at most until `deadline_ns`. On any
 * error the loan is still
 * the caller's, unchanged. `position` (may be NULL) receives the message's number, from 0.
 * Enters the kernel only to wake a sleeper or to wait.
 * Errors: WOULD_BLOCK or TIMED_OUT (a reliable subscriber is behind), WRONG_PROCESS. */
SBX_EXPORT int sbx_publisher_publish(sbx_publisher* publisher, sbx_loan* loan, int64_t deadline_ns,
                                     uint64_t* position, sbx_error* error);

/* sbx_publisher_publish() for `count` loans, in order; sleepers are woken once. `published` (may be
 * NULL) receives how many were, also on an error: that of the first that was not. It and those
 * behind it are still the caller's. */
SBX_EXPORT int sbx_publisher_publish_batch(sbx_publisher* publisher, sbx_loan* loans, size_t count,
                                           int64_t deadline_ns, size_t* published,
                                           sbx_error* error);

/* Gives a loan back unpublished. */
SBX_EXPORT void sbx_publisher_drop(sbx_publisher* publisher, sbx_loan* loan);

/* loan + copy + publish. `data` holds the fixed part (NULL if the type has none). */
SBX_EXPORT int sbx_publisher_send(sbx_publisher* publisher, const void* data, const void* tail,
                                  uint64_t tail_bytes, int64_t deadline_ns, uint64_t* position,
                                  sbx_error* error);

/* send for `count` messages at once, for types with a fixed part: `messages` holds their fixed
 * parts, one behind the other; where the type has a tail it is sent empty. Sleepers are woken once.
 * `sent` (may be NULL) receives how many were published, in order, also on an error: fewer than
 * asked. Errors: those of send, of the first message that was not published. */
SBX_EXPORT int sbx_publisher_send_batch(sbx_publisher* publisher, const void* messages,
                                        size_t count, int64_t deadline_ns, size_t* sent,
                                        sbx_error* error);

/* How many subscribers are attached now. What is published after one was counted reaches it, unless
 * it falls behind. Enters the kernel only when somebody joined or left. */
SBX_EXPORT uint32_t sbx_publisher_subscriber_count(sbx_publisher* publisher);

/* Messages given up (SBX_WHEN_BEHIND_DROP_NEW); subscribers left behind (SBX_WHEN_BEHIND_EVICT). */
SBX_EXPORT uint64_t sbx_publisher_dropped_count(const sbx_publisher* publisher);
SBX_EXPORT uint64_t sbx_publisher_evicted_count(const sbx_publisher* publisher);

/* ---- subscriber ----------------------------------------------------------------------------- */

typedef struct sbx_subscriber sbx_subscriber;

/* Where a subscriber begins: so many messages back from the next one. */
#define SBX_START_NEXT   ((uint64_t)0)  /* only what is published from now on */
#define SBX_START_LATEST ((uint64_t)1)  /* the newest message there is, then all that follow */
#define SBX_START_OLDEST (~(uint64_t)0) /* all that is still kept */

typedef struct sbx_subscriber_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_subscriber_options) */
  uint32_t reliable;    /* 1: publishers wait for this subscriber instead of overwriting */
  uint64_t start;       /* SBX_START_... or any number of messages back */
  const char* domain;   /* as for the publisher */
  /* How long wait may look again and again before it sleeps; it looks less long where that does
   * not pay. 0: it sleeps at once, which saves power and costs a wake-up's latency. */
  int64_t spin_max_ns;
  uint32_t tier; /* an sbx_tier */
  /* 1: maps the rings of publishers writable, though nothing here writes them. On some processors
   * (AMD's EPYC) small messages come a tenth sooner then. The price: a stray write of this process
   * may spoil messages, or the page before them by which their publisher works, for everybody. Frames
   * stay read-only, and so does all where it may not be opened for writing, and in the hardened tier.
   * 0: read-only. */
  uint32_t writable_ring;
} sbx_subscriber_options;

/* As sbx_publisher_options_init_sized(). */
SBX_EXPORT void sbx_subscriber_options_init_sized(sbx_subscriber_options* options, size_t size);

/* Default options: lossy, start at SBX_START_LATEST, spin for up to 30 microseconds, plain, rings
 * read-only. */
static inline void sbx_subscriber_options_init(sbx_subscriber_options* options) {
  sbx_subscriber_options_init_sized(options, sizeof(*options));
}

/* Joins the topic as a subscriber, creating the topic if nobody has. Errors and options as for
 * publishers. */
SBX_EXPORT int sbx_subscriber_open(const char* topic, const sbx_type* type,
                                   const sbx_subscriber_options* options, sbx_subscriber** out,
                                   sbx_error* error);

/* Leaves the topic. Samples still held stay valid until released. NULL is allowed. */
SBX_EXPORT void sbx_subscriber_close(sbx_subscriber* subscriber);

/* One received message, read-only. Private: hold_, inline_. The struct may be moved or copied by
 * value only through sbx_sample_move(); `data` may point into the struct itself. */
typedef struct sbx_sample {
  const void* data; /* fixed part; NULL if the type has none */
  const void* tail; /* NULL if the message has none */
  uint64_t data_bytes;
  uint64_t tail_bytes;
  uint64_t position;  /* the message's number at its publisher, from 0 */
  uint64_t publisher; /* the publisher's incarnation: changes when it restarts */
  void* hold_;
  uint64_t inline_[60];
} sbx_sample;

/* Takes the next message in publishing order. *taken = 0: nothing new, `sample` is untouched.
 * A message of at most 480 bytes without a tail is copied; any other is pinned until released.
 * Lock-free; enters the kernel only when somebody joined or left, or to re-arm the descriptor.
 * Errors: LIMIT_REACHED (SBX_PINS_MAX samples are held: release one), DAMAGED, WRONG_PROCESS,
 * EVICTED (a publisher went on without this reliable subscriber, of which it takes nothing more:
 * open it again. Answered until a message of another publisher is taken). */
SBX_EXPORT int sbx_subscriber_take(sbx_subscriber* subscriber, sbx_sample* sample, int* taken,
                                   sbx_error* error);

/* As take, but skips to the newest message of the publisher whose turn it is, of several one after
 * the other; what it passed over is counted as skipped. */
SBX_EXPORT int sbx_subscriber_take_latest(sbx_subscriber* subscriber, sbx_sample* sample,
                                          int* taken, sbx_error* error);

/* Copies the fixed parts of up to `room` messages to `messages`, one behind the other in order, for
 * types with a fixed part; tails are passed over. *taken receives how many, also on an error.
 * Cheaper than take where messages are small and many: a reliable subscriber's progress is told
 * once, at the end. Errors: those of take, of the message behind the last one taken. */
SBX_EXPORT int sbx_subscriber_take_batch(sbx_subscriber* subscriber, void* messages, size_t room,
                                         size_t* taken, sbx_error* error);

#define SBX_PINS_MAX 64

/* Ends the use of a sample; from any thread, also after sbx_subscriber_close(). */
SBX_EXPORT void sbx_sample_release(sbx_sample* sample);
/* Moves a sample to another address; `from` becomes empty. */
SBX_EXPORT void sbx_sample_move(sbx_sample* to, sbx_sample* from);

typedef enum sbx_wake {
  SBX_WAKE_READY = 0,      /* take() will find a message */
  SBX_WAKE_TIMED_OUT = 1,  /* the deadline passed */
  SBX_WAKE_INTERRUPTED = 2 /* a signal handler ran; call again with the same deadline */
} sbx_wake;

/* Sleeps until a message is there, the deadline passes or a signal handler runs.
 * Errors: EVICTED (once for each publisher that evicted this subscriber), WRONG_PROCESS, SYSTEM. */
SBX_EXPORT int sbx_subscriber_wait(sbx_subscriber* subscriber, int64_t deadline_ns, int* wake,
                                   sbx_error* error);

/* A descriptor for poll, epoll, asyncio or Go's runtime: readable when a message may be there.
 * It never changes and belongs to the subscriber: do not read or close it. After it was readable,
 * take() until nothing is left; that last, empty take() arms it again. */
SBX_EXPORT int sbx_subscriber_descriptor(sbx_subscriber* subscriber, int* fd, sbx_error* error);

/* Messages overwritten before this subscriber came to them, counted when it does; and of a publisher
 * that evicted it all that it has not taken, a number that grows with each further message: it is
 * looked up at each call, in every slot of such a publisher. */
SBX_EXPORT uint64_t sbx_subscriber_lost_count(const sbx_subscriber* subscriber);
/* Messages take_latest() passed over. */
SBX_EXPORT uint64_t sbx_subscriber_skipped_count(const sbx_subscriber* subscriber);
/* Messages that publishers gave up since this subscriber joined (SBX_WHEN_BEHIND_DROP_NEW), so that
 * nobody got them; publishers attached now. Enter the kernel only when somebody joined or left. */
SBX_EXPORT uint64_t sbx_subscriber_dropped_count(sbx_subscriber* subscriber);
SBX_EXPORT uint32_t sbx_subscriber_publisher_count(sbx_subscriber* subscriber);

#ifdef __cplusplus
}
#endif

/* ---- one line that describes a C struct ----------------------------------------------------- */

#ifndef __cplusplus
#include "signalbox/describe_c.h"
#endif

#endif /* SIGNALBOX_H */
