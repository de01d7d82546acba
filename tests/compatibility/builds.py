"""How the programs of `run_exchanges.py` are built: by ninja, in build/compatibility, and anew only
where something changed."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "compatibility"
GOOGLETEST = Path("/usr/src/googletest")

# Sizes that two builds agree on have 64 bits; a 32-bit program narrows them where it addresses its
# own memory, after they were checked against the mapping (-Wno-narrowing). It finds the kernel's
# headers where the 64-bit ones are: the package that links them (gcc-multilib) refuses to stand
# beside a cross-compiler. The short form optimises less.
BUILDS = {
    "gcc": "g++-12 {optimised}",
    "gcc-32": "g++-12 -m32 {optimised} -Wno-narrowing -isystem /usr/include/x86_64-linux-gnu "
    "-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64",
    "clang": "clang++-19 {optimised}",
    "arm64": "aarch64-linux-gnu-g++-12 {optimised}",
    "gcc-debug": "g++-12 -O0",
    "gcc-asan": "g++-12 -O1 -fsanitize=address",
}
SHORT = ("gcc", "gcc-32", "clang", "arm64")
# What runs a build's programs where this machine's processor does not.
RUNNERS = {"arm64": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]}
LAYERS = ("base", "wire", "topic")  # and of os what these reach
# A layer is compiled as one file that includes its sources: that takes a fifth of the time. Sources
# of os say `detail` and mean signalbox's, which in one file with os::detail they would not reach.
ABOVE_ALL = """#include "signalbox/error.hpp"
namespace signalbox::os::detail {
using namespace signalbox::detail;
}
"""
# What the unit tests include of others, compiled once.
OF_TESTS = "of_tests.hpp"
HEADERS_OF_TESTS = """#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>
"""
INCLUDED = re.compile(r'^#include "([^"]+)"', re.MULTILINE)

# The unit tests that are built for arm64, each a program as in src/*/CMakeLists.txt.
UNIT_TESTS = {
    "ring_test": ["src/shm/ring_test.cpp"],
    "pins_test": ["src/shm/pins_test.cpp"],
    "cursors_test": ["src/shm/cursors_test.cpp"],
    "doorbell_test": ["src/shm/doorbell_test.cpp"],
    "frame_pool_test": ["src/shm/frame_pool_test.cpp"],
    "description_test": ["src/wire/description_test.cpp"],
    "layout_test": ["src/topic/layout_test.cpp"],
    "topic_test": ["src/topic/topic_test.cpp"],
    "policies_test": ["src/topic/policies_test.cpp"],
    "place_test": ["src/topic/place_test.cpp"],
    "footprint_test": ["src/topic/footprint_test.cpp"],
    "wait_set_test": [
        "src/topic/wait_set_test.cpp",
        "src/topic/wait_set_model_test.cpp",
        "src/topic/wait_set_sources_test.cpp",
    ],
    "golden_segment_test": ["tests/compatibility/golden_segment_test.cpp"],
}


def command_of(name: str, program: str = "exchange") -> list[str]:
    return [*RUNNERS.get(name, []), str(OUT / name / program)]


def rules_of(name: str, is_long: bool) -> list[str]:
    launcher = "ccache " if shutil.which("ccache") else ""
    include = f"-I{ROOT / 'include'} -I{ROOT / 'src'}"
    optimised, tests = ("-O2", "-O1") if is_long else ("-O1", "-O0")
    compiler = f"{BUILDS[name].format(optimised=optimised)} -std=c++23"
    gtest = " ".join(
        f"-isystem {GOOGLETEST / part}{end}"
        for part in ("googletest", "googlemock")
        for end in ("/include", "")
    )
    files = {
        "LAYOUT_DOCUMENT": ROOT / "docs/formats/layout-2.md",
        "GOLDEN_FILE": ROOT / "tests/compatibility/golden/layout-2.txt",
    }
    named = " ".join(f'-D{name}=\\"{path}\\"' for name, path in files.items())
    writes = "-MD -MF $out.d -c $in -o $out"
    commands = {
        "compile": f"{launcher}{compiler} {include} {writes}",
        "compile-framework": f"{launcher}{compiler} {tests} {gtest} {writes}",
        "precompile": f"{compiler} {tests} {gtest} -x c++-header {writes}",
        "compile-test": f"{compiler} {tests} {include} {gtest} {named} -Winvalid-pch "
        f"-include {name}/{OF_TESTS} {writes}",
        "link": f"{compiler} $in -o $out -pthread",
    }
    lines = []
    for rule, command in commands.items():
        lines += [f"rule {rule}-{name}", f"  command = {command}"]
        if rule != "link":
            lines.append("  depfile = $out.d")
    return lines


def objects_of(name: str, sources: list[Path], rule: str, lines: list[str], needs: str = "") -> str:
    made = []
    for source in sources:
        made.append(f"{name}/{source.parent.name}-{source.stem}.o")
        lines.append(f"build {made[-1]}: {rule}-{name} {source} {needs}")
    return " ".join(made)


def write(path: Path, text: str) -> Path:
    """Writes a file that ninja reads, unless it is the same already and nothing must be built."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


def included_by(source: Path) -> list[Path]:
    """The files of this project that `source` includes directly."""
    folders = (ROOT / "include", ROOT / "src", source.parent)
    found = []
    for name in INCLUDED.findall(source.read_text()):
        found += [folder / name for folder in folders if (folder / name).exists()][:1]
    return found


def reached_of_os(sources: list[Path]) -> list[Path]:
    """The sources of src/os that `sources` need, fewer than half: those that make what they
    include, directly or not. A source includes the header that it makes before any other."""
    made_by: dict[Path, list[Path]] = {}
    for source in sorted((ROOT / "src/os").glob("*.cpp")):
        if not source.name.endswith("_test.cpp"):
            made_by.setdefault(included_by(source)[0], []).append(source)
    seen: set[Path] = set()
    ahead = list(sources)
    while ahead:
        file = ahead.pop()
        if file not in seen:
            seen.add(file)
            ahead += [*included_by(file), *made_by.get(file, [])]
    return sorted(file for made in made_by.values() for file in made if file in seen)


def library() -> list[Path]:
    """The library as a file a layer that includes the layer's sources."""
    layers: dict[str, list[Path]] = {}
    for layer in LAYERS:
        found = sorted((ROOT / "src" / layer).glob("*.cpp"))
        layers[layer] = [source for source in found if not source.name.endswith("_test.cpp")]
    entries = [ROOT / source for sources in UNIT_TESTS.values() for source in sources]
    entries += [source for sources in layers.values() for source in sources]
    layers["os"] = reached_of_os([*entries, ROOT / "tests/compatibility/exchange.cpp"])
    return [
        write(
            OUT / "layers" / f"{layer}.cpp",
            ABOVE_ALL + "".join(f'#include "{source}"\n' for source in sources),
        )
        for layer, sources in layers.items()
    ]


def unit_tests(name: str, layers: str, lines: list[str]) -> None:
    parts = ("googletest/src/gtest-all.cc", "googlemock/src/gmock-all.cc")
    parts += ("googletest/src/gtest_main.cc",)
    framework = [GOOGLETEST / part for part in parts]
    gtest = objects_of(name, framework, "compile-framework", lines)
    headers = write(OUT / name / OF_TESTS, HEADERS_OF_TESTS)
    precompiled = f"{name}/{OF_TESTS}.gch"
    lines.append(f"build {precompiled}: precompile-{name} {headers}")
    for test, sources in UNIT_TESTS.items():
        files = [ROOT / source for source in sources]
        own = objects_of(name, files, "compile-test", lines, f"| {precompiled}")
        lines.append(f"build {name}/{test}: link-{name} {own} {layers} {gtest}")


def build_file(builds: list[str], is_long: bool) -> str:
    """The text of a build.ninja with the exchanging program for each build, and the unit tests for
    arm64."""
    layers_of_all = library()
    lines: list[str] = []
    for name in builds:
        lines += rules_of(name, is_long)
        layers = objects_of(name, layers_of_all, "compile", lines)
        own = objects_of(name, [ROOT / "tests/compatibility/exchange.cpp"], "compile", lines)
        lines.append(f"build {name}/exchange: link-{name} {own} {layers}")
        if name == "arm64":
            unit_tests(name, layers, lines)
    return "\n".join(lines) + "\n"


def build(builds: list[str], is_long: bool) -> bool:
    write(OUT / "build.ninja", build_file(builds, is_long))
    return subprocess.run(["ninja", "-C", str(OUT)], check=False).returncode == 0
