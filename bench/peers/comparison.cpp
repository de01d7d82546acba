#include "bench/peers/comparison.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

namespace bench {

namespace {

constexpr double kLeft = 150, kWidth = 560, kBar = 16, kLine = 22, kTop = 44;
// The scale: ten nanoseconds to a hundred milliseconds.
constexpr int kDecades = 7;
constexpr double kLeastNs = 10;
// Of the first column of the table.
constexpr int kWorkWidth = 27;

std::string spoken(double ns) {
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.1f} µs", ns / 1e3);
  return fmt::format("{:.1f} ms", ns / 1e6);
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

double length_of(double ns) {
  const double decades = std::log10(std::max(ns, kLeastNs) / kLeastNs);
  return std::clamp(decades / kDecades, 0.004, 1.0) * kWidth;
}

std::string text_at(double x, double y, const char* look, const std::string& text) {
  return fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" {}>{}</text>\n", x, y, look, escaped(text));
}

std::string bar_at(double y, const std::string& name, double ns, const char* colour) {
  return text_at(kLeft - 8, y + 12, "text-anchor=\"end\"", name) +
         fmt::format("<rect x=\"{}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n",
                     kLeft, y, length_of(ns), kBar, colour) +
         text_at(kLeft + length_of(ns) + 6, y + 12, "", spoken(ns));
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

bool is_time(const Comparison& row) { return row.unit == "ns"; }

std::string name_of(const Comparison& row) {
  return is_time(row) ? row.work : row.work + ", " + row.unit;
}

}  // namespace

std::string table_of(const std::vector<Comparison>& rows) {
  std::string out = fmt::format("{:<{}} {:<18} {:>23} {:>23} {:>8}\n", "work", kWorkWidth, "peer",
                                "peer, p50 / p99", "ours, p50 / p99", "ratio");
  for (const Comparison& row : rows) {
    out += fmt::format("{:<{}} {:<18} ", name_of(row), kWorkWidth, row.peer);
    if (!row.reason.empty()) {
      out += row.reason + "\n";
      continue;
    }
    // A micro sign is two bytes, so widths are of whole nanoseconds here.
    out += fmt::format("{:>10.0f} /{:>11.0f} {:>10.0f} /{:>11.0f} {:>8.1f}\n", row.peer_p50,
                       row.peer_p99, row.ours_p50, row.ours_p99, row.ratio);
  }
  return out;
}

std::string json_of(const std::vector<Comparison>& rows, const nlohmann::json& machine) {
  nlohmann::json out{{"machine", machine}, {"rows", nlohmann::json::array()}};
  for (const Comparison& row : rows) {
    nlohmann::json one{{"work", name_of(row)}, {"peer", row.peer}};
    if (!row.reason.empty()) {
      one["reason"] = row.reason;
    } else {
      one["peer_" + row.unit] = {{"p50", row.peer_p50}, {"p99", row.peer_p99}};
      one["ours_" + row.unit] = {{"p50", row.ours_p50}, {"p99", row.ours_p99}};
      one["ratio"] = row.ratio;
      one["windows"] = row.windows;
    }
    out["rows"].push_back(std::move(one));
  }
  return out.dump(2) + "\n";
}

std::string svg_of(const std::vector<Comparison>& all, const std::string& machine) {
  std::vector<Comparison> rows;
  std::ranges::copy_if(all, std::back_inserter(rows), is_time);
  std::string body;
  double y = kTop;
  for (auto row = rows.begin(); row != rows.end();) {
    const auto end = std::ranges::find_if(row, rows.end(),
                                          [&](const auto& one) { return one.work != row->work; });
    body += text_at(8, y + 12, "font-weight=\"bold\"", row->work);
    y += kLine;
    std::vector<double> ours;
    for (auto one = row; one != end; ++one) {
      if (one->reason.empty()) ours.push_back(one->ours_p50);
    }
    if (!ours.empty()) {
      body += bar_at(y, "Signalbox", median(ours), "#2a7f62");
      y += kLine;
    }
    for (; row != end; ++row) {
      if (!row->reason.empty()) continue;
      body += bar_at(y, row->peer, row->peer_p50, "#8a94a6");
      y += kLine;
    }
    y += kLine / 2;
  }
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
             "font-family=\"sans-serif\" font-size=\"12\">\n"
             "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"white\"/>\n",
             kLeft + kWidth + 90, y + 8) +
         text_at(8, 18, "font-size=\"14\"",
                 "Time for one message, median, on a logarithmic scale") +
         text_at(8, 34, "fill=\"#666\"", machine) + body + "</svg>\n";
}

}  // namespace bench
