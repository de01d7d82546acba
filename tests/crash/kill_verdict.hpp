// kill_verdict.hpp: what the kill driver counts, and how it says where something broke.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "../proof_counts.hpp"

namespace kill_driver {

struct Tally {
  std::uint64_t kill_points = 0;
  std::uint64_t true_kills = 0;
  std::uint64_t pauses = 0;
  std::uint64_t messages = 0;
  std::uint64_t hangs = 0;
  std::uint64_t torn = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t leaked = 0;
};

class Verdict {
 public:
  Verdict() = default;
  ~Verdict() {
    proof::count({{"kill_points", tally.kill_points},
                  {"true_kills", tally.true_kills},
                  {"tries", tally.pauses},
                  {"messages", tally.messages},
                  {"hangs", tally.hangs},
                  {"torn", tally.torn},
                  {"lost", tally.lost},
                  {"doubled", tally.doubled},
                  {"leaked", tally.leaked}});
  }
  Verdict(const Verdict&) = delete;
  Verdict& operator=(const Verdict&) = delete;

  // Something broke at the place last named by at().
  void fault(std::uint64_t Tally::* what, const std::string& text) {
    ++(tally.*what);
    ADD_FAILURE() << text << " (" << where_ << ")";
  }
  void at(std::string where) { where_ = std::move(where); }
  const std::string& where() const { return where_; }

  Tally tally;

 private:
  std::string where_;
};

}  // namespace kill_driver
