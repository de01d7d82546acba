# Defines signalbox::signalbox: libsignalbox.so and the folder of signalbox/signalbox.h.
#
# Looked for in this order:
#   1. SIGNALBOX_BUILD_DIR (a variable of CMake or of the environment): a build folder of the source
#      tree, such as build/dev
#   2. build/dev of the source tree this file lies in, if the library was built there
#   3. an installed Signalbox: its CMake package, else the library and header in CMAKE_PREFIX_PATH
get_filename_component(source_tree "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT SIGNALBOX_BUILD_DIR AND DEFINED ENV{SIGNALBOX_BUILD_DIR})
  set(SIGNALBOX_BUILD_DIR "$ENV{SIGNALBOX_BUILD_DIR}")
endif()
if(SIGNALBOX_BUILD_DIR)
  # pip runs CMake in a folder of its own; people name theirs from where they stand in the tree.
  get_filename_component(build_folder "${SIGNALBOX_BUILD_DIR}" ABSOLUTE BASE_DIR "${source_tree}")
  set(library "${build_folder}/src/libsignalbox.so")
  if(NOT EXISTS "${library}")
    message(FATAL_ERROR
      "SIGNALBOX_BUILD_DIR names ${build_folder}, but there is no ${library}. "
      "Build it first: ./dev build, or cmake --build ${build_folder} --target signalbox")
  endif()
else()
  set(library "${source_tree}/build/dev/src/libsignalbox.so")
endif()

if(EXISTS "${library}")
  set(headers "${source_tree}/include")
else()
  find_package(signalbox CONFIG QUIET)
  if(NOT signalbox_FOUND)
    find_library(library_installed signalbox)
    find_path(headers signalbox/signalbox.h)
    if(NOT library_installed OR NOT headers)
      message(FATAL_ERROR
        "libsignalbox.so was not found: there is no ${library} and no installed Signalbox. "
        "Run ./dev build, or set SIGNALBOX_BUILD_DIR or CMAKE_PREFIX_PATH.")
    endif()
    set(library "${library_installed}")
  endif()
endif()

if(TARGET signalbox::signalbox)
  message(STATUS "Signalbox: the CMake package in ${signalbox_DIR}")
else()
  message(STATUS "Signalbox: ${library}")
  add_library(signalbox::signalbox SHARED IMPORTED)
  set_target_properties(signalbox::signalbox PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${headers}")
endif()
