"""Goal: whoever opens the page sees live video, boxes on the subject and events, and loses no event
when the server dies. Method: headless Chromium, whose canvas is compared with the truth."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import (
    chromium,
    lost_and_doubled,
    messages,
    open_page,
    shown,
    wait_for_frames,
)
from composed_clips import MovingCat, iou
from observing import reports, truth_of, truths
from playwright.sync_api import Browser
from running_demo import RunningDemo

LOOKS = 40


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_the_room_is_shown_with_boxes_and_events(
    demo: Callable[..., RunningDemo], browser: Browser
) -> None:
    running = demo()
    page = open_page(browser, running.url)
    page.wait_for_selector("#events li[data-label=cat]")
    page.wait_for_function(
        "() => JSON.parse(document.querySelector('#overlay').dataset.boxes).length"
    )

    known = {}
    hits = 0
    with truths(running) as frames:
        for _ in range(LOOKS):
            wait_for_frames(page, 2)
            look = shown(page)
            assert look["painted"] == look["frame"], "the picture is not the one it is said to be"
            while (sample := frames.take()) is not None:
                known[int(sample.data["number"])] = truth_of(sample.data)
                sample.release()
            truth = known.get(look["frame"], {}).get("cat")
            boxes = [box["box"] for box in look["boxes"] if box["label"] == "cat"]
            hits += truth is not None and any(iou(box, truth) >= 0.5 for box in boxes)
    print(f"box on the cat: {hits} of {LOOKS} looks")
    assert hits >= 0.9 * LOOKS

    # An <img> of the MJPEG stream and a snapshot are pictures too.
    for address in ("snapshot.jpg", "stream.mjpeg"):
        width = page.evaluate(
            """(address) => new Promise((resolve, reject) => {
                 const image = new Image();
                 image.onload = () => resolve(image.naturalWidth);
                 image.onerror = reject;
                 image.src = address;
               })""",
            address,
        )
        assert width == 1280, address


def test_a_real_clip_is_shown_with_a_box_on_the_cat(
    demo: Callable[..., RunningDemo], browser: Browser, tmp_path: Path
) -> None:
    cat = MovingCat()
    clip = tmp_path / "cat.mp4"
    cat.write(clip)
    page = open_page(browser, demo("--video", clip).url)
    page.wait_for_selector("#events li[data-label=motion]")
    wait_for_frames(page, 50)  # the detector learns the scene
    hits = 0
    numbers = set()
    for _ in range(LOOKS):
        wait_for_frames(page, 2)
        look = shown(page)
        numbers.add(look["frame"])
        truth = cat.truth(look["frame"])
        hits += any(iou(box["box"], truth) >= 0.5 for box in look["boxes"])
    print(f"box on the cat: {hits} of {LOOKS} looks")
    assert len(numbers) == LOOKS
    assert hits >= 0.9 * LOOKS


def test_the_event_stream_is_resumed_after_kill_9(
    demo: Callable[..., RunningDemo], browser: Browser
) -> None:
    running = demo()
    page = open_page(browser, running.url)
    page.wait_for_selector("#events li[data-label=cat]")
    before = len(messages(page))
    running.kill("server")
    page.wait_for_function("() => window.seen.streams >= 2")
    page.wait_for_function("(count) => window.seen.messages.length > count", arg=before + 3)
    stream = messages(page)
    assert lost_and_doubled(stream) == (0, 0)
    assert not any(message["type"] == "resync" for message in stream)
    assert len({message["id"].rpartition("-")[0] for message in stream}) == 1
    begun = [
        m["data"]["after"]["id"]
        for m in stream
        if m["type"] == "event" and m["data"]["kind"] == "new"
    ]
    assert len(begun) == len(set(begun))


def test_six_tabs_work_and_nothing_is_encoded_without_one(
    demo: Callable[..., RunningDemo], browser: Browser
) -> None:
    running = demo()
    # Browsers open six HTTP/1.1 connections to a host; a page that held two would starve the rest.
    pages = [open_page(browser, running.url) for _ in range(6)]
    for page in pages:
        wait_for_frames(page, 5)
        page.close()
    encodes = [-1, -2]
    for report in reports(running, "camera"):
        encodes.append(int(report["jpeg_encodes"]))
        if encodes[-1] == encodes[-2]:
            break
