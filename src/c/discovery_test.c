/* Discovery from C: a list tells what each participant's page says, a watcher who comes, leaves and
 * is killed, and both tell what a caller got wrong. The others are processes of their own; who
 * waits here is woken by what they do. */
#include <poll.h>
#include <sys/stat.h>

#include "c/check.h"
#include "c/other_process.h"
#include "signalbox/c/discovery.h"
#include "signalbox/c/wait_set.h"

typedef struct {
  uint64_t seq;
} Small;
SBX_DESCRIBE(Small, seq)

static sbx_publisher* publisher_of(const char* topic) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher* publisher = NULL;
  SBX_CHECK(sbx_publisher_open(topic, &type, NULL, &publisher, &sbx_last_error) == SBX_OK);
  return publisher;
}

static sbx_subscriber* reliable_subscriber_of(const char* topic) {
  const sbx_type type = sbx_type_Small();
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.reliable = 1;
  sbx_subscriber* subscriber = NULL;
  SBX_CHECK(sbx_subscriber_open(topic, &type, &options, &subscriber, &sbx_last_error) == SBX_OK);
  return subscriber;
}

static void send_to(sbx_publisher* publisher, uint64_t seq) {
  const Small message = {seq};
  SBX_CHECK(sbx_publisher_send(publisher, &message, NULL, 0, SBX_IMMEDIATE, NULL,
                               &sbx_last_error) == SBX_OK);
}

static void publish_until_told(void) {
  sbx_publisher* publisher = publisher_of("test/other");
  send_to(publisher, 1);
  say_and_listen();
  sbx_publisher_close(publisher);
}

/* ---- lists */

static sbx_topic_list* list_now(void) {
  sbx_topic_list* list = NULL;
  SBX_CHECK(sbx_list_topics(NULL, &list, &sbx_last_error) == SBX_OK);
  return list;
}

static sbx_topic_facts topic_in(const sbx_topic_list* list, size_t number) {
  sbx_topic_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_topic_list_look(list, number, &facts, &sbx_last_error) == SBX_OK);
  return facts;
}

static sbx_publisher_facts publisher_in(const sbx_topic_list* list, size_t topic, size_t number) {
  sbx_publisher_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_topic_list_look_at_publisher(list, topic, number, &facts, &sbx_last_error) ==
            SBX_OK);
  return facts;
}

static sbx_subscriber_facts subscriber_in(const sbx_topic_list* list, size_t topic, size_t number) {
  sbx_subscriber_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_topic_list_look_at_subscriber(list, topic, number, &facts, &sbx_last_error) ==
            SBX_OK);
  return facts;
}

static void a_list_tells_what_the_pages_say(void) {
  sbx_topic_list* nobody = list_now();
  SBX_CHECK(sbx_topic_list_count(nobody) == 0);
  sbx_topic_list_close(nobody);

  sbx_publisher* publisher = publisher_of("test/a");
  sbx_subscriber* reliable = reliable_subscriber_of("test/a");
  for (uint64_t seq = 0; seq < 3; ++seq) send_to(publisher, seq);
  const Other other = start(publish_until_told);
  sbx_topic_list* list = list_now();
  end(other, SIGKILL);

  SBX_CHECK(sbx_topic_list_count(list) == 2);
  const sbx_topic_facts first = topic_in(list, 0);
  SBX_CHECK(strcmp(first.name, "test/a") == 0 && strcmp(first.type_name, "Small") == 0);
  SBX_CHECK(strcmp(first.type_description, "{seq:u64@0}#8") == 0);
  SBX_CHECK(first.publishers == 1 && first.subscribers == 1);
  SBX_CHECK(first.error_code == SBX_OK && first.error_text[0] == '\0');
  const sbx_publisher_facts ours = publisher_in(list, 0, 0);
  SBX_CHECK(ours.pid == (uint32_t)getpid() && ours.uid == getuid() && ours.is_alive == 1);
  SBX_CHECK(strncmp(ours.program, "c_discovery", 11) == 0);
  SBX_CHECK(ours.published == 3 && ours.depth == 16 && ours.incarnation != 0);
  SBX_CHECK(ours.tail_bytes_max == 0 && ours.dropped == 0 && ours.evicted == 0);
  const sbx_subscriber_facts reader = subscriber_in(list, 0, 0);
  SBX_CHECK(reader.pid == (uint32_t)getpid() && reader.is_alive == 1 && reader.is_reliable == 1);
  SBX_CHECK(reader.has_lag == 1 && reader.lag == 3 && reader.held == 0);
  /* The list is older than the kill, and does not change. */
  const sbx_publisher_facts theirs = publisher_in(list, 1, 0);
  SBX_CHECK(theirs.pid == (uint32_t)other.pid && theirs.is_alive == 1 && theirs.published == 1);
  sbx_topic_list_close(list);

  list = list_now();
  SBX_CHECK(publisher_in(list, 1, 0).is_alive == 0);
  sbx_topic_list_close(list);
  sbx_subscriber_close(reliable);
  sbx_publisher_close(publisher);
  /* Who comes there next removes what the killed one left. */
  sbx_publisher_close(publisher_of("test/other"));
}

static void a_list_tells_whose_page_is_damaged(void) {
  /* The domain's own folder goes with its last topic, so it is not there now. */
  char domain[64], topic[80], path[96];
  snprintf(domain, sizeof(domain), "%s/default", sbx_scratch);
  snprintf(topic, sizeof(topic), "%s/broken", domain);
  snprintf(path, sizeof(path), "%s/topic", topic);
  SBX_CHECK(mkdir(domain, 0700) == 0 && mkdir(topic, 0700) == 0);
  FILE* file = fopen(path, "w");
  SBX_CHECK(file != NULL && fputs("no topic at all", file) >= 0 && fclose(file) == 0);
  sbx_topic_list* list = list_now();
  SBX_CHECK(sbx_topic_list_count(list) == 1);
  const sbx_topic_facts facts = topic_in(list, 0);
  SBX_CHECK(strcmp(facts.name, "broken") == 0 && facts.error_code == SBX_DAMAGED);
  SBX_CHECK(strstr(facts.error_text, "broken") != NULL && facts.type_description[0] == '\0');
  sbx_topic_list_close(list);
  SBX_CHECK(unlink(path) == 0 && rmdir(topic) == 0 && rmdir(domain) == 0);
}

static void what_a_list_has_not_is_named(void) {
  sbx_publisher* publisher = publisher_of("test/a");
  sbx_topic_list* list = list_now();
  sbx_topic_facts topic = {.struct_size = sizeof(topic)};
  sbx_publisher_facts who = {.struct_size = sizeof(who)};
  sbx_subscriber_facts reader = {.struct_size = sizeof(reader)};
  SBX_CHECK(sbx_topic_list_look(list, 1, &topic, &sbx_last_error) == SBX_OUT_OF_RANGE);
  SBX_CHECK(last_error_says(SBX_OUT_OF_RANGE, "there is no topic 1; there are 1"));
  SBX_CHECK(sbx_topic_list_look_at_publisher(list, 0, 1, &who, &sbx_last_error) ==
            SBX_OUT_OF_RANGE);
  SBX_CHECK(last_error_says(SBX_OUT_OF_RANGE, "there is no publisher 1"));
  SBX_CHECK(sbx_topic_list_look_at_subscriber(list, 0, 0, &reader, &sbx_last_error) ==
            SBX_OUT_OF_RANGE);
  SBX_CHECK(sbx_topic_list_look_at_subscriber(list, 9, 0, &reader, &sbx_last_error) ==
            SBX_OUT_OF_RANGE);
  SBX_CHECK(last_error_says(SBX_OUT_OF_RANGE, "there is no topic 9"));
  topic.struct_size = 0;
  SBX_CHECK(sbx_topic_list_look(list, 0, &topic, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "struct_size"));
  SBX_CHECK(sbx_topic_list_look(list, 0, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_topic_list_look(NULL, 0, &topic, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_topic_list_count(NULL) == 0);
  sbx_topic_list_close(list);
  sbx_topic_list_close(NULL);
  sbx_publisher_close(publisher);
  SBX_CHECK(sbx_list_topics("no/domain", &list, &sbx_last_error) == SBX_BAD_NAME && list == NULL);
  SBX_CHECK(sbx_list_topics(NULL, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
}

/* ---- watchers */

static sbx_topic_watcher* watcher_of(const char* topic) {
  sbx_topic_watcher* watcher = NULL;
  const int code = topic == NULL
                       ? sbx_topic_watcher_open(NULL, &watcher, &sbx_last_error)
                       : sbx_topic_watcher_open_topic(topic, NULL, &watcher, &sbx_last_error);
  SBX_CHECK(code == SBX_OK);
  return watcher;
}

static int take_from(sbx_topic_watcher* watcher, sbx_topic_event* event) {
  int taken = 9;
  event->struct_size = sizeof(*event);
  SBX_CHECK(sbx_topic_watcher_take(watcher, event, &taken, &sbx_last_error) == SBX_OK);
  return taken;
}

/* Sleeps until the next event, which has to be this one. */
static sbx_topic_event expect(sbx_topic_watcher* watcher, uint32_t kind, const char* topic) {
  sbx_topic_event event;
  int wake = 9;
  do {
    SBX_CHECK(sbx_topic_watcher_wait(watcher, SBX_NEVER, &wake, &sbx_last_error) == SBX_OK);
  } while (wake == SBX_WAKE_INTERRUPTED);
  SBX_CHECK(wake == SBX_WAKE_READY && take_from(watcher, &event) == 1);
  SBX_CHECK(event.kind == kind && strcmp(event.topic, topic) == 0);
  return event;
}

static void a_watcher_is_woken_by_who_comes_leaves_and_is_killed(void) {
  sbx_topic_watcher* all = watcher_of(NULL);
  sbx_topic_watcher* one = watcher_of("test/a");
  sbx_topic_event event;
  SBX_CHECK(take_from(all, &event) == 0 && take_from(one, &event) == 0);

  Other other = start(publish_until_told);
  SBX_CHECK(expect(all, SBX_TOPIC_APPEARED, "test/other").pid == 0);
  const sbx_topic_event joined = expect(all, SBX_PUBLISHER_JOINED, "test/other");
  SBX_CHECK(joined.pid == (uint32_t)other.pid && joined.incarnation != 0);
  end(other, 0);
  SBX_CHECK(expect(all, SBX_PUBLISHER_LEFT, "test/other").incarnation == joined.incarnation);
  expect(all, SBX_TOPIC_VANISHED, "test/other");

  sbx_subscriber* stays = reliable_subscriber_of("test/other");
  expect(all, SBX_TOPIC_APPEARED, "test/other");
  expect(all, SBX_SUBSCRIBER_JOINED, "test/other");
  other = start(publish_until_told);
  expect(all, SBX_PUBLISHER_JOINED, "test/other");
  end(other, SIGKILL);
  SBX_CHECK(expect(all, SBX_PUBLISHER_DIED, "test/other").pid == (uint32_t)other.pid);
  sbx_subscriber_close(stays);
  expect(all, SBX_SUBSCRIBER_LEFT, "test/other");
  expect(all, SBX_TOPIC_VANISHED, "test/other");
  SBX_CHECK(take_from(all, &event) == 0 && take_from(one, &event) == 0);
  sbx_topic_watcher_close(one);
  sbx_topic_watcher_close(all);
}

static void a_wait_has_an_end_and_a_descriptor_an_event_loop(void) {
  sbx_topic_watcher* watcher = watcher_of("test/a");
  const int64_t soon = sbx_now_ns() + 20000000;
  int wake = 9;
  SBX_CHECK(sbx_topic_watcher_wait(watcher, soon, &wake, &sbx_last_error) == SBX_OK);
  SBX_CHECK(wake == SBX_WAKE_TIMED_OUT && sbx_now_ns() >= soon);
  struct pollfd asked = {.fd = sbx_topic_watcher_descriptor(watcher), .events = POLLIN};
  SBX_CHECK(poll(&asked, 1, 0) == 0);

  sbx_wait_set* set = NULL;
  sbx_watch* watch = NULL;
  SBX_CHECK(sbx_wait_set_create(1, &set, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_wait_set_watch_descriptor(set, asked.fd, SBX_READABLE, 5, 0, &watch,
                                          &sbx_last_error) == SBX_OK);
  sbx_publisher* publisher = publisher_of("test/a");
  SBX_CHECK(poll(&asked, 1, -1) == 1);
  const sbx_ready* ready = NULL;
  size_t count = 0;
  SBX_CHECK(sbx_wait_set_wait(set, &ready, &count, SBX_NEVER, &sbx_last_error) == SBX_OK);
  SBX_CHECK(count == 1 && ready[0].key == 5);
  sbx_watch_end(watch);
  sbx_wait_set_close(set);

  sbx_topic_event event;
  SBX_CHECK(take_from(watcher, &event) == 1 && event.kind == SBX_TOPIC_APPEARED);
  /* Nothing is taken where it cannot be told. */
  int taken = 9;
  event.struct_size = 0;
  SBX_CHECK(sbx_topic_watcher_take(watcher, &event, &taken, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "struct_size") && taken == 0);
  SBX_CHECK(take_from(watcher, &event) == 1 && event.kind == SBX_PUBLISHER_JOINED);
  sbx_publisher_close(publisher);
  sbx_topic_watcher_close(watcher);
}

static sbx_topic_watcher* inherited;

static void ask_an_inherited_watcher(void) {
  sbx_topic_event event = {.struct_size = sizeof(event)};
  int answer = 0;
  if (sbx_topic_watcher_take(inherited, &event, &answer, NULL) != SBX_WRONG_PROCESS) _exit(1);
  if (sbx_topic_watcher_wait(inherited, SBX_NEVER, &answer, NULL) != SBX_WRONG_PROCESS) _exit(2);
  sbx_topic_watcher_close(inherited);
  say_and_listen();
}

static void a_watcher_belongs_to_its_process(void) {
  inherited = watcher_of("test/a");
  const Other child = start(ask_an_inherited_watcher);
  sbx_publisher* publisher = publisher_of("test/a");
  expect(inherited, SBX_TOPIC_APPEARED, "test/a");
  end(child, 0);
  sbx_publisher_close(publisher);
  sbx_topic_watcher_close(inherited);
}

static void wrong_arguments_are_named(void) {
  sbx_topic_watcher* watcher = NULL;
  SBX_CHECK(sbx_topic_watcher_open_topic("", NULL, &watcher, &sbx_last_error) == SBX_BAD_NAME);
  SBX_CHECK(sbx_topic_watcher_open_topic(NULL, NULL, &watcher, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_topic_watcher_open("no/domain", &watcher, &sbx_last_error) == SBX_BAD_NAME &&
            watcher == NULL);
  SBX_CHECK(sbx_topic_watcher_open(NULL, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  sbx_topic_event event = {.struct_size = sizeof(event)};
  int answer = 0;
  SBX_CHECK(sbx_topic_watcher_take(NULL, &event, &answer, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_topic_watcher_wait(NULL, 0, &answer, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "'watcher' is NULL"));
  SBX_CHECK(sbx_topic_watcher_descriptor(NULL) == -1);
  sbx_topic_watcher_close(NULL);
  SBX_CHECK(strcmp(sbx_topic_event_kind_name(SBX_PUBLISHER_DIED), "publisher_died") == 0);
  SBX_CHECK(strcmp(sbx_topic_event_kind_name(8), "unknown") == 0);
  SBX_CHECK(strcmp(sbx_topic_event_kind_name(256), "unknown") == 0);
}

int main(void) {
  use_scratch_domain();
  a_list_tells_what_the_pages_say();
  a_list_tells_whose_page_is_damaged();
  what_a_list_has_not_is_named();
  a_watcher_is_woken_by_who_comes_leaves_and_is_killed();
  a_wait_has_an_end_and_a_descriptor_an_event_loop();
  a_watcher_belongs_to_its_process();
  wrong_arguments_are_named();
  return 0;
}
