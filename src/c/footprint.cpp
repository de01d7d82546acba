// footprint.cpp: sbx_footprint over footprint() and Footprint.
#include "signalbox/footprint.hpp"

#include <cstring>
#include <string>

#include "c/edge.hpp"
#include "c/publisher_options.hpp"
#include "signalbox/c/footprint.h"

using signalbox::Footprint;
using signalbox::c::guarded;
using signalbox::c::need;
using signalbox::c::read_publisher_options;
using signalbox::c::report;

namespace {

sbx_footprint in_c(const Footprint& sum) noexcept {
  return {.struct_size = sizeof(sbx_footprint),
          .arenas = sum.arenas,
          .description_bytes = sum.description_bytes,
          .bell_bytes = sum.bell_bytes,
          .control_bytes = sum.control_bytes,
          .ring_bytes = sum.ring_bytes,
          .frames = sum.frames,
          .frame_bytes = sum.frame_bytes,
          .publisher_bytes = sum.publisher_bytes,
          .grown_bytes_max = sum.grown_bytes_max,
          .subscriber_bytes = sum.subscriber_bytes};
}

Footprint in_cpp(const sbx_footprint& sum) noexcept {
  return {.description_bytes = sum.description_bytes,
          .bell_bytes = sum.bell_bytes,
          .control_bytes = sum.control_bytes,
          .ring_bytes = sum.ring_bytes,
          .frames = sum.frames,
          .frame_bytes = sum.frame_bytes,
          .publisher_bytes = sum.publisher_bytes,
          .arenas = sum.arenas,
          .grown_bytes_max = sum.grown_bytes_max,
          .subscriber_bytes = sum.subscriber_bytes};
}

}  // namespace

extern "C" {

int sbx_footprint_of(const sbx_type* type, const sbx_publisher_options* options,
                     sbx_footprint* footprint, sbx_error* error) {
  constexpr std::string_view function = "sbx_footprint_of";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{type, "type"}, {footprint, "footprint"}}, error)) {
      return bad;
    }
    if (const int bad = need(function, {{type->description, "type->description"}}, error)) {
      return bad;
    }
    signalbox::PublisherOptions read;
    if (const int bad = read_publisher_options(function, options, read, error)) return bad;
    const auto sum = signalbox::footprint(signalbox::c::described(*type), read);
    if (!sum) return report(sum.error(), error);
    const sbx_footprint whole = in_c(*sum);
    return signalbox::c::write_facts(function, &whole, sizeof(whole), footprint, sizeof(whole),
                                     error);
  });
}

size_t sbx_footprint_text(const sbx_footprint* footprint, char* out, size_t capacity) {
  if (out == nullptr || capacity == 0) return 0;
  out[0] = '\0';
  if (footprint == nullptr) return 0;
  sbx_footprint whole{};
  const int code = signalbox::c::read_options("sbx_footprint_text", footprint, &whole,
                                              sizeof(whole), sizeof(whole), nullptr);
  if (code != SBX_OK) return 0;
  const std::string table = to_string(in_cpp(whole));
  if (table.size() >= capacity) return 0;
  std::memcpy(out, table.c_str(), table.size() + 1);
  return table.size();
}

}  // extern "C"
