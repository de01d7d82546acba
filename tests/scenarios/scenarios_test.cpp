// Goal: the kernel and our wrappers give the same answers, errno included, in every scenario of
// rows/*.txt.
// Method: each row is a test for each kind of actor. The row's processes are started, asked and
// killed as it says, and each answer is held against the row. What sleeps is told by the kernel.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <random>

#include "../proof_counts.hpp"
#include "engine.hpp"
#include "leftovers.hpp"
#include "scenario.hpp"

namespace signalbox::scenarios {

namespace {

// Who plays. An actor in another language is one line more: README.md has the protocol.
const std::vector<ActorKind>& actor_kinds() {
  static const std::vector<ActorKind> kinds = {
      {"raw", {SBX_ACTOR_FOLDER "/scenario_actor_raw"}},
      {"ours", {SBX_ACTOR_FOLDER "/scenario_actor_ours"}},
  };
  return kinds;
}

class PlayedRow : public ::testing::Test {
 public:
  PlayedRow(const Row& row, const ActorKind& kind) : row_(row), kind_(kind) {}
  void TestBody() override {
    const std::uint64_t seed = proof::number_from_environment("SBX_SEED", std::random_device{}());
    Verdict verdict;
    {
      Engine engine(row_, kind_, seed);
      verdict = engine.play();
    }
    if (verdict.kind == Verdict::Kind::skipped) GTEST_SKIP() << verdict.text;
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

void register_tests(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (const ActorKind& kind : actor_kinds()) {
      if (!row.only.empty() && row.only != kind.name) continue;
      if (!kind.families.empty() && std::ranges::count(kind.families, row.family) == 0) continue;
      ::testing::RegisterTest((row.family + "_" + kind.name).c_str(), test_name(row).c_str(),
                              nullptr, nullptr, row.file.c_str(), row.line,
                              [&row, &kind] { return new PlayedRow(row, kind); });
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
    return RUN_ALL_TESTS();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
