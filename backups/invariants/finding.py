"""What a check finds, and the list of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from recipients.bulk.engine import engine

# What wakes up every few seconds or every hour has had several chances by then.
LATE = timedelta(minutes=10)
VERY_LATE = timedelta(hours=24)
# Of each kind of damage; a thousand lines of the same tell nobody more.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Broken:
    """One place where an invariant does not hold: which thing, what is wrong with it, what to do."""

    where: str
    what: str
    do: str


@dataclass(frozen=True)
class Finding:
    """The same, with the invariant's stable name."""

    invariant: str
    what: str
    where: str
    do: str


Check = Callable[[], Iterator[Broken]]


@dataclass(frozen=True)
class Invariant:
    """A check. `reads_files`: not within one moment of the database, since it takes long."""

    name: str
    check: Check
    reads_files: bool = False

    def findings(self) -> list[Finding]:
        """Run it; what was found first."""
        if self.reads_files:
            found = list(islice(self.check(), MOST_SHOWN))
        else:
            # Several statements of a check must not see a change half done.
            with engine().consistent_read():
                found = list(islice(self.check(), MOST_SHOWN))
        return [Finding(self.name, broken.what, broken.where, broken.do) for broken in found]
