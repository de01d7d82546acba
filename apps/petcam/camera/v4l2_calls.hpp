// v4l2_calls.hpp: the five system calls a V4L2 camera is driven with, as a seam.
//
// Continuous integration has no camera and no kernel module that plays one, so the tests put a
// stand-in here (v4l2_stand_in.hpp). Everything above this line is the same code that drives a real
// device; what the tests cannot show is that a real driver answers as the stand-in does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace petcam {

// All report failure as the kernel does: -1 or null, and errno.
class V4l2Calls {
 public:
  virtual ~V4l2Calls() = default;
  virtual int open(const char* path) = 0;
  virtual void close(int descriptor) = 0;
  virtual int ioctl(int descriptor, unsigned long request, void* argument) = 0;
  virtual void* map(int descriptor, std::size_t bytes, std::int64_t offset) = 0;
  virtual void unmap(void* address, std::size_t bytes) = 0;
};

// The kernel's own, interrupted calls repeated.
V4l2Calls& kernel_v4l2_calls();

}  // namespace petcam
