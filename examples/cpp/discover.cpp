// Which topics there are and who is in them, and who comes and goes from then on.
// Here the program watches itself: it joins a topic, looks at it, and leaves. A child of it was
// killed on another topic, where its page is seen until somebody comes there.
#include <csignal>
#include <cstdio>
#include <string>

#include "forked.hpp"
#include "pose.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/topic.hpp"

namespace sbx = signalbox;

static void tell_what_changed(sbx::TopicWatcher& watcher) {
  while (const auto event = watcher.take().value()) {
    const std::string what(sbx::to_string(event->kind));
    std::printf("%s %s\n", what.c_str(), event->topic.c_str());
  }
}

static void have_a_child_killed() {
  auto child = start([] {
    auto out = sbx::Publisher<Pose>::open("leg/pose").value();
    static_cast<void>(out.send(Pose{}));
    std::raise(SIGKILL);
  });
  static_cast<void>(child.wait(sbx::Deadline::never()));
}

static void tell_who_is_there() {
  const auto topics = sbx::list_topics().value();
  for (const sbx::TopicInfo& topic : topics) {
    for (const sbx::PublisherInfo& who : topic.publishers) {
      std::printf("%s: %s%s has published %llu\n", topic.name.c_str(), who.program.c_str(),
                  who.is_alive ? "" : ", which is dead,",
                  static_cast<unsigned long long>(who.published));
    }
  }
}

int main() {
  have_a_child_killed();
  // A descriptor or a Waitable makes it part of your event loop; this program just asks.
  auto watcher = sbx::TopicWatcher::open().value();
  {
    auto out = sbx::Publisher<Pose>::open("arm/pose").value();
    static_cast<void>(out.send(Pose{}));
    tell_who_is_there();
    tell_what_changed(watcher);
  }
  tell_what_changed(watcher);
}
