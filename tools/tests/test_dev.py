"""Goal: whoever types `./dev` is told which verbs there are, also after a slip of the fingers."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
VERBS = sorted(path.stem for path in (ROOT / "tools" / "dev").iterdir())


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "dev", *words], capture_output=True, text=True, timeout=60, check=False
    )


def verbs_in(text: str) -> list[str]:
    return sorted(line.split()[0] for line in text.splitlines() if line.startswith("  "))


@pytest.mark.parametrize("words", [[], ["help"], ["-h"], ["--help"]])
def test_help_lists_every_verb(words: list[str]) -> None:
    ran = dev(*words)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert verbs_in(ran.stdout) == VERBS


@pytest.mark.parametrize("verb", ["tset", "../environment", ""])
def test_unknown_verb_is_named_and_the_others_are_listed(verb: str) -> None:
    ran = dev(verb)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[0].startswith(f'./dev: there is no verb "{verb}"')
    assert verbs_in(ran.stderr) == VERBS
