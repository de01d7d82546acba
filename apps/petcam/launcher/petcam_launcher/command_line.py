"""The command line of petcam."""

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

from . import places
from .demo import CONFIGURATION, OK, DemoError, Options, run

USAGE = 2
SYSTEM = 5


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; answers the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.command(options, parser)
    except DemoError as error:
        print(f"petcam: {error}", file=sys.stderr)
        return error.code
    except places.MissingProgramError as error:
        print(f"petcam: {error}", file=sys.stderr)
        return SYSTEM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="petcam", description="A pet camera on Signalbox.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run camera, detector and server; print one URL")
    source = demo.add_mutually_exclusive_group()
    source.add_argument("--video", metavar="FILE", help="a video file or URL instead of the room")
    source.add_argument("--device", metavar="/dev/videoN", help="a camera of this machine")
    demo.add_argument("--port", type=int, help="of the page, default 8088; 0 chooses a free one")
    demo.add_argument("--config", type=Path, metavar="FILE", help="petcam.yaml")
    demo.add_argument("--detector", choices=("motion", "yolo-onnx", "auto"))
    demo.add_argument("--width", type=int, help="pixels a row, default 1280")
    demo.add_argument("--height", type=int, help="rows, default 720")
    demo.add_argument("--fps", type=float, help="pictures a second, default 30")
    demo.add_argument("--seed", type=int, help="of the built-in room")
    demo.add_argument(
        "--seconds", type=float, metavar="N", help="stop so long after the page answers"
    )
    demo.add_argument("--report", type=Path, metavar="FILE", help="watch, and write JSON")
    demo.add_argument("--no-viewer", action="store_true", help="report without watching the page")
    demo.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="keep event numbers and history"
    )
    demo.set_defaults(command=_demo)

    check = commands.add_parser("check-config", help="ask the three daemons about a petcam.yaml")
    check.add_argument("file", type=Path)
    check.set_defaults(command=_check_config)

    doctor = commands.add_parser("doctor", help="what runs, and what is left in shared memory")
    doctor.set_defaults(command=_doctor)
    return parser


def _demo(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.report and options.seconds is None:
        parser.error("--report needs --seconds: how long to watch")
    report = None
    if options.report:
        from .report import Report  # its packages are not needed to run the demo

        report = Report(options.report, viewer=not options.no_viewer)
    return asyncio.run(run(_demo_options(options), options.seconds, report))


def _demo_options(options: argparse.Namespace) -> Options:
    file = _read_config(options.config)
    server, camera = file.get("server") or {}, file.get("camera") or {}
    given = {
        "--video": options.video,
        "--device": options.device,
        "--width": options.width,
        "--height": options.height,
        "--fps": options.fps,
        "--seed": options.seed,
    }
    source = camera.get("source", "synthetic")
    state_dir = options.state_dir or (server.get("state_dir") or None)
    return Options(
        port=server.get("port", 8088) if options.port is None else options.port,
        host=server.get("host", "127.0.0.1"),
        config=options.config,
        camera=[word for name, value in given.items() if value for word in (name, str(value))],
        detector=["--detector", options.detector] if options.detector else [],
        domain=(file.get("common") or {}).get("domain") or "",
        state_dir=Path(state_dir) if state_dir else None,
        synthetic=not options.video and not options.device and source == "synthetic",
    )


def _read_config(path: Path | None) -> dict:
    """The file as far as the launcher needs it; the daemons say what is wrong with it."""
    if path is None:
        return {}
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise DemoError(f"cannot read the configuration {path}: {error}", CONFIGURATION) from None
    sections = ("common", "camera", "server")
    good = isinstance(values, dict) and all(
        isinstance(values.get(name) or {}, dict) for name in sections
    )
    return values if good else {}


def _check_config(options: argparse.Namespace, _parser: argparse.ArgumentParser) -> int:
    arguments = ["--config", str(options.file), "--check-config"]
    worst = OK
    for name, command, environment in (
        ("camera", [str(places.program("petcam-camera"))], {}),
        ("detector", places.detector_command(), places.detector_environment()),
        ("server", [str(places.program("petcam-server"))], {}),
    ):
        done = subprocess.run(
            [*command, *arguments], env=places.environment(environment), check=False
        )
        print(f"{name}: {'good' if done.returncode == OK else 'refused'}")
        worst = max(worst, done.returncode)
    return worst


def _doctor(_options: argparse.Namespace, _parser: argparse.ArgumentParser) -> int:
    from .doctor import examine

    return examine()
