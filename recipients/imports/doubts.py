"""Signs that an import would not do what its person means, each with a code that `wording` has a text for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recipients.imports import mapping as maps
from recipients.imports.survey import DATED, Survey
from recipients.zones import unclear_zone

# A person has to say that these were seen before the import goes on.
SERIOUS = frozenset(
    ("doubt.unsplit", "doubt.replaced", "doubt.twice_encoded", "doubt.rejected", "doubt.duplicates",
     "doubt.takes_most", "doubt.signs_off", "doubt.name_says_out", "doubt.backup_shrunk",
     "doubt.left_elsewhere", "doubt.moved", "doubt.out_rejected", "doubt.overruled", "file.hidden_rows")
)  # fmt: skip
# Those whose texts hold people's data.
NAMING = frozenset(
    ("doubt.mended", "doubt.moved", "doubt.overruled", "doubt.replaced", "doubt.twice_encoded")
)
# Shares and sizes from which something is worth a word.
_HALF = 0.5
_FEW_ROWS = 2
_SMALL_LIST = 20
_TIMES = 10
# Of what is named one by one.
EXAMPLES = 3

# What tools and people call a file of those who are out.
_OUT = re.compile(
    r"unsub|non.?subscri|cleaned|bounce|opt.?out|black.?list|block.?list|suppress|abgemeldet|abmeld|"
    r"austrag|sperr|robinson|disiscri|cancellat|d[ée]sabon|d[ée]sinscri|bajas|uitgeschreven|afgemeld",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Doubt:
    """One sign: its code and what its text names."""

    code: str
    params: Mapping[str, Any]

    @property
    def is_serious(self) -> bool:
        """Whether a person has to say that it was seen."""
        return self.code in SERIOUS


def doubt(code: str, **params: Any) -> Doubt:
    """A doubt with what its text names, spelled like a refusal."""
    return Doubt(code, params)


@dataclass(frozen=True)
class Outcome:
    """What a preview counted. `before` and `active_before` are the list's own; `shift` by status."""

    rows: int
    rejected: int
    duplicates: int
    taken: int
    before: int
    active_before: int
    shift: Mapping[str, int]
    is_own: bool = False
    is_whole: bool = True


def about_file(warnings: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Doubt]:
    """What was said when the file was read, and nobody may overlook."""
    return [Doubt(code, params) for code, params in warnings if code in SERIOUS]


def about_reading(survey: Survey) -> list[Doubt]:
    """What the rows themselves show."""
    found = []
    if survey.unsplit:
        found.append(doubt("doubt.unsplit", mark=survey.unsplit))
    if survey.replaced:
        found.append(doubt("doubt.replaced", count=survey.replaced, example=survey.example))
    if survey.twice_encoded:
        found.append(doubt("doubt.twice_encoded", count=survey.twice_encoded, example=survey.example))
    return found


def about_outcome(found: Outcome) -> list[Doubt]:
    """What the counts show: too much rejected, taken away or signed off, far fewer or more than before."""
    doubts = []
    if found.rejected >= _FEW_ROWS and found.rejected >= _HALF * found.rows:
        doubts.append(doubt("doubt.rejected", count=found.rejected, rows=found.rows))
    if found.duplicates >= _FEW_ROWS and found.duplicates >= _HALF * found.rows:
        doubts.append(doubt("doubt.duplicates", count=found.duplicates, rows=found.rows))
    if found.before < _SMALL_LIST:
        return doubts
    lost = -found.shift.get("active", 0)
    if found.taken > _HALF * found.before:
        doubts.append(doubt("doubt.takes_most", count=found.taken, list=found.before))
    elif lost > _HALF * found.active_before and lost > _FEW_ROWS:
        doubts.append(doubt("doubt.signs_off", count=lost, list=found.active_before))
    if found.is_own and found.rows < _HALF * found.before:
        doubts.append(doubt("doubt.backup_shrunk", rows=found.rows, list=found.before))
    elif found.is_whole and found.rows * _TIMES < found.before:
        doubts.append(doubt("doubt.far_fewer", rows=found.rows, list=found.before))
    elif found.is_whole and found.rows > _TIMES * found.before:
        doubts.append(doubt("doubt.far_more", rows=found.rows, list=found.before))
    return doubts


def about_zones(headers: Sequence[str], *, mapping: maps.Mapping, zone: str) -> list[Doubt]:
    """Columns of times whose names say a zone that was not taken for theirs."""
    return [
        doubt("doubt.zone_unclear", column=header, named=named, zone=zone)
        for header, target in zip(headers, mapping.columns, strict=False)
        if target in DATED and (named := unclear_zone(header, zone=zone))
    ]


def about_consent(
    *,
    left: int,
    moved: tuple[int, Sequence[tuple[str, str]]],
    overruled: int,
    examples: Sequence[str],
    lost: int,
) -> list[Doubt]:
    """People who would get mail though they are out: by one of their rows (`overruled`), by a row that cannot
    be used (`lost`), by an address that they do not have any more (`moved`: how many, and some of them), or
    since a file of ours was written (`left`), which does not say of which list it is.
    """
    doubts = []
    if left:
        doubts.append(doubt("doubt.left_elsewhere", count=left))
    count, changed = moved
    if count:
        shown = ", ".join(f"{old} → {new}" for old, new in changed)
        doubts.append(doubt("doubt.moved", count=count, examples=shown))
    if overruled:
        doubts.append(doubt("doubt.overruled", count=overruled, examples=", ".join(examples)))
    if lost:
        doubts.append(doubt("doubt.out_rejected", count=lost))
    return doubts


def about_name(file_name: str, *, active: int) -> list[Doubt]:
    """A file called after people who are out, that would make people active."""
    if active > 0 and _OUT.search(file_name):
        return [doubt("doubt.name_says_out", file=file_name, count=active)]
    return []


def about_addresses(
    *, slips: Sequence[tuple[str, str, int]], mended: int, examples: Sequence[tuple[str, str]]
) -> list[Doubt]:
    """Domains that look like a slip of the finger (wrong, likely meant, how often), and mended addresses."""
    doubts = []
    if slips:
        shown = ", ".join(f"{wrong} → {right} ({count})" for wrong, right, count in slips[:EXAMPLES])
        doubts.append(doubt("doubt.slips", count=sum(count for _, _, count in slips), examples=shown))
    if mended:
        shown = ", ".join(f"“{cell[:60]}” → {email}" for cell, email in examples[:EXAMPLES])
        doubts.append(doubt("doubt.mended", count=mended, examples=shown))
    return doubts
