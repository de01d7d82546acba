#include "v4l2_calls.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace petcam {
namespace {

class KernelV4l2Calls final : public V4l2Calls {
 public:
  int open(const char* path) override { return ::open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); }
  void close(int descriptor) override { ::close(descriptor); }
  int ioctl(int descriptor, unsigned long request, void* argument) override {
    int result = 0;
    do {
      result = ::ioctl(descriptor, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
  }
  void* map(int descriptor, std::size_t bytes, std::int64_t offset) override {
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset);
    return address == MAP_FAILED ? nullptr : address;
  }
  void unmap(void* address, std::size_t bytes) override { munmap(address, bytes); }
};

}  // namespace

V4l2Calls& kernel_v4l2_calls() {
  static KernelV4l2Calls calls;
  return calls;
}

}  // namespace petcam
