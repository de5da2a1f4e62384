"""Deleting a list: hide it, back it up, let people undo, remove the rows."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor, Origin
from backupsvc.errors import Refusal, Unavailable
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, Queue
from backupsvc.jobs.queue import enqueue, wait_for
from backupsvc.jobs.runner import Claim, WaitAgain
from recipients.actions.changes import (
    APPLY_JOB,
    DELETE_JOB,
    actor_of,
    as_promised,
    check_no_backup,
    holds_sound_backup,
    lock_change,
    note_change,
)
from recipients.actions.groups import (
    PURGE_JOB,
    STANDING,
    call_off_deletion,
    free_name,
    last_deletion,
    lock_group,
    raise_revision,
    revive_group,
)
from recipients.bulk.engine import engine
from recipients.models import UNDER_WAY, Change, ChangeKind, ChangeState, Group
from recipients.signals import change_requested, rows_about_to_go

# Where the backup cannot be read just now, the rows are looked at again after an hour, for a week.
PUT_OFF_BY, LONGEST_PUT_OFF = timedelta(hours=1), timedelta(days=7)

log = logging.getLogger(__name__)


@transaction.atomic
def delete_group(
    group: Group,
    *,
    actor: Actor,
    backup: bool | None = None,
    promised: bool = False,
    typed_name: str = "",
) -> Change:
    """Hide the list at once; its rows go after its backup is verified and the time to undo is over.

    `backup` and `promised` as in `confirm_change`. Raises Refusal: group.locked, group.busy.
    """
    require(actor, account=group.account, permission=Permission.EDIT)
    group = lock_group(group.pk)
    if not group.is_live:
        raise Refusal("group.deleted_meanwhile", name=group.name)
    if group.locked:
        raise Refusal("group.locked", name=group.name)
    if Change.objects.filter(group=group, state__in=UNDER_WAY).exists():
        raise Refusal("group.busy", name=group.name)
    backup = as_promised(group, backup=backup, promised=promised)
    check_no_backup(group, actor=actor, backup=backup, typed_name=typed_name)
    now = timezone.now()
    change = Change.objects.create(
        account=group.account,
        group=group,
        kind=ChangeKind.DELETION,
        state=ChangeState.ACTIVE,
        origin=actor.origin,
        user=actor.user,
        user_label=actor.label[:200],
        confirmed_at=now,
        backup_asked=backup,
        rows=group.recipients_count,
    )
    group.hidden_at = now
    group.save(update_fields=["hidden_at"])
    job = enqueue(DELETE_JOB, subject_id=change.pk, account=group.account, queue=Queue.CHANGE)
    change_requested.send(sender=Change, change=change, job=job, after=[])
    note_change(
        change,
        "group.deletion_requested",
        group=group,
        actor=actor,
        recipients=group.recipients_count,
        backup=change.backup_wanted,
        backup_why=change.backup_why,
    )
    return change


@transaction.atomic
def undo_deletion(change: Change, *, actor: Actor) -> Group:
    """Show the list again, just as it was. Raises Refusal when its rows have begun to go.

    Only the list's last deletion can be undone: an earlier one says nothing of the rows that are there now.
    """
    require(actor, account=change.account, permission=Permission.EDIT)
    group = lock_group(change.group_id or 0)
    change = lock_change(change.pk)
    if change.kind != ChangeKind.DELETION:
        raise Refusal("deletion.not_one")
    if group.is_live:
        return group
    if group.deleted_at is not None or change.state not in STANDING or change != last_deletion(group):
        raise Refusal("deletion.too_late", name=group.name)
    for job in Job.objects.filter(kind=DELETE_JOB, subject_id=change.pk):
        runner.cancel(job)
    group = revive_group(group, actor=actor)
    note_change(change, "group.deletion_undone", group=group, actor=actor)
    return group


def finish_deletion(claim: Claim) -> None:
    """The backup is there and verified (or none is wanted): the deletion stands, until it is undone."""
    with transaction.atomic():
        claim.guard()
        change = Change.objects.get(pk=claim.job.subject_id)
        group = lock_group(change.group_id or 0)
        change = lock_change(change.pk)
        if change.has_ended:
            return
        if group.is_live:
            call_off_deletion(change)
            return
        require(actor_of(change), account=change.account, permission=Permission.EDIT)
        waits = not holds_sound_backup(change, group=group, job=claim.job)
        if not waits:
            _stand(change, group=group)
    if waits:
        raise WaitAgain


def _stand(change: Change, *, group: Group) -> None:
    change.state = ChangeState.DONE
    change.ended_at = timezone.now()
    change.rows = change.updated = change.deleted = group.recipients_count
    change.save(update_fields=["state", "ended_at", "rows", "updated", "deleted"])
    # A script that deletes has nobody who could press Undo; its verified backup is the way back.
    at_once = change.origin == Origin.COMMAND and change.backup_wanted
    window = timedelta(0) if at_once else timedelta(hours=settings.UNDO_DELETION_HOURS)
    enqueue(
        PURGE_JOB,
        subject_id=group.pk,
        account=change.account,
        queue=Queue.MAINTENANCE,
        due_at=database_now() + window,
    )
    note_change(change, "group.deleted", group=group, recipients=change.deleted)


def deletion_failed(job: Job, refusal: Refusal) -> None:
    """Nothing was deleted: the list is back in its place, and the change says why."""
    # The list first, as everywhere: two that lock in different orders would wait for each other.
    lock_group(Change.objects.get(pk=job.subject_id).group_id or 0)
    change = lock_change(job.subject_id)
    if not change.has_ended:
        _bring_back(change, refusal=refusal)


def purge_group(claim: Claim) -> None:
    """Remove the rows of a list whose time to undo is over, in batches; harmless when repeated."""
    group = Group.objects.get(pk=claim.job.subject_id)
    change = _deletion_purged_by(claim.job, group=group)
    if change is None:
        return
    if group.deleted_at is None:
        try:
            rows_about_to_go.send(sender=Group, group=group, change=change)
        except Unavailable as refusal:
            _put_off(claim, change=change, refusal=refusal)
            return
    if not _begin_purge(claim):
        return
    _purge_rows(group, change=change, claim=claim)
    with transaction.atomic():
        claim.guard()
        group = lock_group(group.pk)
        Group.objects.filter(pk=group.pk).update(
            active_count=0, unconfirmed_count=0, inactive_count=0, bounced_count=0
        )
        raise_revision(group)


def _put_off(claim: Claim, *, change: Change, refusal: Refusal) -> None:
    """Whether the backup is sound cannot be told now: look again in an hour; the deletion stands.

    Raises the refusal when that has gone on for too long.
    """
    to_undo = timedelta(hours=settings.UNDO_DELETION_HOURS)
    if timezone.now() > (change.ended_at or timezone.now()) + to_undo + LONGEST_PUT_OFF:
        raise refusal
    log.warning("the rows of a deleted list stay: %s", refusal, extra={"group": claim.job.subject_id})
    with transaction.atomic():
        claim.guard()
        enqueue(
            PURGE_JOB,
            subject_id=claim.job.subject_id,
            account=claim.job.account,
            queue=Queue.MAINTENANCE,
            due_at=database_now() + PUT_OFF_BY,
        )


def purge_failed(job: Job, refusal: Refusal) -> None:
    """The backup cannot be read any more: the rows are the only copy, so the list comes back."""
    group = lock_group(job.subject_id)
    change = _deletion_purged_by(job, group=group)
    if change is not None and group.deleted_at is None:
        _bring_back(lock_change(change.pk), refusal=refusal)


def _deletion_purged_by(job: Job, *, group: Group) -> Change | None:
    """The deletion whose rows the job removes; None when it was undone, or restored from, and so is over.

    A list may be deleted again afterwards: then another job removes its rows, when their own time is over.
    """
    change = None if group.is_live else last_deletion(group)
    is_over = Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk, pk__gt=job.pk).exists()
    return None if is_over or change is None or change.state != ChangeState.DONE else change


def _begin_purge(claim: Claim) -> bool:
    """Whether the rows are to go now. Raises WaitAgain while a restore may bring the list back."""
    with transaction.atomic():
        claim.guard()
        group = lock_group(claim.job.subject_id)
        if _deletion_purged_by(claim.job, group=group) is None:
            return False
        waits = _waits_for_restore(group, job=claim.job)
        if not waits and group.deleted_at is None:
            # From here on Undo refuses, and a restore until all are gone; the backup is the way back.
            group.deleted_at = timezone.now()
            group.save(update_fields=["deleted_at"])
            raise_revision(group)
    if waits:
        raise WaitAgain
    return True


def _waits_for_restore(group: Group, *, job: Job) -> bool:
    """Let the rows stay until confirmed restores have ended: they go if the list was not brought back."""
    restores = Change.objects.filter(group=group, state__in=UNDER_WAY)
    jobs = Job.objects.filter(kind=APPLY_JOB, subject_id__in=restores.values("pk")).exclude(state__in=ENDED)
    for awaited in jobs:
        wait_for(job, awaited=awaited, must_succeed=False)
    return bool(jobs)


def _purge_rows(group: Group, *, change: Change, claim: Claim) -> None:
    removed, last = 0, ""
    while True:
        with transaction.atomic():
            claim.guard()
            gone, last = engine().remove_batch(group.pk, most=engine().removes_at_once, after=last)
        if not gone:
            return
        removed += gone
        claim.progress(done=removed, total=change.deleted, step="purge")


def _bring_back(change: Change, *, refusal: Refusal) -> None:
    group = lock_group(change.group_id or 0)
    if not group.is_live:
        # Another list may have taken its name meanwhile.
        group.name = free_name(group.account, name=group.name)
        group.hidden_at = None
        group.save(update_fields=["name", "hidden_at"])
    change.state = ChangeState.FAILED
    change.ended_at = timezone.now()
    change.deleted = change.updated = 0
    change.error_code, change.error_params = refusal.code, dict(refusal.params)
    change.save(update_fields=["state", "ended_at", "deleted", "updated", "error_code", "error_params"])
    note_change(change, "group.deletion_failed", group=group, error=refusal.code)
