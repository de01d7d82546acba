/* native_discovery.h: what each Go call on the list of topics, a topic watcher or a footprint does
 * in C. Facts and events begin with their size, which Go would have to say at each call.
 */
#ifndef SIGNALBOX_GO_NATIVE_DISCOVERY_H
#define SIGNALBOX_GO_NATIVE_DISCOVERY_H

#include <stdlib.h>

#include "native.h"
#include "native_objects.h"
#include "signalbox/c/discovery.h"
#include "signalbox/c/footprint.h"

static inline int sbxgo_topic(const sbx_topic_list* list, uint64_t topic, sbx_topic_facts* facts,
                              sbxgo_result* result) {
  facts->struct_size = sizeof(*facts);
  return sbx_topic_list_look(list, (size_t)topic, facts, &result->error);
}

static inline int sbxgo_publisher(const sbx_topic_list* list, uint64_t topic, uint64_t number,
                                  sbx_publisher_facts* facts, sbxgo_result* result) {
  facts->struct_size = sizeof(*facts);
  return sbx_topic_list_look_at_publisher(list, (size_t)topic, (size_t)number, facts,
                                          &result->error);
}

static inline int sbxgo_subscriber(const sbx_topic_list* list, uint64_t topic, uint64_t number,
                                   sbx_subscriber_facts* facts, sbxgo_result* result) {
  facts->struct_size = sizeof(*facts);
  return sbx_topic_list_look_at_subscriber(list, (size_t)topic, (size_t)number, facts,
                                           &result->error);
}

/* An empty topic: all of the domain. */
static inline int sbxgo_watcher_open(const char* topic, const char* domain, sbx_topic_watcher** out,
                                     sbxgo_result* result) {
  return topic[0] == '\0' ? sbx_topic_watcher_open(domain, out, &result->error)
                          : sbx_topic_watcher_open_topic(topic, domain, out, &result->error);
}

/* Whether there was an event comes back in result->done. */
static inline int sbxgo_watcher_take(sbx_topic_watcher* watcher, sbx_topic_event* event,
                                     sbxgo_result* result) {
  event->struct_size = sizeof(*event);
  return sbx_topic_watcher_take(watcher, event, &result->done, &result->error);
}

static inline int sbxgo_footprint(const char* type_name, const char* description,
                                  const sbx_publisher_options* asked, sbx_footprint* footprint,
                                  sbxgo_result* result) {
  const sbx_type type = {type_name, description};
  const sbx_publisher_options options = sbxgo_or_defaults(asked);
  footprint->struct_size = sizeof(*footprint);
  return sbx_footprint_of(&type, &options, footprint, &result->error);
}

#endif /* SIGNALBOX_GO_NATIVE_DISCOVERY_H */
