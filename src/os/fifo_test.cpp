// Goal: FIFOs: who opens first, who comes and goes, and what is refused.
// Method: real files in a directory of the test's own. Scenario row 71 (LTP open06, read03,
// write04) and its neighbours.
#include "signalbox/os/fifo.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "os/test_process.hpp"
#include "os/test_streams.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_text;
using test::read_to_end;
using test::soon;

// Row 71.
TEST(Fifo, NobodyReadsEmptyAndFullAreToldWithoutWaiting) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  must(Fifo::create(path));
  const Error nobody = Fifo::try_open_writer(path).error();
  EXPECT_EQ(nobody.sys_errno, ENXIO);
  EXPECT_EQ(nobody.code, Errc::would_block);
  auto reader = must(Fifo::try_open_reader(path));
  std::byte room[8];
  EXPECT_EQ(must(reader.try_read(room)), 0U) << "no writer yet looks like the end";
  auto writer = must(Fifo::try_open_writer(path));
  EXPECT_EQ(reader.try_read(room).error().sys_errno, EAGAIN);
  const std::vector<std::byte> much(must(writer.capacity()) + 1);
  EXPECT_EQ(must(writer.try_write(much)), much.size() - 1);
  EXPECT_EQ(writer.try_write(much).error().sys_errno, EAGAIN);
  reader.close();
  EXPECT_EQ(writer.try_write(bytes_of("x")).error().code, Errc::closed);
}

TEST(Fifo, BothSidesMayWaitForEachOther) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  must(Fifo::create(path));
  EXPECT_EQ(Fifo::open_writer(path, Deadline::immediate()).error().code, Errc::timed_out);
  EXPECT_EQ(Fifo::open_writer(path, Deadline::after(3ms)).error().code, Errc::timed_out);
  EXPECT_EQ(Fifo::open_reader(path, Deadline::after(3ms)).error().code, Errc::timed_out);
  test::Forked other([&] {
    auto writer = must(Fifo::open_writer(path, soon()));
    must(writer.try_write(bytes_of("from afar")));
    return 0;
  });
  auto reader = must(Fifo::open_reader(path, soon()));
  EXPECT_EQ(read_to_end(reader), "from afar");
  EXPECT_EQ(other.wait(), 0);
}

// A program that knows nothing of us sleeps in a plain open().
TEST(Fifo, AWriterFindsOneWhoSleepsInOpen) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  must(Fifo::create(path));
  test::Forked plain([&] {
    const Fd end(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char byte = 0;
    return ::read(end.get(), &byte, 1) == 1 && byte == 'x' ? 0 : 1;
  });
  must(must(Fifo::open_writer(path, soon())).try_write(bytes_of("x")));
  EXPECT_EQ(plain.wait(), 0);
}

TEST(Fifo, AReaderMayOutliveItsWriters) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  must(Fifo::create(path));
  auto reader = must(Fifo::try_open_reader(path, {.outlives_writers = true}));
  std::byte room[8];
  for (const char* word : {"one", "two"}) {
    EXPECT_EQ(reader.try_read(room).error().code, Errc::would_block);
    must(must(Fifo::try_open_writer(path)).try_write(bytes_of(word)));
    EXPECT_EQ(read_text(reader), word);
  }
  EXPECT_EQ(reader.read(room, Deadline::after(1ms)).error().code, Errc::timed_out);
}

TEST(Fifo, ModeAndRefusals) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  const mode_t before = ::umask(0777);
  must(Fifo::create(path, 0640));
  ::umask(before);
  struct stat st{};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0640U);
  EXPECT_EQ(Fifo::create(path).error().code, Errc::already_exists);
  EXPECT_EQ(Fifo::create(directory / "no/fifo").error().code, Errc::not_found);
  EXPECT_EQ(Fifo::create(directory / std::string(300, 'x')).error().code, Errc::bad_name);
  EXPECT_EQ(Fifo::try_open_reader(directory / "none").error().code, Errc::not_found);
  EXPECT_EQ(Fifo::open_writer(directory / "none", soon()).error().code, Errc::not_found);
  std::ofstream(directory / "file") << "text";
  EXPECT_EQ(Fifo::try_open_reader(directory / "file").error().code, Errc::bad_argument);
  EXPECT_EQ(Fifo::unlink(directory / "file").error().code, Errc::bad_argument);
  must(Fifo::unlink(path));
  EXPECT_EQ(Fifo::unlink(path).error().code, Errc::not_found);
}

TEST(Fifo, AZeroByteEndsNoPath) {
  const test::OwnDirectory directory;
  const std::string cut = directory / std::string("fifo\0x", 6);
  EXPECT_EQ(Fifo::create(cut).error().code, Errc::bad_name);
  must(Fifo::create(directory / "fifo"));
  EXPECT_EQ(Fifo::try_open_reader(cut).error().code, Errc::bad_name);
  EXPECT_EQ(Fifo::open_writer(cut, soon()).error().code, Errc::bad_name);
  const Error refused = Fifo::unlink(cut).error();
  EXPECT_EQ(refused.code, Errc::bad_name);
  EXPECT_NE(refused.text.find("fifo\\0x"), std::string::npos) << refused.text;
}

TEST(Fifo, AWaitEndsWhenTheFileIsRemoved) {
  const test::OwnDirectory directory;
  const std::string path = directory / "fifo";
  must(Fifo::create(path));
  const std::jthread remover([&] { must(Fifo::unlink(path)); });
  EXPECT_EQ(Fifo::open_writer(path, soon()).error().code, Errc::not_found);
}

}  // namespace
}  // namespace signalbox::os
