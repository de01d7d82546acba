// bench_peers: the same work done by us and by every peer that is installed.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/fork_child.hpp"
#include "bench/peers/bout.hpp"
#include "bench/report.hpp"
#include "bench/scratch_domain.hpp"

namespace bench {
namespace {

std::string own_threads(const LinkPlan& plan) {
  return plan.work == Work::spinning ? "its own threads need the CPU that spinning takes" : "";
}

std::string one_receiver(const LinkPlan& plan) {
  return plan.publishes() ? "it has no subscribers, each message goes to one receiver" : "";
}

std::vector<Peer> peers() {
  Peer iceoryx{"iceoryx"}, iceoryx2{"iceoryx2"}, boost{"Boost.Interprocess"}, zeromq{"ZeroMQ"};
  Peer nng{"NNG"}, cyclone{"Cyclone DDS"};
  iceoryx2.absent = "not installed: it needs cargo, rustc 1.89 or newer and crates.io";
  boost.cannot = one_receiver;
  zeromq.cannot = nng.cannot = cyclone.cannot = own_threads;
#ifdef SBX_PEER_ICEORYX
  iceoryx.link = iceoryx_link;
#endif
#ifdef SBX_PEER_ICEORYX2
  iceoryx2.link = iceoryx2_link;
#endif
#ifdef SBX_PEER_BOOST
  boost.link = boost_link;
#endif
#ifdef SBX_PEER_ZEROMQ
  zeromq.link = zeromq_link;
#endif
#ifdef SBX_PEER_NNG
  nng.link = nng_link;
#endif
#ifdef SBX_PEER_CYCLONE
  cyclone.link = cyclone_link;
#endif
  return {iceoryx, iceoryx2, boost, zeromq, nng, cyclone};
}

// iceoryx's daemon owns the memory, in pools whose sizes a file says.
pid_t start_roudi(const std::string& folder) {
  const std::string config = folder + "/roudi.toml";
  std::ofstream(config) << "[general]\nversion = 1\n[[segment]]\n"
                           "[[segment.mempool]]\nsize = 128\ncount = 4096\n"
                           "[[segment.mempool]]\nsize = 6221824\ncount = 16\n";
  const pid_t daemon = fork_child();
  if (daemon != 0) return daemon;
  const int log = ::open((folder + "/roudi.log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execlp("iox-roudi", "iox-roudi", "-c", config.c_str(), nullptr);
  ::_exit(127);
}

class Roudi {
 public:
  explicit Roudi(const std::string& folder) : daemon_(start_roudi(folder)) {}
  ~Roudi() {
    if (daemon_ <= 0) return;
    ::kill(daemon_, SIGTERM);
    ::waitpid(daemon_, nullptr, 0);
  }
  Roudi(const Roudi&) = delete;
  Roudi& operator=(const Roudi&) = delete;

 private:
  pid_t daemon_;
};

// All peers, or the one that was asked for.
std::vector<Peer> chosen(const std::string& only) {
  std::vector<Peer> all = peers();
  if (only.empty()) return all;
  std::erase_if(all, [&](const Peer& peer) { return peer.name != only; });
  if (all.empty()) throw std::runtime_error("there is no peer \"" + only + "\"");
  return all;
}

void run(const std::vector<Peer>& peers, std::size_t windows, const std::string& json,
         const std::string& picture) {
  // Both asked before anything is measured: the bench itself is a load.
  const std::string where = machine_line();
  const nlohmann::json details = machine();
  std::vector<Comparison> rows;
  for (const Work work :
       {Work::spinning, Work::blocking, Work::stream, Work::frame, Work::publish_to_1,
        Work::publish_to_4, Work::publish_to_16, Work::publish_to_64}) {
    for (const Peer& peer : peers) rows.push_back(fight(peer, work, windows));
  }
  for (const Work work :
       {Work::publish_to_1, Work::publish_to_4, Work::publish_to_16, Work::publish_to_64}) {
    for (const Peer& peer : peers) rows.push_back(count(peer, work));
  }
  std::printf("%s\nns a message, or instructions; ratio = how many times as long as ours\n\n%s",
              where.c_str(), table_of(rows).c_str());
  write_file(json, json_of(rows, details));
  write_file(picture, svg_of(rows, where));
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app("Signalbox and its peers on the same work, window by window in one run.");
  bool quick = false;
  bool smoke = false;
  std::string json, picture, only;
  app.add_flag("--quick", quick, "fewer windows");
  app.add_flag("--smoke", smoke, "one window a case: does it run?");
  app.add_option("--only", only, "one peer, by the name it has in the table");
  app.add_option("--json", json, "also write the rows to this file");
  app.add_option("--picture", picture, "also draw them into this SVG file");
  CLI11_PARSE(app, argc, argv);
  return bench::in_scratch_domain([&](const std::string& root) {
    bench::require_writable(json);
    bench::require_writable(picture);
    const auto peers = bench::chosen(only);
    const bench::Roudi daemon(root);
    bench::run(peers, smoke ? 1 : quick ? 10 : 60, json, picture);
    return 0;
  });
}
