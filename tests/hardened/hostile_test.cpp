// Goal: nobody can shorten or write what others read; whoever offers something else than sealed
// memory, is another user, talks nonsense, is slow or is stopped meets a named error, and disturbs
// nobody else.
// Method: a stranger that speaks the protocol by itself, over the same sockets, to honest
// participants; and one that puts its own socket where they look.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "../proof_counts.hpp"
#include "../stop/participant.hpp"
#include "os/readiness.hpp"
#include "os/unix_calls.hpp"
#include "signalbox/os/memory_file.hpp"
#include "topic/directory.hpp"
#include "topic/introduction.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
namespace os = signalbox::os;
namespace topic = signalbox::topic;
using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::Subscriber;
using signalbox::Tier;
using stop::Beat;
using stop::eventually;
using stop::Participant;
using topic::Answer;
using topic::Ask;
using topic::Role;

constexpr char kTopic[] = "hard/topic";
constexpr char kDirectory[] = "hard+topic";
const signalbox::PublisherOptions kGives{.depth = 8, .tier = Tier::hardened};
const signalbox::SubscriberOptions kTakes{.start = signalbox::Start::oldest,
                                          .tier = Tier::hardened};

os::Fd directory_of(const signalbox::ScratchDomain& domain) {
  return os::open_directory(domain.topic_path(kDirectory)).value();
}

std::vector<topic::Participant> everyone_in(const signalbox::ScratchDomain& domain, Role role) {
  std::vector<topic::Participant> all;
  for (const auto& entry : fs::directory_iterator(domain.topic_path(kDirectory))) {
    const auto who = topic::participant_of(entry.path().filename());
    if (who && who->role == role) all.push_back(*who);
  }
  return all;
}

topic::Request request_to(const topic::Participant& whom, Ask ask) {
  return {.ask = ask, .addressee = whom.incarnation};
}

os::UnixAddress address_of(const os::Fd& directory, const topic::Participant& whom) {
  return os::UnixAddress::in(directory, topic::socket_name(whom.file)).value();
}

os::Fd call(const os::Fd& directory, const topic::Participant& whom) {
  return os::connect_unix(SOCK_SEQPACKET, address_of(directory, whom)).value();
}

struct Heard {
  Answer answer{};  // 0: none
  std::vector<os::Fd> descriptors{};
};
Heard hear(const os::Fd& connection) {
  os::Readable readable[] = {{connection.get()}};
  os::wait_readable(readable, Deadline::after(20s));
  topic::Reply reply{};
  std::vector<os::Fd> descriptors;
  const auto got = os::receive_unix(
      connection,
      {.room = std::as_writable_bytes(std::span(&reply, 1)), .descriptors = &descriptors});
  if (!got || got->bytes == 0) return {};
  return {reply.answer, std::move(descriptors)};
}

// Whatever the bytes and the descriptors are, as they are.
Heard say(const os::Fd& directory, const topic::Participant& whom, std::span<const std::byte> bytes,
          std::span<const int> descriptors = {}) {
  const os::Fd connection = call(directory, whom);
  EXPECT_TRUE(os::send_message(connection, bytes, descriptors));
  return hear(connection);
}
Heard say(const os::Fd& directory, const topic::Participant& whom, const topic::Request& request,
          std::span<const int> descriptors = {}) {
  return say(directory, whom, std::as_bytes(std::span(&request, 1)), descriptors);
}

// A pair that goes on whatever happens beside it.
struct Honest {
  Publisher<Beat> out = Publisher<Beat>::open(kTopic, kGives).value();
  Subscriber<Beat> in = Subscriber<Beat>::open(kTopic, kTakes).value();
  std::uint64_t sent = 0;
  void expect_undisturbed() {
    ASSERT_TRUE(out.send({sent}));
    const auto got = in.take();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->number, sent++);
    proof::count({{"tries", 1}});
  }
};

// ---- what is received --------------------------------------------------------------------------

void expect_refused(int answer, int error, const char* what) {
  const int found = errno;
  EXPECT_EQ(answer, -1) << what;
  EXPECT_EQ(found, error) << what << ": " << std::strerror(found);
}

int map_writable(int fd) {
  void* const at = ::mmap(nullptr, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? -1 : 0;
}

void expect_fixed_size(const os::Fd& memory) {
  struct stat facts{};
  ASSERT_EQ(::fstat(memory.get(), &facts), 0);
  expect_refused(::ftruncate(memory.get(), 0), EPERM, "ftruncate to nothing");
  expect_refused(::ftruncate(memory.get(), facts.st_size - 1), EPERM, "ftruncate by a byte");
  expect_refused(::ftruncate(memory.get(), facts.st_size + 4096), EPERM, "ftruncate to more");
  expect_refused(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE), EPERM, "another seal");
}

void expect_read_only(const os::Fd& memory) {
  expect_fixed_size(memory);
  expect_refused(map_writable(memory.get()), EPERM, "mmap");
  expect_refused(static_cast<int>(::pwrite(memory.get(), "x", 1, 0)), EPERM, "pwrite");
  constexpr int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  expect_refused(::fallocate(memory.get(), punch, 0, 4096), EPERM, "a hole");
  const os::Fd again(
      ::open(("/proc/self/fd/" + std::to_string(memory.get())).c_str(), O_RDWR | O_CLOEXEC));
  if (again.is_open()) expect_refused(map_writable(again.get()), EPERM, "mmap after opening again");
  void* const view = ::mmap(nullptr, 64, PROT_READ, MAP_SHARED, memory.get(), 0);
  ASSERT_NE(view, MAP_FAILED);
  expect_refused(::mprotect(view, 64, PROT_READ | PROT_WRITE), EACCES, "mprotect");
}

TEST(Received, CannotBeShortenedOrWritten) {
  const signalbox::ScratchDomain domain;
  Honest honest;
  const os::Fd directory = directory_of(domain);
  for (const Role role : {Role::publisher, Role::subscriber}) {
    const auto whom = everyone_in(domain, role).at(0);
    const Heard heard = say(directory, whom, request_to(whom, Ask::look));
    ASSERT_EQ(heard.answer, Answer::given);
    ASSERT_EQ(heard.descriptors.size(), 2U);
    for (const os::Fd& memory : heard.descriptors) expect_read_only(memory);

    topic::Request for_topic = request_to(whom, Ask::topic);
    struct stat facts{};
    ASSERT_EQ(::stat((domain.topic_path(kDirectory) + "/topic").c_str(), &facts), 0);
    for_topic.topic_inode = facts.st_ino;
    const Heard bell = say(directory, whom, for_topic);
    ASSERT_EQ(bell.answer, Answer::given);
    ASSERT_EQ(bell.descriptors.size(), 2U);
    expect_read_only(bell.descriptors[0]);
    expect_fixed_size(bell.descriptors[1]);
  }
  honest.expect_undisturbed();
}

// ---- what is offered ----------------------------------------------------------------------------

// Memory with a right header, sealed as wished.
os::Fd memory_of(const topic::Participant& who, std::optional<os::Seals> seal) {
  const std::uint64_t bytes = 8192;
  auto made = topic::create_memory_segment("offered", topic::kind_of(who.role), who.incarnation,
                                           bytes, topic::page_bytes_of(topic::kind_of(who.role)));
  EXPECT_TRUE(made);
  if (seal) {
    EXPECT_TRUE(os::add_seals(made->file, *seal));
  }
  return std::move(made->file);
}

struct Offer {
  const char* name;
  const char* reason;  // in the error's text
  std::function<os::Fd(const topic::Participant&)> make;
};

os::Fd without_bytes(const topic::Participant&) {
  os::Fd memory(::memfd_create("holes", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(memory.get(), 8192), 0);
  EXPECT_TRUE(os::add_seals(memory, os::sealed_to_others));
  return memory;
}

const Offer kOffers[] = {
    {"Unsealed", "F_SEAL_SHRINK", [](const auto& who) { return memory_of(who, {}); }},
    {"StillWritable", "F_SEAL_FUTURE_WRITE",
     [](const auto& who) { return memory_of(who, os::sealed_size); }},
    {"TooShort", "has only 64 bytes",
     [](const auto&) {
       os::Fd memory = os::MemoryFile::create("short", 64).value().release();
       EXPECT_TRUE(os::add_seals(memory, os::sealed_to_others));
       return memory;
     }},
    {"Holes", "bytes are there", without_bytes},
    {"Zeros", "magic number",
     [](const auto&) {
       os::Fd memory = os::MemoryFile::create("zeros", 8192).value().release();
       EXPECT_TRUE(os::add_seals(memory, os::sealed_to_others));
       return memory;
     }},
    {"AnothersMemory", "another participant's",
     [](const auto& who) {
       return memory_of({who.role, who.incarnation + 1, who.file}, os::sealed_to_others);
     }},
    {"WrongKind", "another kind",
     [](const auto& who) {
       const Role role = who.role == Role::publisher ? Role::subscriber : Role::publisher;
       return memory_of({role, who.incarnation, who.file}, os::sealed_to_others);
     }},
    {"Device", "no memory that can be sealed",
     [](const auto&) { return os::Fd(::open("/dev/zero", O_RDWR | O_CLOEXEC)); }},
    {"Pipe", "no memory that can be sealed",
     [](const auto&) {
       int ends[2];
       EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
       ::close(ends[1]);
       return os::Fd(ends[0]);
     }},
};

// A participant's file, locked, of a process that may not be honest.
struct Impostor {
  topic::Participant who;
  os::Fd directory;
  os::Fd plate;
  Impostor(const signalbox::ScratchDomain& domain, Role role)
      : who{role, 0x1234567890abcdef, topic::file_name(role, 0x1234567890abcdef)},
        directory(directory_of(domain)),
        plate(
            topic::create_plate(directory, who.file, topic::kind_of(role), who.incarnation, {0600})
                .value()) {
    EXPECT_TRUE(os::try_lock(plate, os::LockKind::exclusive));
    EXPECT_TRUE(os::link_unnamed(plate, directory, who.file));
  }
  ~Impostor() {
    os::unlink_file(directory, topic::socket_name(who.file));
    os::unlink_file(directory, who.file);
  }
  // Answers every meeting with this, and nothing else, for ever.
  [[noreturn]] void answer_with(int offered, const os::Fd& listener) const {
    for (;;) {
      os::Readable readable[] = {{listener.get()}};
      os::wait_readable(readable, Deadline::never());
      const auto connection = os::accept_from(listener);
      if (!connection) continue;
      os::Readable asked[] = {{connection->get()}};
      os::wait_readable(asked, Deadline::never());
      topic::Request request{};
      static_cast<void>(
          os::receive_unix(*connection, {.room = std::as_writable_bytes(std::span(&request, 1))}));
      if (request.ask != Ask::meet) continue;
      const topic::Reply reply{.magic = topic::introduction_magic,
                               .version = topic::introduction_version,
                               .answer = Answer::given,
                               .reserved = {}};
      const int give[] = {offered};
      static_cast<void>(os::send_message(*connection, std::as_bytes(std::span(&reply, 1)), give));
    }
  }
};

class Offered : public ::testing::TestWithParam<Offer> {
 protected:
  signalbox::ScratchDomain domain_;
};

TEST_P(Offered, ByWhoIsThereIsRefusedByTheNewcomer) {
  Honest honest;
  const Impostor impostor(domain_, Role::subscriber);
  const os::Fd listener = os::UnixListener::listen(address_of(impostor.directory, impostor.who),
                                                   {.kind = os::UnixListener::Kind::seqpacket})
                              .value()
                              .release();
  const os::Fd offered = GetParam().make(impostor.who);
  Participant answers([&]() -> int { impostor.answer_with(offered.get(), listener); });
  const auto out = Publisher<Beat>::open(kTopic, kGives);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::damaged) << out.error().text;
  EXPECT_NE(out.error().text.find(GetParam().reason), std::string::npos) << out.error().text;
  EXPECT_NE(out.error().text.find("Process "), std::string::npos) << out.error().text;
  honest.expect_undisturbed();
}

TEST_P(Offered, ByANewcomerIsRefusedByWhoIsThere) {
  Honest honest;
  const Impostor impostor(domain_, Role::subscriber);
  const os::Fd offered = GetParam().make(impostor.who);
  const auto whom = everyone_in(domain_, Role::publisher).at(0);
  struct stat facts{};
  ASSERT_EQ(::stat((domain_.topic_path(kDirectory) + "/topic").c_str(), &facts), 0);
  topic::Request meet = request_to(whom, Ask::meet);
  meet.topic_inode = facts.st_ino;
  meet.sender = impostor.who.incarnation;
  const int memory[] = {offered.get()};
  EXPECT_EQ(say(impostor.directory, whom, meet, memory).answer, Answer::bad_memory);
  // The same with sound memory is accepted, so it was the memory that was refused.
  const os::Fd sound = memory_of(impostor.who, os::sealed_to_others);
  const int good[] = {sound.get()};
  const Heard heard = say(impostor.directory, whom, meet, good);
  EXPECT_EQ(heard.answer, Answer::given);
  EXPECT_EQ(heard.descriptors.size(), 1U);
  honest.expect_undisturbed();
}

INSTANTIATE_TEST_SUITE_P(Memory, Offered, ::testing::ValuesIn(kOffers),
                         [](const auto& which) { return std::string(which.param.name); });

TEST(Newcomer, WithoutALockedFileIsNobody) {
  const signalbox::ScratchDomain domain;
  Honest honest;
  const os::Fd directory = directory_of(domain);
  const auto whom = everyone_in(domain, Role::publisher).at(0);
  struct stat facts{};
  ASSERT_EQ(::stat((domain.topic_path(kDirectory) + "/topic").c_str(), &facts), 0);
  topic::Request meet = request_to(whom, Ask::meet);
  meet.topic_inode = facts.st_ino;
  meet.sender = 77;
  const topic::Participant nobody{Role::subscriber, 77, topic::file_name(Role::subscriber, 77)};
  const os::Fd memory = memory_of(nobody, os::sealed_to_others);
  const int sent[] = {memory.get()};
  EXPECT_EQ(say(directory, whom, meet, sent).answer, Answer::nobody);
  honest.expect_undisturbed();
}

// ---- what is said ------------------------------------------------------------------------------

TEST(Nonsense, IsAnsweredAsSuchAndDisturbsNobody) {
  const signalbox::ScratchDomain domain;
  Honest honest;
  const os::Fd directory = directory_of(domain);
  const auto whom = everyone_in(domain, Role::publisher).at(0);
  const topic::Request sound = request_to(whom, Ask::look);
  ASSERT_EQ(say(directory, whom, sound).answer, Answer::given);

  const auto bytes = std::as_bytes(std::span(&sound, 1));
  EXPECT_EQ(say(directory, whom, bytes.first(63)).answer, Answer::malformed);
  EXPECT_EQ(say(directory, whom, bytes.first(1)).answer, Answer::malformed);
  EXPECT_EQ(say(directory, whom, std::vector<std::byte>(100'000)).answer, Answer::malformed);
  topic::Request wrong = sound;
  wrong.magic += 1;
  EXPECT_EQ(say(directory, whom, wrong).answer, Answer::malformed);
  wrong = sound;
  wrong.version += 1;
  EXPECT_EQ(say(directory, whom, wrong).answer, Answer::other_version);
  wrong = sound;
  wrong.addressee += 1;
  EXPECT_EQ(say(directory, whom, wrong).answer, Answer::elsewhere);
  wrong = sound;
  wrong.topic_inode = 1;
  EXPECT_EQ(say(directory, whom, wrong).answer, Answer::elsewhere);
  wrong = sound;
  wrong.ask = Ask{99};
  EXPECT_NE(say(directory, whom, wrong).answer, Answer::given);
  // Descriptors that nobody asked for are closed, not kept.
  const auto open_files = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto before = open_files();
  const int four[] = {0, 0, 0, 0};
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(say(directory, whom, bytes.first(9), four).answer, Answer::malformed);
  }
  EXPECT_TRUE(eventually([&] { return open_files() <= before; }));
  honest.expect_undisturbed();
  EXPECT_TRUE(Subscriber<Beat>::open(kTopic, kTakes));
}

TEST(SlowCallers, DoNotKeepOthersOut) {
  const signalbox::ScratchDomain domain;
  Honest honest;
  const os::Fd directory = directory_of(domain);
  const auto whom = everyone_in(domain, Role::publisher).at(0);
  std::vector<os::Fd> silent;
  const Deadline watchdog = Deadline::after(60s);
  while (silent.size() < 300 && !watchdog.passed()) {
    auto connection = os::connect_unix(SOCK_SEQPACKET, address_of(directory, whom));
    if (connection) silent.push_back(std::move(*connection));
  }
  ASSERT_EQ(silent.size(), 300U);
  const auto in = Subscriber<Beat>::open(kTopic, kTakes);
  EXPECT_TRUE(in) << in.error().text;
  honest.expect_undisturbed();
}

// ---- who does not answer ------------------------------------------------------------------------

// A participant's life: subscribes, says so, and stays until it is told to go.
int subscribe_until_told(stop::Report& report) {
  auto in = Subscriber<Beat>::open(kTopic, kTakes);
  if (!in) return 1;
  report.mark = 1;
  return eventually([&] { return report.mark == 2; }) ? 0 : 2;
}

TEST(StoppedPeer, IsNamedInsteadOfWaitedFor) {
  const signalbox::ScratchDomain domain;
  stop::Report& report = *stop::map_report();
  Participant peer([&] { return subscribe_until_told(report); });
  ASSERT_TRUE(eventually([&] { return report.mark == 1; }));
  peer.signal(SIGSTOP);
  peer.wait_until_stopped();
  const auto refused = Publisher<Beat>::open(kTopic, kGives);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::timed_out);
  EXPECT_NE(refused.error().text.find("process " + std::to_string(peer.pid())), std::string::npos)
      << refused.error().text;
  EXPECT_TRUE(everyone_in(domain, Role::publisher).empty()) << "a failed open left its file";
  peer.signal(SIGCONT);
  EXPECT_TRUE(Publisher<Beat>::open(kTopic, kGives));
  report.mark = 2;
  EXPECT_EQ(peer.join(), 0);
}

// One who is stopped is no reason not to join, as long as it need not be met.
TEST(StoppedPeer, OfTheSameSideIsNotNeeded) {
  const signalbox::ScratchDomain domain;
  stop::Report& report = *stop::map_report();
  Participant peer([&] { return subscribe_until_told(report); });
  ASSERT_TRUE(eventually([&] { return report.mark == 1; }));
  auto out = Publisher<Beat>::open(kTopic, kGives).value();
  peer.signal(SIGSTOP);
  peer.wait_until_stopped();
  auto in = Subscriber<Beat>::open(kTopic, kTakes);
  ASSERT_TRUE(in) << in.error().text;
  ASSERT_TRUE(out.send({5}));
  EXPECT_TRUE(in->take());
  peer.signal(SIGCONT);
  report.mark = 2;
  EXPECT_EQ(peer.join(), 0);
}

// ---- another user -------------------------------------------------------------------------------

bool become(uid_t user) { return ::setgid(user) == 0 && ::setuid(user) == 0; }

TEST(AnotherUser, IsRefusedOnBothSidesWhateverTheFilesAllow) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become two users";
  const signalbox::ScratchDomain domain;
  ASSERT_EQ(::chmod(domain.root().c_str(), 0777), 0);
  stop::Report& report = *stop::map_report();
  Participant owner([&] {
    if (!become(64001)) return 1;
    auto out = Publisher<Beat>::open(kTopic, kGives);
    auto in = Subscriber<Beat>::open(kTopic, kTakes);
    if (!out || !in) return 2;
    report.mark = 1;
    return eventually([&] { return report.mark == 2; }) ? 0 : 3;
  });
  ASSERT_TRUE(eventually([&] { return report.mark == 1; }));
  // As open as a careless administrator could make it; but for others' right to write the domain,
  // nothing is shared with a group by this.
  ASSERT_EQ(::chmod((domain.root() + "/default").c_str(), 0777), 0);
  ASSERT_EQ(::chmod(domain.topic_path(kDirectory).c_str(), 0777), 0);
  for (const auto& entry : fs::directory_iterator(domain.topic_path(kDirectory))) {
    ASSERT_EQ(::chmod(entry.path().c_str(), 0666), 0);
  }
  Participant stranger([&] {
    if (!become(64002)) return 1;
    const os::Fd directory = directory_of(domain);
    const auto whom = everyone_in(domain, Role::publisher).at(0);
    // The one side: it is turned away before it has said anything.
    const os::Fd connection = call(directory, whom);
    const Heard heard = hear(connection);
    if (heard.answer != Answer::stranger || !heard.descriptors.empty()) return 2;
    // The other side: it does not want another user's memory either.
    const auto in = Subscriber<Beat>::open(kTopic, kTakes);
    if (in || in.error().code != Errc::permission_denied) return 3;
    return in.error().text.find("uid 64001") == std::string::npos ? 4 : 0;
  });
  EXPECT_EQ(stranger.join(), 0);
  report.mark = 2;
  EXPECT_EQ(owner.join(), 0);
}

}  // namespace
