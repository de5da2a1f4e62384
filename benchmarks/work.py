"""What a measurement is made of: a piece of work, the ways to do it, and what each way took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

# Ways that would take hours run with so many rows at most, and are compared by rows a second.
MOST_ROWS_OF_SLOW = 100_000


def nothing() -> None:
    """No preparation."""


@dataclass(frozen=True)
class Way:
    """One way to do a piece of work. `before` is not measured; `run` gives the seconds of its parts.

    `target`: how many times as fast (in rows a second) the product's way is to be.
    """

    name: str
    run: Callable[[], dict[str, float]]
    before: Callable[[], None] = nothing
    rows: int = 0
    target: float | None = None
    is_slow: bool = False


@dataclass(frozen=True)
class Work:
    """A piece of work: the product's way, and the yardsticks beside it, taken in turn in every round."""

    title: str
    product: Way
    yardsticks: Sequence[Way] = ()
    # Facts that the last round found, besides seconds.
    notes: Callable[[], dict[str, object]] = dict


@dataclass
class Measured:
    """What one way took in all rounds."""

    way: Way
    rounds: list[dict[str, float]] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return median(sum(parts.values()) for parts in self.rounds)

    @property
    def parts(self) -> dict[str, float]:
        return {name: median(parts[name] for parts in self.rounds) for name in self.rounds[0]}

    @property
    def rows_a_second(self) -> float:
        return self.way.rows / self.seconds

    def times_faster(self, other: Measured) -> float:
        """How many times as many rows a second this way does: 1 is equally fast."""
        return self.rows_a_second / other.rows_a_second

    def add_peaks(self, peaks: dict[str, int]) -> None:
        """Keep the highest of all rounds."""
        for name, peak in peaks.items():
            self.peaks[name] = max(peak, self.peaks.get(name, 0))
