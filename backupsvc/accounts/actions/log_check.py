"""Going through the whole log: is it as it was written? Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from backupsvc.accounts import anchors, chain, guard
from backupsvc.accounts.actions.sealing import unsealed
from backupsvc.accounts.anchors import Anchor, AnchorUnreadable
from backupsvc.accounts.models import AuditEntry, AuditSeal

# Of a log that was rewritten as a whole, nobody reads each line.
MOST_SHOWN = 50
_SEAL = ("position", "sealed_at", "key_id", "digest", "entry_id")
_ENTRY = ("signature", "key_id", *chain.SIGNED)


@dataclass(frozen=True)
class Wrong:
    """One place where the log is not as it was written; `entry` and `position` where they are known."""

    what: str
    entry: int | None = None
    position: int | None = None


@dataclass
class LogCheck:
    """What was gone through, and what is wrong, the first place first."""

    sealed: int = 0
    unsealed: int = 0
    oldest_unsealed_seconds: float | None = None
    anchors: int = 0
    head: str = ""
    wrong: list[Wrong] = field(default_factory=list)


def check_log(*, known: Iterable[Anchor] = ()) -> LogCheck:
    """Compute every signature and every link again, and compare the anchors; `known` are further ones."""
    found = LogCheck()
    kept = [*known, *_kept(found)]
    found.anchors = len(kept)
    for table in guard.unprotected(connection):
        found.wrong.append(Wrong(f"The database would let rows of {table} be changed: run manage.py migrate"))
    _walk(found, kept=kept)
    _check_unsealed(found)
    copies = AuditEntry.objects.order_by().values("salt").annotate(count=Count("pk")).filter(count__gt=1)
    for copy in copies[:MOST_SHOWN]:
        newest = AuditEntry.objects.filter(salt=copy["salt"]).order_by("-pk").values_list("pk", flat=True)
        found.wrong.append(Wrong("It is a copy of another entry.", entry=newest[0]))
    return found


def _kept(found: LogCheck) -> list[Anchor]:
    try:
        # Before the walk: the chain only gets longer meanwhile.
        return anchors.anchors()
    except AnchorUnreadable as problem:
        found.wrong.append(Wrong(f"An anchor cannot be read: {problem}"))
        return []


def _walk(found: LogCheck, *, kept: list[Anchor]) -> None:
    noted: dict[int, set[str]] = {}
    for anchor in kept:
        noted.setdefault(anchor.position, set()).add(anchor.digest)
    position, digest = 0, chain.BEGINNING
    columns = [*_SEAL, *(f"entry__{name}" for name in _ENTRY)]
    for row in AuditSeal.objects.order_by("position").values(*columns).iterator(chunk_size=1000):
        for gone in _gap(position + 1, row["position"]):
            found.wrong.append(gone)
        before = digest if row["position"] == position + 1 else _digest_at(row["position"] - 1)
        found.wrong += _problems(row, before=before)
        position, digest = row["position"], row["digest"]
        if noted.pop(position, {digest}) != {digest}:
            place = Wrong("It is not what was noted outside the database.", row["entry_id"], position)
            found.wrong.append(place)
        found.sealed += 1
        if len(found.wrong) >= MOST_SHOWN:
            return
    found.head = digest if position else ""
    _check_end(found, position=position, noted=noted)


def _check_end(found: LogCheck, *, position: int, noted: Mapping[int, set[str]]) -> None:
    """What comes after the last entry that was walked through: entries that are gone with all behind them."""
    end = AuditSeal.objects.order_by("-position").values_list("position", flat=True).first() or 0
    found.wrong += _gap(position + 1, end + 1)
    last = max(noted, default=0)
    if last > end:
        found.wrong.append(
            Wrong(f"The log ends at {end}, but it once went on to {last}: its end was cut off.", position=end)
        )


def _gap(first: int, end: int) -> Iterator[Wrong]:
    """The places from `first` up to before `end` where no entry is."""
    if first >= end:
        return
    if end - first > MOST_SHOWN:
        yield Wrong(f"{end - first} entries are gone.", position=first)
        return
    seals = dict(
        AuditSeal.objects.filter(position__range=(first, end - 1)).values_list("position", "entry_id")
    )
    for position in range(first, end):
        if position in seals:
            yield Wrong("It was removed; its seal is still there.", seals[position], position)
        else:
            yield Wrong("An entry and its seal were removed.", position=position)


def _digest_at(position: int) -> str | None:
    return AuditSeal.objects.filter(position=position).values_list("digest", flat=True).first()


def _problems(row: Mapping[str, Any], *, before: str | None) -> Iterator[Wrong]:
    """What is wrong with one sealed entry; `before` is the digest of the one before it, None if unknown."""
    entry = {name: row[f"entry__{name}"] for name in _ENTRY}
    place = {"entry": row["entry_id"], "position": row["position"]}
    if problem := _signature_problem(entry):
        yield Wrong(problem, **place)
        return
    if before is None:
        return
    try:
        digest = chain.link(
            before,
            position=row["position"],
            sealed_at=row["sealed_at"],
            entry_id=row["entry_id"],
            entry=entry,
            key_id=row["key_id"],
        )
    except chain.KeyUnknown as key:
        yield Wrong(_unknown(key), **place)
        return
    if digest != row["digest"]:
        yield Wrong("Its seal does not fit: it, or the one before it, was moved or changed.", **place)


def _check_unsealed(found: LogCheck) -> None:
    oldest = None
    for entry in unsealed().values("pk", *_ENTRY).iterator(chunk_size=1000):
        found.unsealed += 1
        oldest = entry["at"] if oldest is None else min(oldest, entry["at"])
        problem = _signature_problem(entry)
        if problem and len(found.wrong) < MOST_SHOWN:
            found.wrong.append(Wrong(problem, entry=entry["pk"]))
    if oldest is not None:
        found.oldest_unsealed_seconds = max(0.0, (timezone.now() - oldest).total_seconds())


def _signature_problem(entry: Mapping[str, Any]) -> str:
    try:
        is_sound = chain.signature(entry, key_id=entry["key_id"]) == entry["signature"]
    except chain.KeyUnknown as key:
        return _unknown(key)
    return "" if is_sound else "It was changed, or it was not written by this program."


def _unknown(key: chain.KeyUnknown) -> str:
    return f"It was signed with the key {key}, which is not here: put that key into AUDIT_KEY_FALLBACKS."
