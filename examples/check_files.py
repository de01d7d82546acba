"""Goal: the examples that move or search many bytes never have them in their own memory.
Method: each runs as a program, with megabytes that are compared at the other end. `copies` runs it
under strace and adds up what all calls that read or write through memory have moved.

    check_files.py search|fan_out|server PROGRAM
"""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

MEGABYTE = 1 << 20
SKIPPED = 77  # what ctest takes for: cannot be tried here
SECONDS_MAX = 60  # a watchdog against hangs

# Every call that copies bytes between the kernel and a process, and those that do not.
COPYING = (
    "read,readv,pread64,preadv,preadv2,recvfrom,recvmsg,recvmmsg,"
    "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg"
)
MOVING = "splice,tee,sendfile"


def traced(log: Path) -> list[str]:
    """The words that run a program under strace; ends this program where that is not allowed."""
    probe = ["strace", "-o", "/dev/null", "true"]
    if not shutil.which("strace") or subprocess.run(probe, capture_output=True).returncode != 0:
        print("skipped: strace is missing, or this process may not trace others")
        sys.exit(SKIPPED)
    return ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={COPYING},{MOVING}"]


def moved_bytes(log: Path, calls: str) -> int:
    """The sum of what these calls have answered, also those that another thread interrupted."""
    names = "|".join(calls.split(","))
    line = re.compile(rf"^\d+ +(?:<\.\.\. )?(?:{names})(?:\(| resumed>).* = (\d+)$", re.M)
    return sum(int(count) for count in line.findall(log.read_text()))


def check_moved(log: Path, least: int) -> None:
    copied, moved = moved_bytes(log, COPYING), moved_bytes(log, MOVING)
    print(f"moved inside the kernel: {moved} bytes; through the program's memory: {copied}")
    assert moved >= least, "strace has not seen what was moved"
    # The loader reads the heads of libraries, and the program says a few words.
    assert copied < 64 * 1024, log.read_text()[:4000]


def check_search(program: str, folder: Path) -> None:
    """A file that is larger than the address space that the program may have."""
    wanted, window, size = b"needle", MEGABYTE, 192 * MEGABYTE
    places = [0, 5, window - 3, 100 * window - 1, 150 * window + 77, size - len(wanted)]
    big = folder / "big"
    with big.open("wb") as file:
        file.truncate(size)
        for place in places:
            file.seek(place)
            file.write(wanted)
    places.remove(0)  # the one at byte 5 has overwritten its end
    limits = (size // 2, size // 2)
    found = subprocess.run(
        [program, wanted.decode(), str(big)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limits),
    ).stdout
    assert found.split() == [str(place) for place in places], found
    print(f"found all of {len(places)} in {size} bytes, with {size // 2} of address space")


def check_fan_out(program: str, folder: Path) -> None:
    """Three outputs, of which two are named pipes, get every byte of the input."""
    source, log = folder / "source", folder / "trace"
    source.write_bytes(os.urandom(8 * MEGABYTE))
    pipes = [folder / "left", folder / "right"]
    copies = [folder / "left.copy", folder / "right.copy", folder / "rest.copy"]
    words = traced(log) + [program]
    readers = []
    for pipe, copy in zip(pipes, copies, strict=False):
        os.mkfifo(pipe)
        readers.append(subprocess.Popen(["cp", str(pipe), str(copy)]))
    feeder = subprocess.Popen(["cat", str(source)], stdout=subprocess.PIPE)
    drain = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=copies[2].open("wb"))
    try:
        subprocess.run(
            words + [str(pipe) for pipe in pipes],
            stdin=feeder.stdout,
            stdout=drain.stdin,
            timeout=SECONDS_MAX,
            check=True,
        )
        drain.stdin.close()
        for each in [*readers, feeder, drain]:
            assert each.wait(SECONDS_MAX) == 0
    finally:
        for each in [*readers, feeder, drain]:
            each.kill()
    for copy in copies:
        assert copy.read_bytes() == source.read_bytes(), f"{copy.name} is another"
    # Two tees, two pieces of chain, each with all bytes.
    check_moved(log, 4 * 8 * MEGABYTE)


def check_server(program: str, folder: Path) -> None:
    """Two clients get the file, one who goes away in the middle harms nobody."""
    source, log, path = folder / "source", folder / "trace", folder / "file.sock"
    source.write_bytes(os.urandom(8 * MEGABYTE))
    words = traced(log) + [program, str(source), str(path)]
    # A session of its own: who kills strace lets its program go on.
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stdout.readline() == "ready\n"
        for takes_all in [True, False, True]:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(SECONDS_MAX)
                client.connect(str(path))
                with client.makefile("rb") as stream:
                    if not takes_all:
                        stream.read(1000)
                        continue
                    assert stream.read() == source.read_bytes()
        answers = [server.stdout.readline() for _ in range(3)]
        assert answers[0] == answers[2] == f"{8 * MEGABYTE} bytes\n", answers
        assert answers[1] != answers[0], answers
        # The program itself, and not strace: its only child.
        (child,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert server.wait(SECONDS_MAX) == 0
    finally:
        if server.returncode is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    check_moved(log, 2 * 8 * MEGABYTE)


def main() -> None:
    what, program = sys.argv[1:]
    check = {"search": check_search, "fan_out": check_fan_out, "server": check_server}[what]
    with tempfile.TemporaryDirectory(prefix="sbx-files-") as folder:
        check(program, Path(folder))


if __name__ == "__main__":
    main()
