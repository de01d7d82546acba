/* Reader/writer locks, conditions and barriers from C. Each promise of the headers that C can break
 * is tried: codes, what the next writer learns of one who was killed, who may release, how others
 * wake who waits, and what a death does to those who meet. */
#include <pthread.h>
#include <time.h>

#include "c/check.h"
#include "c/other_process.h"
#include "signalbox/c/barrier.h"
#include "signalbox/c/condition.h"
#include "signalbox/c/read_write_lock.h"

static int64_t soon(void) { return sbx_now_ns() + 20000000; }

/* ---- the reader/writer lock */

static sbx_read_write_lock* open_lock(uint32_t any_thread) {
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.any_thread = any_thread;
  sbx_read_write_lock* lock = NULL;
  SBX_CHECK(sbx_read_write_lock_open("table", &options, &lock, &sbx_last_error) == SBX_OK);
  return lock;
}

static sbx_read_guard reading(sbx_read_write_lock* lock) {
  sbx_read_guard guard = {0};
  SBX_CHECK(sbx_lock_to_read(lock, SBX_NEVER, 0, &guard, &sbx_last_error) == SBX_OK);
  return guard;
}

static sbx_write_guard writing(sbx_read_write_lock* lock, int expect_death) {
  sbx_write_guard guard = {0};
  int owner_died = 2;
  SBX_CHECK(sbx_lock_to_write(lock, SBX_NEVER, 0, &guard, &owner_died, &sbx_last_error) == SBX_OK);
  SBX_CHECK(owner_died == expect_death && guard.is_held);
  return guard;
}

static void end_reading(sbx_read_guard guard) {
  SBX_CHECK(sbx_read_release(&guard, &sbx_last_error) == SBX_OK && !guard.is_held);
  SBX_CHECK(sbx_read_release(&guard, &sbx_last_error) == SBX_BAD_ARGUMENT);
}

static void end_writing(sbx_write_guard guard) {
  SBX_CHECK(sbx_write_release(&guard, &sbx_last_error) == SBX_OK && !guard.is_held);
  SBX_CHECK(sbx_write_release(&guard, &sbx_last_error) == SBX_BAD_ARGUMENT);
}

static void read_and_hold(void) {
  sbx_read_guard guard = reading(open_lock(0));
  say_and_listen();
  end_reading(guard);
}

static void write_and_hold(void) {
  sbx_write_guard guard = writing(open_lock(0), 0);
  say_and_listen();
  end_writing(guard);
}

static void the_next_writer_learns_of_a_writers_death(void) {
  sbx_read_write_lock* lock = open_lock(0);
  sbx_read_guard reader = {0};
  sbx_write_guard writer = {0};
  int owner_died = 2;
  const Other holder = start(write_and_hold);
  SBX_CHECK(sbx_try_lock_to_read(lock, &reader, &sbx_last_error) == SBX_WOULD_BLOCK);
  SBX_CHECK(sbx_try_lock_to_write(lock, &writer, &owner_died, &sbx_last_error) == SBX_WOULD_BLOCK);
  SBX_CHECK(sbx_lock_to_read(lock, soon(), 0, &reader, &sbx_last_error) == SBX_TIMED_OUT);
  SBX_CHECK(!reader.is_held && !writer.is_held && owner_died == 0);
  end(holder, SIGKILL);
  end_reading(reading(lock));
  end_writing(writing(lock, 1));
  writer = writing(lock, 1);
  SBX_CHECK(sbx_write_repaired(&writer, &sbx_last_error) == SBX_OK);
  end_writing(writer);
  end_writing(writing(lock, 0));

  /* Of readers nothing is told, and they read together. */
  const Other other = start(read_and_hold);
  end_reading(reading(lock));
  SBX_CHECK(sbx_lock_to_write(lock, soon(), 0, &writer, &owner_died, &sbx_last_error) ==
            SBX_TIMED_OUT);
  end(other, SIGKILL);
  end_writing(writing(lock, 0));
  sbx_read_write_lock_close(lock);
}

static sbx_read_guard shared_reader;
static sbx_write_guard shared_writer;
static int read_code, write_code;

static void* release_here(void* unused) {
  (void)unused;
  read_code = sbx_read_release(&shared_reader, NULL);
  write_code = sbx_write_release(&shared_writer, NULL);
  return NULL;
}

static void release_elsewhere(void) {
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, release_here, NULL) == 0);
  pthread_join(thread, NULL);
}

static void it_belongs_to_its_thread_unless_asked(void) {
  sbx_read_write_lock* lock = open_lock(0);
  sbx_write_guard again = {0};
  int owner_died = 0;
  shared_reader = reading(lock);
  SBX_CHECK(sbx_lock_to_write(lock, SBX_NEVER, 0, &again, &owner_died, &sbx_last_error) ==
            SBX_WOULD_DEADLOCK);
  release_elsewhere();
  SBX_CHECK(read_code == SBX_BAD_ARGUMENT && write_code == SBX_BAD_ARGUMENT);
  end_reading(shared_reader);
  shared_writer = writing(lock, 0);
  SBX_CHECK(sbx_try_lock_to_read(lock, &shared_reader, &sbx_last_error) == SBX_WOULD_DEADLOCK);
  release_elsewhere();
  SBX_CHECK(write_code == SBX_BAD_ARGUMENT);
  end_writing(shared_writer);
  sbx_read_write_lock_close(lock);

  lock = open_lock(1);
  shared_reader = reading(lock);
  SBX_CHECK(sbx_lock_to_write(lock, soon(), 0, &again, &owner_died, &sbx_last_error) ==
            SBX_TIMED_OUT);
  release_elsewhere();
  SBX_CHECK(read_code == SBX_OK);
  shared_writer = writing(lock, 0);
  SBX_CHECK(sbx_try_lock_to_read(lock, &shared_reader, &sbx_last_error) == SBX_WOULD_BLOCK);
  release_elsewhere();
  SBX_CHECK(write_code == SBX_OK);

  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.first_come_first_served = 1;
  sbx_read_write_lock* none = NULL;
  SBX_CHECK(sbx_read_write_lock_open("table", &options, &none, &sbx_last_error) ==
                SBX_BAD_ARGUMENT &&
            none == NULL);
  sbx_read_write_lock_close(lock);
  sbx_read_write_lock_close(NULL);
}

/* ---- the condition */

static sbx_mutex* open_mutex(void) {
  sbx_mutex* mutex = NULL;
  SBX_CHECK(sbx_mutex_open("mutex", NULL, &mutex, &sbx_last_error) == SBX_OK);
  return mutex;
}

static sbx_condition* open_condition(void) {
  sbx_condition* condition = NULL;
  SBX_CHECK(sbx_condition_open("changed", NULL, &condition, &sbx_last_error) == SBX_OK);
  return condition;
}

static void lock_and_notify(void) {
  sbx_mutex* mutex = open_mutex();
  sbx_condition* condition = open_condition();
  sbx_mutex_guard guard = {0};
  int owner_died = 0;
  say_and_listen();
  /* It can be had only when the other waits. */
  SBX_CHECK(sbx_mutex_lock(mutex, SBX_NEVER, 0, &guard, &owner_died, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_condition_notify_one(condition, &sbx_last_error) == SBX_OK);
  say_and_listen();
}

static void* kill_when_it_holds(void* other) {
  char word = 0;
  SBX_CHECK(read(((Other*)other)->hear, &word, 1) == 1);
  end(*(Other*)other, SIGKILL);
  return NULL;
}

static void a_notification_wakes_who_waits(void) {
  sbx_mutex* mutex = open_mutex();
  sbx_condition* condition = open_condition();
  sbx_mutex_guard guard = {0};
  int owner_died = 2;
  SBX_CHECK(sbx_condition_wait(condition, &guard, SBX_IMMEDIATE, 0, &owner_died, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  const Other other = start(lock_and_notify);
  SBX_CHECK(sbx_mutex_lock(mutex, SBX_NEVER, 0, &guard, &owner_died, &sbx_last_error) == SBX_OK);
  tell(other);
  /* For ever: only the notification ends it. Then the other dies with the mutex. */
  pthread_t thread;
  Other held = other;
  SBX_CHECK(pthread_create(&thread, NULL, kill_when_it_holds, &held) == 0);
  SBX_CHECK(sbx_condition_wait(condition, &guard, SBX_NEVER, 0, &owner_died, &sbx_last_error) ==
            SBX_OK);
  pthread_join(thread, NULL);
  SBX_CHECK(guard.is_held && owner_died == 1);
  SBX_CHECK(sbx_condition_wait(condition, &guard, SBX_IMMEDIATE, 0, &owner_died, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "sbx_mutex_repaired()") && guard.is_held);
  SBX_CHECK(sbx_mutex_repaired(&guard, &sbx_last_error) == SBX_OK);
  const int64_t end_of_wait = soon();
  do { /* a death, even one that we were told, may end a wait for nothing */
    SBX_CHECK(sbx_condition_wait(condition, &guard, end_of_wait, 0, &owner_died, &sbx_last_error) ==
                  SBX_OK &&
              owner_died == 0);
  } while (sbx_now_ns() < end_of_wait);
  SBX_CHECK(sbx_condition_notify_all(condition, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_condition_notify_all(NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_mutex_release(&guard, &sbx_last_error) == SBX_OK);
  sbx_condition_close(condition);
  sbx_condition_close(NULL);
  sbx_mutex_close(mutex);
}

/* ---- the barrier */

static sbx_barrier* open_barrier(const char* name, uint32_t parties) {
  sbx_barrier* barrier = NULL;
  SBX_CHECK(sbx_barrier_open(name, parties, NULL, &barrier, &sbx_last_error) == SBX_OK);
  return barrier;
}

static int arrive(sbx_barrier* barrier, int64_t deadline) {
  return sbx_barrier_arrive_and_wait(barrier, deadline, 0, &sbx_last_error);
}

static void meet_three_times(void) {
  sbx_barrier* barrier = open_barrier("pair", 2);
  say();
  for (int i = 0; i < 3; ++i) SBX_CHECK(arrive(barrier, SBX_NEVER) == SBX_OK);
  say_and_listen();
}

static void parties_meet(void) {
  sbx_barrier* pair = open_barrier("pair", 2);
  SBX_CHECK(arrive(pair, soon()) == SBX_TIMED_OUT);
  const Other other = start(meet_three_times);
  for (int i = 0; i < 3; ++i) SBX_CHECK(arrive(pair, SBX_NEVER) == SBX_OK);
  end(other, 0);
  SBX_CHECK(arrive(pair, soon()) == SBX_TIMED_OUT);
  sbx_barrier* none = NULL;
  SBX_CHECK(sbx_barrier_open("pair", 3, NULL, &none, &sbx_last_error) == SBX_TYPE_MISMATCH);
  SBX_CHECK(sbx_barrier_open("other", 0, NULL, &none, &sbx_last_error) == SBX_BAD_ARGUMENT);
  sbx_barrier_close(pair);
  sbx_barrier_close(NULL);
}

static void wait_for_the_third(void) {
  sbx_barrier* trio = open_barrier("trio", 3);
  say();
  arrive(trio, SBX_NEVER);
}

static void* kill_when_both_wait(void* other) {
  while (!is_asleep(getpid()) || !is_asleep(((Other*)other)->pid)) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  end(*(Other*)other, SIGKILL);
  return NULL;
}

/* Should we have slept elsewhere when it was killed, it was not there with us: once more. */
static void who_waits_is_told_of_a_death(void) {
  sbx_barrier* trio = open_barrier("trio", 3);
  int code = SBX_OK;
  do {
    Other other = start(wait_for_the_third);
    pthread_t thread;
    SBX_CHECK(pthread_create(&thread, NULL, kill_when_both_wait, &other) == 0);
    code = arrive(trio, sbx_now_ns() + 5000000000);
    pthread_join(thread, NULL);
  } while (code == SBX_TIMED_OUT);
  SBX_CHECK(code == SBX_ABANDONED);
  SBX_CHECK(arrive(trio, soon()) == SBX_TIMED_OUT);
  sbx_barrier_close(trio);
}

int main(void) {
  use_scratch_domain();
  the_next_writer_learns_of_a_writers_death();
  it_belongs_to_its_thread_unless_asked();
  a_notification_wakes_who_waits();
  parties_meet();
  who_waits_is_told_of_a_death();
  return 0;
}
