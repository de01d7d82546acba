// attempt.hpp: runs a few lines in a process of their own and answers how that ended.
//
// A child is the only safe place for what might end in SIGBUS, hang, or needs other rights.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"

namespace signalbox {

struct Attempt {
  std::string text;    // what the lines answered
  int signal = 0;      // what killed the child; SIGALRM: it hung
  bool ended = false;  // it came to its end
};

// Seconds until a child counts as hanging: a watchdog, not a measure of speed.
inline constexpr unsigned hang_after_s = 30;

// Runs `body`, which answers a text, in a forked child. Objects of the parent must not be used in
// it: they know that they are elsewhere and refuse.
template <class Body>
Attempt attempt(Body&& body) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(hang_after_s);
    const std::string text = body();
    const bool written = ::write(ends[1], text.data(), text.size()) == std::ssize(text);
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  Attempt result;
  char piece[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], piece, sizeof(piece))) > 0;) {
    result.text.append(piece, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return result;
}

// "ok", or the code's name and the text: what most attempts answer.
template <class T>
std::string outcome(const Result<T>& result) {
  if (result) return "ok";
  return std::string(to_string(result.error().code)) + ": " + result.error().text;
}

inline std::string how_it_died(const Attempt& attempt) {
  return attempt.signal == SIGALRM ? "it hung" : std::string("signal ") + strsignal(attempt.signal);
}

// The lines came to their end, and what they answered begins with `code` and holds each of `parts`.
inline void expect_outcome(const Attempt& attempt, std::string_view code,
                           std::initializer_list<std::string_view> parts = {}) {
  ASSERT_TRUE(attempt.ended) << how_it_died(attempt);
  EXPECT_THAT(attempt.text, testing::StartsWith(std::string(code)));
  for (const std::string_view part : parts) {
    EXPECT_THAT(attempt.text, testing::HasSubstr(std::string(part)));
  }
}

}  // namespace signalbox
