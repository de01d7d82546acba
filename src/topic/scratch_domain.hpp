// scratch_domain.hpp: for tests: a private SIGNALBOX_DIR on tmpfs that must be empty again at the
// end.
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
    char path[] = "/dev/shm/signalbox-test-XXXXXX";
    root_ = ::mkdtemp(path);
    ::setenv("SIGNALBOX_DIR", root_.c_str(), 1);
  }
  ~ScratchDomain() {
    EXPECT_TRUE(std::filesystem::is_empty(root_)) << "something was left behind in " << root_;
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
