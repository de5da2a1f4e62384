"""Reading backups back: when somebody asks, and all of them within a week."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from django.db.models import Min, QuerySet
from django.utils import timezone

from backups.actions.snapshots import note, verify
from backups.archive import ArchiveDamaged
from backups.models import Snapshot, SnapshotState
from backups.storage import ArchiveMissing
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.errors import Refusal

log = logging.getLogger(__name__)

# Every archive is read back at least once a week. Its turn comes a day earlier: a day without a worker, or a
# heap of archives, does not break the promise.
DUE_AFTER = timedelta(days=6)
# A run ends well before the task's time limit; the next one goes on with the oldest.
LONGEST_RUN = timedelta(minutes=15)


@dataclass
class Verified:
    """What a run found: how many archives are sound, which are damaged, which could not be read."""

    sound: int = 0
    damaged: list[Snapshot] = field(default_factory=list)
    unreadable: dict[str, Refusal] = field(default_factory=dict)


def verify_snapshot(snapshot: Snapshot, *, actor: Actor) -> Snapshot:
    """Read the backup back now. Raises Refusal when it is damaged or missing."""
    require(actor, account=snapshot.account, permission=Permission.RESTORE)
    if snapshot.state != SnapshotState.COMPLETE:
        raise Refusal("snapshot.not_complete", state=snapshot.state)
    was_damaged = bool(snapshot.damaged_code)
    try:
        verify(snapshot, actor=actor)
    except (ArchiveDamaged, ArchiveMissing):
        if was_damaged:
            note(snapshot, event="backup.damaged", actor=actor)
        raise
    snapshot.refresh_from_db()
    note(snapshot, event="backup.verified", actor=actor)
    return snapshot


def verify_due(*, longest: timedelta = LONGEST_RUN) -> Verified:
    """Read back the archives that were not read for longest, each file once, then the damaged ones again.

    Damage is marked, written down once and logged, not raised: one bad file must not keep the others from
    being read. What cannot be read now (storage away, key missing) is neither sound nor damaged; the first
    of these refusals is raised at the end, so that the run does not count as a good one.
    """
    found = Verified()
    ends = monotonic() + longest.total_seconds()
    for snapshot in _due():
        _verify(snapshot, found=found)
        if monotonic() > ends:
            log.warning("verification did not come to its end", extra={"sound": found.sound})
            break
    if found.unreadable:
        raise next(iter(found.unreadable.values()))
    return found


def _verify(snapshot: Snapshot, *, found: Verified) -> None:
    was_damaged = bool(snapshot.damaged_code)
    try:
        verify(snapshot)
    except (ArchiveDamaged, ArchiveMissing) as damage:
        # It may have been purged while it was read.
        if Snapshot.objects.filter(pk=snapshot.pk, state=SnapshotState.COMPLETE).exists():
            found.damaged.append(snapshot)
            log.error("backup damaged", extra={"snapshot": snapshot.pk, "code": damage.code})
    except Refusal as refusal:
        found.unreadable[snapshot.archive] = refusal
        log.warning("backup not verified", extra={"snapshot": snapshot.pk, "code": refusal.code})
    else:
        found.sound += 1
        if was_damaged:
            note(snapshot, event="backup.verified", actor=operator(Origin.SCHEDULE))


def _due() -> Iterator[Snapshot]:
    """One snapshot of each archive whose turn it is, the one that waits longest first, damaged ones last."""
    complete = Snapshot.objects.filter(state=SnapshotState.COMPLETE)
    before = timezone.now() - DUE_AFTER
    due = _archives(complete.filter(damaged_code="", verified_at__lt=before))
    # A disk that was away for an hour, a file that somebody put back: they may be sound again.
    damaged = _archives(complete.exclude(damaged_code=""))
    for archive in [*due, *damaged]:
        snapshot = complete.filter(archive=archive).select_related("account").order_by("pk").first()
        if snapshot is not None:
            yield snapshot


def _archives(snapshots: QuerySet[Snapshot]) -> list[str]:
    """The names of their files, each once."""
    waiting = snapshots.order_by().values("archive").annotate(since=Min("verified_at")).order_by("since")
    return [row["archive"] for row in waiting]
