"""Taking and checking backups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from backups import storage
from backups.actions.archives import archived
from backups.actions.keys import identity_of
from backups.actions.preparing import jobs_preparing, prepared_for, same_as
from backups.archive import ArchiveDamaged, ArchiveReader
from backups.archive import verify as verify_archive
from backups.archive.manifest import Manifest
from backups.models import Cause, PreparedArchive, Snapshot, SnapshotState
from backups.selectors import copies_of
from backups.storage import ArchiveMissing
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import Claim
from recipients.actions.changes import record_backup
from recipients.actions.groups import lock_group
from recipients.models import Change, Group

TAKE_JOB = "backups.take_snapshot"
# What is known of a backup when it is there; the rest is others' to change while it is being written.
FOUND = (
    *("state", "completed_at", "verified_at", "expires_at"),
    *("archive", "size_bytes", "sha256", "revision", "recipients"),
)
# Reading a file again so soon would tell nothing that is not known.
JUST_NOW = timedelta(minutes=5)
# One that is let go stays so long at least: who did not mean it has a day to keep it again.
AFTER_PIN = timedelta(days=1)


@transaction.atomic
def request_snapshot(
    group: Group, *, actor: Actor, cause: Cause = Cause.MANUAL, detail: str = ""
) -> tuple[Snapshot, Job]:
    """A backup of the list as it is now, made in the background."""
    require(actor, account=group.account, permission=Permission.RESTORE)
    return record_snapshot(group, actor=actor, cause=cause, detail=detail)


@transaction.atomic
def request_missing(account: Account, groups: Iterable[Group], *, actor: Actor) -> int:
    """A backup of each of these lists that has none of its present state: of how many."""
    require(actor, account=account, permission=Permission.RESTORE)
    copies = copies_of(account)
    count = 0
    for group in groups:
        copy = copies.get(group.pk)
        if copy is None or not (copy.is_current or copy.is_coming):
            record_snapshot(group, actor=actor, cause=Cause.MANUAL)
            count += 1
    return count


def record_snapshot(
    group: Group,
    *,
    actor: Actor,
    cause: Cause,
    change: Change | None = None,
    detail: str = "",
    after: Sequence[Job] = (),
) -> tuple[Snapshot, Job]:
    """The snapshot's row and its job. Call inside the transaction that asks for it."""
    account = group.account
    now = timezone.now()
    snapshot = Snapshot.objects.create(
        account=account,
        group=group,
        group_name=group.name,
        cause=cause,
        change=change,
        detail=detail[:255],
        user=actor.user,
        user_label=actor.label[:200],
        origin=actor.origin,
        created_at=now,
        expires_at=now + timedelta(days=account.retention_days),
    )
    job = enqueue(
        TAKE_JOB,
        subject_id=snapshot.pk,
        account=account,
        queue=Queue.SNAPSHOT,
        # What is being prepared is what this one will take over.
        after=[*after, *jobs_preparing(group)],
    )
    return snapshot, job


def take_snapshot(claim: Claim) -> None:
    """Write the archive, read it back, and only then call the snapshot complete."""
    snapshot = Snapshot.objects.select_related("account", "group").get(pk=claim.job.subject_id)
    if snapshot.state != SnapshotState.WRITING:
        return
    claim.progress(done=0, total=snapshot.group.recipients_count, step="backup")
    if _refer_to_same(snapshot, claim=claim):
        return
    with (
        archived(snapshot.account, group_id=snapshot.group_id, attempt_of=snapshot.pk) as written,
        transaction.atomic(),
    ):
        claim.guard()
        written.keep_for(snapshot)
        _complete(snapshot)


def _refer_to_same(snapshot: Snapshot, *, claim: Claim) -> bool:
    """An unchanged list needs no new bytes: its last snapshot has them, or they were written ahead."""
    with transaction.atomic():
        claim.guard()
        group = lock_group(snapshot.group_id)
        same = same_as(group) or prepared_for(group)
        if same is None or not _is_there(same):
            return False
        snapshot.archive, snapshot.size_bytes, snapshot.sha256 = same.archive, same.size_bytes, same.sha256
        snapshot.revision, snapshot.recipients = same.revision, same.recipients
        if isinstance(same, PreparedArchive):
            same.delete()
        _complete(snapshot, verified_at=same.verified_at)
    return True


def _is_there(same: Snapshot | PreparedArchive) -> bool:
    try:
        return storage.size(same.archive) == same.size_bytes
    except Refusal:
        return False


def _complete(snapshot: Snapshot, *, verified_at: object = None) -> None:
    now = timezone.now()
    snapshot.state = SnapshotState.COMPLETE
    snapshot.completed_at = now
    snapshot.verified_at = verified_at or now  # type: ignore[assignment]
    # The promised days begin when it is there: a long queue must not eat into them.
    snapshot.expires_at += now - snapshot.created_at
    snapshot.save(update_fields=FOUND)
    if snapshot.change is not None and snapshot.revision is not None:
        record_backup(snapshot.change, snapshot_id=snapshot.pk, revision=snapshot.revision)
    record(
        "backup.made",
        account=snapshot.account,
        actor=Actor(user=snapshot.user, origin=Origin(snapshot.origin)),
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
        cause=snapshot.cause,
        recipients=snapshot.recipients,
        size_bytes=snapshot.size_bytes,
    )


def snapshot_failed(job: Job, refusal: Refusal) -> None:
    """The backup could not be made; the change that waits for it fails by itself."""
    snapshot = (
        Snapshot.objects.select_for_update(of=("self",)).select_related("account").get(pk=job.subject_id)
    )
    if snapshot.state != SnapshotState.WRITING:
        return
    snapshot.state = SnapshotState.FAILED
    snapshot.error_code, snapshot.error_params = refusal.code, dict(refusal.params)
    snapshot.save(update_fields=["state", "error_code", "error_params"])
    record(
        "backup.failed",
        account=snapshot.account,
        actor=Actor(user=snapshot.user, origin=Origin(snapshot.origin)),
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
        error=refusal.code,
    )


@contextmanager
def open_archive(snapshot: Snapshot) -> Iterator[ArchiveReader]:
    """The snapshot's archive, for reading. Raises Refusal when there is none that can be trusted."""
    if snapshot.state != SnapshotState.COMPLETE:
        raise Refusal("snapshot.not_complete", state=snapshot.state)
    if snapshot.damaged_code:
        raise Refusal("snapshot.damaged", reason=snapshot.damaged_code)
    identity = identity_of(snapshot)
    with storage.reading(snapshot.archive) as file:
        yield ArchiveReader(file, identity=identity)


def read_manifest(snapshot: Snapshot) -> Manifest:
    """What the archive says of itself. Raises Refusal, and marks the snapshot when its file is damaged."""
    try:
        with open_archive(snapshot) as archive:
            return archive.manifest
    except (ArchiveDamaged, ArchiveMissing) as damage:
        _mark(snapshot, damaged_code=damage.code)
        raise


def lease(snapshot: Snapshot, *, for_: timedelta = timedelta(hours=1)) -> None:
    """Keep the archive from being purged while somebody reads it. Raises NotFound when it is too late."""
    until = timezone.now() + for_
    leased = Snapshot.objects.filter(pk=snapshot.pk, state=SnapshotState.COMPLETE).update(leased_until=until)
    if not leased:
        raise NotFound("snapshot.not_found")


def verify(
    snapshot: Snapshot,
    *,
    actor: Actor | None = None,
    take_rows: Callable[[BinaryIO], object] | None = None,
) -> Manifest:
    """Read the archive to its end and compare every checksum. Raises Refusal, and marks the snapshot.

    Damage that nobody knew of is written down, as found by `actor` (None: the schedule). `take_rows` is given
    the rows as they are read: what it makes of them is to be thrown away when this raises.

    Storage that cannot be reached and a key that is not here are no damage: the mark is only for a file
    that is missing or differs.
    """
    try:
        manifest = read_back(snapshot, take_rows=take_rows)
        if (manifest.group.id, manifest.account.id) != (snapshot.group_id, snapshot.account_id):
            raise ArchiveDamaged("archive.foreign")
        if (manifest.group.revision, manifest.recipients) != (snapshot.revision, snapshot.recipients):
            raise ArchiveDamaged("archive.other_state")
    except (ArchiveDamaged, ArchiveMissing) as damage:
        _mark(snapshot, damaged_code=damage.code, actor=actor)
        raise
    _mark(snapshot, damaged_code="")
    return manifest


def is_just_verified(snapshot: Snapshot) -> bool:
    """Whether the archive was read back within the last minutes, and nobody has written to it since."""
    verified_at = snapshot.verified_at
    if verified_at is None or snapshot.damaged_code or verified_at < timezone.now() - JUST_NOW:
        return False
    return _is_there(snapshot) and storage.last_written(snapshot.archive) < verified_at


def read_back(
    snapshot: Snapshot | PreparedArchive, *, take_rows: Callable[[BinaryIO], object] | None = None
) -> Manifest:
    """The same as `verify` for who marks nothing. Raises Refusal."""
    identity = identity_of(snapshot)
    with storage.reading(snapshot.archive) as file:
        return verify_archive(file, identity=identity, expected_sha256=snapshot.sha256, take_rows=take_rows)


@transaction.atomic
def pin(snapshot: Snapshot, *, actor: Actor, pinned: bool) -> Snapshot:
    """Keep a backup until somebody lets it go, or let it go: for a day still, if its time is over."""
    require(actor, account=snapshot.account, permission=Permission.RESTORE)
    changed = Snapshot.objects.filter(pk=snapshot.pk, pinned=not pinned).exclude(state=SnapshotState.EXPIRED)
    if changed.update(pinned=pinned):
        if not pinned:
            soonest = timezone.now() + AFTER_PIN
            Snapshot.objects.filter(pk=snapshot.pk, expires_at__lt=soonest).update(expires_at=soonest)
        note(snapshot, event="backup.pinned" if pinned else "backup.unpinned", actor=actor)
    snapshot.refresh_from_db()
    return snapshot


@transaction.atomic
def _mark(snapshot: Snapshot, *, damaged_code: str, actor: Actor | None = None) -> None:
    """Mark and log entry come together: who dies between them would have marked it without a word."""
    # All snapshots that refer to the same archive share its fate.
    same = Snapshot.objects.filter(archive=snapshot.archive, state=SnapshotState.COMPLETE)
    is_news = bool(damaged_code) and same.filter(pk=snapshot.pk, damaged_code="").exists()
    same.update(
        verified_at=timezone.now() if not damaged_code else F("verified_at"), damaged_code=damaged_code
    )
    if is_news:
        note(snapshot, event="backup.damaged", actor=actor or operator(Origin.SCHEDULE))


def note(snapshot: Snapshot, *, event: str, actor: Actor) -> None:
    """Write down what happened to a backup."""
    record(
        event,
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
    )
