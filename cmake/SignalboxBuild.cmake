# How every target of this project is compiled.
include(GNUInstallDirs)

option(SIGNALBOX_TESTS "Build the tests" ON)
option(SIGNALBOX_WERROR "Treat warnings as errors" ON)
set(SIGNALBOX_SANITIZE "" CACHE STRING "Sanitizers for every target, such as address,undefined")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Tests that run Python need the packages that `./dev setup` put beside us, and whatever python3 is
# first in PATH, such as pyenv's, has none of them.
foreach(python IN ITEMS "${PROJECT_SOURCE_DIR}/.venv/bin/python" /usr/bin/python3)
  if(EXISTS "${python}" AND NOT Python3_EXECUTABLE)
    set(Python3_EXECUTABLE "${python}" CACHE FILEPATH "The Python that tests run")
  endif()
endforeach()

# Static parts end up in libsignalbox.so and in Python's extension, so all code is position
# independent; only what carries SBX_EXPORT is visible from outside.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
# GCC 12 sees overlapping copies in std::string's own code at -O3 (its bug 105651, mended in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(SIGNALBOX_WERROR)
  add_compile_options(-Werror)
endif()

# Keep frame pointers where a function calls another: perf and the sanitizers then show whole call
# chains. A leaf has nobody to show, and the shortest paths are leaves.
add_compile_options(-fno-omit-frame-pointer)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|aarch64")
  add_compile_options(-momit-leaf-frame-pointer)
endif()

if(SIGNALBOX_SANITIZE)
  add_compile_options(-fsanitize=${SIGNALBOX_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SIGNALBOX_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's flow analysis reads sanitizer checks as uses of uninitialised values, and warns that
    # ThreadSanitizer does not model fences, which the tests that rely on one know.
    add_compile_options(-Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()
