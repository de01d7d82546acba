# signalbox_add_test(NAME <name> SOURCES <file>... [LINK <target>...] [LABEL <label>] [TIMEOUT <s>]
#                    [LONG])
#
# A GoogleTest program. All its cases run as one ctest entry per case, under the given label (unit,
# conformance, crash, model, e2e; unit when absent). The timeout is a watchdog against hangs, not a
# limit on speed. LONG: its cases begin before others, so that the last of them does not run alone.
if(SIGNALBOX_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

function(signalbox_add_test)
  if(NOT SIGNALBOX_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "LONG" "NAME;LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set(cost 0)
  if(ARG_LONG)
    set(cost 1000)
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  # A program exports nothing, and its types may hold the system's.
  set_target_properties(${ARG_NAME} PROPERTIES CXX_VISIBILITY_PRESET default)
  signalbox_precompile_test(${ARG_NAME})
  # Discovery runs the program before ctest starts, not while building: a test that crashes on start
  # must be a failed test, not a failed build.
  gtest_discover_tests(${ARG_NAME} DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} COST ${cost})
endfunction()
