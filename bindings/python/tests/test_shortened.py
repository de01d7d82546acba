"""A file that another process shortens is an error, and everybody else's SIGBUS stays theirs."""

from pathlib import Path

from observing import WATCHDOG_S, run_python, start_python

# Python's own handler of SIGBUS is there before ours, as it is in every pytest.
OPEN = """
import faulthandler, mmap, os, sys
from pathlib import Path
faulthandler.enable()
from signalbox import Publisher, SignalboxError, Subscriber

FRAME = [("number", "u8"), ("pixels", "u1", 100_000)]
publisher = Publisher("frames", FRAME)
subscriber = Subscriber("frames", FRAME)
publisher.send((1, 5))
sample = subscriber.take()
assert sample.data["pixels"][50_000] == 5
segment = next((Path(os.environ["SIGNALBOX_DIR"]) / "default" / "frames").glob("pub-*"))
"""

SHORTENED = (
    OPEN
    + """
os.truncate(segment, 0)
assert not sample.data["pixels"].any()
for call in (subscriber.take, lambda: publisher.send((2, 6)), lambda: publisher.send((3, 7))):
    try:
        call()
        print("nothing")
    except SignalboxError as error:
        print(error.code, str(segment) in str(error))
"""
)

FOREIGN = (
    OPEN
    + """
Path("/dev/shm/%s" % sys.argv[1]).write_bytes(b"x" * 4096)
with open("/dev/shm/%s" % sys.argv[1], "r+b") as file:
    os.unlink(file.name)
    foreign = mmap.mmap(file.fileno(), 4096)
    file.truncate(0)
    foreign[0]
"""
)


def test_shortened_file_is_an_error() -> None:
    said = run_python(SHORTENED).splitlines()
    # The publisher's own page is met in the midst of a call, and told by the next at the latest.
    assert said[0] == "damaged True"
    assert said[2] == "damaged True"


def test_foreign_fault_goes_to_faulthandler(domain_directory: Path) -> None:
    with start_python("-c", FOREIGN, f"{domain_directory.name}-foreign") as process:
        errors = process.communicate(timeout=WATCHDOG_S)[1]
    assert process.returncode == -7, errors
    assert "Fatal Python error: Bus error" in errors
