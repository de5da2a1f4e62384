"""When backups go for good, and the ledger of those that went."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from backups import storage
from backups.actions.purge import GRACE
from backups.actions.purge_guard import refusal_of
from backups.invariants.archives import place_of
from backups.invariants.finding import VERY_LATE, Broken
from backups.models import PurgeEntry, PurgeGuard, Snapshot, SnapshotState
from backupsvc.accounts.models import AuditEntry
from backupsvc.errors import Refusal
from backupsvc.wording import say
from recipients.models import UNDER_WAY, ChangeKind


def purged_in_time() -> Iterator[Broken]:
    """Neither before a backup was due, nor long after; and the ledger and the rows agree."""
    late = timezone.now() - VERY_LATE
    open_changes = Q(change__state__in=UNDER_WAY)
    waiting_rows = Q(
        change__kind=ChangeKind.DELETION, group__hidden_at__isnull=False, group__deleted_at__isnull=True
    )
    alive = Snapshot.objects.filter(pinned=False, expires_at__lt=late).exclude(
        Q(leased_until__gt=timezone.now()) | open_changes | waiting_rows | Q(state=SnapshotState.WRITING)
    )
    for snapshot in alive.iterator():
        yield Broken(
            place_of(snapshot),
            f"It was due at {snapshot.expires_at:%Y-%m-%d %H:%M} UTC and is still there.",
            "Run: manage.py backups purge. See that the scheduler is running.",
        )
    for entry in PurgeEntry.objects.filter(purged_at__lt=F("expired_at") + GRACE).iterator():
        yield Broken(
            f"ledger entry {entry.pk} (backup {entry.snapshot_id})",
            "The backup was purged before it was due.",
            "See whether the clock of a server is wrong.",
        )
    rows_too = PurgeEntry.objects.filter(Exists(Snapshot.objects.filter(pk=OuterRef("snapshot_id"))))
    for entry in rows_too.iterator():
        yield Broken(
            f"ledger entry {entry.pk} (backup {entry.snapshot_id})",
            "The ledger says that the backup was purged, but it is there.",
            "Was a copy of the database brought back? Then run: manage.py backups verify --all",
        )


def purge_is_going() -> Iterator[Broken]:
    """Nothing keeps old backups from being removed."""
    for guard in PurgeGuard.objects.exclude(held_code=""):
        yield Broken(
            "the purge",
            say(refusal_of(guard)),
            "Look at the clock and at the backups that are due; then: manage.py backups purge --go-on",
        )


def ledger_is_true() -> Iterator[Broken]:
    """What the ledger says is in the log too, word for word, and the other way round."""
    do = "Somebody has changed the ledger: find out who can write to the database."
    for entry in PurgeEntry.objects.filter(entry__isnull=False).select_related("entry").iterator():
        if entry.entry is not None and _noted(entry) != _logged(entry.entry):
            yield Broken(_ledger_place(entry), "The log tells of it in another way.", do)
    in_ledger = PurgeEntry.objects.filter(entry=OuterRef("pk"))
    missing = AuditEntry.objects.filter(~Exists(in_ledger), event="backup.purged", data__has_key="snapshot")
    for line in missing.iterator():
        yield Broken(f"backup {line.data['snapshot']}", "It was purged, but the ledger does not have it.", do)


def what_went_is_gone() -> Iterator[Broken]:
    """The files that the ledger says are gone are not in the storage."""
    late = timezone.now() - VERY_LATE
    for entry in PurgeEntry.objects.filter(file_removed=True, unlinked_at=None, purged_at__lt=late):
        yield Broken(
            _ledger_place(entry),
            "Its file could not be removed for more than a day.",
            "See what keeps the storage from removing files, then run: manage.py backups purge",
        )
    try:
        for key, _modified_at in storage.keys():  # noqa: SIM118  # a module, not a dict
            for entry in PurgeEntry.objects.filter(archive=key, unlinked_at__isnull=False):
                yield Broken(
                    _ledger_place(entry),
                    "The ledger says that its file is gone, but it is there.",
                    "Was a copy of the storage brought back? Remove the file "
                    f"{key}, or wait for the purge, which removes files of no backup after a day.",
                )
    except Refusal as refusal:
        yield Broken("the storage of the backups", say(refusal), "Mend the storage, then check again.")


def _noted(entry: PurgeEntry) -> tuple[object, ...]:
    return (
        entry.account_id,
        entry.group_id,
        entry.snapshot_id,
        entry.recipients,
        entry.sha256,
        entry.created_at.isoformat(),
        entry.expired_at.isoformat(),
    )


def _logged(line: AuditEntry) -> tuple[object, ...]:
    names = ("snapshot", "recipients", "sha256", "created_at", "due_at")
    return (line.account_id, line.group_id, *(line.data.get(name) for name in names))


def _ledger_place(entry: PurgeEntry) -> str:
    return f"ledger entry {entry.pk} (backup {entry.snapshot_id})"
