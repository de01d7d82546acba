// What one process does alone: opening and closing, and publishing to few and to many. The follower
// looks on.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/crowd.hpp"
#include "bench/exchange.hpp"
#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

class Solo : public Exchange {
 public:
  void pong(std::uint64_t) final {}
};

// What a topic needs of the kernel, bare: a directory with three files in it that appear whole, are
// locked and mapped, one look at who is there, and all of it taken away again.
class RawOpenClose final : public Solo {
 public:
  void open(Side) override {
    const char* const domain = std::getenv("SIGNALBOX_DIR");
    if (domain == nullptr) throw std::runtime_error("SIGNALBOX_DIR is not set");
    path_ = std::string(domain) + "/bare";
  }
  void ping(std::uint64_t) override {
    ::mkdir(path_.c_str(), 0700);
    const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) throw std::runtime_error("cannot open a directory");
    File files[3] = {{"topic", 256}, {"bell", 384}, {"publisher", 4096}};
    for (File& file : files) appear(directory, file);
    look(directory);
    for (const File& file : files) vanish(directory, file);
    ::close(directory);
    ::rmdir(path_.c_str());
  }

 private:
  struct File {
    const char* name;
    std::size_t bytes;
    int fd = -1;
    void* at = nullptr;
  };
  static void appear(int directory, File& file) {
    file.fd = ::openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (::fallocate(file.fd, 0, 0, static_cast<off_t>(file.bytes)) != 0) {
      throw std::runtime_error("cannot allocate a file");
    }
    file.at =
        ::mmap(nullptr, file.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.fd, 0);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    ::fcntl(file.fd, F_OFD_SETLK, &lock);
    const std::string self = "/proc/self/fd/" + std::to_string(file.fd);
    if (::linkat(AT_FDCWD, self.c_str(), directory, file.name, AT_SYMLINK_FOLLOW) != 0) {
      throw std::runtime_error("cannot name a file");
    }
  }
  static void look(int directory) {
    const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const all = fd < 0 ? nullptr : ::fdopendir(fd);
    if (all == nullptr) throw std::runtime_error("cannot list a directory");
    while (::readdir(all) != nullptr) {
    }
    ::closedir(all);
  }
  static void vanish(int directory, const File& file) {
    ::unlinkat(directory, file.name, 0);
    ::munmap(file.at, file.bytes);
    ::close(file.fd);
  }
  std::string path_;
};

class OpenClose final : public Solo {
 public:
  void open(Side) override {}
  void ping(std::uint64_t) override {
    if (!signalbox::Publisher<Payload>::open("bench/opened")) {
      throw std::runtime_error("cannot open a topic");
    }
  }
};

class PublishTo final : public Solo {
 public:
  explicit PublishTo(std::size_t subscribers)
      : count_(subscribers), name_("bench/to/" + std::to_string(subscribers)) {}
  void open(Side side) override {
    if (side == Side::leader) publisher_ = signalbox::Publisher<Payload>::open(name_).value();
  }
  // Not before it is our turn: those who sleep look for the dead ten times a second.
  void rest() override {
    if (!crowd_) crowd_.emplace(name_, count_);
  }
  void ping(std::uint64_t round) override {
    for (std::uint64_t i = 0; i < published_a_round; ++i) {
      static_cast<void>(publisher_->send(payload_of(round)));
    }
  }

 private:
  std::size_t count_;
  std::string name_;
  std::optional<signalbox::Publisher<Payload>> publisher_;
  std::optional<Crowd> crowd_;
};

}  // namespace

std::unique_ptr<Exchange> raw_open_close() { return std::make_unique<RawOpenClose>(); }
std::unique_ptr<Exchange> topic_open_close() { return std::make_unique<OpenClose>(); }
std::unique_ptr<Exchange> publish_to_one() { return std::make_unique<PublishTo>(1); }
std::unique_ptr<Exchange> publish_to_many() { return std::make_unique<PublishTo>(256); }

}  // namespace bench
