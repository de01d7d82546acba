// sanitized_fork.c: for tests built with a sanitizer: a child that forks beside other threads can
// allocate and have threads of its own, as it can without.
//
//   Threads  any     Crash  nothing to lose     Fork  this is it     Limits  waits 2 s
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)

// GCC 12's AddressSanitizer does not hold its allocator's locks across fork(), as glibc's does: a
// child that is made while another thread of its parent allocates finds a lock taken by nobody and
// waits for it for good. So fork() waits here until the other threads sleep in the kernel, where
// nobody holds those locks; not for ever, as one of them may spin and never sleep.
static const long kLongestNs = 2000L * 1000 * 1000;

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

// Running or about to, or in the kernel without sleeping as one who waits does (a page may be read
// for it): the letter behind the name in /proc/self/task/N/stat (proc(5)).
static bool is_awake(const char* thread) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", thread);
  FILE* const file = fopen(path, "re");
  if (file == NULL) return false;  // it has ended
  char stat[256] = "";
  const size_t bytes = fread(stat, 1, sizeof(stat) - 1, file);
  fclose(file);
  stat[bytes] = '\0';
  const char* const name_ends = strrchr(stat, ')');
  return name_ends != NULL && strlen(name_ends) > 2 && strchr("RD", name_ends[2]) != NULL;
}

static bool another_is_awake(void) {
  DIR* const threads = opendir("/proc/self/task");
  if (threads == NULL) return false;
  const long self = (long)gettid();
  bool found = false;
  for (const struct dirent* entry = NULL; !found && (entry = readdir(threads)) != NULL;) {
    if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == self) continue;
    found = is_awake(entry->d_name);
  }
  closedir(threads);
  return found;
}

static void wait_for_the_others(void) {
  const long until = now_ns() + kLongestNs;
  while (another_is_awake() && now_ns() < until) sched_yield();
}

__attribute__((constructor)) static void begin(void) {
  pthread_atfork(wait_for_the_others, NULL, NULL);
}

#elif defined(__SANITIZE_THREAD__)

// ThreadSanitizer knows a thread by its stack. In a child, glibc gives the stacks of the parent's
// other threads to new ones, who are then taken for those and end the process ("dup thread"). The
// child's threads ask for a little more, so that no such stack fits.
static void want_larger_stacks(void) {
  pthread_attr_t wanted;
  size_t bytes = 0;
  pthread_getattr_default_np(&wanted);
  pthread_attr_getstacksize(&wanted, &bytes);
  pthread_attr_setstacksize(&wanted, bytes + 65536);
  pthread_setattr_default_np(&wanted);
  pthread_attr_destroy(&wanted);
}

__attribute__((constructor)) static void begin(void) {
  pthread_atfork(NULL, NULL, want_larger_stacks);
}

// By default it ends a child that begins a thread. A program may say it has other wishes.
__attribute__((weak, visibility("default"))) const char* __tsan_default_options(void);
const char* __tsan_default_options(void) { return "die_after_fork=0"; }

#endif
