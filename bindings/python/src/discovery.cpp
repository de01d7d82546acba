#include "discovery.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <utility>

#include "c_name.hpp"
#include "clock.hpp"
#include "failure.hpp"
#include "foreign_text.hpp"
#include "object_docs.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

const char* name_or_null(const std::optional<std::string>& name) {
  return name ? c_name(*name) : nullptr;
}

// Runs a call that looks at files, which takes time, without the GIL.
template <class Call>
void look(Call&& call) {
  sbx_error error;
  int code;
  {
    nb::gil_scoped_release others_run;
    code = call(&error);
  }
  check(code, error);
}

// ---- lists, as tuples in the order of signalbox.TopicInfo and of those inside

struct CloseList {
  void operator()(sbx_topic_list* list) const noexcept { sbx_topic_list_close(list); }
};
using List = std::unique_ptr<sbx_topic_list, CloseList>;

// Asks the list for facts.
template <class Facts, class Ask>
Facts facts_of(Ask&& ask) {
  Facts facts{};
  facts.struct_size = sizeof(facts);
  sbx_error error;
  check(ask(&facts, &error), error);
  return facts;
}

// What is the matter, as from_code() of signalbox._errors takes it; None: nothing.
template <class Facts>
nb::object trouble_of(const Facts& facts) {
  if (facts.error_code == SBX_OK) return nb::none();
  return nb::make_tuple(foreign_text(facts.error_text), sbx_code_name(facts.error_code),
                        facts.error_errno);
}

nb::object publisher_in(const sbx_topic_list* list, std::size_t topic, std::size_t number) {
  const auto who = facts_of<sbx_publisher_facts>([&](auto* facts, sbx_error* error) {
    return sbx_topic_list_look_at_publisher(list, topic, number, facts, error);
  });
  return nb::make_tuple(who.incarnation, who.pid, who.uid, foreign_text(who.program),
                        who.is_alive != 0, trouble_of(who), who.depth, who.tail_bytes_max,
                        who.published, who.dropped, who.evicted);
}

nb::object subscriber_in(const sbx_topic_list* list, std::size_t topic, std::size_t number) {
  const auto who = facts_of<sbx_subscriber_facts>([&](auto* facts, sbx_error* error) {
    return sbx_topic_list_look_at_subscriber(list, topic, number, facts, error);
  });
  const nb::object lag = who.has_lag != 0 ? nb::cast(who.lag) : nb::none();
  return nb::make_tuple(who.incarnation, who.pid, who.uid, foreign_text(who.program),
                        who.is_alive != 0, trouble_of(who), who.is_reliable != 0, who.held, lag);
}

nb::object topic_in(const sbx_topic_list* list, std::size_t number) {
  const auto topic = facts_of<sbx_topic_facts>([&](auto* facts, sbx_error* error) {
    return sbx_topic_list_look(list, number, facts, error);
  });
  nb::list publishers;
  for (std::size_t i = 0; i < topic.publishers; ++i) {
    publishers.append(publisher_in(list, number, i));
  }
  nb::list subscribers;
  for (std::size_t i = 0; i < topic.subscribers; ++i) {
    subscribers.append(subscriber_in(list, number, i));
  }
  return nb::make_tuple(foreign_text(topic.name), foreign_text(topic.type_name),
                        foreign_text(topic.type_description), publishers, subscribers,
                        trouble_of(topic));
}

nb::list list_topics(const std::optional<std::string>& domain) {
  const char* const place = name_or_null(domain);
  sbx_topic_list* raw = nullptr;
  look([&](sbx_error* error) { return sbx_list_topics(place, &raw, error); });
  const List list(raw);
  nb::list topics;
  for (std::size_t i = 0; i < sbx_topic_list_count(raw); ++i) topics.append(topic_in(raw, i));
  return topics;
}

// ---- watchers

std::shared_ptr<TopicWatcherHandle> open(const std::optional<std::string>& topic,
                                         const std::optional<std::string>& domain) {
  const char* const name = name_or_null(topic);
  const char* const place = name_or_null(domain);
  sbx_topic_watcher* raw = nullptr;
  look([&](sbx_error* error) {
    return name == nullptr ? sbx_topic_watcher_open(place, &raw, error)
                           : sbx_topic_watcher_open_topic(name, place, &raw, error);
  });
  return std::make_shared<TopicWatcherHandle>(topic.value_or(""), raw);
}

}  // namespace

TopicWatcher::TopicWatcher(const std::optional<std::string>& topic,
                           const std::optional<std::string>& domain)
    : topic_(topic), handle_(open(topic, domain)) {}

std::shared_ptr<TopicWatcherHandle> TopicWatcher::handle() const {
  if (handle_ == nullptr) throw Failure("closed", 0, "the topic watcher is closed");
  return handle_;
}

nb::object TopicWatcher::take() {
  const auto watcher = handle();
  Turn turn(*watcher);
  sbx_topic_event event{};
  event.struct_size = sizeof(event);
  int taken = 0;
  look([&](sbx_error* error) {
    return sbx_topic_watcher_take(watcher->raw(), &event, &taken, error);
  });
  if (taken == 0) return nb::none();
  return nb::make_tuple(sbx_topic_event_kind_name(event.kind), foreign_text(event.topic), event.pid,
                        event.incarnation);
}

bool TopicWatcher::wait(std::optional<double> timeout) {
  return wait_until(deadline_after(timeout));
}

bool TopicWatcher::wait_until(std::int64_t deadline) {
  const auto watcher = handle();
  for (;;) {
    const std::int64_t until = sleep_end(deadline, kWaitNsMax);
    int wake = SBX_WAKE_INTERRUPTED;
    {
      Turn turn(*watcher);
      look([&](sbx_error* error) {
        return sbx_topic_watcher_wait(watcher->raw(), until, &wake, error);
      });
    }
    if (wake == SBX_WAKE_READY) return true;
    run_signal_handlers();
    if (wake == SBX_WAKE_TIMED_OUT && until == deadline) return false;
  }
}

nb::object TopicWatcher::receive(std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  for (;;) {
    nb::object event = take();
    // Another thread may take what made wait() return.
    if (!event.is_none() || !wait_until(deadline)) return event;
  }
}

int TopicWatcher::descriptor() {
  const auto watcher = handle();
  Turn turn(*watcher);
  return sbx_topic_watcher_descriptor(watcher->raw());
}

void TopicWatcher::close() {
  if (handle_ == nullptr) return;
  if (handle_->is_ours()) Turn turn(*handle_);  // not under a thread that is inside a call
  handle_->mark_closed();
  handle_.reset();
}

std::string TopicWatcher::repr() const {
  const std::string of = topic_ ? " of '" + *topic_ + "'" : std::string();
  return "<signalbox.TopicWatcher" + of + (is_closed() ? " closed>" : ">");
}

void bind_discovery(nb::module_& module) {
  module.def("list_topics", list_topics, nb::arg("domain").none(), docs::kListTopics);
  nb::class_<TopicWatcher>(module, "TopicWatcher", docs::kTopicWatcher)
      .def(nb::init<const std::optional<std::string>&, const std::optional<std::string>&>(),
           nb::arg("topic").none(), nb::arg("domain").none())
      .def("_take", &TopicWatcher::take)
      .def("_receive", &TopicWatcher::receive, nb::arg("timeout").none())
      .def("wait", &TopicWatcher::wait, nb::arg("timeout").none() = nb::none(), docs::kWatcherWait)
      .def("fileno", &TopicWatcher::descriptor, docs::kWatcherFileno)
      .def("close", &TopicWatcher::close, docs::kWatcherClose)
      .def_prop_ro("topic", &TopicWatcher::topic, docs::kWatcherTopic)
      .def_prop_ro("closed", &TopicWatcher::is_closed, "True after close().")
      .def("__repr__", &TopicWatcher::repr);
}

}  // namespace signalbox_python
