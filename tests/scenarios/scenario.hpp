// scenario.hpp: a scenario as data: a row of rows/*.txt, read into steps. README.md tells the
// language.
//
//   Threads  values     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace signalbox::scenarios {

struct Step {
  enum class Kind {
    say,       // words: ACTOR OPERATION...   expected: what is answered
    hear,      // words: ACTOR                expected: the answer to what was said before
    verb,      // words: VERB ARGUMENT...
    repeat,    // words: COUNT                steps in body
    together,  // body: lanes
    lane,      // words: ACTOR...             steps in body, once for each actor, in a thread each
  };
  Kind kind;
  int line;
  std::vector<std::string> words;
  // Ways to answer, any of which will do; each is a list of words.
  std::vector<std::vector<std::string>> expected{};
  std::string not_before{};  // "50ms": the answer comes no earlier than that after the question
  std::vector<Step> body{};
};

struct Row {
  std::string family;  // the file's name without its ending
  std::string number;  // as in the table the row comes from; neighbours have a letter behind it
  std::string original;
  std::string title;
  std::string file;
  int line;
  std::vector<std::string> needs{};  // "root"
  // The actors that can do it, if not all; the row's comment says why.
  std::vector<std::string> only{};
  // Actors in whose language it cannot be said, and why.
  std::map<std::string, std::string> not_in{};
  std::vector<Step> steps{};
};

// Every row of a folder's *.txt. Throws std::runtime_error with file and line at what it cannot
// read.
std::vector<Row> read_rows(const std::filesystem::path& folder);

// The words of a line, at blanks.
std::vector<std::string> words_of(const std::string& line);
std::string joined(const std::vector<std::string>& words);

}  // namespace signalbox::scenarios
