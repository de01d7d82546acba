#include "actor.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace signalbox::scenarios {

std::string Words::bytes(std::size_t index) const {
  const std::string& word = words_.at(index);
  if (word == "-") return "";
  if (word.size() > 2 && word[1] == '*') return std::string(std::stoul(word.substr(2)), word[0]);
  return word;
}

long long Words::span_ns(std::size_t index) const {
  std::size_t digits = 0;
  const long long count = std::stoll(words_.at(index), &digits);
  const std::string unit = words_[index].substr(digits);
  if (unit == "us") return count * 1'000;
  if (unit == "ms") return count * 1'000'000;
  if (unit == "s") return count * 1'000'000'000;
  throw std::invalid_argument("no span of time: " + words_[index]);
}

bool Words::contains(const std::string& word) const {
  return std::find(words_.begin(), words_.end(), word) != words_.end();
}

void Actor::offer(const std::string& name, Operation operation) {
  operations_[name] = std::move(operation);
}

namespace {

// Reads byte for byte, so that nothing of the next line is taken: a forked child reads elsewhere.
bool read_line(std::string& line) {
  line.clear();
  for (char byte = 0;;) {
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    if (byte == '\n') return true;
    line += byte;
  }
}

bool write_line(const std::string& text) {
  const std::string line = text + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, line.data() + done, line.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

int Actor::run() {
  for (std::string line; read_line(line);) {
    std::istringstream stream(line);
    std::string name;
    stream >> name;
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    const auto operation = operations_.find(name);
    std::string answer = "unoffered";
    if (operation != operations_.end()) {
      try {
        answer = operation->second(Words(words));
      } catch (const std::exception& error) {
        answer = std::string("misread ") + error.what();
      }
    }
    if (!write_line(answer)) return 1;
  }
  return 0;
}

std::string word_of(const std::string& bytes) {
  if (bytes.empty()) return "-";
  const bool all_alike = bytes.find_first_not_of(bytes[0]) == std::string::npos;
  if (all_alike && bytes.size() > 8) {
    return std::string(1, bytes[0]) + "*" + std::to_string(bytes.size());
  }
  return bytes;
}

std::string word_of_errno(int number) {
  const char* const name = ::strerrorname_np(number);
  return name == nullptr ? "errno-" + std::to_string(number) : name;
}

std::string answer_of(long result) { return result >= 0 ? "ok" : word_of_errno(errno); }

}  // namespace signalbox::scenarios
