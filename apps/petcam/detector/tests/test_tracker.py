"""The tracker on boxes whose paths are known."""

import math

import pytest

from petcam_detector.frame import Box
from petcam_detector.tracker import Tracker, TrackerOptions

FRAME_NS = 1_000_000_000 // 30
SIZE = (1280, 720)


def box(x, y=300.0, w=100.0, h=80.0, score=0.9, label="cat", sure=True):
    return Box(x, y, w, h, score, label, sure)


def run(tracker, frames, start=0):
    """The tracks after each frame's boxes."""
    result = []
    for i, boxes in enumerate(frames, start):
        tracks = tracker.update(boxes, i * FRAME_NS, SIZE)
        result.append([(t.id, *(round(float(v)) for v in t.box), t.coasting) for t in tracks])
    return result


def ids(shown):
    return [entry[0] for entry in shown]


def test_a_subject_is_shown_from_the_third_frame_on_under_one_id():
    shown = run(Tracker(), [[box(100 + 5 * i)] for i in range(20)])
    assert [len(tracks) for tracks in shown] == [0, 0] + [1] * 18
    assert {track[0] for tracks in shown for track in tracks} == {1}
    assert shown[-1] == [(1, 195, 300, 100, 80, False)]


def test_a_flash_of_two_frames_is_nothing_and_takes_no_id():
    tracker = Tracker()
    assert run(tracker, [[box(100)], [box(100)], [], []]) == [[], [], [], []]
    assert ids(run(tracker, [[box(500)]] * 3, 4)[-1]) == [1]


def test_a_gap_is_coasted_over_at_the_same_speed():
    tracker = Tracker()
    run(tracker, [[box(100 + 6 * i)] for i in range(30)])
    shown = run(tracker, [[]] * 10, 30)
    assert all(tracks[0][5] for tracks in shown)
    positions = [tracks[0][1] for tracks in shown]
    assert positions[0] == pytest.approx(280, abs=3)
    assert 300 < positions[-1] < 100 + 6 * 39  # braked: who is unseen may have stopped
    assert ids(run(tracker, [[box(100 + 6 * 40)]], 40)[0]) == [1]


def test_coasting_ends_after_a_second_and_the_id_is_never_used_again():
    tracker = Tracker()
    run(tracker, [[box(100)] for _ in range(60)])
    shown = run(tracker, [[]] * 40, 60)
    assert [len(tracks) for tracks in shown] == [1] * 30 + [0] * 10
    assert ids(run(tracker, [[box(100)]] * 3, 100)[-1]) == [2]


def test_who_was_seen_shortly_coasts_shortly():
    tracker = Tracker()
    run(tracker, [[box(100)]] * 6)
    shown = run(tracker, [[]] * 10, 6)
    assert [len(tracks) for tracks in shown] == [1] * 5 + [0] * 5


def test_who_leaves_the_picture_is_gone_at_once():
    tracker = Tracker()
    run(tracker, [[box(1000 + 12 * i, w=100)] for i in range(22)])
    shown = run(tracker, [[]] * 12, 22)
    assert shown[0] and not shown[-1]


def test_two_that_pass_each_other_keep_their_ids():
    frames = [[box(100 + 10 * i, y=200), box(700 - 10 * i, y=330)] for i in range(60)]
    shown = run(Tracker(), frames)
    assert shown[5][0][:2] == (1, 150)
    assert {(t[0], t[1]) for t in shown[-1]} == {(1, 690), (2, 110)}


def test_a_small_fast_subject_does_not_overlap_itself_and_is_one():
    shown = run(Tracker(), [[box(50 + 25 * i, w=40, h=40)] for i in range(30)])
    assert {track[0] for tracks in shown for track in tracks} == {1}


def test_labels_do_not_mix():
    shown = run(Tracker(), [[box(100), box(100, label="dog")]] * 5)
    assert len(shown[-1]) == 2


def test_an_unsure_box_carries_on_but_does_not_begin():
    unsure = box(100, score=0.2, sure=False)
    assert run(Tracker(), [[unsure]] * 10)[-1] == []
    tracker = Tracker()
    run(tracker, [[box(100)]] * 10)
    shown = run(tracker, [[unsure]] * 60, 10)
    assert shown[-1] == [(1, 100, 300, 100, 80, False)]


def test_the_score_is_the_median_of_the_last_ten():
    tracker = Tracker()
    for i, score in enumerate([0.9, 0.1, 0.8, 0.7, 0.99]):
        tracks = tracker.update([box(100, score=score)], i * FRAME_NS, SIZE)
    assert tracks[0].score == 0.8


def test_two_tracks_on_one_subject_become_the_older_one():
    tracker = Tracker()
    run(tracker, [[box(100)]] * 5)
    shown = run(tracker, [[box(100), box(102)]] * 10, 5)
    assert ids(shown[-1]) == [1]


def test_a_subject_that_turns_is_followed():
    path = [(600 + 200 * math.cos(i / 15), 300 + 150 * math.sin(i / 15)) for i in range(120)]
    shown = run(Tracker(), [[box(x, y)] for x, y in path])
    assert {track[0] for tracks in shown for track in tracks} == {1}


def test_options_change_what_confirms_and_how_long_one_coasts():
    tracker = Tracker(TrackerOptions(hits_min=1, coast_seconds=0.2))
    assert ids(run(tracker, [[box(100)]])[0]) == [1]
    run(tracker, [[box(100)]] * 30, 1)
    shown = run(tracker, [[]] * 10, 31)
    assert [len(tracks) for tracks in shown] == [1] * 6 + [0] * 4


def test_the_clock_may_jump_back_and_forth():
    tracker = Tracker()
    run(tracker, [[box(100)]] * 10, 1000)
    assert run(tracker, [[box(100)]], 0) == [[]]
    assert ids(run(tracker, [[box(100)]] * 3, 1)[-1]) == [2]
    run(tracker, [[box(100)]], 10**6)
