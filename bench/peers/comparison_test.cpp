// Goal: the table and the picture of peers say what was measured, and why something was not.
// Method: four rows, and what must or must not be in the text made of them.
#include "bench/peers/comparison.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bench {
namespace {

const std::vector<Comparison> kRows{
    {"48 B", "Slow <&>", "", 1'000'000, 2'000'000, 100, 150, 10'000, 7},
    {"48 B", "Quick", "", 1'000, 2'000, 100, 150, 10, 7},
    {"48 B", "Absent", "not installed"},
    {"publish", "Counted", "", 70, 70, 35, 35, 2, 1, "instructions"},
};

double width_after(const std::string& svg, const std::string& name) {
  const auto bar = svg.find("width=", svg.find(">" + name + "<"));
  return std::stod(svg.substr(bar + 7));
}

TEST(Comparison, TheTableGivesFiguresOrTheReason) {
  const std::string table = table_of(kRows);
  EXPECT_NE(table.find("10000.0\n"), std::string::npos) << table;
  EXPECT_NE(table.find("not installed\n"), std::string::npos) << table;
  EXPECT_NE(table.find("publish, instructions "), std::string::npos) << table;
}

TEST(Comparison, JsonHasNoFiguresWhereNothingWasMeasured) {
  const auto rows = nlohmann::json::parse(json_of(kRows, "here"))["rows"];
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows[1]["ratio"], 10);
  EXPECT_EQ(rows[2]["reason"], "not installed");
  EXPECT_FALSE(rows[2].contains("ratio"));
  EXPECT_EQ(rows[1]["peer_ns"]["p99"], 2'000);
  EXPECT_EQ(rows[3]["ours_instructions"]["p50"], 35);
}

TEST(Comparison, AThousandTimesAsLongIsThreeDecadesMore) {
  const std::string svg = svg_of(kRows, "here");
  const double ours = width_after(svg, "Signalbox");
  const double quick = width_after(svg, "Quick");
  const double slow = width_after(svg, "Slow &lt;&amp;>");
  EXPECT_NEAR(quick - ours, 80, 0.2);   // 560 pixels for seven decades
  EXPECT_NEAR(slow - quick, 240, 0.2);  // three of them
  EXPECT_EQ(svg.find("Absent"), std::string::npos);
  EXPECT_EQ(svg.find("Counted"), std::string::npos) << "instructions are no time";
}

}  // namespace
}  // namespace bench
