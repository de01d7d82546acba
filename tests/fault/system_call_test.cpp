// Goal: every system call of the core may fail, once, with each error that it gives on a real
// machine. The caller gets an error that names the topic and says what to do, or success by another
// way; nothing is leaked; the next attempt works; nobody crashes or hangs.
// Method: each operation runs once under a tracer that writes its calls down, and then once for
// each call and error, in a process of its own, with exactly that call answered by that error. The
// long form also lets all later calls of the same number fail.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "each_fault.hpp"
#include "kernel_boundary.hpp"
#include "os/shared_page.hpp"
#include "scene.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using fault::Holdings;
using fault::Operation;
using fault::Scene;
using kernel_boundary::Fault;
using kernel_boundary::Traced;

// What the child writes down for its parent.
struct Report {
  char answer[1024];    // of the operation under the fault
  char repeated[1024];  // of the second attempt, if the first one failed
  char exchange[512];
  char again[512];  // a whole new attempt after everything was closed
  Holdings before;
  Holdings after;
  std::size_t files_made;  // by an operation that failed
  std::size_t files_left;  // after everything was closed, before the new attempt
};

template <std::size_t size>
void note(char (&place)[size], const std::string& text) {
  std::strncpy(place, text.c_str(), size - 1);
}

std::size_t files_in(const fs::path& root) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(root)) ++count;
  return count;
}

void play(const Operation& operation, const fs::path& root, Report& report) {
  report.before = fault::holdings();
  {
    Scene scene;
    operation.prepare(scene);
    const std::size_t files_before = files_in(root);
    kernel_boundary::open_window();
    const std::string answer = operation.act(scene);
    kernel_boundary::close_window();
    note(report.answer, answer);
    const std::size_t files_now = files_in(root);
    if (answer != "ok" && files_now > files_before) report.files_made = files_now - files_before;
    if (answer != "ok" && !operation.closes) note(report.repeated, operation.act(scene));
    note(report.exchange, fault::exchange(scene));
  }
  report.after = fault::holdings();
  report.files_left = files_in(root);
  Scene scene;
  operation.prepare(scene);
  note(report.again, operation.act(scene));
  static_cast<void>(fault::use_locks(scene));
}

class SystemCall : public testing::TestWithParam<Operation> {
 protected:
  Traced run(std::optional<Fault> fault) {
    *report_ = Report{};
    return kernel_boundary::trace([&] { play(GetParam(), domain_.root(), *report_); }, fault);
  }

  // The caller learns what it is about, and what to do: two sentences at least.
  void expect_helpful(const std::string& answer) const {
    const bool names_it = !GetParam().has_name || answer.find("fault/") != std::string::npos ||
                          answer.find(domain_.root()) != std::string::npos;
    EXPECT_TRUE(names_it) << "the text does not name the topic: " << answer;
    const std::size_t sentence = answer.find(". ");
    EXPECT_NE(sentence, std::string::npos) << "the text gives no advice: " << answer;
    EXPECT_EQ(answer.back(), '.') << answer;
  }

  void judge(const Traced& traced, int error) {
    ASSERT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0)
        << (WTERMSIG(traced.status) == SIGALRM ? "it hung" : strsignal(WTERMSIG(traced.status)));
    const std::string answer = report_->answer;
    if (answer != "ok") {
      EXPECT_NE(error, EINTR) << "an interruption is no failure: " << answer;
      expect_helpful(answer);
      EXPECT_EQ(report_->files_made, 0U) << "it failed, and its files are there: " << answer;
      EXPECT_TRUE(GetParam().closes || std::strcmp(report_->repeated, "ok") == 0)
          << "the second attempt fails: " << report_->repeated;
    }
    EXPECT_STREQ(report_->exchange, "");
    EXPECT_EQ(report_->before.descriptors, report_->after.descriptors);
    EXPECT_EQ(report_->before.mappings, report_->after.mappings);
    EXPECT_STREQ(report_->again, "ok") << "once the fault is over";
    if (!GetParam().closes) {
      EXPECT_EQ(report_->files_left, 0U) << "files were left by an operation that failed";
    }
    EXPECT_TRUE(fs::is_empty(domain_.root())) << "the next visitor left files behind";
    clear();
  }

  // So that what one case leaves behind does not fail the next.
  void clear() const {
    for (const auto& entry : fs::directory_iterator(domain_.root())) fs::remove_all(entry.path());
  }

  signalbox::ScratchDomain domain_;
  signalbox::os::test::Shared<Report> report_;
};

TEST_P(SystemCall, MayFail) {
  kernel_boundary::let_each_call_fail({
      .play =
          [this](std::optional<Fault> fault) {
            Traced traced = run(fault);
            judge(traced, fault ? fault->error : 0);
            EXPECT_TRUE(fault || std::strcmp(report_->answer, "ok") == 0) << report_->answer;
            return traced;
          },
      .was_refused = [this] { return std::strcmp(report_->answer, "ok") != 0; },
      .reached_for_each_unreached = 10,
  });
}

INSTANTIATE_TEST_SUITE_P(Core, SystemCall, testing::ValuesIn(fault::operations()),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
