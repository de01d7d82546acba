/* discovery.h: from C, which topics there are, who is in them, and who comes, leaves or dies.
 *
 *   Threads  sbx_list_topics(): any, but do not setenv() meanwhile; a list: any number at a time
 *            until it is closed; a watcher: one at a time
 *   Crash    nothing to lose; nothing here writes, links, or takes a lock, so nobody waits for us
 *   Fork     a list is plain memory; a watcher belongs to the process that opened it: in a child
 *            calls answer SBX_WRONG_PROCESS, and close does nothing to the parent
 *   Limits   a watcher has four descriptors and one for each participant it knows, and counts
 *            against /proc/sys/fs/inotify/max_user_instances and max_user_watches
 *
 * signalbox/discovery.hpp says more.
 */
#ifndef SIGNALBOX_C_DISCOVERY_H
#define SIGNALBOX_C_DISCOVERY_H

#include "signalbox/signalbox.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one look ------------------------------------------------------------------------------- */

/* What one look at a domain saw: topics by name, in each its publishers and its subscribers. */
typedef struct sbx_topic_list sbx_topic_list;

/* Looks at every topic of the domain (NULL: as for a publisher); nobody there is an empty list. A
 * look at something that moves: each number is as old as its own reading. Enters the kernel; in the
 * hardened tier it waits up to a second for those who do not answer.
 * Errors: BAD_NAME, PERMISSION_DENIED (the domain itself), LIMIT_REACHED, OUT_OF_MEMORY, SYSTEM. */
SBX_EXPORT int sbx_list_topics(const char* domain, sbx_topic_list** out, sbx_error* error);
/* Frees the list and every text that it has told. NULL is allowed. */
SBX_EXPORT void sbx_topic_list_close(sbx_topic_list* list);
/* How many topics it has; 0 for NULL. */
SBX_EXPORT size_t sbx_topic_list_count(const sbx_topic_list* list);

/* The texts of all facts are the list's, never NULL, and good until it is closed. */
typedef struct sbx_topic_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_topic_facts) before you ask */
  int32_t error_code;   /* an sbx_code; not SBX_OK: it is damaged, or not for us to read */
  int32_t error_errno;
  uint32_t reserved;
  const char* error_text;
  const char* name;
  const char* type_name;        /* for people */
  const char* type_description; /* the canonical one; both are empty where there is an error */
  uint64_t publishers;          /* how many */
  uint64_t subscribers;
} sbx_topic_facts;

/* What a participant's page says. `incarnation`, `uid` and `is_alive` are told by the kernel and do
 * not depend on its honesty; with an error the rest is 0. */
typedef struct sbx_publisher_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_publisher_facts) before you ask */
  int32_t error_code;   /* not SBX_OK: its page is damaged, or not for us to read */
  int32_t error_errno;
  uint32_t pid; /* in the name space of that process */
  const char* error_text;
  const char* program;
  uint64_t incarnation;
  uint32_t uid;      /* the owner of its file */
  uint32_t is_alive; /* 1 or 0: told by the lock on its file */
  uint32_t depth;
  uint32_t reserved;
  uint64_t tail_bytes_max;
  uint64_t published; /* messages so far */
  uint64_t dropped;
  uint64_t evicted;
} sbx_publisher_facts;

typedef struct sbx_subscriber_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_subscriber_facts) before you ask */
  int32_t error_code;   /* as of a publisher, up to is_alive */
  int32_t error_errno;
  uint32_t pid;
  const char* error_text;
  const char* program;
  uint64_t incarnation;
  uint32_t uid;
  uint32_t is_alive;
  uint32_t is_reliable;
  uint32_t held; /* large samples it holds */
  /* Messages published and not taken, over all living publishers it has met; has_lag is 0 for lossy
   * ones: how far those have come, and what they lost, no shared page says. */
  uint32_t has_lag;
  uint32_t reserved;
  uint64_t lag;
} sbx_subscriber_facts;

/* What the list knows, by number from 0. They do not enter the kernel.
 * Errors: OUT_OF_RANGE (there is none of that number), BAD_ARGUMENT (struct_size is no size of the
 * struct). */
SBX_EXPORT int sbx_topic_list_look(const sbx_topic_list* list, size_t topic, sbx_topic_facts* facts,
                                   sbx_error* error);
SBX_EXPORT int sbx_topic_list_look_at_publisher(const sbx_topic_list* list, size_t topic,
                                                size_t publisher, sbx_publisher_facts* facts,
                                                sbx_error* error);
SBX_EXPORT int sbx_topic_list_look_at_subscriber(const sbx_topic_list* list, size_t topic,
                                                 size_t subscriber, sbx_subscriber_facts* facts,
                                                 sbx_error* error);

/* ---- what changes --------------------------------------------------------------------------- */

/* Begins with one look and goes on with what changes, so nothing can be missed between the two.
 * Each participant that lives at one look is told joined once and left or died once, also when
 * others have removed its files by then. One that came and went between two looks may be missed; a
 * look happens in open and in each take and wait that finds a change and has nothing left to tell.
 * A subscriber leaves when its last sample is released; a process that is stopped lives. Memory of
 * the dead is only free once a look has found them: a program that has a watcher takes from it. */
typedef struct sbx_topic_watcher sbx_topic_watcher;

typedef enum sbx_topic_event_kind {
  SBX_TOPIC_APPEARED = 0,
  SBX_TOPIC_VANISHED = 1,
  SBX_PUBLISHER_JOINED = 2,
  SBX_PUBLISHER_LEFT = 3, /* closed; what it published may still be there to be taken */
  SBX_PUBLISHER_DIED = 4, /* ended without closing */
  SBX_SUBSCRIBER_JOINED = 5,
  SBX_SUBSCRIBER_LEFT = 6,
  SBX_SUBSCRIBER_DIED = 7
} sbx_topic_event_kind;
/* The name of a kind, for example "publisher_joined"; "unknown" for any other number. */
SBX_EXPORT const char* sbx_topic_event_kind_name(uint32_t kind);

typedef struct sbx_topic_event {
  uint32_t struct_size; /* set it to sizeof(sbx_topic_event) before you take */
  uint32_t kind;        /* an sbx_topic_event_kind */
  const char* topic;    /* the watcher's: good until its next take, or until it is closed */
  uint64_t incarnation; /* 0 for topics */
  uint32_t pid;         /* 0 for topics */
  uint32_t reserved;
} sbx_topic_event;

/* Watches all topics of a domain (NULL: as for a publisher), present and future, even of one that
 * does not exist yet. Of topics that may not be read only appearing and vanishing is told. Errors
 * as sbx_list_topics(). */
SBX_EXPORT int sbx_topic_watcher_open(const char* domain, sbx_topic_watcher** out,
                                      sbx_error* error);
/* Watches one topic, which need not exist yet. */
SBX_EXPORT int sbx_topic_watcher_open_topic(const char* topic, const char* domain,
                                            sbx_topic_watcher** out, sbx_error* error);
/* Nobody may be in a call on it. NULL is allowed. */
SBX_EXPORT void sbx_topic_watcher_close(sbx_topic_watcher* watcher);

/* Takes the next event. *taken = 0: nothing new, `event` is untouched. Enters the kernel.
 * Errors: WRONG_PROCESS, LIMIT_REACHED (descriptors: what could not be looked at is told by a later
 * call), PERMISSION_DENIED, OUT_OF_MEMORY, SYSTEM, BAD_ARGUMENT (struct_size is no size of the
 * struct; nothing is taken then). */
SBX_EXPORT int sbx_topic_watcher_take(sbx_topic_watcher* watcher, sbx_topic_event* event,
                                      int* taken, sbx_error* error);
/* Sleeps until take would find an event, the deadline passes or a signal handler runs; *wake
 * receives an sbx_wake. Errors as take. */
SBX_EXPORT int sbx_topic_watcher_wait(sbx_topic_watcher* watcher, int64_t deadline_ns, int* wake,
                                      sbx_error* error);
/* For an event loop or sbx_wait_set_watch_descriptor(): readable when an event may be there; take
 * until nothing is left. After a change it is readable four times more in half a minute, to be
 * sure. It never changes and belongs to the watcher: do not read or close it. -1 for NULL. */
SBX_EXPORT int sbx_topic_watcher_descriptor(const sbx_topic_watcher* watcher);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_DISCOVERY_H */
