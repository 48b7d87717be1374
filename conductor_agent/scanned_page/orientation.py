"""Does the page stand on its head? RapidOCR's small orientation model votes on the rows of ink.

It runs on ONNX Runtime alone, without importing RapidOCR, and so in a small process.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from conductor_agent.scanned_page.images import line_spans

MODEL = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
MOST_LINES = 7


class Orientation:
    """The model, loaded once, on one thread."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(model_path()), options, ["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name

    def __call__(self, image: np.ndarray) -> tuple[float, int]:
        """(share of the sampled lines that are upside down, number of lines)."""
        lines = [as_input(crop) for crop in line_starts(image)]
        if not lines:
            return 0.0, 0
        upright, turned = np.asarray(self.session.run(None, {self.input: np.stack(lines)})[0]).T
        return float((turned > upright).mean()), len(lines)


def model_path() -> Path:
    """Where the package `rapidocr` keeps the model."""
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("The package rapidocr is not installed.")
    return Path(spec.origin).parent / "models" / MODEL


def line_starts(image: np.ndarray) -> list[np.ndarray]:
    """The starts of the widest lines, at most six times as wide as high."""
    spans = sorted(line_spans(image), key=lambda span: span[2] - span[3])[:MOST_LINES]
    pieces = []
    for top, bottom, left, right in spans:
        top, bottom, left = max(0, top - 2), bottom + 2, max(0, left - 3)
        pieces.append(image[top:bottom, left : min(right + 3, left + 6 * (bottom - top))])
    return pieces


def as_input(piece: np.ndarray) -> np.ndarray:
    """[3, 48, 192] of float32 in [-1, 1], padded with the middle grey as in training."""
    width = min(192, round(48 * piece.shape[1] / piece.shape[0]))
    scaled = cv2.resize(piece, (width, 48)).astype(np.float32) / 127.5 - 1.0
    padded = np.zeros((48, 192), np.float32)
    padded[:, :width] = scaled
    return np.broadcast_to(padded, (3, 48, 192))
