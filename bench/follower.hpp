// follower.hpp: a program in another process, in any language, that follows exchanges on command.
//
// It prints "ready" when it has opened its topics, then reads lines "NAME ROUNDS", follows so many
// rounds of that exchange, and reads the next. While it reads it is asleep, so that followers share
// a CPU: only the one whose turn it is runs. It ends when its input does.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class Follower {
 public:
  // Starts the program on one CPU and returns when it is ready. Throws if it ends before.
  Follower(const std::vector<std::string>& words, int cpu);
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower();  // ends its input, and with it the program

  // Throws if the program has ended.
  void follow(const std::string& name, std::uint64_t rounds);

 private:
  pid_t pid_ = -1;
  int commands_ = -1;
};

}  // namespace bench
