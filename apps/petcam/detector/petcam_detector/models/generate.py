"""Makes the small ONNX models that stand in for a real YOLO: no weights, the real code path.

    python -m petcam_detector.models.generate          writes the files and hashes.txt

fixed    answers the same boxes for every picture, worked out by hand: tests of the decoder
colour   finds the synthetic room's cat and dog by the colour of their fur: the demo's detector
end2end  the same finds in the layout that needs no suppression, [1, 300, 6]

They are committed, so that only this script needs the onnx package. IR version 8 and operator set
17 are read by every onnxruntime from 1.14 on. The layouts are those of Ultralytics' exports:
[1, 4 + classes, N] with centre, size and scores after the sigmoid in rows; N is the number of cells
of strides 8, 16 and 32.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent
NAMES = "{0: 'cat', 1: 'dog'}"

# The rows of letterboxed 1280 x 720 at half size; both sides divide by the largest stride.
COLOUR_HEIGHT, COLOUR_WIDTH = 384, 640
FIXED_SIDE = 320

# Per class: weights of red, green and blue, and the least sum that is fur. The cat is (230, 120,
# 30), the dog (60, 90, 210), and everything else in the room is pale; the thresholds lie half way,
# so that an edge pixel belongs to the side that covers more of it.
FUR = {"cat": ((1.0, 0.0, -1.0), 0.42), "dog": ((-1.0, 0.0, 1.0), 0.27)}
STEEPNESS = 40.0

# A row or column belongs to the animal from this many pixels of fur on.
LINE_PIXELS_MIN = 2.0
# Animals of fewer pixels are not believed.
PIXELS_MIN = 30.0
# Half of a sprite's box is fur.
COVERAGE_GAIN = 1.9
# Two copies of each box, moved by this part of its size and with less of its score, so that
# suppression has something to do.
COPIES = ((0.04, 0.85), (-0.05, 0.7))


def cells(height: int, width: int) -> int:
    """How many candidates a detector with strides 8, 16 and 32 has."""
    return sum((height // stride) * (width // stride) for stride in (8, 16, 32))


class Graph:
    """A graph under construction: each operation answers the name of its result."""

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values, kind=np.float32) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def add(self, operation: str, *inputs: str, **attributes) -> str:
        name = f"{operation.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def add_constant(self, operation: str, value: str, constant, **attributes) -> str:
        return self.add(operation, value, self.constant(constant), **attributes)

    def total(self, value: str, axis: int) -> str:
        axes = self.constant([axis], np.int64)
        return self.add("ReduceSum", value, axes, keepdims=0)

    def clip(self, value: str, high: float = 1.0) -> str:
        return self.add("Clip", value, self.constant(0.0), self.constant(high))

    def pad_last_axis(self, value: str, count: int) -> str:
        return self.add("Pad", value, self.constant([0, 0, 0, 0, 0, count], np.int64))

    def model(self, result: str, shape: list[int]) -> onnx.ModelProto:
        """The model whose output is `result`."""
        self._nodes.append(helper.make_node("Identity", [result], ["output0"]))
        height, width = self.size
        graph = helper.make_graph(
            self._nodes,
            "petcam",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        model.producer_name = "petcam"
        metadata = {
            "names": NAMES,
            "stride": "32",
            "imgsz": str([height, width]),
            "task": "detect",
        }
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


# ---- fixed --------------------------------------------------------------------------------------

# x1, y1, x2, y2, class, score in pixels of the 320 x 320 input. What is left of each group after
# thresholds of 0.4 and suppression at 0.5 is worked out in tests/test_yolo.py.
FIXED_BOXES = (
    (20, 20, 100, 80, 0, 0.9),  # a cat ...
    (24, 22, 104, 82, 0, 0.8),  # ... seen twice: overlap 0.81
    (20, 200, 100, 280, 0, 0.85),  # a cat ...
    (22, 202, 102, 282, 1, 0.75),  # ... or a dog: overlap 0.91, but another class
    (140, 20, 240, 120, 1, 0.7),  # a dog ...
    (165, 45, 215, 95, 1, 0.65),  # ... and one nested in it: overlap 0.25
    (290, 150, 350, 210, 0, 0.6),  # across the right border
    (150, 250, 170, 270, 0, 0.3),  # below the threshold, but good for carrying on
    (200, 250, 220, 270, 0, 0.05),  # below everything
)
# More candidates than suppression looks at, all worse than those above.
FIXED_CROWD = 400


def fixed_output() -> np.ndarray:
    """[6, K]: the candidates of the fixed model before padding."""
    rows = []
    for x1, y1, x2, y2, kind, score in FIXED_BOXES:
        scores = [0.0, 0.0]
        scores[kind] = score
        rows.append([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, *scores])
    for i in range(FIXED_CROWD):
        rows.append([262 + i % 3, 252 + i % 2, 30.0, 30.0, 0.0, 0.41 + 0.0001 * i])
    rows.append([float("nan")] * 6)
    rows.append([60.0, 150.0, float("nan"), 20.0, 0.99, 0.0])
    return np.array(rows, np.float32).T


def build_fixed() -> onnx.ModelProto:
    graph = Graph(FIXED_SIDE, FIXED_SIDE)
    values = fixed_output()
    count = cells(FIXED_SIDE, FIXED_SIDE)
    # Zero times the picture: a decoder may not skip running the model.
    mean = graph.add("ReduceMean", "images", axes=[1, 2, 3], keepdims=1)
    nothing = graph.add_constant("Mul", graph.add("Squeeze", mean), 0.0)
    known = graph.add("Add", graph.constant(values[None]), nothing)
    padded = graph.pad_last_axis(known, count - values.shape[1])
    return graph.model(padded, [1, 6, count])


# ---- colour -------------------------------------------------------------------------------------


def fur_masks(graph: Graph) -> str:
    """[1, classes, H, W]: 1 where there is fur of the class, 0 elsewhere."""
    weights = np.array([weights for weights, _ in FUR.values()], np.float32) * STEEPNESS
    offsets = np.array([0.5 - least * STEEPNESS for _, least in FUR.values()], np.float32)
    # A 1 x 1 convolution, written as the product it is: onnxruntime pads the two channels of a
    # convolution to blocks of eight or sixteen, which takes eight times as long.
    pixels = COLOUR_HEIGHT * COLOUR_WIDTH
    flat = graph.add("Reshape", "images", graph.constant([1, 3, pixels], np.int64))
    matched = graph.add("MatMul", graph.constant(weights), flat)
    masks = graph.clip(graph.add_constant("Add", matched, offsets[None, :, None]))
    size = graph.constant([1, len(FUR), COLOUR_HEIGHT, COLOUR_WIDTH], np.int64)
    return graph.add("Reshape", masks, size)


def extent(graph: Graph, mask: str, axis: int, length: int) -> tuple[str, str, str]:
    """The first and last edge of the fur along one axis, and its pixels; each [1, classes]."""
    counts = graph.total(mask, 2 if axis == 3 else 3)
    there = graph.clip(graph.add_constant("Sub", counts, LINE_PIXELS_MIN - 1))
    upward = graph.add_constant("Mul", there, np.arange(1, length + 1))
    downward = graph.add_constant("Mul", there, np.arange(length, 0, -1))
    last = graph.add("ReduceMax", upward, axes=[2], keepdims=0)
    from_end = graph.add("ReduceMax", downward, axes=[2], keepdims=0)
    first = graph.add("Sub", graph.constant(float(length)), from_end)
    return first, last, graph.total(counts, 2)


def colour_finds(graph: Graph) -> tuple[str, str, str, str, str]:
    """x1, y1, x2, y2 and score of each class's one animal; each [1, classes]."""
    mask = fur_masks(graph)
    x1, x2, pixels = extent(graph, mask, 3, COLOUR_WIDTH)
    y1, y2, _ = extent(graph, mask, 2, COLOUR_HEIGHT)
    area = graph.add("Mul", graph.add("Sub", x2, x1), graph.add("Sub", y2, y1))
    coverage = graph.add("Div", pixels, graph.add_constant("Max", area, 1.0))
    likely = graph.clip(graph.add_constant("Mul", coverage, COVERAGE_GAIN), 0.97)
    enough = graph.clip(graph.add_constant("Mul", pixels, 1 / PIXELS_MIN))
    # Squared: an animal of half the pixels is a quarter as likely.
    score = graph.add("Mul", likely, graph.add("Mul", enough, enough))
    return x1, y1, x2, y2, score


def candidate_columns(graph: Graph) -> str:
    """[1, 4 + classes, 3 * classes]: each find, and its two copies."""
    x1, y1, x2, y2, score = colour_finds(graph)
    centre_x = graph.add_constant("Mul", graph.add("Add", x1, x2), 0.5)
    centre_y = graph.add_constant("Mul", graph.add("Add", y1, y2), 0.5)
    width, height = graph.add("Sub", x2, x1), graph.add("Sub", y2, y1)
    axis = graph.constant([1], np.int64)
    columns = []
    for shift, share in ((0.0, 1.0), *COPIES):
        moved_x = graph.add("Add", centre_x, graph.add_constant("Mul", width, shift))
        rows = [graph.add("Unsqueeze", row, axis) for row in (moved_x, centre_y, width, height)]
        less = graph.add("Unsqueeze", graph.add_constant("Mul", score, share), axis)
        # Each class's score stands in its own row of its own column.
        own = graph.add_constant("Mul", less, np.eye(len(FUR))[None])
        columns.append(graph.add("Concat", *rows, own, axis=1))
    return graph.add("Concat", *columns, axis=2)


def build_colour(transposed: bool = False) -> onnx.ModelProto:
    graph = Graph(COLOUR_HEIGHT, COLOUR_WIDTH)
    count = cells(COLOUR_HEIGHT, COLOUR_WIDTH)
    rows = 4 + len(FUR)
    padded = graph.pad_last_axis(candidate_columns(graph), count - 3 * len(FUR))
    if transposed:
        return graph.model(graph.add("Transpose", padded, perm=[0, 2, 1]), [1, count, rows])
    return graph.model(padded, [1, rows, count])


def build_end2end() -> onnx.ModelProto:
    graph = Graph(COLOUR_HEIGHT, COLOUR_WIDTH)
    axis = graph.constant([1], np.int64)
    rows = [graph.add("Unsqueeze", row, axis) for row in colour_finds(graph)]
    kinds = graph.constant([[list(range(len(FUR)))]])
    finds = graph.add("Concat", *rows, kinds, axis=1)
    padded = graph.pad_last_axis(finds, 300 - len(FUR))
    return graph.model(graph.add("Transpose", padded, perm=[0, 2, 1]), [1, 300, 6])


MODELS = {"fixed": build_fixed, "colour": build_colour, "end2end": build_end2end}


def main() -> None:
    """Writes every model and the list of their hashes."""
    lines = []
    for name, build in MODELS.items():
        content = build().SerializeToString(deterministic=True)
        (FOLDER / f"{name}.onnx").write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}.onnx\n")
        print(f"{name}.onnx: {len(content)} bytes")
    (FOLDER / "hashes.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
