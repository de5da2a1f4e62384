"""The activity log of all accounts."""

from __future__ import annotations

from collections.abc import Iterator

from backups.invariants.finding import VERY_LATE, Broken
from backupsvc.accounts.actions.log_check import Wrong, check_log


def log_is_as_it_was_written() -> Iterator[Broken]:
    """Every signature and link of the chain is right, its end is there, and new entries get their seals."""
    found = check_log()
    for wrong in found.wrong:
        yield Broken(
            _place(wrong),
            wrong.what,
            "Run: manage.py audit verify. If the database was brought back from a copy, keep the folder "
            "“audit” of DATA_DIR elsewhere and start with an empty one; else find out who can write to it.",
        )
    if (found.oldest_unsealed_seconds or 0) > VERY_LATE.total_seconds():
        yield Broken(
            "log",
            f"{found.unsealed} entries have had no seal for more than a day.",
            "See that a worker and the scheduler are running, or run: manage.py audit seal",
        )


def _place(wrong: Wrong) -> str:
    if wrong.entry is not None:
        return f"log entry {wrong.entry}"
    return "log" if wrong.position is None else f"log, place {wrong.position}"
