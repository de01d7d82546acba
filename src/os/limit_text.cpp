#include "os/limit_text.hpp"

#include <sys/resource.h>

namespace signalbox::os {

namespace {

rlimit limit_of(int resource) noexcept {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  // The kind of the first parameter differs between C libraries and languages.
  ::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
  return limit;
}

}  // namespace

std::string limit_text(int resource, const char* name, const char* shell) {
  const rlimit limit = limit_of(resource);
  const std::string value =
      limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
  return std::string(name) + " is " + value + " (" + shell + ")";
}

bool is_over_file_limit(unsigned long long bytes) noexcept {
  const rlimit limit = limit_of(RLIMIT_FSIZE);
  return limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur;
}

}  // namespace signalbox::os
