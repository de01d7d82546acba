// kill_scene.hpp: a topic with its survivors, and one victim after another brought to where its
// operation begins.
#pragma once

#include <sys/mman.h>

#include <chrono>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "aftermath.hpp"
#include "stepper.hpp"
#include "topic/scratch_domain.hpp"

namespace kill_driver {

// Where in its operation a victim stands: after so many system calls and so many instructions.
struct Point {
  enum class Where { at_instruction, before_call, inside_call } where;
  std::uint64_t calls;
  std::uint64_t steps;
  std::uint64_t instruction;
};

inline std::string text_of(const Operation& operation, const Point& point) {
  char text[160];
  const char* const where = point.where == Point::Where::before_call   ? "before the next call"
                            : point.where == Point::Where::inside_call ? "inside the next call"
                                                                       : "there";
  std::snprintf(text, sizeof(text), "%s: %llu system calls and %llu instructions on, %s, at 0x%llx",
                operation.name, static_cast<unsigned long long>(point.calls),
                static_cast<unsigned long long>(point.steps), where,
                static_cast<unsigned long long>(point.instruction));
  return text;
}

inline Report* map_report() {
  void* const at =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : new (at) Report{};
}

template <class T>
class Scene {
 public:
  // `options` are those of the survivors' publisher.
  explicit Scene(const Operation& operation,
                 const signalbox::PublisherOptions& options = options_of<T>(1))
      : operation_(operation), report_(*map_report()) {
    if (operation_.company != Company::nobody) survivors_.emplace(topic(), verdict, options);
  }
  ~Scene() { ::munmap(&report_, sizeof(Report)); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  std::string topic() const { return domain_.topic_path("kill"); }
  std::string folder(const std::string& domain) const { return domain_.root() + "/" + domain; }

  // From now on somebody else publishes and takes at full speed beside them.
  void begin_contention() {
    if (!survivors_) return;
    const Carrier carrier = operation_.carrier;
    contender_ = std::make_unique<Stepper>([carrier] { contend(carrier, contender); });
    contender_->let_go();
    if (!survivors_->settle(2)) verdict.fault(&Tally::hangs, "the contender did not come");
  }

  // A fresh victim where its operation begins; null if it came to grief before.
  std::unique_ptr<Stepper> bring_victim() {
    if (operation_.company == Company::a_corpse) leave_a_corpse();
    author_ += 2;
    new (&report_) Report{};
    auto victim = std::make_unique<Stepper>([this] { live(operation_, author_, report_); });
    for (int i = rests_before(operation_.work); i >= 0; --i) {
      if (victim->run_to_rest() != Stepper::Stop::rested) {
        verdict.fault(&Tally::lost, "the victim died before its time");
        return {};
      }
      if (i > 0 && survivors_) survivors_->take_all();
    }
    if (operation_.work == Work::publish && survivors_) survivors_->doze();
    return victim;
  }

  // What a reader of the victim's and everybody else's files is owed at this moment.
  std::vector<Owed> owed() const {
    // The last to leave takes what it published along.
    if (!survivors_) return {{author_, 0, report_.committed + 1}};
    std::vector<Owed> all{{author_, report_.committed, 1}};
    if (operation_.company == Company::a_corpse) all.push_back({author_ - 1, 1, 0});
    return all;
  }
  std::vector<Owed> owed_of_all() const {
    std::vector<Owed> all = owed();
    if (survivors_) all.push_back({survivor, survivors_->sent(), 0});
    return all;
  }

  // The victim stands still; others come, publish, take and go, and then it goes on to its end.
  void pause(Stepper& victim) {
    const std::uint64_t sent = survivors_ ? survivors_->sent() : 0;
    if (survivors_) {
      survivors_->act_beside();
      report_.owed = survivors_->sent();
      run_to_its_end(victim);
    } else {
      // They may have to wait for the victim; if not, they have come and gone before it goes on.
      auto others = std::async(std::launch::async, [this] { meet_alone(); });
      others.wait_for(std::chrono::milliseconds(20));
      run_to_its_end(victim);
      others.get();
    }
    if (report_.left == 0) verdict.fault(&Tally::lost, "the victim did not go on to its end");
    if (report_.first > sent) {
      verdict.fault(&Tally::lost, "the victim was sent number " + std::to_string(sent) +
                                      " and heard of " + std::to_string(report_.first) + " first");
    }
  }

  // The victim is dead: all others go on.
  void go_on(bool newcomers_first) {
    if (report_.trouble != 0) verdict.fault(&Tally::lost, "a call of the victim failed");
    if (survivors_) {
      survivors_->go_on(owed(), newcomers_first);
    } else {
      check_newcomers<T>("", folder("default"), verdict);
    }
  }

  // As if everyone died now: checks that on copies. The victim stands still and is not disturbed.
  void check_copies() {
    copy_files(topic(), folder("dead") + "/kill", "");
    check_newcomers<T>("dead", folder("dead"), verdict);
    check_late_reader<T>(topic(), "late", folder("late"), owed_of_all(), verdict);
  }

 private:
  signalbox::ScratchDomain domain_;  // first in, last out: checked when everybody is gone

 public:
  Verdict verdict;

 private:
  static void run_to_its_end(Stepper& victim) {
    while (victim.run_to_rest() == Stepper::Stop::rested) {
    }
  }

  void meet_alone() {
    Pair<T> pair("", newcomer, verdict);
    if (!pair.is_open() || !pair.send(verdict)) return;
    if (!pair.reader->take_until(newcomer, 1)) verdict.fault(&Tally::hangs, "no traffic");
  }

  void leave_a_corpse() {
    const Carrier carrier = operation_.carrier;
    const std::uint64_t author = author_ + 1;
    Stepper body([=] { live_to_be_a_corpse(carrier, author); });
    if (body.run_to_rest() != Stepper::Stop::rested) {
      verdict.fault(&Tally::lost, "the corpse died too early");
    }
  }

  Operation operation_;
  Report& report_;
  std::optional<Survivors<T>> survivors_;
  std::unique_ptr<Stepper> contender_;
  std::uint64_t author_ = first_victim;
};

}  // namespace kill_driver
