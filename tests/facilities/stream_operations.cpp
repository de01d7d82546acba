#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/zero_copy.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

constexpr std::array<std::byte, 5> kBytes{};

Pipe pipe_with(std::size_t bytes) {
  auto pipe = Pipe::create().value();
  const std::vector<std::byte> some(bytes);
  if (bytes > 0) static_cast<void>(pipe.writer.try_write(some));
  return pipe;
}

std::string unless_bytes(Pipe& pipe, std::size_t bytes) {
  return unless(pipe.reader.readable_bytes().value() == bytes, "another number of bytes");
}

constexpr std::size_t kFull = 65'536;

std::vector<Operation> of_pipe() {
  return {
      {"PipeCreate",
       [](const Ground&) {
         return making<Pipe>(
             [] { return Pipe::create({.capacity = 131'072}); },
             [](Pipe& pipe) { return unless(pipe.reader.capacity().value() == 131'072, "size"); });
       }},
      {"DuplexPipeCreate",
       [](const Ground&) {
         return making<DuplexPipe::Sides>([] { return DuplexPipe::create(); });
       }},
      {"PipeRead",
       [](const Ground&) {
         return with<Pipe>(
             pipe_with(5),
             [](Pipe& pipe) {
               std::array<std::byte, 8> room{};
               return done(pipe.reader.read(room, Deadline::after(1s)));
             },
             [](Pipe& pipe) { return unless_bytes(pipe, 0); });
       }},
      {"PipeReadWaits",
       [](const Ground&) {
         return with<Pipe>(pipe_with(0), [](Pipe& pipe) {
           std::array<std::byte, 8> room{};
           return until_deadline(pipe.reader.read(room, Deadline::after(2ms)));
         });
       }},
      {"PipeWrite",
       [](const Ground&) {
         return with<Pipe>(
             pipe_with(0),
             [](Pipe& pipe) { return done(pipe.writer.write(kBytes, Deadline::after(1s))); },
             [](Pipe& pipe) { return unless_bytes(pipe, 5); });
       }},
      {"PipeWriteWaits",
       [](const Ground&) {
         return with<Pipe>(
             pipe_with(kFull),
             [](Pipe& pipe) {
               return until_deadline(pipe.writer.write_atomic(kBytes, Deadline::after(2ms)));
             },
             [](Pipe& pipe) { return unless_bytes(pipe, kFull); });
       }},
      {"PipeSetCapacity",
       [](const Ground&) {
         return with<Pipe>(
             pipe_with(0), [](Pipe& pipe) { return done(pipe.writer.set_capacity(262'144)); },
             [](Pipe& pipe) { return unless(pipe.reader.capacity().value() == 262'144, "size"); });
       }},
  };
}

std::string unless_fifo(const Ground& ground) {
  struct stat facts{};
  const bool is = ::stat(ground.path("fifo").c_str(), &facts) == 0 && S_ISFIFO(facts.st_mode);
  return unless(is && (facts.st_mode & 0777U) == 0626, "no FIFO of this mode");
}

std::vector<Operation> of_fifo() {
  return {
      {"FifoCreate",
       [](const Ground& ground) {
         return Attempt{[&] { return Fifo::create(ground.path("fifo"), 0626); },
                        [&] { return unless_fifo(ground); }, ground.folder()};
       }},
      {"FifoOpenReader",
       [](const Ground& ground) {
         static_cast<void>(Fifo::create(ground.path("fifo")).value());
         return making<PipeReader>(
             [&] { return Fifo::try_open_reader(ground.path("fifo"), {.outlives_writers = true}); },
             {}, ground.folder());
       }},
      {"FifoOpenReaderWaits",
       [](const Ground& ground) {
         static_cast<void>(Fifo::create(ground.path("fifo")).value());
         return Attempt{[&] {
           return until_deadline(Fifo::open_reader(ground.path("fifo"), Deadline::after(2ms)));
         }};
       }},
      {"FifoOpenWriter",
       [](const Ground& ground) {
         static_cast<void>(Fifo::create(ground.path("fifo")).value());
         auto reader =
             std::make_shared<PipeReader>(Fifo::try_open_reader(ground.path("fifo")).value());
         return making<PipeWriter>(
             [&, reader] { return Fifo::try_open_writer(ground.path("fifo")); }, {},
             ground.folder());
       }},
      {"FifoOpenWriterWaits",
       [](const Ground& ground) {
         static_cast<void>(Fifo::create(ground.path("fifo")).value());
         return Attempt{[&] {
           return until_deadline(Fifo::open_writer(ground.path("fifo"), Deadline::after(2ms)));
         }};
       }},
      {"FifoUnlink",
       [](const Ground& ground) {
         static_cast<void>(Fifo::create(ground.path("fifo")).value());
         return Attempt{[&] { return Fifo::unlink(ground.path("fifo")); }, {}, ground.folder()};
       },
       true},
  };
}

struct TwoPipes {
  Pipe from = pipe_with(5);
  Pipe to = pipe_with(0);
};

Fd file_of(const Ground& ground, const char* name, const std::string& content) {
  std::ofstream(ground.path(name)) << content;
  return Fd(::open(ground.path(name).c_str(), O_RDWR | O_CLOEXEC));
}

struct TwoFiles {
  Fd from;
  Fd to;
  std::uint64_t from_offset = 0;
  std::uint64_t to_offset = 0;
};

std::vector<Operation> of_zero_copy() {
  return {
      {"SpliceOut",
       [](const Ground&) {
         return with<TwoPipes>(
             TwoPipes(),
             [](TwoPipes& pipes) {
               return done(
                   splice_out(pipes.from.reader, pipes.to.writer.fd(), 5, Deadline::after(1s)));
             },
             [](TwoPipes& pipes) { return unless_bytes(pipes.to, 5); });
       }},
      {"Tee",
       [](const Ground&) {
         return with<TwoPipes>(
             TwoPipes(),
             [](TwoPipes& pipes) {
               return done(tee(pipes.from.reader, pipes.to.writer, 5, Deadline::after(1s)));
             },
             [](TwoPipes& pipes) {
               return unless_bytes(pipes.to, 5) + unless_bytes(pipes.from, 5);
             });
       }},
      {"Vmsplice",
       [](const Ground&) {
         return with<Pipe>(
             pipe_with(0),
             [](Pipe& pipe) { return done(vmsplice(pipe.writer, kBytes, Deadline::after(1s))); },
             [](Pipe& pipe) { return unless_bytes(pipe, 5); });
       }},
      {"SendFile",
       [](const Ground& ground) {
         auto file = std::make_shared<Fd>(file_of(ground, "from", "12345"));
         auto pipe = std::make_shared<Pipe>(pipe_with(0));
         auto offset = std::make_shared<std::uint64_t>(0);
         return Attempt{
             [=] { return send_file_all(pipe->writer.fd(), *file, *offset, Deadline::after(1s)); },
             [=] { return unless_bytes(*pipe, 5); }};
       }},
      {"CopyFile",
       [](const Ground& ground) {
         return with<TwoFiles>(
             {file_of(ground, "from", "12345"), file_of(ground, "to", "")},
             [](TwoFiles& files) {
               return copy_file_all(files.from, files.from_offset, files.to, files.to_offset);
             },
             [](TwoFiles& files) { return unless(files.to_offset == 5, "not all was copied"); });
       }},
  };
}

}  // namespace

std::vector<Operation> stream_operations() {
  return joined<Operation>({of_pipe(), of_fifo(), of_zero_copy()});
}

}  // namespace facilities
