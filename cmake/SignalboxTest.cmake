# Tests that only ask the library, whose own sources stay optimised, take half the time to compile
# when they themselves are not; those that run the library's lock-free templates, single-step or
# count millions of turns say OPTIMISED. In a release build, which measures and runs the proofs, all
# are optimised, and a build with sanitizers decides for all of them as well.
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR SIGNALBOX_SANITIZE)
  set(plain OFF)
else()
  set(plain ON)
endif()
option(SIGNALBOX_PLAIN_TESTS "Compile tests without optimisation" ${plain})

# For what stands beside tests: a folder whose programs are only looked at for whether they work.
function(signalbox_compile_plainly)
  if(SIGNALBOX_PLAIN_TESTS)
    set_property(DIRECTORY APPEND PROPERTY COMPILE_OPTIONS -O0)
  endif()
endfunction()

if(SIGNALBOX_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# signalbox_link_test(<target>)
#
# What every program of tests is linked with, where the build asks for it.
if(SIGNALBOX_TESTS AND SIGNALBOX_SANITIZE)
  add_library(signalbox_sanitized_fork OBJECT "${PROJECT_SOURCE_DIR}/src/base/sanitized_fork.c")
  target_compile_definitions(signalbox_sanitized_fork PRIVATE _GNU_SOURCE)
endif()
function(signalbox_link_test target)
  if(TARGET signalbox_sanitized_fork)
    target_link_libraries(${target} PRIVATE signalbox_sanitized_fork)
  endif()
endfunction()

# signalbox_compile_test(<target> [OPTIMISED])
#
# A program of tests, or objects of one, that is compiled as tests are.
function(signalbox_compile_test target)
  cmake_parse_arguments(ARG "OPTIMISED" "" "" ${ARGN})
  # A program exports nothing, and its types may hold the system's.
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET default)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "OBJECT_LIBRARY")  # its objects go into programs, so compile them as theirs
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIE)
  endif()
  if(SIGNALBOX_PLAIN_TESTS AND NOT ARG_OPTIMISED)
    target_compile_options(${target} PRIVATE -O0)
    signalbox_precompile_test(${target} plain)
  else()
    signalbox_precompile_test(${target} optimised)
  endif()
endfunction()

# signalbox_add_test(NAME <name> SOURCES <file>... [LINK <target>...] [LABEL <label>] [TIMEOUT <s>]
#                    [LONG] [OPTIMISED])
#
# A GoogleTest program. All its cases run as one ctest entry per case, under the given label (unit,
# conformance, crash, model, e2e; unit when absent). The timeout is a watchdog against hangs, not a
# limit on speed. LONG: its cases begin before others, so that the last of them does not run alone.
# OPTIMISED: compiled as the library is, see SIGNALBOX_PLAIN_TESTS.
function(signalbox_add_test)
  if(NOT SIGNALBOX_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "LONG;OPTIMISED" "NAME;LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
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
  signalbox_link_test(${ARG_NAME})
  if(ARG_OPTIMISED)
    signalbox_compile_test(${ARG_NAME} OPTIMISED)
  else()
    signalbox_compile_test(${ARG_NAME})
  endif()
  # Discovery runs the program before ctest starts, not while building: a test that crashes on start
  # must be a failed test, not a failed build.
  gtest_discover_tests(${ARG_NAME} DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} COST ${cost})
endfunction()

# signalbox_add_runner(NAME <name> PROGRAM <file> SCRIPT <file.py> [ARGUMENTS <argument>...]
#                      LABEL <label> TIMEOUT <s> [COST <cost>])
#
# A test that is a Python script: a program in the build folder, as `./dev proof` wants one, that
# runs it with these arguments and those it is given.
function(signalbox_add_runner)
  cmake_parse_arguments(ARG "" "NAME;PROGRAM;SCRIPT;LABEL;TIMEOUT;COST" "ARGUMENTS" ${ARGN})
  set(words "")
  foreach(word IN LISTS ARG_ARGUMENTS)
    string(APPEND words " '${word}'")
  endforeach()
  set(program "${CMAKE_CURRENT_BINARY_DIR}/${ARG_PROGRAM}")
  set(script "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT}")
  file(CONFIGURE OUTPUT "${program}" @ONLY
       CONTENT "#!/bin/sh\nexec '@Python3_EXECUTABLE@' '@script@'@words@ \"$@\"\n")
  file(CHMOD "${program}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  add_test(NAME ${ARG_NAME} COMMAND "${program}")
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(ARG_COST)
    set_tests_properties(${ARG_NAME} PROPERTIES COST ${ARG_COST})
  endif()
endfunction()
