/* Semaphores of the kernel from C: sets, and those with a name. Each promise of the headers that C
 * can break is tried: codes and errno, what a deadline and a signal do to a wait, what a dying
 * process leaves, facts of another header's size. Objects are private, or named after this
 * process. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/c/named_semaphore.h"
#include "signalbox/c/semaphore_set.h"

/* In the tests' own processes: how a child that did what it should ends. */
enum { DONE = 7 };

static int exit_of(pid_t child) {
  int status = 0;
  SBX_CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static sbx_semaphore_set* new_set(const uint16_t* initial, size_t count) {
  sbx_semaphore_set* set = NULL;
  SBX_CHECK(sbx_semaphore_set_create(SBX_SYSV_PRIVATE, initial, count, NULL, &set,
                                     &sbx_last_error) == SBX_OK);
  return set;
}

static void end_set(sbx_semaphore_set* set) {
  SBX_CHECK(sbx_semaphore_set_remove(set, &sbx_last_error) == SBX_OK);
  sbx_semaphore_set_close(set);
}

static uint16_t value_of(const sbx_semaphore_set* set, uint16_t index) {
  uint16_t value = 0;
  SBX_CHECK(sbx_semaphore_set_value(set, index, &value, &sbx_last_error) == SBX_OK);
  return value;
}

static void operations_are_one_step(void) {
  const uint16_t initial[3] = {1, 0, 4};
  sbx_semaphore_set* set = new_set(initial, 3);
  const sbx_sem_op both[2] = {{.index = 0, .delta = -1}, {.index = 1, .delta = -1}};
  int done = 1;
  SBX_CHECK(sbx_semaphore_set_try_apply(set, both, 2, &done, &sbx_last_error) == SBX_OK && !done);
  SBX_CHECK(value_of(set, 0) == 1);
  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(sbx_semaphore_set_apply(set, both, 2, soon, 0, &sbx_last_error) == SBX_TIMED_OUT);
  SBX_CHECK(sbx_last_error.sys_errno == EAGAIN && sbx_now_ns() >= soon);
  const sbx_sem_op give = {.index = 1, .delta = 2};
  SBX_CHECK(sbx_semaphore_set_apply(set, &give, 1, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_set_apply(set, both, 2, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);

  uint16_t values[3] = {9, 9, 9};
  size_t count = 0;
  SBX_CHECK(sbx_semaphore_set_values(set, values, 2, &count, &sbx_last_error) == SBX_OK);
  SBX_CHECK(count == 3 && values[0] == 0 && values[1] == 1 && values[2] == 9);
  sbx_semaphore_users users;
  SBX_CHECK(sbx_semaphore_set_users(set, 0, &users, &sbx_last_error) == SBX_OK);
  SBX_CHECK(users.last_pid == (uint32_t)getpid() && users.waiting_to_take == 0);
  end_set(set);
}

/* More than fit on the stack, and more than the kernel takes. */
static void many_operations(void) {
  const uint16_t initial = 0;
  sbx_semaphore_set* set = new_set(&initial, 1);
  sbx_sem_op ops[501];
  for (int i = 0; i < 501; ++i) ops[i] = (sbx_sem_op){.index = 0, .delta = 1};
  SBX_CHECK(sbx_semaphore_set_apply(set, ops, 65, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(value_of(set, 0) == 65);
  SBX_CHECK(sbx_semaphore_set_apply(set, ops, 64, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(value_of(set, 0) == 129);
  SBX_CHECK(sbx_semaphore_set_apply(set, ops, 501, SBX_NEVER, 0, &sbx_last_error) == SBX_TOO_LARGE);
  SBX_CHECK(sbx_last_error.sys_errno == E2BIG && value_of(set, 0) == 129);
  end_set(set);
}

static void what_the_dead_held_comes_back(void) {
  const uint16_t initial = 1;
  sbx_semaphore_set* set = new_set(&initial, 1);
  const pid_t child = fork();
  if (child == 0) {
    const int entered = sbx_semaphore_set_enter(set, 0, SBX_NEVER, 0, NULL) == SBX_OK;
    _exit(entered && value_of(set, 0) == 0 ? DONE : 1);
  }
  SBX_CHECK(exit_of(child) == DONE && value_of(set, 0) == 1);
  SBX_CHECK(sbx_semaphore_set_enter(set, 0, SBX_IMMEDIATE, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_set_enter(set, 0, SBX_IMMEDIATE, 0, &sbx_last_error) == SBX_TIMED_OUT);
  SBX_CHECK(sbx_semaphore_set_leave(set, 0, &sbx_last_error) == SBX_OK && value_of(set, 0) == 1);
  end_set(set);
}

static void others_find_it_by_id_and_key(void) {
  char path[] = "/tmp/sbx-c-key-XXXXXX";
  const int file = mkstemp(path);
  SBX_CHECK(file >= 0);
  close(file);
  int32_t key = 0;
  SBX_CHECK(sbx_sysv_key_of_file(path, 1, &key, &sbx_last_error) == SBX_OK && key != 0);
  unlink(path);
  SBX_CHECK(sbx_sysv_key_of_file(path, 1, &key, &sbx_last_error) == SBX_NOT_FOUND);

  key = 0x5b000000 ^ (int32_t)getpid();
  const uint16_t initial = 3;
  sbx_semaphore_set *made = NULL, *opened = NULL, *attached = NULL;
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  SBX_CHECK(options.struct_size == sizeof(options) && options.mode == 0600);
  options.mode = 0640;
  SBX_CHECK(sbx_semaphore_set_open(key, 1, SBX_IMMEDIATE, &opened, &sbx_last_error) ==
                SBX_NOT_FOUND &&
            opened == NULL);
  SBX_CHECK(sbx_semaphore_set_create(key, &initial, 1, &options, &made, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_set_create(key, &initial, 1, NULL, &attached, &sbx_last_error) ==
            SBX_ALREADY_EXISTS);
  SBX_CHECK(sbx_semaphore_set_open_or_create(key, &initial, 1, SBX_NEVER, NULL, &opened,
                                             &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_semaphore_set_attach(sbx_semaphore_set_id(made), &attached, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(value_of(opened, 0) == 3 && value_of(attached, 0) == 3);

  sbx_semaphore_set_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_semaphore_set_look(opened, &facts, &sbx_last_error) == SBX_OK);
  SBX_CHECK(facts.access.key == key && facts.access.mode == 0640 && facts.count == 1);
  facts.struct_size = 0;
  SBX_CHECK(sbx_semaphore_set_look(opened, &facts, &sbx_last_error) == SBX_BAD_ARGUMENT);

  end_set(made);
  const sbx_sem_op take = {.index = 0, .delta = -1};
  SBX_CHECK(sbx_semaphore_set_apply(opened, &take, 1, SBX_NEVER, 0, &sbx_last_error) ==
            SBX_REMOVED);
  sbx_semaphore_set_close(opened);
  sbx_semaphore_set_close(attached);
}

static void bad_parameters_are_named(void) {
  const uint16_t initial = 0;
  sbx_semaphore_set* set = new_set(&initial, 1);
  const sbx_sem_op odd = {.index = 0, .delta = 1, .flags = 4};
  SBX_CHECK(sbx_semaphore_set_apply(NULL, &odd, 1, 0, 0, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "sbx_semaphore_set_apply: 'set' is NULL"));
  SBX_CHECK(sbx_semaphore_set_apply(set, &odd, 1, 0, 0, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "SBX_SEM_UNDO"));
  SBX_CHECK(sbx_semaphore_set_apply(set, NULL, 1, 0, 0, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_semaphore_set_set_value(set, 0, 40000, &sbx_last_error) == SBX_OUT_OF_RANGE);
  SBX_CHECK(sbx_semaphore_set_set_value(set, 1, 1, &sbx_last_error) == SBX_OUT_OF_RANGE);
  SBX_CHECK(sbx_semaphore_set_id(NULL) == -1);
  sbx_semaphore_set_close(NULL);
  end_set(set);
}

static void ignore(int signal) { (void)signal; }

static pthread_t sleeper;

static void* interrupt_until_told(void* told) {
  while (!atomic_load((atomic_int*)told)) {
    pthread_kill(sleeper, SIGUSR1);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return NULL;
}

/* Signals come until the wait has given up, so it does not matter when it went to sleep. */
static void a_signal_ends_a_wait_if_asked(void) {
  const uint16_t initial = 0;
  sbx_semaphore_set* set = new_set(&initial, 1);
  signal(SIGUSR1, ignore);
  sleeper = pthread_self();
  atomic_int told = 0;
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, interrupt_until_told, &told) == 0);
  const sbx_sem_op take = {.index = 0, .delta = -1};
  const int code =
      sbx_semaphore_set_apply(set, &take, 1, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, &sbx_last_error);
  SBX_CHECK(code == SBX_INTERRUPTED && sbx_last_error.sys_errno == EINTR);
  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(sbx_semaphore_set_apply(set, &take, 1, soon, SBX_ON_SIGNAL_GO_ON, &sbx_last_error) ==
                SBX_TIMED_OUT &&
            sbx_now_ns() >= soon);
  atomic_store(&told, 1);
  pthread_join(thread, NULL);
  end_set(set);
}

static void named_semaphores(void) {
  char name[64];
  snprintf(name, sizeof(name), "/sbx-c-test-%d", (int)getpid());
  sbx_named_semaphore *made = NULL, *opened = NULL;
  SBX_CHECK(sbx_named_semaphore_open(name, &opened, &sbx_last_error) == SBX_NOT_FOUND);
  SBX_CHECK(sbx_named_semaphore_create("printer", 1, NULL, &made, &sbx_last_error) ==
                SBX_BAD_NAME &&
            made == NULL);
  SBX_CHECK(sbx_named_semaphore_create(name, 1, NULL, &made, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_named_semaphore_create(name, 1, NULL, &opened, &sbx_last_error) ==
            SBX_ALREADY_EXISTS);
  SBX_CHECK(sbx_named_semaphore_open_or_create(name, 9, NULL, &opened, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_named_semaphore_wait(opened, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  int taken = 1;
  SBX_CHECK(sbx_named_semaphore_try_wait(made, &taken, &sbx_last_error) == SBX_OK && !taken);
  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(sbx_named_semaphore_wait(made, soon, 0, &sbx_last_error) == SBX_TIMED_OUT);
  SBX_CHECK(sbx_last_error.sys_errno == ETIMEDOUT && sbx_now_ns() >= soon);
  const pid_t child = fork();
  if (child == 0) _exit(sbx_named_semaphore_post(opened, NULL) == SBX_OK ? DONE : 1);
  SBX_CHECK(sbx_named_semaphore_wait(made, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(exit_of(child) == DONE);
  int32_t value = 9;
  SBX_CHECK(sbx_named_semaphore_value(made, &value, &sbx_last_error) == SBX_OK && value == 0);
  SBX_CHECK(sbx_named_semaphore_unlink(name, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_named_semaphore_unlink(name, &sbx_last_error) == SBX_NOT_FOUND);
  sbx_named_semaphore_close(made);
  sbx_named_semaphore_close(opened);
  sbx_named_semaphore_close(NULL);
}

int main(void) {
  operations_are_one_step();
  many_operations();
  what_the_dead_held_comes_back();
  others_find_it_by_id_and_key();
  bad_parameters_are_named();
  a_signal_ends_a_wait_if_asked();
  named_semaphores();
  return 0;
}
