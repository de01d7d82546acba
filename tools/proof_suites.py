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
    # Another suite whose seeded bugs are this one's too.
    bugs_of: str = ""


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
        name="lock_kills",
        says="Who holds a lock or waits for one is killed; others go on, and are told once.",
        targets=("crash_lock_kill_test",),
        program="tests/crash/crash_lock_kill_test",
        long={"SIGNALBOX_KILLS": "5000"},
        seeded={"SIGNALBOX_KILLS": "200"},
    ),
    Suite(
        name="kill",
        says="A participant is killed, or pauses, wherever an operation has changed anything.",
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
        bugs_of="kill",
    ),
    Suite(
        name="fault",
        says="Each system call of topics, sets, discovery and locks fails once, with each errno.",
        targets=("fault_system_call_test",),
        program="tests/fault/fault_system_call_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="allocation",
        says="Each allocation of topics, locks, discovery is refused once: it is told, none abort.",
        targets=("fault_allocation_test",),
        program="tests/fault/fault_allocation_test",
    ),
    Suite(
        name="shortened",
        says="Each file of a busy topic is shortened; its users are told, nobody dies of SIGBUS.",
        targets=("fault_shortened_file_test",),
        program="tests/fault/fault_shortened_file_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="damage",
        says="Every bit of the control areas is turned over, and the whole API is run on it.",
        targets=("damage_control_area_test",),
        program="tests/damage/damage_control_area_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="hostile",
        says="A peer scribbles over all it may write while honest ones work.",
        targets=("damage_hostile_peer_test",),
        program="tests/damage/damage_hostile_peer_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="stop",
        says="Participants are stopped for a while, die beside busy loops, or stay unreaped.",
        targets=("stop_stopped_test",),
        program="tests/stop/stop_stopped_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="fork",
        says="Processes fork in every state; the parent's handles, loans and locks stay whole.",
        targets=("stop_forked_test",),
        program="tests/stop/stop_forked_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="name_spaces",
        says="Participants live in other pid name spaces, under other users and umasks.",
        targets=("stop_name_spaces_test",),
        program="tests/stop/stop_name_spaces_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="joining",
        says="Who joins a topic or uses a lock stands still at each system call; nobody is harmed.",
        targets=("stop_joining_test",),
        program="tests/stop/stop_joining_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="hardened",
        says="Strangers, bad memory and nonsense at the hardened tier's sockets; none gets in.",
        targets=("hardened_hostile_test",),
        program="tests/hardened/hardened_hostile_test",
    ),
    Suite(
        name="meetings",
        says="Participants are killed and forked while they hand each other sealed memory.",
        targets=("hardened_interrupted_test",),
        program="tests/hardened/hardened_interrupted_test",
        long={"SIGNALBOX_KILLS": "20000"},
    ),
    Suite(
        name="relacy",
        says="The lock-free templates run in Relacy, under every schedule with few switches.",
        targets=("model_test",),
        program="tests/model/model_test",
        long_arguments=("--long",),
    ),
    Suite(
        name="spin",
        says="Who comes, leaves and cleans up, as models whose every state is visited.",
        targets=("spin_models",),
        program="tests/spin/spin_models",
        long_arguments=("--long",),
    ),
    Suite(
        name="delivery",
        says="Numbered, summed messages arrive once, in order and whole; losses are counted.",
        targets=("delivery_test",),
        program="tests/delivery/delivery_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="compatibility",
        says="Programs of several compilers, 32 bits and arm64 exchange messages on one topic.",
        targets=("compatibility_exchanges",),
        program="tests/compatibility/exchanges",
        long_arguments=("--long",),
    ),
    Suite(
        name="scenarios",
        says="Each scenario row is played against the kernel, our wrappers and C: same answers.",
        targets=("scenarios_test",),
        program="tests/scenarios/scenarios_test",
        # The actors in Python and Go use the library of another build, dev.
        arguments=("--gtest_filter=-*_python.*:*_go.*",),
        long_arguments=("--gtest_repeat=50",),
    ),
    Suite(
        name="differential",
        says="Random calls by four processes on a kernel object and ours in lock step, with kills.",
        targets=("differential_test",),
        program="tests/differential/differential_test",
        long={"SBX_SEQUENCES": "1000000"},
        seeded={"SBX_SEQUENCES": "1000"},
    ),
    Suite(
        name="os_fault",
        says="Each system call of each kernel facility's operations fails once, with each errno.",
        targets=("facilities_system_call_test",),
        program="tests/facilities/facilities_system_call_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="os_interrupted",
        says="A signal handler runs a thousand times a second under the kernel's and our waits.",
        targets=("facilities_interrupted_test",),
        program="tests/facilities/facilities_interrupted_test",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="clock_jumps",
        says="The wall clock is set an hour forward and back while each call waits, in a machine.",
        targets=("clock_wall_clock_test",),
        program="tests/clock/clock_jumps",
        long={"SBX_PROOF_LONG": "1"},
    ),
    Suite(
        name="os_kills",
        says="Holders of the kernel's locks and units are killed; survivors go on, told once.",
        targets=("facilities_holder_killed_test",),
        program="tests/facilities/facilities_holder_killed_test",
        long={"SIGNALBOX_KILLS": "5000"},
    ),
    Suite(
        name="os_limits",
        says="Each limit of the kernel is used up: it is named, and one removal makes room again.",
        targets=("facilities_used_up_test",),
        program="tests/facilities/facilities_used_up_test",
    ),
    Suite(
        name="os_rights",
        says="Three users under three umasks meet each named object: the mode decides, and 0600.",
        targets=("facilities_rights_test",),
        program="tests/facilities/facilities_rights_test",
    ),
)
