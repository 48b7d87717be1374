"""Grey images: PNG in and out, and what can be seen on a page without reading it.

Statistics are cheap and crude on purpose: `look` takes some 15 milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

cv2.setNumThreads(1)


def decode(png: Any) -> np.ndarray | None:
    """The grey image [height, width] of uint8, or None where the bytes are not an image."""
    if not isinstance(png, bytes | bytearray | memoryview) or not len(png):
        return None
    try:
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None


def encode(image: np.ndarray) -> bytes:
    """The image as PNG, written fast rather than small."""
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def ink_mask(image: np.ndarray) -> np.ndarray:
    """1 where it is darker than the paper around it: [height, width] of uint8."""
    smooth = cv2.medianBlur(image, 3)
    paper = cv2.blur(smooth, (41, 41)).astype(np.int16)
    depth = paper - smooth
    return (depth > max(6.0, 0.35 * float(np.percentile(depth, 99)))).astype(np.uint8)


def rotate(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turn about the middle; the corners are filled with the colour of the paper."""
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    paper = float(np.median(image))
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=paper)


def skew_angle(image: np.ndarray, largest: float = 16.0) -> tuple[float, float]:
    """(degrees to turn by so that rows of ink stand out most, how clear that is in [0, 1])."""
    mask = ink_mask(image)
    scale = min(1.0, 280 / mask.shape[1])
    small = cv2.resize(
        mask.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    coarse = np.arange(-largest, largest + 0.1, 1.0)
    scores = np.array([row_contrast(small, angle) for angle in coarse])
    near = float(coarse[scores.argmax()])
    fine = np.arange(near - 0.75, near + 0.76, 0.25)
    best = float(fine[int(np.argmax([row_contrast(small, angle) for angle in fine]))])
    clear = float(np.clip(scores.max() / (np.median(scores) + 1e-9) / 3 - 1 / 3, 0.0, 1.0))
    return best, clear


def row_contrast(ink: np.ndarray, degrees: float) -> float:
    """How sharply rows of ink part when turned by so many degrees: most where lines lie level."""
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    rows = cv2.warpAffine(ink, matrix, (width, height)).sum(axis=1)
    return float(np.square(np.diff(rows)).sum())


def line_spans(image: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(top, bottom, left, right) of each line of text on an upright page."""
    mask = cv2.medianBlur(ink_mask(image), 3)
    rows = mask.sum(axis=1) > max(3, 0.004 * image.shape[1])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], rows.astype(np.int8), [0]])))
    spans = []
    for top, bottom in zip(edges[::2], edges[1::2], strict=True):
        columns = np.flatnonzero(mask[top:bottom].sum(axis=0))
        if 5 <= bottom - top <= 60 and len(columns) > 20:
            spans.append((int(top), int(bottom), int(columns[0]), int(columns[-1]) + 1))
    return spans


@dataclass(frozen=True)
class Look:
    """What can be seen on a page without reading it."""

    angle: float
    """Degrees to turn by."""
    angle_clear: float
    """How clear the angle is, in [0, 1]."""
    noise: float
    """Typical difference of a pixel from its neighbours, in grey levels."""
    specks: float
    """Share of single black or white pixels."""
    light: float
    """Darkest part of the paper over the brightest."""
    sharpness: float
    """Steepest edges over the depth of the ink: under about 0.3 it is blurred."""
    ragged_left: float
    """Spread of the lines' left ends minus that of their right ends, in pixels; unknown is 0."""
    stripes: float
    """Typical difference in brightness between a column of paper and the next, in grey levels."""
    depth: float
    """How much darker the ink is than the paper around it, in grey levels."""
    height: int
    """Of the image, in pixels."""


def look(image: np.ndarray) -> Look:
    """Look at the page once, in a few milliseconds."""
    angle, clear = skew_angle(image)
    median = cv2.medianBlur(image, 3)
    apart = cv2.absdiff(image, median)
    paper = cv2.resize(cv2.medianBlur(image, 5), (14, 10), interpolation=cv2.INTER_AREA)
    columns = np.percentile(paper, 70, axis=0)
    calm = cv2.GaussianBlur(median, (3, 3), 0).astype(np.float32)
    local = cv2.blur(calm, (41, 41)) - calm
    steep = np.abs(cv2.Sobel(calm, cv2.CV_32F, 1, 0, ksize=3)) / 8
    spans = line_spans(rotate(image, angle) if abs(angle) > 0.6 else image)
    ragged = 0.0
    if len(spans) >= 5:
        ends = np.array(spans)[:, 2:]
        ragged = float(iqr(ends[:, 0]) - iqr(ends[:, 1]))
    return Look(
        angle=angle,
        angle_clear=clear,
        noise=float(np.percentile(apart, 60)),
        specks=float((apart > 90).mean()),
        light=float(columns.min() / (columns.max() + 1e-6)),
        sharpness=float(np.percentile(steep, 99) / (np.percentile(local, 99) + 1e-6)),
        ragged_left=ragged,
        stripes=float(np.abs(np.diff(np.percentile(image, 75, axis=0))).mean()),
        depth=float(np.percentile(local, 99)),
        height=image.shape[0],
    )


def iqr(values: np.ndarray) -> float:
    """The spread of the middle 60 percent."""
    low, high = np.percentile(values, [20, 80])
    return float(high - low)
