// used_up_descriptors.hpp: this process may open only so many more descriptors while this lives.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

namespace signalbox {

class UsedUpDescriptors {
 public:
  explicit UsedUpDescriptors(rlim_t left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    // The limit counts numbers and not descriptors, so that gaps below it must be filled.
    const int lowest_free = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::close(lowest_free);
    rlimit now{.rlim_cur = static_cast<rlim_t>(lowest_free) + left, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  ~UsedUpDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  UsedUpDescriptors(const UsedUpDescriptors&) = delete;
  UsedUpDescriptors& operator=(const UsedUpDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace signalbox
