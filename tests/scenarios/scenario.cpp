#include "scenario.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>

namespace signalbox::scenarios {

namespace {

// Whoever plays begins with a capital letter or is a lane's variable; verbs are all small.
bool names_an_actor(const std::string& word) {
  return std::isupper(static_cast<unsigned char>(word[0])) != 0 || word == "$lane";
}

class RowFile {
 public:
  explicit RowFile(const std::filesystem::path& path) : path_(path) {
    std::ifstream stream(path);
    for (std::string line; std::getline(stream, line);) {
      lines_.push_back(line.substr(0, line.find('#')));
    }
    if (!stream.eof()) fail("it cannot be read");
  }

  std::vector<Row> rows() {
    std::vector<Row> rows;
    while (const auto words = next()) {
      if ((*words)[0] != "row") fail("a row begins with \"row NUMBER ORIGINAL: TITLE\"");
      rows.push_back(row(*words));
    }
    return rows;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(path_.string() + ":" + std::to_string(at_) + ": " + what);
  }

  // The words of the next line that has any.
  std::optional<std::vector<std::string>> next() {
    while (at_ < static_cast<int>(lines_.size())) {
      auto words = words_of(lines_[static_cast<std::size_t>(at_++)]);
      if (!words.empty()) return words;
    }
    return std::nullopt;
  }

  Row row(const std::vector<std::string>& head) {
    if (head.size() < 4 || head[2].back() != ':') fail("a row is \"row NUMBER ORIGINAL: TITLE\"");
    Row row{path_.stem(), head[1], head[2].substr(0, head[2].size() - 1), "", path_, at_};
    row.title = joined({head.begin() + 3, head.end()});
    while (auto words = next()) {
      if ((*words)[0] == "row") {
        --at_;
        break;
      }
      if ((*words)[0] == "needs") {
        row.needs.assign(words->begin() + 1, words->end());
      } else if ((*words)[0] == "only") {
        row.only.assign(words->begin() + 1, words->end());
      } else if ((*words)[0] == "not") {
        not_in(row, *words);
      } else {
        row.steps.push_back(step(std::move(*words)));
      }
    }
    if (row.steps.empty()) fail("row " + row.number + " has no step");
    return row;
  }

  // not ACTOR...: REASON
  void not_in(Row& row, const std::vector<std::string>& words) const {
    const auto last = std::find_if(words.begin(), words.end(),
                                   [](const std::string& word) { return word.back() == ':'; });
    if (last == words.begin() || words.end() - last < 2) fail("it is \"not ACTOR...: REASON\"");
    const std::string reason = joined({last + 1, words.end()});
    for (auto word = words.begin() + 1; word <= last; ++word) {
      row.not_in[word->substr(0, word->find(':'))] = reason;
    }
  }

  Step step(std::vector<std::string> words) {
    if (names_an_actor(words[0])) return said(std::move(words));
    const std::string verb = words[0];
    if (verb == "repeat" && words.size() == 2)
      return {Step::Kind::repeat, at_, {words[1]}, {}, {}, body()};
    if (verb == "together" && words.size() == 1)
      return {Step::Kind::together, at_, {}, {}, {}, lanes()};
    static const std::set<std::string> verbs = {"start", "kill", "stop", "continue", "signal",
                                                "leave", "fork", "let",  "pause"};
    if (!verbs.contains(verb)) fail("there is no verb \"" + verb + "\"");
    return {Step::Kind::verb, at_, std::move(words)};
  }

  std::vector<Step> body() {
    std::vector<Step> steps;
    while (auto words = next()) {
      if ((*words)[0] == "end") return steps;
      steps.push_back(step(std::move(*words)));
    }
    fail("an \"end\" is missing");
  }

  std::vector<Step> lanes() {
    std::vector<Step> lanes;
    while (auto words = next()) {
      if ((*words)[0] == "end") return lanes;
      if ((*words)[0] != "lane" || words->size() < 2) fail("\"together\" holds \"lane ACTOR...\"");
      lanes.push_back({Step::Kind::lane, at_, {words->begin() + 1, words->end()}, {}, {}, body()});
    }
    fail("an \"end\" is missing");
  }

  // ACTOR [OPERATION...] [= EXPECTED... [or EXPECTED...] [after SPAN]]
  Step said(std::vector<std::string> words) {
    const auto equals = std::find(words.begin(), words.end(), "=");
    std::vector<std::string> expected(equals == words.end() ? equals : equals + 1, words.end());
    Step step{Step::Kind::say, at_, {words.begin(), equals}};
    if (step.words.size() == 1) step.kind = Step::Kind::hear;
    if (expected.size() > 2 && expected[expected.size() - 2] == "after") {
      step.not_before = expected.back();
      expected.resize(expected.size() - 2);
    }
    if (equals == words.end()) expected = {"ok"};
    if (expected.empty()) fail("nothing is expected behind \"=\"");
    step.expected.emplace_back();
    for (std::string& word : expected) {
      if (word == "or") {
        step.expected.emplace_back();
      } else {
        step.expected.back().push_back(std::move(word));
      }
    }
    return step;
  }

  std::filesystem::path path_;
  std::vector<std::string> lines_;
  int at_ = 0;  // the number of lines that were read, which is also the number of the last one
};

}  // namespace

std::vector<Row> read_rows(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Row> rows;
  for (const auto& file : files) {
    auto more = RowFile(file).rows();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  return rows;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace signalbox::scenarios
