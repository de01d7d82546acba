// comparison.hpp: what peers reached on the same work, as a table, as JSON and as a picture.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace bench {

struct Comparison {
  std::string work, peer;
  std::string reason;  // why there are no figures; empty if there are
  double peer_p50 = 0, peer_p99 = 0;
  double ours_p50 = 0, ours_p99 = 0;
  double ratio = 0;  // how many times as long as ours, the median over windows
  std::size_t windows = 0;
  std::string unit = "ns";  // what is counted
};

std::string table_of(const std::vector<Comparison>& rows);
std::string json_of(const std::vector<Comparison>& rows, const nlohmann::json& machine);
// Bars on a logarithmic scale, one group for each work that took time, ours first.
std::string svg_of(const std::vector<Comparison>& rows, const std::string& machine);

}  // namespace bench
