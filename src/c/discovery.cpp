// discovery.cpp: sbx_topic_list over list_topics(), sbx_topic_watcher over TopicWatcher.
#include "signalbox/discovery.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "c/object_calls.hpp"
#include "signalbox/c/discovery.h"

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Error;
using signalbox::ParticipantInfo;
using signalbox::PublisherInfo;
using signalbox::SubscriberInfo;
using signalbox::TopicEvent;
using signalbox::TopicInfo;
using signalbox::TopicWatcher;
using signalbox::c::answer;
using signalbox::c::check_facts_size;
using signalbox::c::guarded;
using signalbox::c::make;
using signalbox::c::need;
using signalbox::c::report;
using signalbox::c::text_of;
using signalbox::c::write_facts;
using Kind = TopicEvent::Kind;

static_assert(SBX_TOPIC_APPEARED == static_cast<int>(Kind::topic_appeared));
static_assert(SBX_TOPIC_VANISHED == static_cast<int>(Kind::topic_vanished));
static_assert(SBX_PUBLISHER_JOINED == static_cast<int>(Kind::publisher_joined));
static_assert(SBX_PUBLISHER_LEFT == static_cast<int>(Kind::publisher_left));
static_assert(SBX_PUBLISHER_DIED == static_cast<int>(Kind::publisher_died));
static_assert(SBX_SUBSCRIBER_JOINED == static_cast<int>(Kind::subscriber_joined));
static_assert(SBX_SUBSCRIBER_LEFT == static_cast<int>(Kind::subscriber_left));
static_assert(SBX_SUBSCRIBER_DIED == static_cast<int>(Kind::subscriber_died));

struct sbx_topic_list {
  std::vector<TopicInfo> topics;
};

struct sbx_topic_watcher {
  TopicWatcher raw;
  TopicEvent latest{};  // the owner of the text that the caller was handed
};

namespace {

// What is alike in the facts of topics and of participants: why the rest is not known.
template <class Facts>
void add_error(const std::optional<Error>& error, Facts& facts) noexcept {
  facts.error_code = error ? static_cast<std::int32_t>(error->code) : SBX_OK;
  facts.error_errno = error ? error->sys_errno : 0;
  facts.error_text = error ? error->text.c_str() : "";
}

template <class Facts>
Facts facts_of_participant(const ParticipantInfo& who) noexcept {
  Facts facts{};
  add_error(who.error, facts);
  facts.pid = who.pid;
  facts.program = who.program.c_str();
  facts.incarnation = who.incarnation;
  facts.uid = who.uid;
  facts.is_alive = who.is_alive ? 1 : 0;
  return facts;
}

sbx_topic_facts facts_of(const TopicInfo& topic) noexcept {
  sbx_topic_facts facts{};
  add_error(topic.error, facts);
  facts.name = topic.name.c_str();
  facts.type_name = topic.type.name.c_str();
  facts.type_description = topic.type.text.c_str();
  facts.publishers = topic.publishers.size();
  facts.subscribers = topic.subscribers.size();
  return facts;
}

sbx_publisher_facts facts_of(const PublisherInfo& who) noexcept {
  auto facts = facts_of_participant<sbx_publisher_facts>(who);
  facts.depth = who.depth;
  facts.tail_bytes_max = who.tail_bytes_max;
  facts.published = who.published;
  facts.dropped = who.dropped;
  facts.evicted = who.evicted;
  return facts;
}

sbx_subscriber_facts facts_of(const SubscriberInfo& who) noexcept {
  auto facts = facts_of_participant<sbx_subscriber_facts>(who);
  facts.is_reliable = who.is_reliable ? 1 : 0;
  facts.held = who.held;
  facts.has_lag = who.lag ? 1 : 0;
  facts.lag = who.lag.value_or(0);
  return facts;
}

// SBX_OK if there is such a number among `count`, of what is called `kind`.
int check_number(std::string_view function, std::string_view kind, std::size_t number,
                 std::size_t count, sbx_error* error) {
  if (number < count) return SBX_OK;
  const std::string text = std::string(function) + ": there is no " + std::string(kind) + " " +
                           std::to_string(number) + "; there are " + std::to_string(count) +
                           ", and numbers begin at 0";
  return report(Errc::out_of_range, 0, text, error);
}

template <class Info, class Facts>
int look(std::string_view function, std::string_view kind, const std::vector<Info>& all,
         std::size_t number, Facts* facts, sbx_error* error) {
  if (const int bad = check_number(function, kind, number, all.size(), error)) return bad;
  const Facts whole = facts_of(all[number]);
  return write_facts(function, &whole, sizeof(whole), facts, sizeof(whole), error);
}

// Of `role`, which is those in a topic who publish, or those who subscribe.
template <class Info, class Facts>
int look_inside(std::string_view function, std::string_view kind, const sbx_topic_list* list,
                std::size_t topic, std::vector<Info> TopicInfo::* role, std::size_t number,
                Facts* facts, sbx_error* error) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{list, "list"}, {facts, "facts"}}, error)) return bad;
    const std::size_t count = list->topics.size();
    if (const int bad = check_number(function, "topic", topic, count, error)) return bad;
    return look(function, kind, list->topics[topic].*role, number, facts, error);
  });
}

sbx_topic_event in_c(const TopicEvent& event) noexcept {
  return {.struct_size = sizeof(sbx_topic_event),
          .kind = static_cast<std::uint32_t>(event.kind),
          .topic = event.topic.c_str(),
          .incarnation = event.incarnation,
          .pid = event.pid,
          .reserved = 0};
}

}  // namespace

extern "C" {

int sbx_list_topics(const char* domain, sbx_topic_list** out, sbx_error* error) {
  return make("sbx_list_topics", out, error,
              [&] { return signalbox::list_topics(text_of(domain)); });
}

void sbx_topic_list_close(sbx_topic_list* list) { delete list; }

size_t sbx_topic_list_count(const sbx_topic_list* list) {
  return list == nullptr ? 0 : list->topics.size();
}

int sbx_topic_list_look(const sbx_topic_list* list, size_t topic, sbx_topic_facts* facts,
                        sbx_error* error) {
  constexpr std::string_view function = "sbx_topic_list_look";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{list, "list"}, {facts, "facts"}}, error)) return bad;
    return look(function, "topic", list->topics, topic, facts, error);
  });
}

int sbx_topic_list_look_at_publisher(const sbx_topic_list* list, size_t topic, size_t publisher,
                                     sbx_publisher_facts* facts, sbx_error* error) {
  return look_inside("sbx_topic_list_look_at_publisher", "publisher", list, topic,
                     &TopicInfo::publishers, publisher, facts, error);
}

int sbx_topic_list_look_at_subscriber(const sbx_topic_list* list, size_t topic, size_t subscriber,
                                      sbx_subscriber_facts* facts, sbx_error* error) {
  return look_inside("sbx_topic_list_look_at_subscriber", "subscriber", list, topic,
                     &TopicInfo::subscribers, subscriber, facts, error);
}

const char* sbx_topic_event_kind_name(uint32_t kind) {
  // A view of a literal, hence with its final 0.
  const bool is_one = kind <= SBX_SUBSCRIBER_DIED;
  return is_one ? to_string(static_cast<Kind>(kind)).data() : "unknown";
}

int sbx_topic_watcher_open(const char* domain, sbx_topic_watcher** out, sbx_error* error) {
  return make("sbx_topic_watcher_open", out, error,
              [&] { return TopicWatcher::open(text_of(domain)); });
}

int sbx_topic_watcher_open_topic(const char* topic, const char* domain, sbx_topic_watcher** out,
                                 sbx_error* error) {
  constexpr std::string_view function = "sbx_topic_watcher_open_topic";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{topic, "topic"}}, error)) return bad;
    return make(function, out, error,
                [&] { return TopicWatcher::open_topic(topic, text_of(domain)); });
  });
}

void sbx_topic_watcher_close(sbx_topic_watcher* watcher) { delete watcher; }

int sbx_topic_watcher_take(sbx_topic_watcher* watcher, sbx_topic_event* event, int* taken,
                           sbx_error* error) {
  constexpr std::string_view function = "sbx_topic_watcher_take";
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            need(function, {{taken, "taken"}, {watcher, "watcher"}, {event, "event"}}, error)) {
      return bad;
    }
    *taken = 0;
    // Before it is taken: an event that cannot be told is not to be lost.
    constexpr std::size_t bytes = sizeof(sbx_topic_event);
    if (const int bad = check_facts_size(function, event, bytes, error)) return bad;
    auto next = watcher->raw.take();
    if (!next) return report(next.error(), error);
    if (!*next) return SBX_OK;
    watcher->latest = std::move(**next);
    const sbx_topic_event whole = in_c(watcher->latest);
    *taken = 1;
    return write_facts(function, &whole, bytes, event, bytes, error);
  });
}

int sbx_topic_watcher_wait(sbx_topic_watcher* watcher, int64_t deadline_ns, int* wake,
                           sbx_error* error) {
  constexpr std::string_view function = "sbx_topic_watcher_wait";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{watcher, "watcher"}, {wake, "wake"}}, error)) return bad;
    const auto woken = watcher->raw.wait(Deadline::at_ns(deadline_ns));
    if (woken) *wake = static_cast<int>(*woken);
    return answer(woken, error);
  });
}

int sbx_topic_watcher_descriptor(const sbx_topic_watcher* watcher) {
  return watcher == nullptr ? -1 : watcher->raw.descriptor();
}

}  // extern "C"
