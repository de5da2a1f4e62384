"""Where the dots and lines of a size-over-time chart go. Pure: numbers in, positions out.

Positions are percentages as text, so that a chart fits any width and no language's decimal comma gets
into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

# Room for the dots at the edges, in percent of the width and of the height.
SIDE = 2.0
ABOVE = 14.0
BELOW = 6.0


@dataclass(frozen=True)
class Dot:
    """A size at a moment. `snapshot_id` None: the list as it is now. `mark` is how it is drawn."""

    at: datetime
    count: int
    snapshot_id: int | None = None
    mark: str = ""


class Placed(NamedTuple):
    """A dot with its place, from the left and from the top."""

    dot: Dot
    x: str
    y: str


@dataclass(frozen=True)
class Chart:
    """What a template needs: the line and the area below it as SVG paths in a box of 100 by 100."""

    dots: Sequence[Placed]
    line: str
    area: str
    most: int

    @property
    def first(self) -> Dot:
        return self.dots[0].dot

    @property
    def last(self) -> Dot:
        return self.dots[-1].dot


def draw(dots: Sequence[Dot]) -> Chart | None:
    """The chart of dots in the order of time; None below two, which show no course. The scale begins at
    zero, so that a list that has lost half of its people looks like it.
    """
    if len(dots) < 2:
        return None
    most = max(dot.count for dot in dots)
    start, span = dots[0].at, (dots[-1].at - dots[0].at).total_seconds()
    placed, corners = [], []
    for number, dot in enumerate(dots):
        share = (dot.at - start).total_seconds() / span if span else number / (len(dots) - 1)
        x = SIDE + share * (100 - 2 * SIDE)
        y = 100 - BELOW - (dot.count / most if most else 0) * (100 - ABOVE - BELOW)
        placed.append(Placed(dot, f"{x:.2f}", f"{y:.2f}"))
        corners.append(f"{x:.2f} {y:.2f}")
    line = "M" + "L".join(corners)
    ground = 100 - BELOW
    area = f"{line}L{placed[-1].x} {ground}L{placed[0].x} {ground}Z"
    return Chart(dots=placed, line=line, area=area, most=most)
