/* Which topics there are and who is in them, and who comes and goes from then on. Here the program
 * watches itself: it joins a topic, looks at it, and leaves. */
#include <stdio.h>

#include "pose.h"
#include "signalbox/c/discovery.h"

static int tell_who_is_there(sbx_error* e) {
  sbx_topic_list* list = NULL;
  if (sbx_list_topics(NULL, &list, e) != SBX_OK) return e->code;
  for (size_t i = 0; i < sbx_topic_list_count(list); ++i) {
    sbx_topic_facts topic = {.struct_size = sizeof(topic)};
    if (sbx_topic_list_look(list, i, &topic, e) != SBX_OK) break;
    for (size_t k = 0; k < topic.publishers; ++k) {
      sbx_publisher_facts who = {.struct_size = sizeof(who)};
      if (sbx_topic_list_look_at_publisher(list, i, k, &who, e) != SBX_OK) break;
      printf("%s: %s%s has published %llu\n", topic.name, who.program,
             who.is_alive ? "" : ", which is dead,", (unsigned long long)who.published);
    }
  }
  sbx_topic_list_close(list); /* which is when the texts go */
  return e->code;
}

/* A watcher has a descriptor for your event loop, and a wait that sleeps; here we just ask. */
static int tell_what_changed(sbx_topic_watcher* watcher, sbx_error* e) {
  sbx_topic_event event = {.struct_size = sizeof(event)};
  for (int taken = 1; taken;) {
    if (sbx_topic_watcher_take(watcher, &event, &taken, e) != SBX_OK) return e->code;
    if (taken) printf("%s %s\n", sbx_topic_event_kind_name(event.kind), event.topic);
  }
  return SBX_OK;
}

int main(void) {
  sbx_error e = {0};
  const sbx_type type = sbx_type_Pose();
  const Pose pose = {0};
  sbx_topic_watcher* watcher = NULL;
  sbx_publisher* poses = NULL;
  if (sbx_topic_watcher_open(NULL, &watcher, &e) == SBX_OK &&
      sbx_publisher_open("arm/pose", &type, NULL, &poses, &e) == SBX_OK &&
      sbx_publisher_send(poses, &pose, NULL, 0, SBX_IMMEDIATE, NULL, &e) == SBX_OK &&
      tell_who_is_there(&e) == SBX_OK && tell_what_changed(watcher, &e) == SBX_OK) {
    sbx_publisher_close(poses);
    poses = NULL;
    tell_what_changed(watcher, &e);
  }
  sbx_publisher_close(poses);
  sbx_topic_watcher_close(watcher);
  if (e.code != SBX_OK) fprintf(stderr, "discover: %s\n", e.text);
  return e.code;
}
