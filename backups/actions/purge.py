"""Removing backups: by hand, and when their time is over."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from backups import storage
from backups.actions.keys import destroy_key
from backups.actions.preparing import KEPT as KEPT_PREPARED
from backups.actions.preparing import PREPARE_JOB
from backups.actions.purge_guard import Reading, check_number, foresee, look_at_clock, refusal_of, release
from backups.models import ExpiredWhy, PreparedArchive, PurgeEntry, Snapshot, SnapshotState
from backups.selectors import is_referred_to
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.errors import Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now, uptime
from backupsvc.jobs.models import ENDED, Job, JobState
from recipients.actions.groups import last_deletion
from recipients.models import OVER, UNDER_WAY, ChangeKind, ChangeState

log = logging.getLogger(__name__)

# An expired backup is invisible at once; its file stays a little, so that who is just reading it can end.
GRACE = timedelta(hours=12)
# A file without a row younger than this may belong to a backup that is being written.
ORPHAN_AGE = timedelta(hours=24)
# A backup that is being written ends as one of these first.
EXPIRE = (SnapshotState.COMPLETE, SnapshotState.FAILED)


@transaction.atomic
def delete_snapshot(snapshot: Snapshot, *, actor: Actor) -> None:
    """Delete a backup by hand: gone from the page now, from storage after the grace time."""
    require(actor, account=snapshot.account, permission=Permission.MANAGE)
    snapshot = Snapshot.objects.select_for_update(of=("self",)).select_related("account").get(pk=snapshot.pk)
    if snapshot.pinned:
        raise Refusal("snapshot.pinned")
    if _protects_open_change(snapshot):
        raise Refusal("snapshot.in_use")
    if snapshot.state == SnapshotState.WRITING:
        raise Refusal("snapshot.being_written")
    if _protects_waiting_rows(snapshot):
        raise Refusal("snapshot.rows_wait", name=snapshot.group.name, hours=settings.UNDO_DELETION_HOURS)
    snapshot.state, snapshot.expired_why = SnapshotState.EXPIRED, ExpiredWhy.DELETED
    snapshot.expires_at = min(snapshot.expires_at, timezone.now())
    snapshot.save(update_fields=["state", "expired_why", "expires_at"])
    record(
        "backup.deleted",
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
    )


def purge_due(*, actor: Actor, account: Account | None = None, go_on: bool = False) -> int:
    """Expire what is due and remove what has expired long enough; how many backups went for good.

    Raises Refusal (purge.*) when the clock or the number cannot be right and nobody has looked at it yet;
    `go_on` says that an operator has.
    """
    now = database_now()
    guard = look_at_clock(Reading(at=now, uptime=uptime()), actor=actor)
    due = _of(account).filter(expires_at__lte=now, pinned=False, state__in=EXPIRE)
    check_number(guard, due, at=now, actor=actor)
    if go_on:
        release(guard, actor=actor)
    _bring_back(now)
    if guard.held_code:
        raise refusal_of(guard)
    for snapshot in due.iterator():
        _expire(snapshot, now=now)
    expired = _of(account).filter(state=SnapshotState.EXPIRED, expires_at__lte=now - GRACE)
    gone = sum(_purge(snapshot, actor=actor, now=now) for snapshot in expired.iterator())
    _unlink()
    if account is None:
        foresee(guard, at=now)
    return gone


def sweep_orphans() -> int:
    """Remove files that no snapshot refers to, left by attempts that died; how many."""
    before = timezone.now() - ORPHAN_AGE
    removed = 0
    for key, modified_at in storage.keys():  # noqa: SIM118  # a module's function, not a mapping's
        if modified_at < before and not is_referred_to(key):
            removed += _remove(key)
    return removed


def drop_prepared() -> int:
    """Remove archives that nobody will take over: their change has ended, or a day is over. How many went."""
    over = Q(change__state__in=OVER) | Q(created_at__lt=timezone.now() - KEPT_PREPARED)
    return sum(_drop(pk) for pk in PreparedArchive.objects.filter(over).values_list("pk", flat=True))


def _drop(pk: int) -> bool:
    """Row and key go first, in one transaction: a file that stays for a while can be read by nobody."""
    with transaction.atomic():
        prepared = PreparedArchive.objects.select_for_update().filter(pk=pk).first()
        jobs = Job.objects.filter(kind=PREPARE_JOB, subject_id=pk)
        for job in jobs.filter(state=JobState.DUE):
            runner.cancel(job)
        if prepared is None or jobs.exclude(state__in=ENDED).exists():
            return False
        destroy_key(prepared.archive)
        prepared.delete()
    # A file that stays is an orphan from now on.
    return not prepared.archive or _remove(prepared.archive)


def _of(account: Account | None) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(account=account) if account else Snapshot.objects.all()


def _bring_back(now: datetime) -> None:
    """What expired while the clock was wrong is not due after all."""
    early = Snapshot.objects.filter(
        state=SnapshotState.EXPIRED, expired_why=ExpiredWhy.DUE, expires_at__gt=now
    )
    early.filter(completed_at=None).update(state=SnapshotState.FAILED, expired_why="")
    early.update(state=SnapshotState.COMPLETE, expired_why="")


def _expire(snapshot: Snapshot, *, now: datetime) -> None:
    with transaction.atomic():
        locked = Snapshot.objects.select_for_update().get(pk=snapshot.pk)
        if locked.pinned or _is_needed(locked, now=now) or locked.state == SnapshotState.EXPIRED:
            return
        locked.state, locked.expired_why = SnapshotState.EXPIRED, ExpiredWhy.DUE
        locked.save(update_fields=["state", "expired_why"])


def _purge(snapshot: Snapshot, *, actor: Actor, now: datetime) -> bool:
    """The row goes first, in one transaction with its entries in ledger and log; then the file."""
    with transaction.atomic():
        locked = (
            Snapshot.objects.select_for_update(of=("self",))
            .select_related("account")
            .filter(pk=snapshot.pk)
            .first()
        )
        if locked is None or locked.pinned or _is_needed(locked, now=now):
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
            purged_at=now,
            file_removed=is_last,
            key_destroyed_at=now if is_last and destroy_key(locked.archive) else None,
            why=locked.expired_why or ExpiredWhy.DUE,
            purged_by=actor.label[:200],
            entry=_note(locked, actor=actor),
        )
        locked.delete()
    return True


def _note(snapshot: Snapshot, *, actor: Actor) -> AuditEntry:
    """The same in the log, where nobody changes it unnoticed."""
    return record(
        "backup.purged",
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
        recipients=snapshot.recipients,
        sha256=snapshot.sha256,
        created_at=snapshot.created_at.isoformat(),
        due_at=snapshot.expires_at.isoformat(),
    )


def _unlink() -> None:
    """Remove the files that the ledger says are gone, and note when they were; a crash only delays it."""
    for entry in PurgeEntry.objects.filter(file_removed=True, unlinked_at=None).order_by("pk"):
        if Snapshot.objects.filter(archive=entry.archive).exists():
            # The database was brought back from a copy: fsck tells of it, and the file is needed.
            continue
        if _remove(entry.archive):
            PurgeEntry.objects.filter(pk=entry.pk).update(unlinked_at=timezone.now())


def _remove(key: str) -> bool:
    """Whether the file is gone. One that stays must not keep the others; the next run tries again."""
    try:
        storage.delete(key)
    except Refusal as refusal:
        log.warning("archive not removed", extra={"key": key, "reason": refusal.code})
        return False
    return True


def _is_needed(snapshot: Snapshot, *, now: datetime) -> bool:
    """Somebody reads it, or the change that it protects has not ended or removed its rows."""
    is_leased = snapshot.leased_until is not None and snapshot.leased_until > now
    return is_leased or _protects_open_change(snapshot) or _protects_waiting_rows(snapshot)


def _protects_open_change(snapshot: Snapshot) -> bool:
    return snapshot.change is not None and snapshot.change.state in UNDER_WAY


def _protects_waiting_rows(snapshot: Snapshot) -> bool:
    """The rows of the list that was deleted have not begun to go: without it, the list would come back."""
    change, group = snapshot.change, snapshot.group
    if change is None or change.kind != ChangeKind.DELETION or change.state != ChangeState.DONE:
        return False
    return not group.is_live and group.deleted_at is None and change == last_deletion(group)
