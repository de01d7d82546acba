"""Zones: where a subject's foot is, once it has been there for some frames."""

import numpy as np

from petcam_detector.tracker import Track
from petcam_detector.zones import Zone, Zones

SIZE = (1000, 500)
BOWL = Zone("bowl", np.array([[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]], np.float32))
ROOM = Zone("room", np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))
HOLLOW = Zone("hollow", np.array([[0, 0], [1, 0], [1, 1], [0.5, 0.1], [0, 1]], np.float32))


def at(foot_x, foot_y, track_id=1):
    return Track(track_id, "cat", np.array([foot_x - 50.0, foot_y - 80.0, 100.0, 80.0]), 0, 0)


def names(zones, feet):
    return [zones.update([at(*foot)], SIZE).get(1) for foot in feet]


def test_a_zone_counts_from_the_third_frame_on_and_is_left_likewise():
    inside, outside = (700, 400), (300, 400)
    zones = Zones([BOWL], inertia_frames=3)
    assert names(zones, [inside] * 4) == ["", "", "bowl", "bowl"]
    assert names(zones, [outside] * 4) == ["bowl", "bowl", "", ""]


def test_who_stands_on_the_border_does_not_flicker():
    zones = Zones([BOWL])
    names(zones, [(700, 400)] * 3)
    assert set(names(zones, [(499, 400), (501, 400)] * 10)) == {"bowl"}


def test_it_is_the_foot_that_counts():
    zones = Zones([BOWL], inertia_frames=1)
    assert names(zones, [(700, 240), (700, 260)]) == ["", "bowl"]


def test_a_foot_below_the_picture_is_on_its_border():
    assert names(Zones([BOWL], inertia_frames=1), [(700, 540)]) == ["bowl"]


def test_the_first_zone_listed_wins():
    assert names(Zones([BOWL, ROOM], inertia_frames=1), [(700, 400), (100, 100)]) == [
        "bowl",
        "room",
    ]


def test_polygons_need_not_be_convex():
    assert names(Zones([HOLLOW], inertia_frames=1), [(500, 250), (100, 100)]) == ["", "hollow"]


def test_tracks_are_told_apart_and_forgotten():
    zones = Zones([BOWL], inertia_frames=2)
    for _ in range(2):
        found = zones.update([at(700, 400, 1), at(100, 100, 2)], SIZE)
    assert found == {1: "bowl", 2: ""}
    assert zones.update([], SIZE) == {}
    assert zones.update([at(700, 400, 1)], SIZE) == {1: ""}


def test_without_zones_nothing_is_said():
    assert Zones([]).update([at(1, 1)], SIZE) == {}
