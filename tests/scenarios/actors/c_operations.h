/* c_operations.h: what an actor in C answers, over signalbox/c: the judged calls are C's own. What
 * reads the lines and what happens around the judged objects are the C++ actors' (c.cpp).
 *
 *   Threads  the one that reads lines
 *   Crash    that is what it is for
 *   Fork     a child goes on with its parent's handles
 *   Limits   handles_max handles a family; answers of text_max bytes
 */
#ifndef SIGNALBOX_SCENARIOS_C_OPERATIONS_H
#define SIGNALBOX_SCENARIOS_C_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { text_max = 16384, handles_max = 16 };

typedef struct SaidWords {
  size_t count;
  const char* const* at;
} SaidWords;

typedef struct Answer {
  char text[text_max];
} Answer;

typedef struct COperation {
  const char* name;
  void (*perform)(const SaidWords* said, Answer* out);
} COperation;

/* Each ends with an operation that has no name. */
extern const COperation posix_queue_operations[];
extern const COperation posix_semaphore_operations[];
extern const COperation semaphore_set_operations[];
extern const COperation sysv_queue_operations[];

/* ---- what is said */

int has(const SaidWords* said, size_t index);
const char* word(const SaidWords* said, size_t index); /* "" where there is none */
int64_t number(const SaidWords* said, size_t index);
/* A span of time or "past" as a deadline. */
int64_t deadline(const SaidWords* said, size_t index);
uint32_t mode(const SaidWords* said, size_t index); /* 0600 where there is none */
int contains(const SaidWords* said, const char* wanted);
/* The bytes that a text stands for, which last until the next call. */
const char* bytes(const SaidWords* said, size_t index, size_t* count);

/* ---- what is answered */

/* "ok" with values behind it, as printf() writes them. */
void ok(Answer* out, const char* format, ...) __attribute__((format(printf, 2, 3)));
/* "ok NUMBER BYTES", for a message with its type or priority. */
void ok_message(Answer* out, int64_t number, const char* bytes, size_t count);
/* The errno's name. */
void failed_as(Answer* out, int number);
/* The same of an error of ours; what it holds against the kernel's stands in our_errno.hpp. */
void failed(Answer* out, const sbx_error* error);
/* "ok", or what failed. `code` is a call's result. */
void told(Answer* out, int code, const sbx_error* error);
/* The same of a call that never waits, which says whether it is done; `if_not` is the kernel's word
 * for it if it is not. */
void told_if_done(Answer* out, int code, const sbx_error* error, int done, int if_not);
void not_in_language(Answer* out, const char* why);

/* ---- handles, by their names in the scenario */

typedef struct Handles {
  size_t count;
  struct {
    char name[32];
    void* handle;
  } of[handles_max];
} Handles;

/* Ends the actor where there is none. */
void* handle(const Handles* all, const char* name);
/* Keeps a handle, and answers the one that had the name before. */
void* keep(Handles* all, const char* name, void* handle);
/* Forgets a handle and answers it; NULL where there is none. */
void* forget(Handles* all, const char* name);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_SCENARIOS_C_OPERATIONS_H */
