// The actor that uses the C ABI: the judged calls are in c_*.c, compiled as C.
#include "actor.hpp"
#include "c_operations.h"

namespace signalbox::scenarios {

namespace {

std::string perform(const COperation& wanted, const Words& said) {
  std::vector<const char*> at;
  at.reserve(said.count());
  for (std::size_t i = 0; i < said.count(); ++i) at.push_back(said[i].c_str());
  const SaidWords all{at.size(), at.data()};
  Answer out{};
  wanted.perform(&all, &out);
  return out.text;
}

void offer(Actor& actor, const COperation* all) {
  for (const COperation* one = all; one->name != nullptr; ++one) {
    actor.offer(one->name, [one](const Words& said) { return perform(*one, said); });
  }
}

}  // namespace

}  // namespace signalbox::scenarios

int main() {
  using namespace signalbox::scenarios;
  prepare();
  Actor actor;
  offer_surroundings(actor);
  offer(actor, posix_queue_operations);
  offer(actor, posix_semaphore_operations);
  offer(actor, semaphore_set_operations);
  offer(actor, sysv_queue_operations);
  return actor.run();
}
