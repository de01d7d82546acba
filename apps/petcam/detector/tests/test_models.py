"""The committed models are what their generator makes, and what they say about themselves."""

import ast
import hashlib

import onnx
import pytest

from petcam_detector.models import generate

HASHES = dict(
    reversed(line.split()) for line in (generate.FOLDER / "hashes.txt").read_text().splitlines()
)


@pytest.mark.parametrize("name", generate.MODELS)
def test_the_file_is_the_one_that_was_committed(name):
    content = (generate.FOLDER / f"{name}.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == HASHES[f"{name}.onnx"]
    assert len(content) < 16 * 1024


@pytest.mark.parametrize("name", generate.MODELS)
def test_the_generator_makes_the_same_model(name):
    made = generate.MODELS[name]()
    kept = onnx.load(generate.FOLDER / f"{name}.onnx")
    # Constants are compared as bytes: one of them holds NaN, which is not equal to itself.
    assert made.SerializeToString(deterministic=True) == kept.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", generate.MODELS)
def test_old_runtimes_can_read_it(name):
    model = onnx.load(generate.FOLDER / f"{name}.onnx")
    assert model.ir_version == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert ast.literal_eval(properties["names"]) == {0: "cat", 1: "dog"}
    assert properties["task"] == "detect"


def test_cells_are_those_of_the_strides():
    assert generate.cells(640, 640) == 8400
    assert generate.cells(320, 320) == 2100
