/* Our own locks, and those of files, from C. Each promise of the headers that C can break is tried:
 * codes, what the next owner learns of one who was killed, who may release, what a deadline, a
 * signal and a fork do. Other processes are forked, open what they use by its name, and end with
 * this one at the latest. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "c/check.h"
#include "c/other_process.h"
#include "signalbox/c/file_lock.h"
#include "signalbox/c/lock.h"
#include "signalbox/c/semaphore.h"
#include "signalbox/c/wait_set.h"

static int64_t soon(void) { return sbx_now_ns() + 20000000; }

/* ---- the mutex */

static sbx_mutex* open_mutex(const char* name) {
  sbx_mutex* mutex = NULL;
  SBX_CHECK(sbx_mutex_open(name, NULL, &mutex, &sbx_last_error) == SBX_OK);
  return mutex;
}

static void lock_and_hold(void) {
  sbx_mutex_guard guard = {0};
  int owner_died = 0;
  if (sbx_mutex_lock(open_mutex("arm"), SBX_NEVER, 0, &guard, &owner_died, NULL) == SBX_OK)
    say_and_listen();
  if (sbx_mutex_release(&guard, NULL) != SBX_OK) _exit(1);
}

static sbx_mutex_guard locked(sbx_mutex* mutex, int expect_death) {
  sbx_mutex_guard guard = {0};
  int owner_died = 2;
  SBX_CHECK(sbx_mutex_lock(mutex, SBX_NEVER, 0, &guard, &owner_died, &sbx_last_error) == SBX_OK);
  SBX_CHECK(owner_died == expect_death && guard.is_held);
  return guard;
}

static void the_next_owner_learns_of_a_death(void) {
  sbx_mutex* mutex = open_mutex("arm");
  sbx_mutex_guard guard = {0};
  int owner_died = 2;
  for (int round = 0; round < 5; ++round) {
    const Other holder = start(lock_and_hold);
    SBX_CHECK(sbx_mutex_try_lock(mutex, &guard, &owner_died, &sbx_last_error) == SBX_WOULD_BLOCK);
    SBX_CHECK(!guard.is_held && owner_died == 0);
    SBX_CHECK(sbx_mutex_lock(mutex, soon(), 0, &guard, &owner_died, &sbx_last_error) ==
              SBX_TIMED_OUT);
    end(holder, SIGKILL);
    /* Who says nothing of a repair passes the news on, once he does it ends. */
    guard = locked(mutex, 1);
    SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK && !guard.is_held);
    guard = locked(mutex, 1);
    SBX_CHECK(sbx_mutex_repaired(&guard, &sbx_last_error) == SBX_OK);
    SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK);
    guard = locked(mutex, 0);
    SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK);
  }
  sbx_mutex_close(mutex);
}

static void* tell_later(void* other) {
  tell(*(Other*)other);
  return NULL;
}

static void another_process_wakes_who_waits(void) {
  sbx_mutex* mutex = open_mutex("arm");
  Other holder = start(lock_and_hold);
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, tell_later, &holder) == 0);
  sbx_mutex_guard guard = locked(mutex, 0);
  SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK);
  pthread_join(thread, NULL);
  SBX_CHECK(reaped(holder) == 0);
  sbx_mutex_close(mutex);
}

static sbx_mutex_guard shared_guard;
static int thread_code;

static void* release_here(void* unused) {
  (void)unused;
  thread_code = sbx_mutex_release(&shared_guard, &sbx_last_error);
  return NULL;
}

static int released_elsewhere(void) {
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, release_here, NULL) == 0);
  pthread_join(thread, NULL);
  return thread_code;
}

static void it_belongs_to_its_thread_unless_asked(void) {
  sbx_mutex* mutex = open_mutex("arm");
  sbx_mutex_guard again = {0};
  int owner_died = 0;
  shared_guard = locked(mutex, 0);
  SBX_CHECK(sbx_mutex_lock(mutex, SBX_NEVER, 0, &again, &owner_died, &sbx_last_error) ==
            SBX_WOULD_DEADLOCK);
  SBX_CHECK(released_elsewhere() == SBX_BAD_ARGUMENT &&
            last_error_says(SBX_BAD_ARGUMENT, "another thread holds it"));
  SBX_CHECK(shared_guard.is_held);
  SBX_CHECK(sbx_mutex_release(&shared_guard, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_mutex_release(&shared_guard, &sbx_last_error) == SBX_BAD_ARGUMENT &&
            last_error_says(SBX_BAD_ARGUMENT, "nothing is held"));

  /* With any_thread the same thread waits as any other, and any may release. */
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.any_thread = 1;
  sbx_mutex* free_one = NULL;
  SBX_CHECK(sbx_mutex_open("arm", &options, &free_one, &sbx_last_error) == SBX_OK);
  shared_guard = locked(free_one, 0);
  SBX_CHECK(sbx_mutex_lock(mutex, soon(), 0, &again, &owner_died, &sbx_last_error) ==
            SBX_TIMED_OUT);
  SBX_CHECK(sbx_mutex_try_lock(free_one, &again, &owner_died, &sbx_last_error) == SBX_WOULD_BLOCK);
  SBX_CHECK(released_elsewhere() == SBX_OK && !shared_guard.is_held);

  /* What is held outlives its handle. */
  again = locked(free_one, 0);
  sbx_mutex_close(free_one);
  SBX_CHECK(sbx_mutex_lock(mutex, soon(), 0, &shared_guard, &owner_died, &sbx_last_error) ==
            SBX_TIMED_OUT);
  SBX_CHECK(sbx_mutex_release(&again, &sbx_last_error) == SBX_OK);
  again = locked(mutex, 0);
  SBX_CHECK(sbx_mutex_release(&again, &sbx_last_error) == SBX_OK);
  sbx_mutex_close(mutex);
}

static sbx_mutex* inherited;

static void use_what_was_inherited(void) {
  sbx_mutex_guard guard = {0};
  int owner_died = 0;
  if (sbx_mutex_try_lock(inherited, &guard, &owner_died, NULL) != SBX_WRONG_PROCESS) _exit(4);
  if (sbx_mutex_release(&shared_guard, NULL) != SBX_OK) _exit(5); /* nothing, of a copy */
  if (sbx_mutex_try_lock(open_mutex("arm"), &guard, &owner_died, NULL) != SBX_WOULD_BLOCK) _exit(6);
  say_and_listen();
}

static void a_child_holds_nothing(void) {
  inherited = open_mutex("arm");
  shared_guard = locked(inherited, 0);
  end(start(use_what_was_inherited), 0);
  SBX_CHECK(sbx_mutex_release(&shared_guard, &sbx_last_error) == SBX_OK);
  sbx_mutex_close(inherited);
}

static void bad_parameters_are_named(void) {
  sbx_mutex* mutex = NULL;
  sbx_mutex_guard guard = {0};
  int owner_died = 0;
  SBX_CHECK(sbx_mutex_open("no such name", NULL, &mutex, &sbx_last_error) == SBX_BAD_NAME);
  SBX_CHECK(sbx_mutex_open(NULL, NULL, &mutex, &sbx_last_error) == SBX_BAD_ARGUMENT);
  mutex = open_mutex("arm");
  SBX_CHECK(sbx_mutex_lock(mutex, SBX_NEVER, 0, &guard, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "sbx_mutex_lock: 'owner_died' is NULL"));
  SBX_CHECK(sbx_mutex_lock(NULL, SBX_NEVER, 0, &guard, &owner_died, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.first_come_first_served = 1;
  sbx_mutex* fair = NULL;
  SBX_CHECK(sbx_mutex_open("arm", &options, &fair, &sbx_last_error) == SBX_TYPE_MISMATCH && !fair);
  options.domain = "elsewhere";
  SBX_CHECK(sbx_mutex_open("arm", &options, &fair, &sbx_last_error) == SBX_OK);
  sbx_mutex_close(fair);
  sbx_mutex_close(mutex);
  sbx_mutex_close(NULL);
}

/* ---- the semaphore */

static sbx_semaphore* open_semaphore(uint32_t units_max) {
  sbx_semaphore* semaphore = NULL;
  SBX_CHECK(sbx_semaphore_open("slots", units_max, NULL, &semaphore, &sbx_last_error) == SBX_OK);
  return semaphore;
}

static uint32_t value_of(const sbx_semaphore* semaphore) {
  uint32_t value = 99;
  SBX_CHECK(sbx_semaphore_value(semaphore, &value, &sbx_last_error) == SBX_OK);
  return value;
}

static void acquire_two_and_hold(void) {
  sbx_semaphore* semaphore = open_semaphore(3);
  sbx_permit one = {0}, two = {0};
  if (sbx_semaphore_acquire(semaphore, SBX_NEVER, 0, &one, NULL) == SBX_OK &&
      sbx_semaphore_try_acquire(semaphore, &two, NULL) == SBX_OK)
    say_and_listen();
  if (sbx_permit_use_up(&two, NULL) != SBX_OK || sbx_permit_release(&one, NULL) != SBX_OK) _exit(1);
}

static void units_of_the_dead_come_back(void) {
  sbx_semaphore* semaphore = open_semaphore(3);
  sbx_permit permit = {0}, none = {0};
  Other holder = start(acquire_two_and_hold);
  SBX_CHECK(value_of(semaphore) == 1);
  SBX_CHECK(sbx_semaphore_acquire(semaphore, SBX_NEVER, 0, &permit, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_try_acquire(semaphore, &none, &sbx_last_error) == SBX_WOULD_BLOCK);
  SBX_CHECK(sbx_semaphore_acquire(semaphore, soon(), 0, &none, &sbx_last_error) == SBX_TIMED_OUT);
  SBX_CHECK(!none.is_held && permit.is_held);
  end(holder, SIGKILL);
  SBX_CHECK(sbx_semaphore_consume(semaphore, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_permit_release(&permit, &sbx_last_error) == SBX_OK && !permit.is_held);
  SBX_CHECK(sbx_permit_release(&permit, &sbx_last_error) == SBX_BAD_ARGUMENT);
  /* They come back one by one. */
  SBX_CHECK(sbx_semaphore_acquire(semaphore, SBX_NEVER, 0, &permit, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_acquire(semaphore, SBX_NEVER, 0, &none, &sbx_last_error) == SBX_OK);
  SBX_CHECK(value_of(semaphore) == 0);
  SBX_CHECK(sbx_permit_release(&permit, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_permit_release(&none, &sbx_last_error) == SBX_OK && value_of(semaphore) == 2);

  /* Who lives takes one away, and gives the other back. */
  end(start(acquire_two_and_hold), 0);
  SBX_CHECK(value_of(semaphore) == 1);
  SBX_CHECK(sbx_semaphore_try_consume(semaphore, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_try_consume(semaphore, &sbx_last_error) == SBX_WOULD_BLOCK);
  for (int i = 0; i < 3; ++i) {
    SBX_CHECK(sbx_semaphore_post(semaphore, &sbx_last_error) == SBX_OK);
  }
  SBX_CHECK(sbx_semaphore_post(semaphore, &sbx_last_error) == SBX_OUT_OF_RANGE);
  sbx_semaphore_close(semaphore);

  sbx_semaphore_options options;
  sbx_semaphore_options_init(&options);
  SBX_CHECK(options.units == SBX_ALL_UNITS);
  options.units = 4;
  SBX_CHECK(sbx_semaphore_open("slots", 3, &options, &semaphore, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  options.units = 1;
  SBX_CHECK(sbx_semaphore_open("other", 3, &options, &semaphore, &sbx_last_error) == SBX_OK);
  SBX_CHECK(value_of(semaphore) == 1);
  sbx_semaphore_close(semaphore);
}

/* How many sources are ready by then; the first is left in *first. */
static size_t ready_by(sbx_wait_set* set, int64_t deadline, sbx_ready* first) {
  const sbx_ready* ready = NULL;
  size_t count = 9;
  SBX_CHECK(sbx_wait_set_wait(set, &ready, &count, deadline, &sbx_last_error) == SBX_OK);
  if (count != 0) *first = ready[0];
  return count;
}

static void both_are_watched(void) {
  sbx_wait_set* set = NULL;
  sbx_watch *lock = NULL, *units = NULL;
  sbx_ready ready;
  sbx_mutex* mutex = open_mutex("arm");
  sbx_semaphore* semaphore = open_semaphore(3);
  SBX_CHECK(sbx_wait_set_create(4, &set, &sbx_last_error) == SBX_OK);
  Other holder = start(lock_and_hold);
  SBX_CHECK(sbx_wait_set_watch_mutex(set, mutex, 1, 0, &lock, &sbx_last_error) == SBX_OK);
  SBX_CHECK(ready_by(set, SBX_IMMEDIATE, &ready) == 0);
  end(holder, SIGKILL);
  SBX_CHECK(ready_by(set, SBX_NEVER, &ready) == 1);
  SBX_CHECK(ready.key == 1 && ready.events == SBX_READABLE);
  sbx_mutex_guard guard = locked(mutex, 1);
  SBX_CHECK(sbx_mutex_repaired(&guard, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_wait_set_watch_semaphore(set, semaphore, 2, 0, &units, &sbx_last_error) == SBX_OK);
  SBX_CHECK(ready_by(set, SBX_NEVER, &ready) == 1 && ready.key == 2);
  sbx_semaphore_close(semaphore);
  SBX_CHECK(ready_by(set, soon(), &ready) == 0);
  sbx_watch_end(lock);
  SBX_CHECK(sbx_wait_set_watch_mutex(set, mutex, 3, 1000000, &lock, &sbx_last_error) == SBX_OK);
  SBX_CHECK(ready_by(set, SBX_NEVER, &ready) == 1);
  SBX_CHECK(ready.key == 3 && ready.events == SBX_DEADLINE_MISSED);
  SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK);
  SBX_CHECK(ready_by(set, SBX_NEVER, &ready) == 1 && ready.events == SBX_READABLE);
  sbx_watch_end(lock);
  sbx_watch_end(units);
  sbx_wait_set_close(set);
  sbx_mutex_close(mutex);
}

/* ---- files */

static char path[] = "/tmp/sbx-c-locks-XXXXXX";

static void lock_file_and_hold(void) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (sbx_file_lock_take(file, SBX_LOCK_EXCLUSIVE, NULL, SBX_NEVER, 0, NULL) == SBX_OK)
    say_and_listen();
  close(file);
}

static void* end_later(void* other) {
  end(*(Other*)other, SIGKILL);
  return NULL;
}

static void file_locks_die_with_their_holder(int file) {
  Other holder = start(lock_file_and_hold);
  int answer = 2;
  SBX_CHECK(sbx_file_lock_try_take(file, SBX_LOCK_SHARED, NULL, &answer, &sbx_last_error) ==
                SBX_OK &&
            answer == 0);
  SBX_CHECK(sbx_file_lock_take(file, SBX_LOCK_SHARED, NULL, soon(), 0, &sbx_last_error) ==
            SBX_TIMED_OUT);
  sbx_lock_holder whose;
  SBX_CHECK(sbx_file_lock_holder(file, SBX_LOCK_SHARED, NULL, &answer, &whose, &sbx_last_error) ==
                SBX_OK &&
            answer == 1 && whose.kind == SBX_LOCK_EXCLUSIVE && whose.range.bytes == 0);
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, end_later, &holder) == 0);
  SBX_CHECK(sbx_file_lock_take(file, SBX_LOCK_SHARED, NULL, SBX_NEVER, 0, &sbx_last_error) ==
            SBX_OK);
  pthread_join(thread, NULL);
  SBX_CHECK(sbx_file_lock_release(file, NULL, &sbx_last_error) == SBX_OK);
}

static void ranges_and_owners(int file) {
  const int other = open(path, O_RDWR | O_CLOEXEC);
  sbx_file_lock_options head, tail, whole;
  sbx_file_lock_options_init(&head);
  sbx_file_lock_options_init(&tail);
  sbx_file_lock_options_init(&whole);
  head.range = (sbx_file_range){.begin = 0, .bytes = 10};
  tail.range = (sbx_file_range){.begin = 10, .bytes = 0};
  int taken = 0;
  SBX_CHECK(sbx_file_lock_take(file, SBX_LOCK_EXCLUSIVE, &head, SBX_NEVER, 0, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(sbx_file_lock_try_take(other, SBX_LOCK_EXCLUSIVE, &tail, &taken, &sbx_last_error) ==
                SBX_OK &&
            taken);
  SBX_CHECK(sbx_file_lock_try_take(other, SBX_LOCK_SHARED, &head, &taken, &sbx_last_error) ==
                SBX_OK &&
            !taken);
  /* Converted, it lets others read. */
  SBX_CHECK(sbx_file_lock_take(file, SBX_LOCK_SHARED, &head, SBX_NEVER, 0, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(sbx_file_lock_try_take(other, SBX_LOCK_SHARED, &head, &taken, &sbx_last_error) ==
                SBX_OK &&
            taken);
  whole.owner = SBX_OWNER_FLOCK;
  SBX_CHECK(sbx_file_lock_try_take(file, SBX_LOCK_EXCLUSIVE, &whole, &taken, &sbx_last_error) ==
                SBX_OK &&
            taken);
  tail.owner = SBX_OWNER_FLOCK;
  SBX_CHECK(sbx_file_lock_try_take(other, SBX_LOCK_SHARED, &tail, &taken, &sbx_last_error) ==
                SBX_BAD_ARGUMENT &&
            sbx_last_error.sys_errno == EINVAL);
  whole.owner = 9;
  SBX_CHECK(sbx_file_lock_release(file, &whole, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_file_lock_take(file, 7, NULL, 0, 0, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_file_lock_take(-1, SBX_LOCK_SHARED, NULL, 0, 0, &sbx_last_error) ==
                SBX_BAD_ARGUMENT &&
            sbx_last_error.sys_errno == EBADF);
  close(other);
}

int main(void) {
  use_scratch_domain();
  the_next_owner_learns_of_a_death();
  another_process_wakes_who_waits();
  it_belongs_to_its_thread_unless_asked();
  a_child_holds_nothing();
  bad_parameters_are_named();
  units_of_the_dead_come_back();
  both_are_watched();

  const int file = mkstemp(path);
  SBX_CHECK(file >= 0);
  file_locks_die_with_their_holder(file);
  ranges_and_owners(file);
  close(file);
  unlink(path);
  return 0;
}
