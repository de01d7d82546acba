// What this shows, in one sentence.
#include <cinttypes>
#include <cstdio>

#include "signalbox/topic.hpp"

struct Greeting {
  std::uint64_t number;
};
SBX_DESCRIBE(Greeting, number);

int main() {
  auto out = signalbox::Publisher<Greeting>::open("example/NAME");
  auto in = signalbox::Subscriber<Greeting>::open("example/NAME");
  if (!out || !in) {
    std::fprintf(stderr, "%s\n", (out ? in.error() : out.error()).text.c_str());
    return 1;
  }
  out->send({1});
  while (auto greeting = in->take()) std::printf("hello %" PRIu64 "\n", greeting->number);
}
