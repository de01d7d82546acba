"""The proof suites: one row each. `./dev proof --list` shows them, CONTRIBUTING.md says how to add
one."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """A program that tries to break the library and counts what it tried and what broke.

    `program` is a path below the build folder of `preset`; `targets` are what must be built there
    first. The environments are added to ours: `short` always, then that of the form that runs.
    """

    name: str
    says: str  # one sentence
    targets: tuple[str, ...]
    program: str
    arguments: tuple[str, ...] = ()
    preset: str = "release"
    short: dict[str, str] = field(default_factory=dict)
    long: dict[str, str] = field(default_factory=dict)
    long_arguments: tuple[str, ...] = ()
    # With a seeded bug: as short as still finds it.
    seeded: dict[str, str] = field(default_factory=dict)


SUITES = (
    Suite(
        name="random_kills",
        says="Participants under load are killed at random moments; the survivors lose nothing.",
        targets=("crash_random_kill_test",),
        program="tests/crash/crash_random_kill_test",
        long={"SIGNALBOX_KILLS": "5000"},
        seeded={"SIGNALBOX_KILLS": "300"},
    ),
    Suite(
        name="kill",
        says="A participant is killed at each instruction of each operation that changed anything.",
        targets=("crash_kill_driver_test",),
        program="tests/crash/crash_kill_driver_test",
        long={"SIGNALBOX_EVERY_INSTRUCTION": "1"},
    ),
    Suite(
        name="kill_clang",
        says="The same, with the library and the victim compiled by clang.",
        targets=("crash_kill_driver_test",),
        program="tests/crash/crash_kill_driver_test",
        preset="clang-release",
        long={"SIGNALBOX_EVERY_INSTRUCTION": "1"},
    ),
    Suite(
        name="relacy",
        says="The lock-free templates run in Relacy, under every schedule with few switches.",
        targets=("model_test",),
        program="tests/model/model_test",
        long_arguments=("--long",),
    ),
)
