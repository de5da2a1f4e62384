"""What a merge has to do, by what was judged: counts of the judged rows, and the verdicts they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from recipients.bulk.base import Judged, Plan, Verdicts
from recipients.models import Mode

# What is done about a judged row, and the condition that tells.
WORK = {
    # Its recipient gets new values.
    "update": "writes = 1 AND old_status IS NOT NULL",
    # It is added without looking at anything else.
    "add": "writes = 1 AND is_new = 1",
    # It is added, but the list knows it, or may know it, otherwise.
    "return": "writes = 1 AND old_status IS NULL AND is_new = 0",
}


class Tally(NamedTuple):
    """How many judged rows have this in common. `work`: of WORK; None if nothing is written."""

    verdict: str
    old_status: str | None
    new_status: str
    work: str | None
    rows: int


def work_in(tallies: Sequence[Tally]) -> Counter[str]:
    """How many rows each kind of work has."""
    counts: Counter[str] = Counter()
    for tally in tallies:
        if tally.work is not None:
            counts[tally.work] += tally.rows
    return counts


def verdicts_of(tallies: Sequence[Tally], *, plan: Plan, judged: Judged) -> Verdicts:
    """What becomes of all addresses that were judged."""
    totals: Counter[str] = Counter()
    shift: Counter[str] = Counter()
    for tally in tallies:
        totals[tally.verdict] += tally.rows
        if tally.work is None:
            continue
        if tally.old_status is not None:
            shift[tally.old_status] -= tally.rows
        if plan.mode != Mode.DELETE:
            shift[tally.new_status] += tally.rows
    written = sum(work_in(tallies).values())
    return Verdicts(
        added=totals["added"],
        updated=totals["updated"],
        unchanged=judged.addresses - totals.total() + totals["unchanged"],
        kept_safe=totals["safe"],
        deactivated=written if plan.mode == Mode.DEACTIVATE else 0,
        deleted=written if plan.mode == Mode.DELETE else 0,
        shift=dict(shift),
        leaves_new=judged.leaves_new,
    )
