"""The board as a picture, drawn without a window system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fqg_env.arrays import CANCELLED, SUCCESS
from fqg_env.level import Level
from fqg_env.render import (
    CALL_HEAD,
    State,
    artifact_row,
    artifact_state,
    budget_rows,
    call_row,
    in_flight,
    title,
)
from fqg_env.rules import FIRST_CALL

SIZE, LINE, MARGIN, GAP = 14, 20, 16, 18
INK, FAINT, GOOD, BAD, PAPER, USED = (
    "#1c2430",
    "#8a94a3",
    "#0a7a3d",
    "#b3261e",
    "#ffffff",
    "#2563eb",
)
STATE_COLOURS = {State.HELD: GOOD, State.REJECTED: BAD, State.EXPIRED: BAD}
BAR_WIDTH = 180
WIDTH, NOTES_WIDTH = 1000, 300


class Sheet:
    """Lines of cells of one column width each, painted from above downwards."""

    def __init__(self, width: int, height: int):
        self.image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(SIZE)
        self.y = MARGIN

    def line(self, cells: Sequence[str], columns: Sequence[int], colour: str = INK) -> None:
        """Paint cells at columns (pixels from the left), cut where the next one begins."""
        ends = [*columns[1:], self.image.width - MARGIN]
        for cell, x, end in zip(cells, columns, ends, strict=True):
            while cell and x + self.draw.textlength(cell, self.font) > end - 6:
                cell = cell[:-2].rstrip(".") + "." if len(cell) > 2 else ""
            self.draw.text((x, self.y), cell, colour, self.font)
        self.y += LINE

    def bar(self, name: str, used: float, words: str) -> None:
        """Paint how much of a budget is used."""
        x, y = MARGIN + 80, self.y + 3
        self.draw.rectangle((x, y, x + BAR_WIDTH, y + 11), outline=FAINT)
        self.draw.rectangle((x, y, x + round(BAR_WIDTH * min(1.0, used)), y + 11), fill=USED)
        self.line([name, words], [MARGIN, x + BAR_WIDTH + 12])

    def columns(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Where columns begin that hold these rows; the widest is cut where the last has too little left."""
        cells = list(zip(*rows, strict=True))[:-1]
        widths = [
            12 + max(self.draw.textlength(cell, self.font) for cell in column) for column in cells
        ]
        room = self.image.width - 2 * MARGIN - NOTES_WIDTH
        widest = widths.index(max(widths))
        widths[widest] -= max(0.0, sum(widths) - room)
        return [MARGIN + round(sum(widths[:i])) for i in range(len(widths) + 1)]


def colour_of(board: Any, call: int, legal: bool) -> str:
    """Coloured what is in flight or has answered, faint what cannot be chosen; called off is no failure."""
    if in_flight(board, call):
        return USED
    last = int(board["last_category"][call])
    if last == SUCCESS:
        return GOOD
    if last > SUCCESS and last != CANCELLED:
        return BAD
    return INK if legal else FAINT


def board_as_picture(
    level: Level, record: Any, board: Any, mask: Any, width: int = WIDTH
) -> np.ndarray:
    """The whole board as an RGB image [height, width, 3] of bytes.

    Args:
        level: gives names.
        record: the level's record.
        board: the board's record.
        mask: [2 + C] what may be chosen now.
        width: in pixels.
    """
    budgets = budget_rows(record, board)
    artifacts = [artifact_row(level, board, a) for a in range(len(level.artifacts))]
    calls = [call_row(level, record, board, c) for c in range(len(level.calls))]
    lines = 4 + len(budgets) + len(artifacts) + len(calls)
    sheet = Sheet(width, 2 * MARGIN + LINE * lines + 2 * GAP)
    sheet.line([title(level, board)], [MARGIN])
    for name, share, words in budgets:
        sheet.bar(name, share, words)
    sheet.y += GAP
    columns = [MARGIN, MARGIN + 190, MARGIN + 350]
    for a, row in enumerate(artifacts):
        sheet.line(row, columns, STATE_COLOURS.get(artifact_state(level, board, a), INK))
    sheet.y += GAP
    columns = sheet.columns([CALL_HEAD, *calls])
    sheet.line(CALL_HEAD, columns, FAINT)
    for i, name in enumerate(("WAIT", "STOP")):
        sheet.line([str(i), name, *[""] * 5], columns, INK if mask[i] else FAINT)
    for c, row in enumerate(calls):
        sheet.line(row, columns, colour_of(board, c, bool(mask[FIRST_CALL + c])))
    return np.asarray(sheet.image)
