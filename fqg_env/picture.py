"""The board as a picture, drawn without a window system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fqg_env.arrays import SUCCESS, Stopped
from fqg_env.level import Level
from fqg_env.render import ENDS, artifact_row, budget_rows, call_row
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
BAR_WIDTH = 180


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


def colour_of(board: Any, call: int, legal: bool) -> str:
    """Faint what cannot be chosen, coloured what has answered."""
    last = int(board["last_category"][call])
    if last == SUCCESS:
        return GOOD
    if last > SUCCESS:
        return BAD
    return INK if legal else FAINT


def board_as_picture(
    level: Level, record: Any, board: Any, mask: Any, width: int = 900
) -> np.ndarray:
    """The whole board as an RGB image [height, width, 3] of bytes.

    Args:
        level: gives names.
        record: the level's record.
        board: the board's record.
        mask: [2 + C] what may be chosen now.
        width: in pixels.
    """
    lines = 8 + len(level.artifacts) + len(level.calls)
    sheet = Sheet(width, 2 * MARGIN + LINE * lines + 2 * GAP)
    end = Stopped(int(board["stopped"]))
    sheet.line([level.name + (f" ({ENDS[end]})" if end else "")], [MARGIN])
    shares = (
        board["at_s"] / record["time_budget_s"],
        board["cost"] / record["cost_budget"],
        board["attempts"] / record["attempt_budget"],
    )
    for (name, _, words), used in zip(budget_rows(record, board), shares, strict=True):
        sheet.bar(name, float(used), words)
    sheet.y += GAP
    for a in range(len(level.artifacts)):
        row = artifact_row(level, board, a)
        colour = {"h": GOOD, "r": BAD}.get(row[1][0], INK)
        sheet.line(row, [MARGIN, MARGIN + 190, MARGIN + 330], colour)
    sheet.y += GAP
    columns = [MARGIN + x for x in (0, 34, 200, 500, 560, 630)]
    sheet.line(["", "action", "reads -> makes", "cost", "time", "last"], columns, FAINT)
    for i, name in enumerate(("WAIT", "STOP")):
        sheet.line([str(i), name, "", "", "", ""], columns, INK if mask[i] else FAINT)
    for c in range(len(level.calls)):
        colour = colour_of(board, c, bool(mask[FIRST_CALL + c]))
        sheet.line(call_row(level, record, board, c), columns, colour)
    return np.asarray(sheet.image)
