// Who comes late chooses where to begin: the publisher's ring keeps the newest messages.
#include <cinttypes>
#include <cstdio>

#include "signalbox/topic.hpp"

struct Reading {
  std::uint64_t number;
};
SBX_DESCRIBE(Reading, number);

void show(const char* who, signalbox::Start start) {
  auto readings = signalbox::Subscriber<Reading>::open("lab/readings", start);
  if (!readings) return;
  std::printf("%s:", who);
  while (auto reading = readings->take()) std::printf(" %" PRIu64, reading->number);
  std::printf("\n");
}

int main() {
  auto readings = signalbox::Publisher<Reading>::open("lab/readings", {.depth = 8});
  if (!readings) {
    std::fprintf(stderr, "%s\n", readings.error().text.c_str());
    return 1;
  }
  for (std::uint64_t number = 1; number <= 10; ++number) {
    if (!readings->send({number})) return 1;
  }

  show("oldest", signalbox::Start::oldest);
  show("three back", signalbox::Start::back(3));
  show("latest", signalbox::Start::latest);
  show("next", signalbox::Start::next);
}
