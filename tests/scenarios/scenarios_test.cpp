// Goal: the kernel, our wrappers and our bindings give the same answers, errno included, in every
// scenario of rows/*.txt.
// Method: each row is a test for each kind of actor. The row's processes are started, asked and
// killed as it says, and each answer is held against the row. What sleeps is told by the kernel.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>

#include "../proof_counts.hpp"
#include "engine.hpp"
#include "leftovers.hpp"
#include "scenario.hpp"

namespace signalbox::scenarios {

namespace {

// What the bindings have.
std::vector<std::string> bound_families() {
  return {"posix_queues", "posix_semaphores", "semaphore_sets", "sysv_queues"};
}

// Who plays. An actor in another language is one line more: README.md has the protocol.
const std::vector<ActorKind>& actor_kinds() {
  static const std::vector<ActorKind> kinds = {
      {"raw", {SBX_ACTOR_FOLDER "/scenario_actor_raw"}},
      {"ours", {SBX_ACTOR_FOLDER "/scenario_actor_ours"}},
      {"c", {SBX_ACTOR_FOLDER "/scenario_actor_c"}, false, bound_families()},
      {"python",
       {"/usr/bin/env", "OPENBLAS_NUM_THREADS=1", SBX_PYTHON, "-B", SBX_ACTOR_PYTHON},
       false,
       bound_families()},
      {"go", {SBX_ACTOR_FOLDER "/scenario_actor_go"}, false, bound_families()},
  };
  return kinds;
}

// What each kind of actor has played, and why it did not play the rest.
struct Tally {
  int played = 0;
  std::map<std::string, int> skipped{};
};
std::map<std::string, Tally>& tallies() {
  static std::map<std::string, Tally> all;
  return all;
}

void print_tallies() {
  for (const auto& [name, tally] : tallies()) {
    std::cout << "actor " << name << ": " << tally.played << " rows played\n";
    for (const auto& [why, count] : tally.skipped) {
      std::cout << "    " << count << " skipped, " << why << "\n";
    }
  }
}

class PlayedRow : public ::testing::Test {
 public:
  PlayedRow(const Row& row, const ActorKind& kind) : row_(row), kind_(kind) {}
  void TestBody() override {
    for (const std::string& word : kind_.command) {
      if (word[0] == '/' && !std::filesystem::exists(word)) {
        FAIL() << word << " is not there: tools/build_languages.sh builds what CMake does not";
      }
    }
    const std::uint64_t seed = proof::number_from_environment("SBX_SEED", std::random_device{}());
    Verdict verdict;
    {
      Engine engine(row_, kind_, seed);
      verdict = engine.play();
    }
    Tally& tally = tallies()[kind_.name];
    if (verdict.kind == Verdict::Kind::skipped) {
      ++tally.skipped[verdict.text];
      GTEST_SKIP() << verdict.text;
    }
    ++tally.played;
    const bool hung = verdict.text.find(": hangs:") != std::string::npos;
    proof::count({{"tries", 1}, {"random_kills", verdict.kills}, {"hangs", hung ? 1 : 0}});
    if (verdict.kind == Verdict::Kind::failed) {
      ADD_FAILURE() << "row " << row_.number << " (" << row_.original << ") " << row_.title << "\n"
                    << verdict.text;
    }
  }

 private:
  const Row& row_;
  const ActorKind& kind_;
};

// "row_08_removed_while_one_waits": what a test may be called.
std::string test_name(const Row& row) {
  std::string name = "row_" + row.number + "_" + row.title;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name.substr(0, 70);
}

void register_test(const Row& row, const ActorKind& kind) {
  [[maybe_unused]] const std::string suite = row.family + "_" + kind.name;
  [[maybe_unused]] const std::string name = test_name(row);
#ifndef __clang_analyzer__  // it takes what GoogleTest keeps for leaked
  ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, row.file.c_str(), row.line,
                          [&row, &kind] { return new PlayedRow(row, kind); });
#endif
}

void register_tests(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (const ActorKind& kind : actor_kinds()) {
      const bool is_for_it = row.only.empty() || std::ranges::count(row.only, kind.name) != 0;
      const bool has_it =
          kind.families.empty() || std::ranges::count(kind.families, row.family) != 0;
      if (is_for_it && has_it) register_test(row, kind);
    }
  }
}

}  // namespace

}  // namespace signalbox::scenarios

int main(int count, char** arguments) {
  ::testing::InitGoogleTest(&count, arguments);
  // Children of actors become ours when their parent ends, so that we see their end, too.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  signalbox::scenarios::enter_own_ipc_name_space();
  try {
    const auto rows = signalbox::scenarios::read_rows(SBX_ROWS);
    signalbox::scenarios::register_tests(rows);
    const int status = RUN_ALL_TESTS();
    signalbox::scenarios::print_tallies();
    return status;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
