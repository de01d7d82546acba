#include "footprint.hpp"

#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "failure.hpp"
#include "publisher.hpp"
#include "signalbox/c/footprint.h"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

// In the order of signalbox.Footprint.
using Numbers = std::array<std::uint64_t, 10>;

Numbers footprint(const std::string& description, bool has_fixed_part,
                  const PublisherSettings& settings) {
  const sbx_type type{has_fixed_part ? nullptr : "bytes", description.c_str()};
  const sbx_publisher_options options = options_from(settings, "footprint");
  sbx_footprint sum{};
  sum.struct_size = sizeof(sum);
  sbx_error error;
  check(sbx_footprint_of(&type, &options, &sum, &error), error);
  return {sum.description_bytes, sum.bell_bytes, sum.control_bytes,
          sum.ring_bytes,        sum.frames,     sum.frame_bytes,
          sum.publisher_bytes,   sum.arenas,     sum.grown_bytes_max,
          sum.subscriber_bytes};
}

std::string table(const Numbers& numbers) {
  sbx_footprint sum{};
  sum.struct_size = sizeof(sum);
  sum.description_bytes = numbers[0];
  sum.bell_bytes = numbers[1];
  sum.control_bytes = numbers[2];
  sum.ring_bytes = numbers[3];
  sum.frames = numbers[4];
  sum.frame_bytes = numbers[5];
  sum.publisher_bytes = numbers[6];
  sum.arenas = static_cast<std::uint32_t>(numbers[7]);
  sum.grown_bytes_max = numbers[8];
  sum.subscriber_bytes = numbers[9];
  char text[SBX_FOOTPRINT_TEXT_MAX];
  return {text, sbx_footprint_text(&sum, text, sizeof(text))};
}

}  // namespace

void bind_footprint(nb::module_& module) {
  module.def(
      "footprint",
      [](const std::string& description, bool has_fixed_part, const Whole& depth,
         const Whole& loans_max, const Whole& held_max, const Whole& tail_max,
         const Whole& grown_tail_max, std::optional<std::string> domain, std::string when_behind,
         bool wake, std::string tier) {
        return footprint(description, has_fixed_part,
                         {depth, loans_max, held_max, tail_max, grown_tail_max, std::move(domain),
                          std::move(when_behind), wake, std::move(tier)});
      },
      nb::arg("description"), nb::arg("has_fixed_part"), nb::arg("depth"), nb::arg("loans_max"),
      nb::arg("held_max"), nb::arg("tail_max"), nb::arg("grown_tail_max"), nb::arg("domain").none(),
      nb::arg("when_behind"), nb::arg("wake"), nb::arg("tier"),
      "The numbers of signalbox.Footprint.");
  module.def("footprint_table", table, nb::arg("numbers"), "The sum as a table, a part a line.");
}

}  // namespace signalbox_python
