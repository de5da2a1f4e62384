"""Removing backups: by hand, and when their time is over."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from backups import storage
from backups.models import PurgeEntry, Snapshot, SnapshotState
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from recipients.models import UNDER_WAY

# An expired backup is invisible at once; its file stays a little, so that who is just reading it can end.
GRACE = timedelta(hours=12)
# A file without a row younger than this may belong to a backup that is being written.
ORPHAN_AGE = timedelta(hours=24)


@transaction.atomic
def delete_snapshot(snapshot: Snapshot, *, actor: Actor) -> None:
    """Delete a backup by hand: gone from the page now, from storage after the grace time."""
    require(actor, account=snapshot.account, permission=Permission.MANAGE)
    snapshot = Snapshot.objects.select_for_update(of=("self",)).select_related("account").get(pk=snapshot.pk)
    if snapshot.pinned:
        raise Refusal("snapshot.pinned")
    if _protects_open_change(snapshot):
        raise Refusal("snapshot.in_use")
    snapshot.state = SnapshotState.EXPIRED
    snapshot.expires_at = min(snapshot.expires_at, timezone.now())
    snapshot.save(update_fields=["state", "expires_at"])
    record(
        "backup.deleted",
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
    )


def purge_due(*, actor: Actor, account: Account | None = None) -> int:
    """Expire what is due and remove what has expired long enough; how many backups went for good."""
    now = timezone.now()
    ours = Q(account=account) if account else Q()
    due = Snapshot.objects.filter(ours, expires_at__lte=now, pinned=False)
    for snapshot in due.filter(state__in=[SnapshotState.COMPLETE, SnapshotState.FAILED]).iterator():
        _expire(snapshot)
    expired = Snapshot.objects.filter(ours, state=SnapshotState.EXPIRED, expires_at__lte=now - GRACE)
    gone: dict[int, int] = {}
    for snapshot in expired.select_related("account").iterator():
        if _purge(snapshot, why="deleted" if snapshot.completed_at is None else "due"):
            gone[snapshot.account_id] = gone.get(snapshot.account_id, 0) + 1
    for account_id, count in gone.items():
        record("backup.purged", account=Account.objects.get(pk=account_id), actor=actor, count=count)
    return sum(gone.values())


def sweep_orphans() -> int:
    """Remove files that no snapshot refers to, left by attempts that died; how many."""
    before = timezone.now() - ORPHAN_AGE
    removed = 0
    for key, modified_at in storage.keys():  # noqa: SIM118  # a module's function, not a mapping's
        if modified_at < before and not Snapshot.objects.filter(archive=key).exists():
            storage.delete(key)
            removed += 1
    return removed


def _expire(snapshot: Snapshot) -> None:
    with transaction.atomic():
        locked = Snapshot.objects.select_for_update().get(pk=snapshot.pk)
        if locked.pinned or _is_needed(locked) or locked.state == SnapshotState.EXPIRED:
            return
        locked.state = SnapshotState.EXPIRED
        locked.save(update_fields=["state"])


def _purge(snapshot: Snapshot, *, why: str) -> bool:
    """The row goes first, in one transaction with its ledger entry; then the file.

    A crash in between leaves a file without a row: the sweep of orphans takes it.
    """
    with transaction.atomic():
        locked = Snapshot.objects.select_for_update().filter(pk=snapshot.pk).first()
        if locked is None or locked.pinned or _is_needed(locked):
            return False
        others = Snapshot.objects.filter(archive=locked.archive).exclude(pk=locked.pk)
        is_last = bool(locked.archive) and not others.exists()
        PurgeEntry.objects.create(
            account_id=locked.account_id,
            group_id=locked.group_id,
            snapshot_id=locked.pk,
            archive=locked.archive,
            sha256=locked.sha256,
            recipients=locked.recipients,
            created_at=locked.created_at,
            expired_at=locked.expires_at,
            file_removed=is_last,
            why=why,
        )
        archive = locked.archive
        locked.delete()
    if is_last:
        storage.delete(archive)
    return True


def _is_needed(snapshot: Snapshot) -> bool:
    """Somebody reads it, or the change that it protects has not ended."""
    is_leased = snapshot.leased_until is not None and snapshot.leased_until > timezone.now()
    return is_leased or _protects_open_change(snapshot)


def _protects_open_change(snapshot: Snapshot) -> bool:
    return snapshot.change is not None and snapshot.change.state in UNDER_WAY
