"""Bringing a backup back: its archive staged, then the same preview and merge as an import."""

from __future__ import annotations

from typing import BinaryIO

from django.db import transaction

from backups.actions.snapshots import lease, read_manifest, verify
from backups.archive import Manifest
from backups.models import Restore, Snapshot
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import Claim
from recipients.actions.attributes import refuse_other_types
from recipients.actions.changes import STAGE_JOBS, actor_of, change_failed, lock_change
from recipients.actions.groups import check_name
from recipients.actions.staging import digest_key_of, finish_staging
from recipients.bulk.engine import engine
from recipients.imports.columns import FIELDS
from recipients.models import (
    MOST_ATTRIBUTES,
    Blank,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    Mode,
)
from recipients.selectors import attributes_of
from recipients.signals import change_foreseen

MODES = (Mode.REFORM_AND_ADD, Mode.ADD_ONLY, Mode.UPDATE_ONLY)


def plan_restore(
    snapshot: Snapshot,
    *,
    actor: Actor,
    into: Group | None = None,
    new_name: str | None = None,
    mode: str = Mode.REFORM_AND_ADD,
) -> tuple[Restore, Job]:
    """Stage the backup's rows up to the preview: into a list, a new list, or (neither given) its own.

    A deleted list of its own comes back when the restore is applied. A list without rows has nothing to
    update or to leave untouched: all rows are added there, whatever the mode. Raises Refusal.
    """
    require(actor, account=snapshot.account, permission=Permission.RESTORE)
    if mode not in MODES:
        raise Refusal("restore.bad_mode", mode=mode)
    # Outside the transaction: damage that is found here is marked, and a refusal must not undo the mark.
    manifest = read_manifest(snapshot)
    with transaction.atomic():
        # An empty name is one that is missing, not a wish for the list of its own.
        if new_name is not None:
            new_name, group = check_name(snapshot.account, name=new_name), None
        else:
            group = into or snapshot.group
            if group.account_id != snapshot.account_id:
                raise NotFound("group.not_found")
        if _has_no_rows_yet(group):
            mode = Mode.REFORM_AND_ADD
        lease(snapshot)
        change = _record_change(
            snapshot, actor=actor, group=group, new_name=new_name or "", mode=mode, manifest=manifest
        )
        restore = Restore.objects.create(
            change=change, snapshot=snapshot, snapshot_created_at=snapshot.created_at
        )
        job = enqueue(
            STAGE_JOBS[ChangeKind.RESTORE], subject_id=change.pk, account=change.account, queue=Queue.CHANGE
        )
        change_foreseen.send(sender=Change, change=change)
    return restore, job


def _has_no_rows_yet(group: Group | None) -> bool:
    """Whether the list is new, or a deleted one whose rows are gone."""
    return group is None or not (group.is_live or engine().holds_anybody(group.pk))


def _record_change(
    snapshot: Snapshot, *, actor: Actor, group: Group | None, new_name: str, mode: str, manifest: Manifest
) -> Change:
    known = {attribute.name: attribute.type for attribute in attributes_of(snapshot.account, group=group)}
    # Nobody looks at the values of a backup again.
    told = {attribute.name: attribute.type for attribute in manifest.attributes}
    refuse_other_types(told, known, code="restore.other_type")
    # Made anew in this list alone: bringing one list back must not change another.
    missing = [
        {"name": attribute.name, "type": attribute.type, "scope": "group"}
        for attribute in manifest.attributes
        if attribute.name not in known
    ]
    if len(known) + len(missing) > MOST_ATTRIBUTES:
        raise Refusal("attribute.too_many", most=MOST_ATTRIBUTES)
    return Change.objects.create(
        account=snapshot.account,
        group=group,
        new_group_name=new_name,
        kind=ChangeKind.RESTORE,
        mode=mode,
        # Our own backup: the list becomes what it says, empty fields included.
        blank=Blank.CLEAR,
        state=ChangeState.STAGING,
        origin=actor.origin,
        user=actor.user,
        user_label=actor.label[:200],
        fields=sorted([*FIELDS, *(f"attribute:{attribute.name}" for attribute in manifest.attributes)]),
        new_attributes=missing,
        source_group_id=snapshot.group_id,
    )


def stage_restore(claim: Claim) -> None:
    """Verify the archive, stage its rows, count what the merge would do. Starts anew when repeated."""
    change = Change.objects.select_related("account", "user").get(pk=claim.job.subject_id)
    if change.has_ended or change.state == ChangeState.PREVIEW:
        return
    require(actor_of(change), account=change.account, permission=Permission.RESTORE)
    snapshot = Restore.objects.select_related("snapshot__account").get(pk=change.pk).snapshot
    if snapshot is None:
        raise Refusal("restore.backup_gone")
    lease(snapshot)
    claim.progress(done=0, total=snapshot.recipients, step="read")

    def stage(rows: BinaryIO) -> None:
        with transaction.atomic():
            claim.guard()
            engine().clear(change.pk)
            engine().open_copytext(change.pk)
        with transaction.atomic():
            # Held until all is staged: nobody else can begin with this restore meanwhile.
            claim.guard()
            digest_key = digest_key_of(change.account)
            engine().stage_copytext(
                change.pk, stream=rows, rows=snapshot.recipients or 0, digest_key=digest_key
            )

    # One reading for both. Every byte is checked before a row counts: what is staged of an archive that turns
    # out to be damaged goes with the restore, which fails.
    manifest = verify(snapshot, take_rows=stage)
    finish_staging(claim, rows=manifest.recipients, rejected=0)


def restore_staging_failed(job: Job, refusal: Refusal) -> None:
    """The backup cannot be read: the restore ends here, with the reason; the list was not touched."""
    # Rows that were staged anew for a running restore: its own job fails with the same reason.
    if lock_change(job.subject_id).state == ChangeState.STAGING:
        change_failed(job, refusal)
