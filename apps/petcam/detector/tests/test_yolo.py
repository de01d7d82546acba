"""The YOLO path from pixels to boxes, through onnxruntime and the generated models."""

import clips
import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import frame_of

from petcam_detector.config_section import ConfigError
from petcam_detector.detectors import yolo_onnx
from petcam_detector.detectors.plugin import MissingPackageError
from petcam_detector.detectors.yolo_layout import (
    Candidates,
    ModelError,
    decide_layout,
    decode,
    suppress,
)
from petcam_detector.detectors.yolo_onnx import COLOUR_MODEL, MODELS, YoloOnnxDetector
from petcam_detector.models import generate

CAT, DOG = (230, 120, 30), (60, 90, 210)
WALL = (216, 212, 202)


def room(size=(1280, 720), **animals):
    """A wall with animals of flat colour; each is (colour, x, y, w, h)."""
    picture = np.full((size[1], size[0], 3), WALL[::-1], np.uint8)
    for colour, x, y, w, h in animals.values():
        picture[y : y + h, x : x + w] = colour[::-1]
    return picture


def detector(model=COLOUR_MODEL, **options):
    return YoloOnnxDetector({"model": str(model), **options})


def best(boxes, label):
    return max((box for box in boxes if box.label == label), key=lambda box: box.score)


def error(box, truth):
    """The largest distance of any of the four sides, in pixels."""
    x, y, w, h = truth
    return max(
        abs(box.x - x), abs(box.y - y), abs(box.x + box.w - x - w), abs(box.y + box.h - y - h)
    )


# ---- from pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["colour", "end2end"])
@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (720, 1280), (1000, 562), (480, 270)])
def test_boxes_fit_the_animals_in_any_frame(model, size):
    w, h = size
    cat = (w // 10 * 2, h // 2, w // 6, h // 5)
    dog = (w // 2, h // 5, w // 4, h // 4)
    found = detector(MODELS / f"{model}.onnx").detect(
        frame_of(room(size, cat=(CAT, *cat), dog=(DOG, *dog)))
    )
    assert {box.label for box in found} == {"cat", "dog"}
    # One pixel of the model's input, and one for chroma, in pixels of this frame.
    allowed = 2 * max(w / 640, h / 384)
    assert error(best(found, "cat"), cat) <= allowed
    assert error(best(found, "dog"), dog) <= allowed


def test_random_boxes_are_exact_to_a_pixel_of_the_input():
    random = np.random.default_rng(3)
    look = detector()
    worst = 0.0
    for _ in range(40):
        x, y = int(random.integers(0, 1000)), int(random.integers(0, 500))
        truth = (x, y, int(random.integers(40, 280)), int(random.integers(40, 220)))
        found = look.detect(frame_of(room(cat=(CAT, *truth))))
        worst = max(worst, error(best(found, "cat"), truth))
    assert worst <= 3.0


def test_a_hidden_part_is_not_in_the_box():
    found = detector().detect(
        frame_of(room(cat=(CAT, 400, 300, 300, 200), sofa=((104, 124, 104), 550, 250, 400, 300)))
    )
    assert error(best(found, "cat"), (400, 300, 150, 200)) <= 3


def test_noise_and_jpeg_leave_the_box_within_five_pixels():
    random = np.random.default_rng(1)
    look = detector()
    picture = room(cat=(CAT, 210, 300, 220, 130), dog=(DOG, 800, 310, 260, 180))
    for _ in range(10):
        noisy = np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
        found = look.detect(frame_of(clips.recompress(noisy, 75)))
        assert error(best(found, "cat"), (210, 300, 220, 130)) <= 5
        assert error(best(found, "dog"), (800, 310, 260, 180)) <= 5


@pytest.mark.parametrize("picture", ["coffee", "chelsea", "astronaut"])
def test_photographs_are_no_reason_to_crash(picture):
    for box in detector().detect(frame_of(clips.cover(clips.photograph(picture), (1280, 720)))):
        assert 0 <= box.x <= box.x + box.w <= 1280
        assert 0 <= box.y <= box.y + box.h <= 720


def test_an_empty_room_is_empty():
    assert detector().detect(frame_of(room())) == []


def test_the_model_offers_doubles_and_suppression_takes_them():
    frame = frame_of(room(cat=(CAT, 400, 300, 200, 120)))
    assert len(detector().detect(frame)) == 1
    assert len(detector(overlap_max=1.0).detect(frame)) == 3


def test_the_transposed_layout_is_read(tmp_path):
    path = tmp_path / "transposed.onnx"
    onnx.save(generate.build_colour(transposed=True), path)
    frame = frame_of(room(cat=(CAT, 400, 300, 200, 120), dog=(DOG, 800, 100, 200, 120)))
    turned = detector(path)
    assert turned._layout == "transposed"
    assert turned.detect(frame) == detector().detect(frame)


# ---- by hand ------------------------------------------------------------------------------------


def fixed(**options):
    """What the fixed model's boxes become in a frame of its own size."""
    grey = np.full((320, 320, 3), 128, np.uint8)
    found = detector(MODELS / "fixed.onnx", **options).detect(frame_of(grey))
    return {
        (box.label, *(round(v) for v in (box.x, box.y, box.w, box.h)), round(box.score, 2))
        for box in found
        if box.sure
    }


CROWD = {("dog", 247, 237, 30, 30, 0.45)}
ALONE = {
    ("cat", 20, 20, 80, 60, 0.9),  # its double is gone
    ("cat", 20, 200, 80, 80, 0.85),
    ("dog", 22, 202, 80, 80, 0.75),  # same place, another class
    ("dog", 140, 20, 100, 100, 0.7),
    ("dog", 165, 45, 50, 50, 0.65),  # nested, and much smaller
    ("cat", 290, 150, 30, 60, 0.6),  # cut at the border
}


def test_fixed_boxes_are_decoded_as_worked_out_by_hand():
    assert fixed(labels={"dog": {"score_min": 0.5}}) == ALONE
    # Of the 400 best only 300 take part, and all of the crowd but the best overlap.
    assert len(fixed()) == len(ALONE | CROWD)


def test_nothing_passes_a_threshold_above_all():
    assert fixed(labels={"default": {"score_min": 0.95}}) == set()


def test_labels_have_thresholds_and_areas_of_their_own():
    cats = {box for box in ALONE if box[0] == "cat"}
    assert fixed(only=["cat"]) == cats
    assert fixed(only=["cat"], labels={"cat": {"score_min": 0.88}}) == {
        ("cat", 20, 20, 80, 60, 0.9)
    }
    smallest = 70 * 70 / 320**2
    assert fixed(labels={"default": {"area_max": smallest}, "dog": {"score_min": 0.5}}) == {
        box for box in ALONE if box[3] * box[4] <= 70 * 70
    }


def test_half_as_likely_is_unsure():
    """The cat of 0.3 is below its threshold of 0.4, but would carry on a track."""
    grey = np.full((320, 320, 3), 128, np.uint8)
    found = detector(
        MODELS / "fixed.onnx", labels={"dog": {"score_min": 0.99}, "cat": {"score_min": 0.4}}
    ).detect(frame_of(grey))
    unsure = [box for box in found if not box.sure and box.label == "cat"]
    assert [(round(box.x), round(box.y), round(box.w)) for box in unsure] == [(150, 250, 20)]


def test_boxes_come_back_through_the_letterbox():
    """1280 x 720 in 320 x 320: a quarter, with 70 grey rows above."""
    grey = np.full((720, 1280, 3), 128, np.uint8)
    found = detector(MODELS / "fixed.onnx", labels={"dog": {"score_min": 0.5}})
    boxes = {
        (box.label, round(box.x), round(box.y), round(box.w), round(box.h))
        for box in found.detect(frame_of(grey))
        if box.sure
    }
    assert ("cat", 80, 520, 320, 200) in boxes  # 20, 200, 80 x 80; cut at the lower border
    assert ("dog", 560, 0, 400, 200) in boxes  # 140, 20, 100 x 100; cut at the upper one


# ---- layouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size", "layout"),
    [
        ((1, 84, 8400), (640, 640), "rows"),
        ((1, 8400, 84), (640, 640), "transposed"),
        ((1, 300, 6), (640, 640), "end2end"),
        ((1, 6, 8400), (640, 640), "rows"),  # two classes: six rows
        ((1, 8400, 6), (640, 640), "transposed"),  # two classes: six columns
        ((1, 6, 2100), (320, 320), "rows"),
        ((1, 5, 5040), (384, 640), "rows"),
        ((1, 100, 6), (640, 640), "end2end"),
        ((1, 84, 1000), (640, 640), "rows"),  # other strides: fewer rows than candidates
    ],
)
def test_the_layout_is_decided_by_axis_and_cells(shape, size, layout):
    assert decide_layout(shape, size) == layout


@pytest.mark.parametrize("shape", [(1, 1000), (1, 3, 640), (2, 84, 8400), (1, 32, 160, 160)])
def test_what_is_no_detection_is_refused(shape):
    with pytest.raises(ModelError, match="no YOLO detection layout"):
        decide_layout(shape, (640, 640))


def test_a_named_layout_overrules():
    with pytest.raises(ConfigError, match="rows, transposed, end2end"):
        detector(layout="sideways")
    assert detector(layout="rows")._layout == "rows"


def test_not_a_number_is_no_box():
    output = np.full((1, 300, 6), np.nan, np.float32)
    output[0, 0] = (10, 10, 20, 20, 0.9, 0)
    output[0, 1] = (10, 10, 20, 20, 0.9, np.nan)
    output[0, 2] = (10, np.inf, 20, 20, 0.9, 1)
    output[0, 3] = (20, 10, 10, 20, 0.9, 1)  # turned inside out
    output[0, 4] = (10, 10, 20, 20, 0.9, 7)  # a class that is not there
    found = decode(output, "end2end", np.array([0.5, 0.5]))
    assert found.scores.tolist() == pytest.approx([0.9])
    rows = np.full((1, 6, 2100), np.nan, np.float32)
    assert len(decode(rows, "rows", np.array([0.5, 0.5])).scores) == 0


def test_suppression_agrees_with_opencv():
    random = np.random.default_rng(5)
    for _ in range(20):
        low = random.uniform(0, 500, (200, 2))
        corners = np.hstack([low, low + random.uniform(20, 200, (200, 2))]).round()
        scores = np.sort(random.permutation(200) / 200 + 0.001)[::-1].astype(np.float32)
        kinds = random.integers(0, 3, 200)
        ours = suppress(Candidates(corners, scores, kinds), 0.5)
        boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        theirs = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), kinds.tolist(), 0.0, 0.5)
        assert ours.scores.tolist() == pytest.approx(scores[np.sort(theirs)].tolist())


# ---- what can be wrong --------------------------------------------------------------------------


def test_names_come_from_the_configuration_if_it_has_them():
    found = detector(names=["tiger", "wolf"]).detect(frame_of(room(cat=(CAT, 400, 300, 200, 120))))
    assert [box.label for box in found] == ["tiger"]


def test_a_label_the_model_lacks_is_refused():
    with pytest.raises(ConfigError, match="knows no 'parrot'. It knows cat, dog"):
        detector(only=["parrot"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"confidence": 0.5}, "detector.yolo-onnx.confidence: unknown key"),
        ({"labels": {"cat": {"score": 0.5}}}, "detector.yolo-onnx.labels.cat.score: unknown key"),
        ({"labels": {"cat": {"score_min": 5}}}, "number from 0 to 1"),
        ({"names": "cat"}, "must be a list of text"),
    ],
)
def test_options_are_checked(options, says):
    with pytest.raises(ConfigError) as refused:
        detector(**options)
    assert says in str(refused.value)


def test_no_model_is_told():
    with pytest.raises(ConfigError, match="--model"):
        YoloOnnxDetector({})


def test_a_missing_or_broken_file_is_told(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        detector(tmp_path / "nowhere.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is no model")
    with pytest.raises(ModelError, match="Check that it is an ONNX file"):
        detector(broken)


def test_a_model_of_another_kind_is_told(tmp_path):
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 64, 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3, 64, 64])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match="no YOLO detection layout"):
        detector(path)


def test_without_onnxruntime_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match="pip install onnxruntime"):
        detector()


def test_the_session_does_not_spin(monkeypatch):
    seen = {}
    make = onnxruntime.InferenceSession

    def spy(path, options, providers):
        seen["options"], seen["providers"] = options, providers
        return make(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
    detector()
    options = seen["options"]
    assert seen["providers"] == ["CPUExecutionProvider"]
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert not options.enable_cpu_mem_arena
    for kind in ("intra", "inter"):
        assert options.get_session_config_entry(f"session.{kind}_op.allow_spinning") == "0"


def test_label_names_are_cut_to_their_field():
    names = ["ä" * 20, "dog"]
    found = detector(names=names).detect(frame_of(room(cat=(CAT, 400, 300, 200, 120))))
    assert found[0].label == "ä" * 12
    assert yolo_onnx.LABEL_BYTES_MAX == 24
