"""Headless Chromium on the demo's page, with a record of what the page heard and showed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

# The distribution's browser: nothing is downloaded, and it talks to nobody but the demo.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]
PATIENCE_MS = 60_000

# Runs before the page's own scripts. `seen` is the record: every message of the event stream and
# every change of a daemon's chip with its time, and the boxes that the page was sent. Those it
# forgets when it leaves the socket, and so does the record.
RECORD = """
window.seen = {messages: [], chips: [], streams: 0, boxes: []};
window.WebSocket = class extends window.WebSocket {
  constructor(url, protocols) {
    super(url, protocols);
    window.seen.boxes = [];
    this.addEventListener("message", ({data}) => {
      const {boxes} = typeof data === "string" ? JSON.parse(data) : {};
      if (boxes) window.seen.boxes.push(boxes);
    });
  }
  close() {
    window.seen.boxes = [];
    super.close();
  }
};
window.EventSource = class extends window.EventSource {
  constructor(url, options) {
    super(url, options);
    this.addEventListener("open", () => { window.seen.streams += 1; });
    for (const type of ["snapshot", "event", "tracks", "status", "resync", "bye"]) {
      this.addEventListener(type, (message) => window.seen.messages.push(
        {type, id: message.lastEventId, data: message.data, at: Date.now()}));
    }
  }
};
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    for (const {target} of changes) {
      const {daemon, state} = target.dataset;
      const last = window.seen.chips.findLast((chip) => chip.daemon === daemon);
      if (last?.state !== state) window.seen.chips.push({daemon, state, at: Date.now()});
    }
  }).observe(document.querySelector("#chips"),
             {attributes: true, attributeFilter: ["data-state"], subtree: true});
});
"""

# `painted` is the number in the first strip of the picture on the canvas, by the same rules as
# camera/strip.hpp. `due` are the boxes that belong to the picture: the newest that came and are not
# from its future, of the thirty that the page keeps.
SHOWN = """
() => {
  const video = document.querySelector("#video");
  const overlay = document.querySelector("#overlay");
  const {data} = video.getContext("2d").getImageData(0, 0, 384, 8);
  let number = 0;
  for (let block = 4; block < 36; block++) {
    number = number * 2 + (data[4 * (4 * 384 + 8 * block + 4)] > 127 ? 1 : 0);
  }
  const frame = Number(video.dataset.frame);
  const due = window.seen.boxes.slice(-30).findLast((boxes) => boxes.frame <= frame);
  return {
    painted: number,
    frame,
    due: due ?? null,
    boxes: JSON.parse(overlay.dataset.boxes),
  };
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, url: str) -> Page:
    """The demo's page in a tab of its own, showing live video."""
    page = browser.new_page()
    page.add_init_script(RECORD)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    wait_for_frames(page, 5)
    return page


def wait_for_frames(page: Page, more: int) -> None:
    """Until so many more frames were shown."""
    shown = page.evaluate("Number(document.querySelector('#video').dataset.framesShown)")
    page.wait_for_function(
        "(count) => Number(document.querySelector('#video').dataset.framesShown) >= count",
        arg=shown + more,
    )


def shown(page: Page) -> dict[str, Any]:
    """What is on the screen at one moment."""
    return page.evaluate(SHOWN)


def messages(page: Page) -> list[dict[str, Any]]:
    """The event stream so far."""
    return [
        message | {"data": json.loads(message["data"])}
        for message in page.evaluate("window.seen.messages")
    ]


def lost_and_doubled(stream: list[dict[str, Any]]) -> tuple[int, int]:
    """How many numbers of the event stream are missing, and how many came again."""
    numbers: dict[str, list[int]] = {}
    for message in stream:
        if message["type"] in ("event", "tracks", "status"):
            epoch, _, number = message["id"].rpartition("-")
            numbers.setdefault(epoch, []).append(int(number))
    lost = sum(max(each) - min(each) + 1 - len(set(each)) for each in numbers.values())
    doubled = sum(len(each) - len(set(each)) for each in numbers.values())
    return lost, doubled
