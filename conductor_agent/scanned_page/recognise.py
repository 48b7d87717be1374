"""Reading a grey image with RapidOCR: find lines, crop them, read each.

Three presets differ in cost and strength. *fast* takes rows of ink for lines and reads them
squeezed, which is cheap and breaks on anything but a clear, level page. *plain* finds lines by a
model and reads them as they are. *thorough* reads the page three times under different treatments,
keeps the reading that is surest, and turns a page that reads better so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from conductor_agent.scanned_page.images import line_spans
from conductor_agent.scanned_page.repairs import despeckle, destripe, flatten, nlm

ONE_THREAD = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "critical",
    "Det.limit_type": "max",
    "Rec.rec_batch_num": 1,
}


SURE = 0.9
"""A page read with more confidence than this is not tried upside down."""


@dataclass(frozen=True)
class Preset:
    """How a page is read."""

    find: str = "model"
    """How lines are found: by the `model`, or as `rows` of ink."""
    side: int = 640
    """The longer side of the image in which lines are looked for, in pixels."""
    squeeze: float = 1.0
    """Width of a line as it is read over its true width."""
    turn: bool = False
    """Turn lines that stand on their head."""
    ways: tuple[str, ...] = ("as_is",)
    """The treatments under which the page is read, each from the start."""

    def __post_init__(self) -> None:
        """Lists become tuples; unknown names are errors now rather than later.

        Raises:
            ValueError: a parameter has no meaning here.
        """
        object.__setattr__(self, "ways", tuple(self.ways))
        if (
            self.find not in ("model", "rows")
            or not set(self.ways) <= set(TREATMENTS)
            or not self.ways
        ):
            raise ValueError(
                f"There is no such way to find or read lines: {self.find}, {self.ways}."
            )

    @property
    def strength(self) -> str:
        """The name of the preset that it is closest to."""
        if self.find == "rows":
            return "fast"
        return "plain" if len(self.ways) == 1 else "thorough"


@dataclass(frozen=True)
class Line:
    """One line as it was read."""

    text: str
    confidence: float
    angle: float
    """Of its box, in degrees."""
    height: float
    """Of its box, in pixels of the page."""


@dataclass(frozen=True)
class Reading:
    """What was read on a page."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All lines that hold anything, one below the other."""
        return "\n".join(line.text for line in self.lines if line.text.strip())

    @property
    def angle(self) -> float:
        """Median slope of the lines, in degrees."""
        return float(np.median([line.angle for line in self.lines])) if self.lines else 0.0

    @property
    def worth(self) -> float:
        """Characters read, each weighted by how far its line is above a guess."""
        return sum(len(line.text) * max(0.0, line.confidence - 0.5) for line in self.lines)

    @property
    def confidence(self) -> float:
        """Mean over characters."""
        weights = [len(line.text) for line in self.lines]
        if not sum(weights):
            return 0.0
        return float(np.average([line.confidence for line in self.lines], weights=weights))


class Reader:
    """The detector and the recogniser of RapidOCR, loaded once, on one thread."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        engine = RapidOCR(params=ONE_THREAD)
        # RapidOCR has no public way to its parts, nor types for them
        self.find = engine._load_det_model()  # type: ignore[no-untyped-call]  # noqa: SLF001
        self.recognise = engine._load_rec_model()  # type: ignore[no-untyped-call]  # noqa: SLF001
        self.crop = engine.crop_text_regions

    def __call__(self, image: np.ndarray, preset: Preset) -> Reading:
        """Read the page from top to bottom, in the way that reads best."""
        best, crops = Reading(()), []
        for way in preset.ways:
            reading, cut = self.read_once(TREATMENTS[way](image), preset)
            if not best.lines or reading.worth > best.worth:
                best, crops = reading, cut
        if preset.turn and best.lines and best.confidence < SURE and self.on_its_head(crops):
            turned = self.recognised([crop[::-1, ::-1] for crop in reversed(crops)])
            return Reading(
                tuple(
                    Line(text, confidence, line.angle, line.height)
                    for (text, confidence), line in zip(turned, reversed(best.lines), strict=True)
                )
            )
        return best

    def read_once(self, image: np.ndarray, preset: Preset) -> tuple[Reading, list[np.ndarray]]:
        """(the page as it is read one way, its lines as images)."""
        large = enlarged(image, preset.side)
        boxes = rows_of_ink(large) if preset.find == "rows" else self.found(large, preset.side)
        if not len(boxes):
            return Reading(()), []
        scale = large.shape[0] / image.shape[0]
        crops = self.crop(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), boxes)
        texts = self.recognised([squeezed(crop, preset.squeeze) for crop in crops])
        lines = [
            Line(text, confidence, *box_shape(box, scale))
            for (text, confidence), box in zip(texts, boxes, strict=True)
        ]
        return Reading(tuple(lines)), crops

    def found(self, image: np.ndarray, side: int) -> np.ndarray:
        """Boxes of four corners in the order of reading: [lines, 4, 2]."""
        self.find.limit_side_len = side
        boxes = self.find(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)).boxes
        return np.zeros((0, 4, 2), np.float32) if boxes is None else in_reading_order(boxes)

    def on_its_head(self, crops: list[np.ndarray]) -> bool:
        """Whether the two widest lines read better when turned."""
        widest = sorted(crops, key=lambda crop: -crop.shape[1])[:2]
        as_they_are = self.recognised(widest)
        turned = self.recognised([crop[::-1, ::-1] for crop in widest])
        return sum(sure for _, sure in turned) > sum(sure for _, sure in as_they_are)

    def recognised(self, crops: list[np.ndarray]) -> list[tuple[str, float]]:
        """(text, confidence) of each line."""
        from rapidocr.ch_ppocr_rec import TextRecInput

        if not crops:
            return []
        answer = self.recognise(TextRecInput(img=crops, return_word_box=False))
        return [
            (str(text), float(score))
            for text, score in zip(answer.txts or (), answer.scores or (), strict=True)
        ]


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """The image, enlarged where its longer side is under `side`, at most threefold."""
    scale = min(3.0, side / max(image.shape))
    if scale <= 1.0:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def squeezed(crop: np.ndarray, share: float) -> np.ndarray:
    """The line of text, narrowed to this share of its width."""
    if share == 1.0:
        return crop
    width = max(8, round(crop.shape[1] * share))
    return cv2.resize(crop, (width, crop.shape[0]), interpolation=cv2.INTER_AREA)


def denoised(image: np.ndarray) -> np.ndarray:
    """Without specks and grain."""
    return nlm(despeckle(image))


def evened(image: np.ndarray) -> np.ndarray:
    """Without stripes and shadows."""
    return flatten(destripe(image))


def in_reading_order(boxes: np.ndarray) -> np.ndarray:
    """Sorted from the page's own top down, pieces of a line from left to right: [lines, 4, 2]."""
    angle = np.median([np.arctan2(*(box[1] - box[0])[::-1]) for box in boxes])
    middle = boxes.mean(axis=1)
    down = middle @ np.array([-np.sin(angle), np.cos(angle)])
    along = middle @ np.array([np.cos(angle), np.sin(angle)])
    pitch = 0.5 * float(np.median(np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)))
    order = np.argsort(down)
    line = np.concatenate([[0], np.cumsum(np.diff(down[order]) > pitch)])
    return boxes[order][np.lexsort((along[order], line))]


def rows_of_ink(image: np.ndarray) -> np.ndarray:
    """Boxes of four corners around rows of ink: [lines, 4, 2]."""
    boxes = []
    for top, bottom, left, right in line_spans(image):
        top, bottom, left, right = top - 3, bottom + 3, left - 4, right + 4
        boxes.append([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.array(boxes, np.float32).reshape(-1, 4, 2)


TREATMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as_is": lambda image: image,
    "denoised": denoised,
    "evened": evened,
}


def box_shape(box: np.ndarray, scale: float) -> tuple[float, float]:
    """(angle in degrees, height in pixels of the page) of a box of four corners."""
    along, down = box[1] - box[0], box[3] - box[0]
    return float(np.degrees(np.arctan2(along[1], along[0]))), float(np.hypot(*down)) / scale


PRESETS = {
    "fast": Preset(find="rows", side=560, squeeze=0.5),
    "plain": Preset(),
    "thorough": Preset(turn=True, ways=("as_is", "denoised", "evened")),
}
