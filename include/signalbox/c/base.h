/* base.h: what every header of the C ABI begins with: codes, errors, the clock.
 *
 *   Threads  any
 *   Crash    nothing to lose
 *   Fork     safe
 *
 * Every function that can fail returns 0 (SBX_OK) or a positive sbx_code and, when `error` is not
 * NULL, fills it with a sentence for people. Times are nanoseconds of CLOCK_MONOTONIC, absolute.
 *
 * Structs that may grow begin with struct_size, the caller's sizeof. An init function or macro
 * fills it; a library that is older or newer than the caller's header reads and writes no byte
 * behind it. Of options, fields that one side does not know have to be 0 or get their default.
 */
#ifndef SIGNALBOX_C_BASE_H
#define SIGNALBOX_C_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SBX_EXPORT __attribute__((visibility("default")))
#else
#define SBX_EXPORT
#endif

/* The same numbers as signalbox::Errc in error.hpp, which explains each. */
typedef enum sbx_code {
  SBX_OK = 0,
  SBX_BAD_ARGUMENT = 1,
  SBX_BAD_NAME = 2,
  SBX_PERMISSION_DENIED = 3,
  SBX_NOT_FOUND = 4,
  SBX_ALREADY_EXISTS = 5,
  SBX_TYPE_MISMATCH = 6,
  SBX_LAYOUT_MISMATCH = 7,
  SBX_DAMAGED = 8,
  SBX_NO_SPACE = 9,
  SBX_LIMIT_REACHED = 10,
  SBX_TOO_LARGE = 11,
  SBX_TIMED_OUT = 12,
  SBX_WOULD_BLOCK = 13,
  SBX_INTERRUPTED = 14,
  SBX_CLOSED = 15,
  SBX_ABANDONED = 16,
  SBX_WRONG_PROCESS = 17,
  SBX_NOT_SUPPORTED = 18,
  SBX_OUT_OF_MEMORY = 19,
  SBX_SYSTEM = 20,
  SBX_EVICTED = 21,
  SBX_REMOVED = 22,
  SBX_OUT_OF_RANGE = 23,
  SBX_WOULD_DEADLOCK = 24
} sbx_code;

typedef struct sbx_error {
  int32_t code;      /* an sbx_code */
  int32_t sys_errno; /* 0 when no system call is to blame */
  char text[1016];   /* UTF-8, ends with what to do; cut off with "..." when longer */
} sbx_error;

/* The name of a code, for example "type_mismatch"; "unknown" for any other number. */
SBX_EXPORT const char* sbx_code_name(int code);

/* Version of the library as "major.minor.patch", and of the shared layout it writes. */
SBX_EXPORT const char* sbx_version(void);
SBX_EXPORT uint32_t sbx_layout_version(void);

/* CLOCK_MONOTONIC now; and the two special deadlines. */
SBX_EXPORT int64_t sbx_now_ns(void);
#define SBX_IMMEDIATE ((int64_t)0)
#define SBX_NEVER     INT64_MAX

/* What a wait does when a signal handler has run: signalbox/os/on_signal.hpp says it in full. */
typedef enum sbx_on_signal {
  SBX_ON_SIGNAL_GO_ON = 0,  /* it goes on with the time that remains */
  SBX_ON_SIGNAL_GIVE_UP = 1 /* SBX_INTERRUPTED, and nothing has changed */
} sbx_on_signal;

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_BASE_H */
