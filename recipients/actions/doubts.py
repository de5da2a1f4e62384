"""What a person is asked to look at before an import is confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field

from recipients.actions.changes import plan_of
from recipients.bulk.base import Overruled, Verdicts
from recipients.bulk.engine import engine
from recipients.imports import mapping as maps
from recipients.imports.check import Rejected
from recipients.imports.check import StagedRow as Checked
from recipients.imports.doubts import (
    EXAMPLES,
    Doubt,
    Outcome,
    about_addresses,
    about_consent,
    about_file,
    about_name,
    about_outcome,
    about_reading,
    about_zones,
)
from recipients.imports.survey import Survey
from recipients.mistakes import SLIPS
from recipients.models import PASTED_NAME, Change, Import, Mode


@dataclass
class Noticed:
    """What was noticed of a file's rows on their way into staging.

    How many addresses were mended, and the first of them: cell and address. Who is out by one row and not by
    their last. How many rows say that somebody is out, and cannot be used.
    """

    mended: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    overruled: Overruled = field(default_factory=Overruled)
    lost: int = 0

    def note(self, row: Checked | Rejected) -> None:
        """Remember what a row that was checked shows."""
        if isinstance(row, Rejected):
            self.lost += row.is_out
        elif row.mended:
            self.mended += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((row.mended, row.email))


def doubts_of(run: Import, *, change: Change, verdicts: Verdicts, noticed: Noticed) -> list[Doubt]:
    """Everything about an import that a person should look at, the most serious first.

    `change` has the counts of its preview.
    """
    shift = dict(verdicts.shift or {})
    group = change.group
    outcome = Outcome(
        rows=change.rows,
        rejected=change.rejected,
        duplicates=change.duplicates,
        taken=verdicts.deleted + verdicts.deactivated,
        before=group.recipients_count if group else 0,
        active_before=group.active_count if group else 0,
        shift=shift,
        is_own=run.is_own,
        is_whole=run.file_name != PASTED_NAME and change.mode in (Mode.REFORM_AND_ADD, Mode.UPDATE_ONLY),
    )
    found = [
        *about_file(run.dialect.get("warnings", [])),
        *about_reading(Survey.from_json(run.dialect.get("survey", {}))),
        *about_zones(run.headers, mapping=maps.Mapping.from_json(run.mapping), zone=change.account.time_zone),
        *about_outcome(outcome),
        *about_consent(
            left=_left_elsewhere(run, change=change),
            moved=engine().moved(plan_of(change), most=EXAMPLES),
            overruled=noticed.overruled.count,
            examples=noticed.overruled.examples,
            lost=noticed.lost,
        ),
        *about_name(run.file_name, active=shift.get("active", 0)),
        *about_addresses(slips=_slips(change), mended=noticed.mended, examples=noticed.examples),
    ]
    return sorted(found, key=lambda doubt: not doubt.is_serious)


def _left_elsewhere(run: Import, *, change: Change) -> int:
    """How many would get mail again by a backup's file that is made a new list. A restore knows its list."""
    if not run.is_own or change.group is not None:
        return 0
    return engine().left_elsewhere(change.pk, account_id=change.account_id)


def _slips(change: Change) -> list[tuple[str, str, int]]:
    """Domains of staged rows that look like a slip of the finger: wrong, likely meant, how often."""
    counted = engine().domains(change.pk, among=list(SLIPS))
    return [(domain, SLIPS[domain], count) for domain, count in counted]
