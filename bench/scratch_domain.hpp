// scratch_domain.hpp: a domain of the benchmark's own, so that it never meets a real system's
// topics.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace bench {

// Names a new directory in SIGNALBOX_DIR, for this process and those it starts, and removes it.
class ScratchDomain {
 public:
  ScratchDomain() {
    if (::mkdtemp(root_.data()) == nullptr) {
      throw std::runtime_error("cannot make a directory in /dev/shm");
    }
    ::setenv("SIGNALBOX_DIR", root_.c_str(), 1);
  }
  ~ScratchDomain() {
    std::error_code ignored;  // a bench that has printed its table has not failed
    std::filesystem::remove_all(root_, ignored);
  }
  ScratchDomain(const ScratchDomain&) = delete;
  ScratchDomain& operator=(const ScratchDomain&) = delete;
  const std::string& root() const { return root_; }

 private:
  std::string root_ = "/dev/shm/signalbox-bench-XXXXXX";
};

}  // namespace bench
