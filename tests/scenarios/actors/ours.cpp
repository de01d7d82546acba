// The actor that uses our wrappers.
#include "actor.hpp"

int main() {
  using namespace signalbox::scenarios;
  prepare();
  Actor actor;
  offer_surroundings(actor);
  offer_posix_queues(actor);
  offer_posix_semaphores(actor);
  offer_robust_mutexes(actor);
  offer_semaphore_sets(actor);
  offer_shared_memory(actor);
  offer_streams(actor);
  offer_sysv_queues(actor);
  return actor.run();
}
