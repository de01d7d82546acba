"""The launcher's own tests: its parts without the daemons; tests/e2e runs the whole."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "launcher"))
