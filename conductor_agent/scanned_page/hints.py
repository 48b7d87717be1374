"""What somebody who only looked at the page would advise: calls, each with a confidence.

The confidences are set by hand, near how often the call was needed on generated pages. Blur is told
from coarse pixels badly, and a page on its head is seen only by its ragged edge.
"""

from __future__ import annotations

from conductor_agent.scanned_page.images import Look
from fqg_env.outcome import Hint

GRAINY = 12.0
"""`Look.noise` from which lines cannot be told apart well enough to see their ends."""


def advice(seen: Look) -> tuple[tuple[Hint, ...], tuple[str, ...]]:
    """(hints, calls that were not examined)."""
    hints = [*about_position(seen), *about_ink(seen)]
    blind = seen.noise > GRAINY or seen.ragged_left == 0.0
    return tuple(sorted(hints, key=lambda hint: -hint.p)), ("straighten/turn",) if blind else ()


def about_position(seen: Look) -> list[Hint]:
    """Hints of a page that leans or stands on its head."""
    hints = []
    if abs(seen.angle) >= 0.6:
        hints.append(
            Hint(
                0.9 * seen.angle_clear,
                "straighten/deskew",
                reason=f"Leans by {seen.angle:.1f} degrees.",
            )
        )
    if seen.noise <= GRAINY and seen.ragged_left > 10:
        sure = min(0.9, 0.6 + seen.ragged_left / 300)
        hints.append(Hint(sure, "straighten/turn", reason="Its left edge is the ragged one."))
    return hints


def about_ink(seen: Look) -> list[Hint]:
    """Hints of specks, grain and faint ink."""
    hints = []
    if seen.specks > 0.05 and seen.noise < 4:
        hints.append(
            Hint(0.85, "clean/despeckle", reason=f"{seen.specks:.0%} of its pixels are specks.")
        )
    if seen.noise > 8:
        hints.append(Hint(0.45, "clean/nlm", reason=f"Grain of {seen.noise:.0f} grey levels."))
        hints.append(Hint(0.5, "read/plain", reason="Grainy."))
    if seen.stripes > 12:
        hints.append(Hint(0.85, "clean/destripe", reason="Columns differ in brightness."))
    if seen.depth < 26:
        hints.append(
            Hint(0.8, "clean/flatten", reason=f"Ink only {seen.depth:.0f} grey levels deep.")
        )
    if seen.sharpness < 0.27:
        hints.append(Hint(0.6, "clean/sharpen", reason="Soft edges."))
    if seen.height < 260:
        hints.append(Hint(0.7, "read/plain", reason="Few pixels."))
    return hints
