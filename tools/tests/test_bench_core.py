"""The benchmark of topics counts what a publish costs with few subscribers and with many.

Instructions are the same whatever else the machine does, but not for every compiler: that they are
as many for each number of subscribers is asserted, and how many they are is for people to judge.
"""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SBX_BUILD", ROOT / "build" / "dev"))

# Against hangs only.
WATCHDOG_S = 300


def test_publish_costs_the_same_with_any_number_of_subscribers(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = subprocess.run(
        [BUILD / "bench" / "bench_core", "--smoke", "--only", "publish", "--json", report],
        capture_output=True,
        text=True,
        timeout=WATCHDOG_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    rows = {row["case"]: row for row in json.loads(report.read_text())["rows"]}
    assert list(rows) == [
        "publish, instructions",
        "publish, system calls",
        *[f"publish, {count} subscribers" for count in (4, 16, 64, 256)],
        "publish to 256",
    ]
    assert rows["publish, system calls"]["ours"]["p50_ns"] == 0
    for count in (4, 16, 64, 256):
        assert rows[f"publish, {count} subscribers"]["ratio"] == 1
