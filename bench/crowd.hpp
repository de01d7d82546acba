// crowd.hpp: subscribers in another process, who do not take what is published to them.
#pragma once

#include <cstddef>
#include <string>

#include "bench/bystander.hpp"

namespace bench {

// So many subscribers of a topic of Payload, in a process of their own. Some of its threads are
// blocked in wait() on another topic each, as those of a program that has more to do; nobody sleeps
// on this one. Returns once all have joined. Throws if they cannot.
class Crowd : public Bystander {
 public:
  Crowd(const std::string& topic, std::size_t count);
};

}  // namespace bench
