// publisher_options.hpp: sbx_publisher_options on their way to the layer below.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include <string_view>

#include "signalbox/signalbox.h"
#include "signalbox/topic_options.hpp"

namespace signalbox::c {

// What the caller asked for, NULL: the defaults. SBX_BAD_ARGUMENT for what no such option is; what
// is out of its range is for the layer below to refuse. Throws std::bad_alloc.
int read_publisher_options(std::string_view function, const sbx_publisher_options* given,
                           PublisherOptions& out, sbx_error* error);

}  // namespace signalbox::c
