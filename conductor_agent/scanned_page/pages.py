"""Makes scanned pages from a seed: known text, known language, known defects.

A page is a grey A6 card at about 100 dpi. Some are honestly hard and a few hopeless; the pages of
a batch share their defects, as pages from one scanner do.
"""

from __future__ import annotations

import random
import textwrap
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from conductor_agent.scanned_page.phrases import SENTENCES, TITLES, TOTALS, WORDS, check_digit

WIDTH, HEIGHT, MARGIN, FONT_SIZE, LINE = 560, 380, 46, 17, 26
PAPER, INK = 236, 28
ITEMS = 6
POSITION_DEFECTS = {"skew": 0.7, "upside_down": 1.3}
INK_DEFECTS = {
    "noise": 1.0,
    "salt": 1.6,
    "stripes": 1.6,
    "shading": 1.6,
    "blur": 1.2,
    "faint": 1.6,
    "coarse": 0.5,
}
DEFECTS = {**POSITION_DEFECTS, **INK_DEFECTS}
"""How often each occurs, relative to the others."""
CLEAN_SHARE, HOPELESS_SHARE = 0.08, 0.04
TWO_DEFECTS_SHARE, TWO_ON_INK_SHARE = 0.4, 0.2


@dataclass(frozen=True)
class Page:
    """A scanned page, and what is true about it."""

    png: bytes
    truth_text: str
    truth_language: str
    defects: tuple[str, ...]


def make_page(seed: int, defects: tuple[str, ...] | None = None) -> Page:
    """One page. Without `defects` it draws none, one or two of them."""
    rng = random.Random(f"page {seed}")
    language = rng.choice(sorted(SENTENCES))
    lines = write_lines(rng, language)
    if defects is None:
        defects = draw_defects(rng)
    image = spoil(draw_lines(lines), defects, rng)
    return Page(to_png(image), "\n".join(lines), language, defects)


def draw_defects(rng: random.Random) -> tuple[str, ...]:
    """None, one or two defects, or `ruined`, which no extension here repairs."""
    luck = rng.random()
    if luck < HOPELESS_SHARE:
        return ("ruined",)
    if luck < HOPELESS_SHARE + CLEAN_SHARE:
        return ()
    if rng.random() >= TWO_DEFECTS_SHARE:
        return (pick(rng, DEFECTS),)
    first = pick(rng, INK_DEFECTS)
    if rng.random() < TWO_ON_INK_SHARE:
        return first, pick(rng, {name: w for name, w in INK_DEFECTS.items() if name != first})
    return pick(rng, POSITION_DEFECTS), first


def pick(rng: random.Random, weights: dict[str, float]) -> str:
    """One of the names, drawn by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def write_lines(rng: random.Random, language: str) -> list[str]:
    """The text: a title, items with a number each, and their total with its check digit."""
    numbers = [rng.randint(2, 97) for _ in range(ITEMS)]
    body = " ".join(
        fill(rng, template, language, number)
        for template, number in zip(rng.sample(SENTENCES[language], ITEMS), numbers, strict=True)
    )
    title = fill(rng, TITLES[language], language, rng.randint(1000, 9999))
    total = sum(numbers)
    last = TOTALS[language].format(total=total, check=check_digit(total))
    return [title, *textwrap.wrap(body, 52), last]


def fill(rng: random.Random, template: str, language: str, number: int) -> str:
    """The template with its number and with words drawn for its other places."""
    chosen = {name: rng.choice(words) for name, words in WORDS[language].items()}
    return template.format(n=number, **chosen)


@cache
def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font inside Pillow: the only one that is on every machine."""
    return ImageFont.load_default(size=FONT_SIZE)


def draw_lines(lines: list[str]) -> np.ndarray:
    """The page before the scanner got it, [HEIGHT, WIDTH] of grey as float32."""
    image = Image.new("L", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + i * LINE), line, font=font(), fill=INK)
    return np.asarray(image, dtype=np.float32)


def spoil(page: np.ndarray, defects: tuple[str, ...], rng: random.Random) -> np.ndarray:
    """Apply the defects in the order in which a scanner would: paper first, sensor last."""
    for name in (
        "faint",
        "skew",
        "upside_down",
        "coarse",
        "blur",
        "ruined",
        "shading",
        "stripes",
        "noise",
        "salt",
    ):
        if name in defects:
            page = SPOILERS[name](page, rng)
    return page


def skew(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Laid on the glass at an angle."""
    angle = rng.choice([-1, 1]) * rng.uniform(4.0, 14.0)
    image = Image.fromarray(page).rotate(angle, Image.Resampling.BICUBIC, fillcolor=PAPER)
    return np.asarray(image)


def upside_down(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Laid on the glass the wrong way round."""
    return page[::-1, ::-1]


def faint(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Hardly any ink left."""
    return PAPER - (PAPER - page) * rng.uniform(0.026, 0.042) + pixel_noise(page, rng, 1.2)


def coarse(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Scanned with too few pixels."""
    share = rng.uniform(0.42, 0.52)
    small = Image.fromarray(page).resize(
        (round(WIDTH * share), round(HEIGHT * share)), Image.Resampling.BOX
    )
    return np.asarray(small)


def blur(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Out of focus."""
    sigma = rng.uniform(2.0, 2.45) * page.shape[1] / WIDTH
    return gauss(page, sigma)


def gauss(page: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred by a Gaussian of this many pixels."""
    image = Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)), dtype=np.float32)


def ruined(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Blurred and grained beyond repair."""
    return gauss(page, 4.5) + pixel_noise(page, rng, 30)


def shading(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """The light falls off to one side."""
    dark = rng.uniform(0.05, 0.12)
    ramp = np.linspace(1.0, dark, page.shape[1], dtype=np.float32)
    lit = (PAPER - (PAPER - page) * rng.uniform(0.09, 0.16)) * (
        ramp if rng.random() < 0.5 else ramp[::-1]
    )
    return lit + pixel_noise(page, rng, 1.5)


def noise(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Grain in every pixel."""
    return page + pixel_noise(page, rng, rng.uniform(40, 72))


def salt(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """Single black and white pixels."""
    share = rng.uniform(0.07, 0.22)
    dice = np.random.default_rng(rng.getrandbits(32)).random(page.shape)
    return np.where(dice < share / 2, 0, np.where(dice > 1 - share / 2, 255, page))


def stripes(page: np.ndarray, rng: random.Random) -> np.ndarray:
    """A dirty sensor line: every column is too dark by its own amount."""
    dice = np.random.default_rng(rng.getrandbits(32))
    return page - dice.gamma(0.6, rng.uniform(55, 105), page.shape[1])


def pixel_noise(page: np.ndarray, rng: random.Random, sigma: float) -> np.ndarray:
    """Grain of `sigma` grey levels, the same for the same `rng`."""
    return np.random.default_rng(rng.getrandbits(32)).normal(0.0, sigma, page.shape)


SPOILERS = {
    "skew": skew,
    "upside_down": upside_down,
    "faint": faint,
    "coarse": coarse,
    "blur": blur,
    "ruined": ruined,
    "shading": shading,
    "noise": noise,
    "salt": salt,
    "stripes": stripes,
}


def to_png(page: np.ndarray) -> bytes:
    """The page as the bytes of a PNG file."""
    buffer = BytesIO()
    Image.fromarray(np.clip(page, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
