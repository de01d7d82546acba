// scratch_domain.hpp: for tests: a private SIGNALBOX_DIR on tmpfs that must be empty again at the
// end. It lies in $SBX_SCRATCH, where a runner names a folder that it removes after a crash, else
// in /dev/shm.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace signalbox {

class ScratchDomain {
 public:
  ScratchDomain() {
    const char* const parent = std::getenv("SBX_SCRATCH");
    root_ = std::string(parent == nullptr ? "/dev/shm" : parent) + "/signalbox-test-XXXXXX";
    if (::mkdtemp(root_.data()) == nullptr) std::abort();
    ::setenv("SIGNALBOX_DIR", root_.c_str(), 1);
  }
  ~ScratchDomain() {
    std::string left;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
      left += " " + entry.path().string();
    }
    EXPECT_EQ(left, "") << "left behind";
    std::filesystem::remove_all(root_);
  }
  const std::string& root() const { return root_; }
  std::string topic_path(const std::string& directory) const {
    return root_ + "/default/" + directory;
  }

 private:
  std::string root_;
};

}  // namespace signalbox
