"""Taking and checking backups."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import BinaryIO

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from backups import storage
from backups.archive import ArchiveDamaged, ArchiveReader, ArchiveWriter
from backups.archive import verify as verify_archive
from backups.archive.manifest import AccountHead, AttributeHead, GroupHead, Manifest, ManifestHead
from backups.models import Cause, Snapshot, SnapshotState
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.audit import record
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import Claim
from recipients.actions.changes import record_backup
from recipients.bulk.engine import engine
from recipients.models import Change, Group
from recipients.selectors import attributes_of

TAKE_JOB = "backups.take_snapshot"
# Every archive is read back at least once in this time.
VERIFY_EVERY = timedelta(days=7)
VERIFIED_AT_ONCE = 50


@transaction.atomic
def request_snapshot(
    group: Group, *, actor: Actor, cause: Cause = Cause.MANUAL, detail: str = ""
) -> tuple[Snapshot, Job]:
    """A backup of the list as it is now, made in the background."""
    require(actor, account=group.account, permission=Permission.RESTORE)
    return record_snapshot(group, actor=actor, cause=cause, detail=detail)


def record_snapshot(
    group: Group,
    *,
    actor: Actor,
    cause: Cause,
    change: Change | None = None,
    detail: str = "",
    after: Job | None = None,
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
        after=[after] if after else [],
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
    key = storage.new_key(snapshot.account_id, group_id=snapshot.group_id, snapshot_id=snapshot.pk)
    try:
        written = storage.write(key, lambda file: _produce(file, group_id=snapshot.group_id))
        with closing(storage.open(key)) as file:
            manifest = verify_archive(file, expected_sha256=written.sha256)
        with transaction.atomic():
            claim.guard()
            snapshot.archive, snapshot.size_bytes, snapshot.sha256 = key, written.size_bytes, written.sha256
            snapshot.revision, snapshot.recipients = manifest.group.revision, manifest.recipients
            _complete(snapshot)
    except BaseException:
        # The row never referred to this key: an orphan that nobody needs.
        if not Snapshot.objects.filter(archive=key).exists():
            storage.delete(key)
        raise


def _refer_to_same(snapshot: Snapshot, *, claim: Claim) -> bool:
    """An unchanged list needs no new bytes: refer to the archive of its last complete snapshot."""
    with transaction.atomic():
        claim.guard()
        group = Group.objects.select_for_update().get(pk=snapshot.group_id)
        same = (
            Snapshot.objects.select_for_update()
            .filter(
                group=group,
                revision=group.revision,
                state=SnapshotState.COMPLETE,
                damaged_code="",
                group_name=group.name,
            )
            .order_by("-pk")
            .first()
        )
        if same is None or not _is_there(same):
            return False
        snapshot.archive, snapshot.size_bytes, snapshot.sha256 = same.archive, same.size_bytes, same.sha256
        snapshot.revision, snapshot.recipients = same.revision, same.recipients
        _complete(snapshot, verified_at=same.verified_at)
    return True


def _is_there(snapshot: Snapshot) -> bool:
    try:
        return storage.size(snapshot.archive) == snapshot.size_bytes
    except Refusal:
        return False


def _complete(snapshot: Snapshot, *, verified_at: object = None) -> None:
    now = timezone.now()
    snapshot.state = SnapshotState.COMPLETE
    snapshot.completed_at = now
    snapshot.verified_at = verified_at or now  # type: ignore[assignment]
    # A failed purge or a long queue must not eat into the promised days.
    snapshot.expires_at = max(snapshot.expires_at, snapshot.created_at + timedelta(days=1))
    snapshot.save()
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


def _produce(file: BinaryIO, *, group_id: int) -> Manifest:
    """Write the archive of the list: rows, fields and settings of one moment."""
    with engine().consistent_read():
        group = Group.objects.select_related("account").get(pk=group_id)
        with ArchiveWriter(file, head=_head(group)) as writer:
            with writer.part("recipients.tsv") as sink:
                engine().dump(group_id, sink=sink)
            return writer.finish()


def _head(group: Group) -> ManifestHead:
    account = group.account
    return ManifestHead(
        taken_at=timezone.now(),
        account=AccountHead(id=account.pk, slug=account.slug, name=account.name),
        group=GroupHead(
            id=group.pk,
            name=group.name,
            info=group.info,
            locked=group.locked,
            auto_backup=group.auto_backup,
            created_at=group.created_at,
            revision=group.revision,
        ),
        attributes=tuple(
            AttributeHead(
                name=attribute.name,
                type=attribute.type,
                scope="group" if attribute.group_id else "account",
            )
            for attribute in attributes_of(account, group=group)
        ),
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


def open_archive(snapshot: Snapshot) -> BinaryIO:
    """The snapshot's archive, for reading. Raises Refusal when there is none that can be trusted."""
    if snapshot.state != SnapshotState.COMPLETE:
        raise Refusal("snapshot.not_complete", state=snapshot.state)
    if snapshot.damaged_code:
        raise Refusal("snapshot.damaged", reason=snapshot.damaged_code)
    return storage.open(snapshot.archive)


def read_manifest(snapshot: Snapshot) -> Manifest:
    """What the archive says of itself. Raises Refusal, and marks the snapshot when its file is damaged."""
    try:
        with closing(open_archive(snapshot)) as file:
            return ArchiveReader(file).manifest
    except (ArchiveDamaged, NotFound) as damage:
        _mark(snapshot, damaged_code=damage.code)
        raise


def lease(snapshot: Snapshot, *, for_: timedelta = timedelta(hours=1)) -> None:
    """Keep the archive from being purged while somebody reads it. Raises NotFound when it is too late."""
    until = timezone.now() + for_
    leased = Snapshot.objects.filter(pk=snapshot.pk, state=SnapshotState.COMPLETE).update(leased_until=until)
    if not leased:
        raise NotFound("snapshot.not_found")


def verify(snapshot: Snapshot) -> Manifest:
    """Read the archive to its end and compare every checksum. Raises Refusal, and marks the snapshot.

    Storage that cannot be reached is no damage: the mark is only for a file that is missing or differs.
    """
    try:
        with closing(storage.open(snapshot.archive)) as file:
            manifest = verify_archive(file, expected_sha256=snapshot.sha256)
        if manifest.group.id != snapshot.group_id or manifest.account.id != snapshot.account_id:
            raise ArchiveDamaged("archive.foreign")
        if manifest.recipients != snapshot.recipients:
            raise ArchiveDamaged("archive.damaged", detail="recipients")
    except (ArchiveDamaged, NotFound) as damage:
        _mark(snapshot, damaged_code=damage.code)
        raise
    _mark(snapshot, damaged_code="")
    return manifest


def verify_snapshot(snapshot: Snapshot, *, actor: Actor) -> Snapshot:
    """Read the backup back now. Raises Refusal when it is damaged or missing."""
    require(actor, account=snapshot.account, permission=Permission.RESTORE)
    if snapshot.state != SnapshotState.COMPLETE:
        raise Refusal("snapshot.not_complete", state=snapshot.state)
    try:
        verify(snapshot)
    except (ArchiveDamaged, NotFound):
        _record(snapshot, event="backup.damaged", actor=actor)
        raise
    snapshot.refresh_from_db()
    _record(snapshot, event="backup.verified", actor=actor)
    return snapshot


def verify_due() -> int:
    """Read back the archives that were not read for longest; how many. Damage is recorded, not raised."""
    before = timezone.now() - VERIFY_EVERY
    due = Snapshot.objects.filter(state=SnapshotState.COMPLETE, verified_at__lt=before).order_by(
        "verified_at"
    )
    snapshots = list(due.select_related("account")[:VERIFIED_AT_ONCE])
    for snapshot in snapshots:
        try:
            verify(snapshot)
        except (ArchiveDamaged, NotFound):
            _record(snapshot, event="backup.damaged", actor=operator(Origin.SCHEDULE))
    return len(snapshots)


@transaction.atomic
def pin(snapshot: Snapshot, *, actor: Actor, pinned: bool) -> Snapshot:
    """Keep a backup until somebody lets it go, or let it go."""
    require(actor, account=snapshot.account, permission=Permission.RESTORE)
    changed = Snapshot.objects.filter(pk=snapshot.pk, pinned=not pinned).exclude(state=SnapshotState.EXPIRED)
    if changed.update(pinned=pinned):
        _record(snapshot, event="backup.pinned" if pinned else "backup.unpinned", actor=actor)
    snapshot.refresh_from_db()
    return snapshot


def _mark(snapshot: Snapshot, *, damaged_code: str) -> None:
    # All snapshots that refer to the same archive share its fate.
    same = Snapshot.objects.filter(archive=snapshot.archive, state=SnapshotState.COMPLETE)
    same.update(
        verified_at=timezone.now() if not damaged_code else F("verified_at"), damaged_code=damaged_code
    )


def _record(snapshot: Snapshot, *, event: str, actor: Actor) -> None:
    record(
        event,
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
    )
