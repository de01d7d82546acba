// crowd.hpp: subscribers in another process, who do not take what is published to them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace bench {

// So many subscribers of a topic of Payload, in a process of their own. Some of its threads are
// blocked in wait() on another topic each, as those of a program that has more to do; nobody sleeps
// on this one. Until it is destroyed, or the process that made it ends.
class Crowd {
 public:
  // Returns once all have joined. Throws if they cannot.
  Crowd(const std::string& topic, std::size_t count);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

 private:
  pid_t process_;
};

}  // namespace bench
