"""What can be done to a grey image before it is read; what helps one page harms another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from conductor_agent.scanned_page.images import rotate, skew_angle


def deskewed(image: np.ndarray) -> np.ndarray:
    """Turned so that the lines lie level."""
    angle, _ = skew_angle(image)
    return image if abs(angle) < 0.4 else rotate(image, angle)


def turned(image: np.ndarray, orientation: Callable[[np.ndarray], tuple[float, int]]) -> np.ndarray:
    """Levelled, then turned by 180 degrees where most lines stand on their head."""
    level = deskewed(image)
    upside_down, lines = orientation(flatten(destripe(despeckle(level))))
    return np.ascontiguousarray(level[::-1, ::-1]) if lines and upside_down > 0.5 else level


def despeckle(image: np.ndarray) -> np.ndarray:
    """Single black or white pixels replaced by the median around them."""
    median = cv2.medianBlur(image, 3)
    speck = ((image < 6) | (image > 249)) & (cv2.absdiff(image, median) > 40)
    once = np.where(speck, median, image)
    again = cv2.medianBlur(once, 3)
    left = ((once < 6) | (once > 249)) & (cv2.absdiff(once, again) > 40)
    return np.where(left, again, once)


def nlm(image: np.ndarray) -> np.ndarray:
    """Non-local means: strong against grain, dear, and it wipes out faint strokes."""
    strength = float(np.clip(1.1 * grain(image), 8.0, 80.0))
    return cv2.fastNlMeansDenoising(image, None, strength, 5, 15)


def destripe(image: np.ndarray) -> np.ndarray:
    """Every column brought to the same paper; wide dark letters lose some ink."""
    column = np.percentile(image, 75, axis=0)
    row_free = image.astype(np.float32) - column + np.median(column)
    return np.clip(row_free, 0, 255).astype(np.uint8)


def grain(image: np.ndarray) -> float:
    """Standard deviation of the noise, by Immerkaer's mask."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(image.astype(np.float32), -1, mask)
    return float(np.sqrt(np.pi / 2) * np.abs(response).mean() / 6)


def flatten(image: np.ndarray) -> np.ndarray:
    """Divided by the paper's own light and stretched to full contrast; grain is stretched too."""
    kernel = np.ones((15, 15), np.uint8)
    paper = cv2.GaussianBlur(cv2.dilate(cv2.medianBlur(image, 3), kernel), (0, 0), 10)
    calm = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.7)
    even = calm / np.maximum(paper, 1.0)
    low, high = np.percentile(even, [0.5, 80])
    return (np.clip((even - low) / max(high - low, 1e-3), 0, 1) * 255).astype(np.uint8)


def sharpen(image: np.ndarray) -> np.ndarray:
    """Unsharp mask: undoes some blur, brings out any grain."""
    return cv2.addWeighted(image, 3.5, cv2.GaussianBlur(image, (0, 0), 2.0), -2.5, 0)


def unchanged(image: np.ndarray) -> np.ndarray:
    """The page as it is."""
    return image


REPAIRS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": unchanged,
    "despeckle": despeckle,
    "nlm": nlm,
    "destripe": destripe,
    "flatten": flatten,
    "sharpen": sharpen,
}

STRAIGHTENINGS: dict[str, Callable[[np.ndarray, Any], np.ndarray]] = {
    "none": lambda image, _: image,
    "deskew": lambda image, _: deskewed(image),
    "turn": turned,
}
