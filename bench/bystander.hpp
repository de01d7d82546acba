// bystander.hpp: another process that a row needs, which keeps something up while others are timed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace bench {

class Bystander {
 public:
  // Tells that all is set up, and never returns: what lives in its caller's frame stays.
  using Stay = std::function<void()>;

  // Calls set_up(stay) in a child, and returns once that has called stay(). `what` is the child in
  // an error. Throws if it ends or fails before. The child ends with this, or with its parent.
  Bystander(const std::string& what, const std::function<void(const Stay&)>& set_up);
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

 private:
  pid_t process_;
};

}  // namespace bench
