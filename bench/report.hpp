// report.hpp: the rows of a benchmark as a table for people and as JSON for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace bench {

struct Row {
  std::string name;
  double ours_ns, ours_p99_ns;
  double limit_ns, limit_p99_ns;
  double ratio;  // the median over windows of ours / limit
  double must;   // the ratio may be at most this
  std::size_t windows;
  std::string limit_name;
};

// CPU, load, kernel, commit and compiler: for programs, and as a line for people.
nlohmann::json machine();
std::string machine_line();

// A row of something that is counted and not timed. A limit of 0 is one that nothing may exceed:
// there is no ratio to it, so the count stands for it.
Row counted(std::string name, double count, double limit, double must, std::string limit_name);

// Adds those rows whose name holds `only`: all, if it is empty.
void add_like(const std::string& only, std::vector<Row> more, std::vector<Row>& rows);

// How the rows were measured: a line over the table, and a sentence in the JSON.
struct Method {
  std::string line;
  std::string sentence;
};

// Throws now if a report could not be written there at the end, after minutes. What the file holds
// stays until then. No path is no report.
void require_writable(const std::string& path);
// Writes the whole file, if there is a path. Throws if that cannot be.
void write_file(const std::string& path, const std::string& text);

void print_table(const std::vector<Row>& rows, const Method& method);
// Machine, kernel, commit, method and rows. Throws if the file cannot be written.
void write_json(const std::vector<Row>& rows, const Method& method, const std::string& path);

}  // namespace bench
