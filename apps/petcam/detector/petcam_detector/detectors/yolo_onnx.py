"""Objects by a YOLO model in an ONNX file of yours, run by onnxruntime on the CPU."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..config_section import ConfigError, Section
from ..frame import Box, Frame
from ..letterbox import Letterbox
from ..messages import LABEL_BYTES_MAX
from .plugin import Detector, MissingPackageError
from .yolo_layout import LAYOUTS, ModelError, class_count, decide_layout, decode, suppress

MODELS = Path(__file__).parent.parent / "models"
# Finds the synthetic room's cat and dog and nothing else; see models/generate.py.
COLOUR_MODEL = MODELS / "colour.onnx"

INPUT_SIDE_DEFAULT = 640
SCORE_MIN_DEFAULT = 0.4
# Boxes down to this part of a label's least score carry a track on, but never begin one.
UNSURE_PART = 0.5


class _LabelRule:
    """What a find of one label must be to count."""

    def __init__(self, section: Section, base: "_LabelRule | None" = None) -> None:
        self.score_min = section.number(
            "score_min", base.score_min if base else SCORE_MIN_DEFAULT, 0.0, 1.0
        )
        self.area_min = section.number("area_min", base.area_min if base else 0.0, 0.0, 1.0)
        self.area_max = section.number("area_max", base.area_max if base else 1.0, 0.0, 1.0)
        section.done()


class YoloOnnxDetector(Detector):
    """Options, all but `model` optional:

    model        the ONNX file
    layout       rows, transposed or end2end, where the automatic choice is wrong
    names        the labels of the classes in order, where the file does not name them
    only         the labels that count; all of them if empty
    labels       per label: score_min, area_min, area_max (areas as fractions of the picture);
                 `default` stands for all that are not listed
    overlap_max  of two boxes of one class that overlap more, the worse is dropped
    """

    type = "yolo-onnx"

    def __init__(self, options: Mapping[str, Any]) -> None:
        section = Section("detector.yolo-onnx", options)
        self._read(section)
        self._session = _open_session(self.model)
        self._input = self._session.get_inputs()[0]
        self._size = _input_size(self._input.shape, self.model)
        self._box: Letterbox | None = None
        shape = self._warm_up()
        self._layout = self._layout or decide_layout(shape, self._size)
        self._set_labels(class_count(shape, self._layout))

    def _read(self, section: Section) -> None:
        model = section.text("model", "")
        if not model:
            raise ConfigError(
                "detector.yolo-onnx.model: no ONNX file is named. Name one here or with --model; "
                "petcam ships none, because the well-known weights are not free to give on."
            )
        self.model = Path(model)
        layout = section.choice("layout", "auto", ("auto", *LAYOUTS))
        self._layout = None if layout == "auto" else layout
        self._names = section.texts("names")
        self._only = section.texts("only")
        self._overlap_max = section.number("overlap_max", 0.5, 0.0, 1.0)
        rules = section.section("labels")
        default = _LabelRule(rules.section("default"))
        self._rules = {
            label: _LabelRule(Section(rules.key(label), rule), default)
            for label, rule in rules.items()
        }
        self._default_rule = default
        section.done()

    def _warm_up(self) -> tuple[int, ...]:
        """Runs once, so that the first frame is not late; answers the output's shape."""
        grey = np.full((1, 3, *self._size), 0.5, np.float32)
        try:
            return self._session.run(None, {self._input.name: grey})[0].shape
        except Exception as error:  # onnxruntime's own classes are not public
            raise ModelError(
                f"cannot run the model {self.model} on a picture of {self._size[1]} x "
                f"{self._size[0]}: {error}. Check that it is a detection model."
            ) from error

    def _set_labels(self, classes: int | None) -> None:
        names = _names(self._session, self._names)
        count = classes or (max(names, default=-1) + 1) or 1000
        self._labels = [names.get(kind, f"class {kind}") for kind in range(count)]
        # `labels:` may name what a model lacks: petcam.yaml outlives the model. `only:` may not, or
        # a slip of the finger would find nothing for ever.
        missing = [label for label in self._only if label not in self._labels]
        if missing:
            raise ConfigError(
                f"detector.yolo-onnx.only: the model {self.model} knows no {missing[0]!r}. It "
                f"knows {', '.join(self._labels[:100])}."
            )
        rules = [self._rules.get(label, self._default_rule) for label in self._labels]
        wanted = [not self._only or label in self._only for label in self._labels]
        # What is not wanted would need a score nothing has.
        self._score_min = np.where(wanted, [rule.score_min for rule in rules], np.inf)
        self._area_min = np.array([rule.area_min for rule in rules])
        self._area_max = np.array([rule.area_max for rule in rules])

    def detect(self, frame: Frame) -> list[Box]:
        if self._box is None or self._box.frame_size != frame.size:
            self._box = Letterbox(frame.size, *self._size)
        outputs = self._session.run(None, {self._input.name: self._box.fill(frame)})
        found = decode(outputs[0], self._layout, self._score_min * UNSURE_PART)
        if self._layout != "end2end":
            found = suppress(found, self._overlap_max)
        return self._boxes(self._box.to_frame(found.corners), found.scores, found.kinds)

    def _boxes(self, corners: np.ndarray, scores: np.ndarray, kinds: np.ndarray) -> list[Box]:
        sides = corners[:, 2:] - corners[:, :2]
        width, height = self._box.frame_size
        areas = sides.prod(axis=1) / (width * height)
        good = (areas > 0) & (areas >= self._area_min[kinds]) & (areas <= self._area_max[kinds])
        sure = scores >= self._score_min[kinds]
        return [
            Box(
                float(corners[i, 0]),
                float(corners[i, 1]),
                float(sides[i, 0]),
                float(sides[i, 1]),
                float(scores[i]),
                self._labels[kinds[i]],
                bool(sure[i]),
            )
            for i in np.flatnonzero(good)
        ]


def _import_onnxruntime():
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(
            f"the detector yolo-onnx needs onnxruntime, which is not installed ({error}). Install "
            "it with `pip install onnxruntime`, or set `type: motion`."
        ) from error
    return onnxruntime


def _open_session(path: Path):
    """A session that costs nothing between two runs."""
    onnxruntime = _import_onnxruntime()
    if not path.is_file():
        raise ModelError(f"cannot open the model {path}: there is no such file. Check `model`.")
    options = onnxruntime.SessionOptions()
    # By default a thread per core spins for milliseconds after each run: on six runs a second one
    # user measured 184 % of a core instead of 0.4 %.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes are not public
        raise ModelError(
            f"cannot load the model {path}: {error}. Check that it is an ONNX file."
        ) from error


def _input_size(shape: list, path: Path) -> tuple[int, int]:
    """(height, width); a side the model leaves open becomes INPUT_SIDE_DEFAULT."""
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ModelError(
            f"the model {path} takes {shape}, but a detector takes [1, 3, height, width]. Check "
            "that it is a detection model with its colours in front."
        )
    height, width = (side if isinstance(side, int) else INPUT_SIDE_DEFAULT for side in shape[2:])
    return height, width


def _names(session, configured: list[str]) -> dict[int, str]:
    """Class number to label: from the configuration, else from what Ultralytics writes."""
    if configured:
        names = dict(enumerate(configured))
    else:
        text = session.get_modelmeta().custom_metadata_map.get("names", "{}")
        try:
            read = ast.literal_eval(text)
            names = dict(read if isinstance(read, dict) else enumerate(read))
        except (ValueError, SyntaxError, TypeError):
            names = {}
    # Cut here and not when publishing, so that rules and messages speak of the same label.
    return {
        int(kind): str(name).encode()[:LABEL_BYTES_MAX].decode(errors="ignore")
        for kind, name in names.items()
    }
