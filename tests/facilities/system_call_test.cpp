// Goal: each system call of each operation of the os layer may fail, once, with each error that it
// gives on a real machine. The caller gets an error that names what was tried and says what to do,
// or success by another way, and then what was asked for is really so; nothing is leaked; the next
// attempt works; nobody crashes or hangs.
// Method: each operation runs once under a tracer (tests/fault/kernel_boundary.hpp) that writes its
// calls down, and then once for each call and error, in a process of its own, with exactly that
// call answered by that error. The long form also lets all later calls of the same number fail.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "../fault/each_fault.hpp"
#include "../fault/kernel_boundary.hpp"
#include "attempt.hpp"
#include "call_errors.hpp"
#include "ground.hpp"
#include "joined.hpp"
#include "os/shared_page.hpp"

namespace {

using facilities::Attempt;
using facilities::Ground;
using facilities::Holdings;
using facilities::Operation;
using kernel_boundary::Fault;
using kernel_boundary::Traced;

// What came of one act.
struct Answer {
  bool is_ok;
  int code;
  int sys_errno;
  char text[1024];
};

// What the child writes down for its parent.
struct Report {
  Answer first;     // under the fault
  Answer repeated;  // the second attempt, if the first one failed
  Answer again;     // a whole new attempt after everything was closed and removed
  char wrong[512];  // what was said to be done and is not
  char named[256];
  Holdings before;
  Holdings in_between;  // prepared, before the window
  Holdings failed;      // after an act that failed
  Holdings after;
};

void note(Answer& place, const signalbox::Result<void>& result) {
  place.is_ok = result.has_value();
  if (result) return;
  place.code = static_cast<int>(result.error().code);
  place.sys_errno = result.error().sys_errno;
  std::strncpy(place.text, result.error().text.c_str(), sizeof(place.text) - 1);
}

std::string look(const Attempt& attempt) { return attempt.check ? attempt.check() : ""; }

void play(const Operation& operation, const Ground& ground, Report& report) {
  ::umask(0077);  // no mode may follow it, and what the scenes make stays theirs
  report.before = facilities::holdings(ground);
  {
    const Attempt attempt = operation.prepare(ground);
    std::strncpy(report.named, attempt.named.c_str(), sizeof(report.named) - 1);
    report.in_between = facilities::holdings(ground);
    kernel_boundary::open_window();
    const auto result = attempt.act();
    kernel_boundary::close_window();
    note(report.first, result);
    report.failed = result ? report.in_between : facilities::holdings(ground);
    if (!result) note(report.repeated, attempt.act());
    const bool is_done = result || report.repeated.is_ok;
    if (is_done) std::strncpy(report.wrong, look(attempt).c_str(), sizeof(report.wrong) - 1);
  }
  ground.clear();
  report.after = facilities::holdings(ground);
  {
    const Attempt attempt = operation.prepare(ground);
    note(report.again, attempt.act());
  }
  ground.clear();
}

class OsSystemCall : public testing::TestWithParam<Operation> {
 protected:
  OsSystemCall() { kernel_boundary::also_look_at(facilities::call_errors()); }

  Traced run(std::optional<Fault> fault) {
    *report_ = Report{};
    return kernel_boundary::trace([&] { play(GetParam(), ground_, *report_); }, fault);
  }

  // The caller learns what was tried, and what to do: two sentences at least.
  void expect_helpful(const Answer& answer, int error) const {
    const std::string text = answer.text;
    EXPECT_EQ(text.rfind("cannot ", 0), 0U) << text;
    EXPECT_NE(text.find(report_->named), std::string::npos) << "it does not name it: " << text;
    EXPECT_NE(text.find(". "), std::string::npos) << "the text gives no advice: " << text;
    EXPECT_EQ(text.back(), '.') << text;
    if (GetParam().has_other_reasons) return;
    EXPECT_EQ(answer.sys_errno, error) << "the kernel's reason is lost: " << text;
  }

  void judge(const Traced& traced, int error) {
    ASSERT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0)
        << (WTERMSIG(traced.status) == SIGALRM ? "it hung" : "it died; wait status ")
        << traced.status;
    const Answer& first = report_->first;
    if (!first.is_ok) {
      EXPECT_NE(error, EINTR) << "an interruption is no failure: " << first.text;
      expect_helpful(first, error);
      if (!GetParam().may_leave) {
        EXPECT_EQ(report_->failed, report_->in_between) << "it failed, and left: " << first.text;
      }
      EXPECT_TRUE(report_->repeated.is_ok)
          << "the second attempt fails: " << report_->repeated.text << "\nafter: " << first.text;
    }
    EXPECT_STREQ(report_->wrong, "") << "though it was said to be done";
    if (GetParam().has_other_reasons) report_->after.files = report_->before.files;
    EXPECT_EQ(report_->before, report_->after) << "leaked";
    EXPECT_TRUE(report_->again.is_ok) << "once the fault is over: " << report_->again.text;
    ground_.clear();
  }

  Ground ground_;
  signalbox::os::test::Shared<Report> report_;
};

TEST_P(OsSystemCall, MayFail) {
  kernel_boundary::let_each_call_fail({
      .play =
          [this](std::optional<Fault> fault) {
            Traced traced = run(fault);
            judge(traced, fault ? fault->error : 0);
            EXPECT_TRUE(fault || report_->first.is_ok) << report_->first.text;
            return traced;
          },
      .was_refused = [this] { return !report_->first.is_ok; },
      .reached_for_each_unreached = 5,
  });
}

std::vector<Operation> all_operations() {
  // Before any test runs, so that everything counted in it is ours.
  facilities::enter_own_name_spaces();
  return facilities::joined<Operation>(
      {facilities::event_operations(), facilities::memory_operations(),
       facilities::lock_operations(), facilities::sysv_operations(), facilities::posix_operations(),
       facilities::process_operations(), facilities::stream_operations(),
       facilities::socket_operations()});
}

INSTANTIATE_TEST_SUITE_P(Os, OsSystemCall, testing::ValuesIn(all_operations()),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
