#include "c_operations.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int has(const SaidWords* said, size_t index) { return index < said->count; }

const char* word(const SaidWords* said, size_t index) {
  return has(said, index) ? said->at[index] : "";
}

int64_t number(const SaidWords* said, size_t index) { return strtoll(word(said, index), NULL, 10); }

int64_t deadline(const SaidWords* said, size_t index) {
  char* unit = NULL;
  const int64_t count = strtoll(word(said, index), &unit, 10);
  if (strcmp(unit, "past") == 0) return SBX_IMMEDIATE;
  const int64_t each = strcmp(unit, "us") == 0   ? 1000
                       : strcmp(unit, "ms") == 0 ? 1000000
                                                 : 1000000000;
  return sbx_now_ns() + count * each;
}

uint32_t mode(const SaidWords* said, size_t index) {
  return has(said, index) ? (uint32_t)strtoul(word(said, index), NULL, 8) : 0600;
}

int contains(const SaidWords* said, const char* wanted) {
  for (size_t i = 0; i < said->count; ++i) {
    if (strcmp(said->at[i], wanted) == 0) return 1;
  }
  return 0;
}

const char* bytes(const SaidWords* said, size_t index, size_t* count) {
  static char repeated[text_max];
  const char* const text = word(said, index);
  *count = strlen(text);
  if (strcmp(text, "-") == 0) *count = 0;
  if (*count <= 2 || text[1] != '*') return text;
  *count = strtoul(text + 2, NULL, 10);
  if (*count > sizeof repeated) abort();
  memset(repeated, text[0], *count);
  return repeated;
}

void ok(Answer* out, const char* format, ...) {
  const int begun = snprintf(out->text, sizeof out->text, "ok ");
  va_list values;
  va_start(values, format);
  vsnprintf(out->text + begun, sizeof out->text - (size_t)begun, format, values);
  va_end(values);
}

static int are_all_alike(const char* data, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    if (data[i] != data[0]) return 0;
  }
  return 1;
}

void ok_message(Answer* out, int64_t said, const char* data, size_t count) {
  if (count == 0) {
    ok(out, "%lld -", (long long)said);
  } else if (count > 8 && are_all_alike(data, count)) {
    ok(out, "%lld %c*%zu", (long long)said, data[0], count);
  } else {
    ok(out, "%lld %.*s", (long long)said, (int)count, data);
  }
}

void failed_as(Answer* out, int found) {
  const char* const name = strerrorname_np(found);
  snprintf(out->text, sizeof out->text, "%s", name == NULL ? "an-errno-without-name" : name);
}

/* Where no call was to blame, because ours saw it coming: what the kernel would have answered. */
static int errno_of_code(int code) {
  switch (code) {
    case SBX_WOULD_BLOCK:
      return EAGAIN;
    case SBX_INTERRUPTED:
      return EINTR;
    case SBX_BAD_ARGUMENT:
    case SBX_BAD_NAME:
      return EINVAL;
    case SBX_NOT_FOUND:
      return ENOENT;
    case SBX_ALREADY_EXISTS:
      return EEXIST;
    case SBX_REMOVED:
      return EIDRM;
    default:
      return 0;
  }
}

void failed(Answer* out, const sbx_error* error) {
  if (error->code == SBX_TIMED_OUT) {
    failed_as(out, ETIMEDOUT);
  } else {
    failed_as(out, error->sys_errno != 0 ? error->sys_errno : errno_of_code(error->code));
  }
}

void told(Answer* out, int code, const sbx_error* error) {
  if (code == SBX_OK) {
    snprintf(out->text, sizeof out->text, "ok");
  } else {
    failed(out, error);
  }
}

void told_if_done(Answer* out, int code, const sbx_error* error, int done, int if_not) {
  if (code == SBX_OK && !done) {
    failed_as(out, if_not);
  } else {
    told(out, code, error);
  }
}

void not_in_language(Answer* out, const char* why) {
  snprintf(out->text, sizeof out->text, "not-in-language %s", why);
}

static size_t place_of(const Handles* all, const char* name) {
  size_t at = 0;
  while (at < all->count && strcmp(all->of[at].name, name) != 0) ++at;
  return at;
}

void* handle(const Handles* all, const char* name) {
  const size_t at = place_of(all, name);
  if (at == all->count) {
    fprintf(stderr, "scenario_actor_c: nothing is called %s\n", name);
    abort();
  }
  return all->of[at].handle;
}

void* keep(Handles* all, const char* name, void* made) {
  const size_t at = place_of(all, name);
  if (at == handles_max) abort();
  void* const replaced = at < all->count ? all->of[at].handle : NULL;
  if (at == all->count) ++all->count;
  snprintf(all->of[at].name, sizeof all->of[at].name, "%s", name);
  all->of[at].handle = made;
  return replaced;
}

void* forget(Handles* all, const char* name) {
  const size_t at = place_of(all, name);
  if (at == all->count) return NULL;
  void* const found = all->of[at].handle;
  all->of[at] = all->of[--all->count];
  return found;
}
