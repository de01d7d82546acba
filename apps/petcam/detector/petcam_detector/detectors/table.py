"""The detectors that `type:` may name. A new plug-in is one module and one row here."""

from .motion import MotionDetector
from .plugin import Detector
from .yolo_onnx import YoloOnnxDetector

DETECTORS: dict[str, type[Detector]] = {
    detector.type: detector for detector in (MotionDetector, YoloOnnxDetector)
}
