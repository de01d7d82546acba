# The standard library's and GoogleTest's headers, read by the compiler once per build: half of the
# time that a file of ours takes to compile. Not where the build is optimised for release: there and
# in the exchanges between compilers a file that forgets to include what it uses is found.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(precompile OFF)
else()
  set(precompile ON)
endif()
option(SIGNALBOX_PRECOMPILE "Precompile the headers of others" ${precompile})

set(SIGNALBOX_STANDARD_HEADERS
    <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <expected> <functional> <memory>
    <mutex> <optional> <span> <string> <string_view> <thread> <utility> <vector>)

# Each of the two is compiled as those are that use it: position independent as a library, or as a
# program.
if(SIGNALBOX_PRECOMPILE)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "")
  add_library(signalbox_standard_headers OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
  set_target_properties(signalbox_standard_headers PROPERTIES CXX_VISIBILITY_PRESET default)
  target_precompile_headers(signalbox_standard_headers PRIVATE ${SIGNALBOX_STANDARD_HEADERS})
endif()
# Tests are compiled in two ways: see SIGNALBOX_PLAIN_TESTS.
function(signalbox_add_test_headers target)
  add_library(${target} OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/precompiled.cpp")
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET default
                                             POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIE ${ARGN})
  target_link_libraries(${target} PRIVATE GTest::gmock GTest::gtest)
  target_precompile_headers(${target} PRIVATE <gmock/gmock.h> <gtest/gtest.h> <filesystem>
                            ${SIGNALBOX_STANDARD_HEADERS})
endfunction()
if(SIGNALBOX_PRECOMPILE AND SIGNALBOX_TESTS)
  signalbox_add_test_headers(signalbox_optimised_test_headers)
  signalbox_add_test_headers(signalbox_plain_test_headers -O0)
endif()

# A static library of C++ that is visible from outside by default, as those of src are.
function(signalbox_precompile_library target)
  if(SIGNALBOX_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM signalbox_standard_headers)
  endif()
endfunction()

# A program that links GoogleTest, compiled in this way: plain or optimised.
function(signalbox_precompile_test target way)
  if(SIGNALBOX_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM signalbox_${way}_test_headers)
  endif()
endfunction()
