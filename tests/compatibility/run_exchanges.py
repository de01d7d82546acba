"""Builds one program with several compilers and lets each build publish to each other.

    run_exchanges.py [--long] [--only WORDS]

The builds: gcc optimised and not, clang, gcc with AddressSanitizer, and gcc for 32 bits. The short
form takes the pairs between gcc's 64 bits, its 32 bits and clang; the long form takes all builds
in all ordered pairs. Small and large messages, reliable and lossy. What is built lies in
build/compatibility, where ninja builds anew only what changed.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "compatibility"
HANG_SECONDS = 120

# Sizes that two builds agree on have 64 bits; a 32-bit program narrows them where it addresses its
# own memory, after they were checked against the mapping (-Wno-narrowing). It finds the kernel's
# headers where the 64-bit ones are: the package that links them (gcc-multilib) refuses to stand
# beside a cross-compiler.
BUILDS = {
    "gcc": "g++-12 -O2",
    "gcc-32": "g++-12 -m32 -O2 -Wno-narrowing -isystem /usr/include/x86_64-linux-gnu "
    "-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64",
    "clang": "clang++-19 -O2",
    "gcc-debug": "g++-12 -O0",
    "gcc-asan": "g++-12 -O1 -fsanitize=address",
}
SHORT = ("gcc", "gcc-32", "clang")
LAYERS = ("base", "os", "wire", "topic")


def build_file(builds: list[str]) -> str:
    """The text of a build.ninja with one program for each build."""
    sources = [ROOT / "tests" / "compatibility" / "exchange.cpp"]
    for layer in LAYERS:
        folder = ROOT / "src" / layer
        sources += sorted(s for s in folder.glob("*.cpp") if not s.name.endswith("_test.cpp"))
    launcher = "ccache " if shutil.which("ccache") else ""
    include = f"-I{ROOT / 'include'} -I{ROOT / 'src'}"
    lines = []
    for name in builds:
        compiler = f"{BUILDS[name]} -std=c++23"
        lines += [
            f"rule compile-{name}",
            f"  command = {launcher}{compiler} {include} -MD -MF $out.d -c $in -o $out",
            "  depfile = $out.d",
            f"rule link-{name}",
            f"  command = {compiler} $in -o $out -pthread",
        ]
        objects = []
        for source in sources:
            made = f"{name}/{source.parent.name}-{source.stem}.o"
            lines.append(f"build {made}: compile-{name} {source}")
            objects.append(made)
        lines.append(f"build {name}/exchange: link-{name} {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def build(builds: list[str]) -> bool:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "build.ninja").write_text(build_file(builds))
    targets = [f"{name}/exchange" for name in builds]
    return subprocess.run(["ninja", "-C", str(OUT), *targets], check=False).returncode == 0


def exchange(first: str, second: str, kind: str, policy: str, count: int) -> str:
    """`first` publishes and `second` takes. What went wrong, or nothing."""
    words = [kind, policy, str(count)]
    with tempfile.TemporaryDirectory(prefix="sbx-compatibility-", dir="/dev/shm") as domain:
        environment = os.environ | {"SIGNALBOX_DIR": domain}
        taker = subprocess.Popen(
            [OUT / second / "exchange", "take", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            if taker.stdout.readline() != "joined\n":
                return f"the taker did not join: {taker.communicate(timeout=HANG_SECONDS)[1]}"
            publisher = subprocess.run(
                [OUT / first / "exchange", "publish", *words],
                env=environment,
                capture_output=True,
                text=True,
                timeout=HANG_SECONDS,
                check=False,
            )
            said = taker.communicate(timeout=HANG_SECONDS)[1]
        except subprocess.TimeoutExpired:
            return f"hung for {HANG_SECONDS} s"
        finally:
            taker.kill()
            taker.wait()
        left = [str(path) for path in Path(domain).rglob("*")]
    if publisher.returncode != 0:
        return f"the publisher failed: {publisher.stderr}"
    if taker.returncode != 0:
        return f"the taker failed: {said}"
    return f"left behind: {', '.join(left)}" if left else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="all builds, more messages")
    parser.add_argument("--only", default="", help="only exchanges whose line has these words")
    arguments = parser.parse_args()
    is_long = arguments.long or os.environ.get("SBX_PROOF_LONG", "") not in ("", "0")

    builds = list(BUILDS) if is_long else list(SHORT)
    if not build(builds):
        return 1
    failed = messages = tries = 0
    for first, second, kind, policy in itertools.product(
        builds, builds, ("small", "large"), ("reliable", "lossy")
    ):
        line = f"{first} to {second}, {kind}, {policy}"
        if arguments.only not in line:
            continue
        count = (20_000 if kind == "small" else 2_000) * (20 if is_long else 1)
        trouble = exchange(first, second, kind, policy, count)
        print(f"{line}: {trouble or 'whole'}", flush=True)
        failed += bool(trouble)
        tries += 1
        messages += count
    counts = os.environ.get("SBX_PROOF_COUNTS")
    if counts:
        with Path(counts).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"tries": tries, "messages": messages}) + "\n")
    print(f"{tries} exchanges of {len(builds)} builds, {messages} messages, {failed} failed")
    return 1 if failed or not tries else 0


if __name__ == "__main__":
    sys.exit(main())
