"""Runs wall_clock_test in a virtual machine, whose clock may be set: it is nobody else's.

    run_in_machine.py PROGRAM [ARGUMENT...]

The machine is qemu's, emulated, with two processors; its kernel is the one of Debian 12 that
`./dev setup` put into .tools/kernel. Its files are the program, the libraries it needs, and
busybox for init; they lie in memory. SIGNALBOX_CLOCK_JUMP_S says how far the clock is set (3600).
SBX_PROOF_LONG=1 is the long form. Exit status: the program's, 1 if the machine ended without one,
or 125 if it did not even begin the program.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A scratch copy of the tree has no tools of its own.
KERNEL = Path(os.environ.get("SBX_ROOT", HERE.parent.parent)) / ".tools" / "kernel" / "vmlinuz"
BUSYBOX = "/bin/busybox"
LIBRARY = re.compile(r"(/\S+)")
HANG_SECONDS = 300
HANG_SECONDS_LONG = 3600
NO_ANSWER = 1
NOT_BEGUN = 125


def libraries(program: Path) -> list[Path]:
    listed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True)
    return [Path(path) for path in LIBRARY.findall(listed.stdout)]


def lay_out(root: Path, program: Path) -> None:
    """The files of the machine, below a folder of this one."""
    for folder in ("bin", "dev", "proc", "sys", "tmp"):
        (root / folder).mkdir()
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    shutil.copy(program, root / "test")
    for library in libraries(program):
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def pack(root: Path, archive: Path) -> None:
    """An archive that the kernel unpacks into its memory before it runs init."""
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    with archive.open("wb") as file:
        command = [BUSYBOX, "cpio", "-o", "-H", "newc"]
        subprocess.run(command, cwd=root, input=names.encode(), stdout=file, check=True)


def variables(arguments: list[str]) -> str:
    """What the kernel hands on to init, which hands it on to the program."""
    chosen = {"SIGNALBOX_CLOCK_JUMP_S": os.environ.get("SIGNALBOX_CLOCK_JUMP_S", "3600")}
    if os.environ.get("SBX_PROOF_LONG"):
        chosen["SBX_PROOF_LONG"] = "1"
    for argument in arguments:
        if found := re.fullmatch(r"--gtest_filter=(\S+)", argument):
            chosen["GTEST_FILTER"] = found[1]
        else:
            sys.exit(f'run_in_machine.py knows --gtest_filter=PATTERN, not "{argument}"')
    return " ".join(f"{name}={value}" for name, value in chosen.items())


def run_machine(archive: Path, answers: Path, handed_on: str) -> None:
    """The program's output goes to ours; its counts and its status into a file."""
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", "1024", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-serial", "stdio", "-serial", f"file:{answers}"]
    command += ["-kernel", str(KERNEL), "-initrd", str(archive)]
    # While it starts, the kernel wants a few ticks of its timer in 40 ms and panics without them:
    # where others keep qemu from its processor for so long, they are lost.
    command += ["-append", f"console=ttyS0 quiet panic=-1 no_timer_check {handed_on}"]
    limit = HANG_SECONDS_LONG if os.environ.get("SBX_PROOF_LONG") else HANG_SECONDS
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        print(f"the machine was stopped after {limit} s", file=sys.stderr)


def read_answers(path: Path) -> tuple[list[str], int]:
    """The lines that the program counted in, and its exit status."""
    lines = path.read_text().splitlines() if path.exists() else []
    statuses = [int(line.split()[1]) for line in lines if line.startswith("status ")]
    missing = NO_ANSWER if "begun" in lines else NOT_BEGUN
    return [line for line in lines if line.startswith("{")], (statuses or [missing])[0]


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not KERNEL.exists():
        sys.exit(f"{KERNEL} is not there: `./dev setup` gets it")
    program = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="sbx-machine-") as scratch:
        root, archive, answers = (Path(scratch) / name for name in ("root", "archive", "answers"))
        root.mkdir()
        lay_out(root, program)
        pack(root, archive)
        run_machine(archive, answers, variables(sys.argv[2:]))
        counts, status = read_answers(answers)
    if counts_path := os.environ.get("SBX_PROOF_COUNTS"):
        with Path(counts_path).open("a") as file:
            file.writelines(line + "\n" for line in counts)
    return status


if __name__ == "__main__":
    sys.exit(main())
