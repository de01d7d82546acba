"""Goal: any daemon may be killed at any moment; the page says which one is away, all is well again
soon, and no event is lost or told twice. Method: kill -9 of each in turn, watched in headless
Chromium. The short form has 3 rounds; PETCAM_LONG=1 makes it 20, and holds the page to 2 seconds
and the whole to 5."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from browsing import chromium, lost_and_doubled, messages, open_page, wait_for_frames
from playwright.sync_api import Page
from running_demo import LONG, RunningDemo, tell_speed

ROUNDS = 20 if LONG else 3
TOLD_SECONDS_MAX = 2.0
WELL_SECONDS_MAX = 5.0

# All chips are well, and the page knows the process that took the place of the killed one.
ALL_WELL = """
([daemon, killed]) => {
  const chips = [...document.querySelectorAll("#chips li")];
  const last = window.seen.messages.findLast((message) => message.type === "status");
  const {pid} = JSON.parse(last.data).daemons[daemon];
  const well = chips.every((chip) => chip.dataset.state === "running")
    && document.querySelector("#stage").dataset.state === "live"
    && pid && pid !== killed;
  return well ? Date.now() : 0;
}
"""


# That a daemon is missing, or, when it was back before the server looked, that it is starting.
# The camera is back within milliseconds: a busy server may see only that it is another process.
FIRST_TOLD = """
([daemon, killed, since]) => {
  const chip = window.seen.chips.find((chip) => chip.at >= since && chip.daemon === daemon
    && ["missing", "starting"].includes(chip.state));
  if (chip || daemon !== "camera") return chip;
  const status = window.seen.messages.find((message) => {
    if (message.type !== "status" || message.at < since) return false;
    const {pid} = JSON.parse(message.data).daemons[daemon];
    return pid && pid !== killed;
  });
  return status && {at: status.at, state: "another process"};
}
"""


def first_told(page: Page, daemon: str, killed: int, since_ms: float) -> tuple[float, str]:
    """When, in milliseconds since 1970, the page first said that this daemon is away, and how."""
    chip = page.wait_for_function(FIRST_TOLD, arg=[daemon, killed, since_ms]).json_value()
    return chip["at"], chip["state"]


def test_each_daemon_may_be_killed(demo: Callable[..., RunningDemo], root: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    running = demo()
    with chromium() as browser:
        page = open_page(browser, running.url)
        page.wait_for_selector("#events li[data-label=cat]")
        for turn in range(ROUNDS):
            daemon = ("camera", "detector", "server")[turn % 3]
            wait_for_frames(page, moments.randrange(1, 60))
            before = running.children()
            killed_ms = time.time() * 1e3
            running.kill(daemon)
            told_ms, word = first_told(page, daemon, before[daemon], killed_ms)
            well = page.wait_for_function(ALL_WELL, arg=[daemon, before[daemon]])
            tell_speed(f"{daemon}: {word}", (told_ms - killed_ms) / 1e3, TOLD_SECONDS_MAX)
            well_seconds = (well.json_value() - killed_ms) / 1e3
            tell_speed(f"{daemon}: all well", well_seconds, WELL_SECONDS_MAX)
            del before[daemon]
            assert before.items() <= running.children().items(), "another daemon was restarted"
        wait_for_frames(page, 30)
        stream = messages(page)
    assert lost_and_doubled(stream) == (0, 0)
    assert not any(message["type"] == "resync" for message in stream)
    tell_speed("stopping", running.stop(), 2)
    assert list(root.iterdir()) == []
