"""What the backups app does when a list is about to change. Connected once, here."""

from __future__ import annotations

from typing import Any

from backups import policy
from backups.actions.preparing import prepare
from backups.actions.snapshots import is_just_verified, read_manifest, record_snapshot, verify
from backups.models import Cause, Snapshot, SnapshotState
from backups.selectors import copies_of
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import Job
from backupsvc.jobs.queue import wait_for
from recipients.actions.changes import actor_of, note_change
from recipients.models import Change, Group, Import
from recipients.signals import Copy, change_foreseen, change_requested, copies_asked, rows_about_to_go

CAUSES = {"import": Cause.IMPORT, "deletion": Cause.DELETION, "restore": Cause.RESTORE, "undo": Cause.UNDO}


def back_up_before(change: Change, job: Job, after: list[Job], **_signal: Any) -> None:
    """Decide whether the change wants a backup; if so, have it made before the change's job runs."""
    group = change.group
    if group is None:
        raise AssertionError(f"change {change.pk} was confirmed without a list")
    if change.backup_wanted is None:
        decision = _decide(change, group=group)
        change.backup_wanted, change.backup_why = decision.wanted, decision.why
        if not decision.wanted and decision.why != "new_list":
            note_change(change, "backup.skipped", group=group, why=decision.why)
    if change.backup_wanted:
        change.backups_taken += 1
        _snapshot, snapshot_job = record_snapshot(
            group,
            actor=actor_of(change),
            cause=Cause.API if change.origin == "api" else CAUSES[change.kind],
            change=change,
            detail=_detail(change),
            after=after,
        )
        wait_for(job, awaited=snapshot_job, must_succeed=True)
    change.save(update_fields=["backup_wanted", "backup_why", "backups_taken"])


def prepare_backup(change: Change, **_signal: Any) -> None:
    """Write the archive ahead that the change will need, if the switches stay as they are."""
    group = change.group
    # A deleted list is another one once the restore has brought it back.
    if group is not None and group.is_live and _decide(change, group=group).wanted:
        prepare(change, group=group)


def tell_of_copies(account: Account, **_signal: Any) -> dict[int, Copy]:
    """Answer what backups the account's lists have."""
    return copies_of(account)


def _decide(change: Change, *, group: Group) -> policy.Decision:
    account = change.account
    return policy.decide(
        switches=policy.Switches(
            account=account.auto_backup, group=group.auto_backup, api=account.backup_api_changes
        ),
        origin=change.origin,
        kind=change.kind,
        asked=change.backup_asked,
        # Others may have been quicker than the change: then there is something to keep.
        is_new=bool(change.new_group_name) and not group.revision,
    )


def _detail(change: Change) -> str:
    run = Import.objects.filter(pk=change.pk).first()
    return run.file_name if run else ""


def keep_rows_without_sound_copy(group: Group, change: Change, **_signal: Any) -> None:
    """Read the deletion's backup once more before its rows go for good, unless that was done just now.

    Raises Refusal when it is damaged.
    """
    if not change.backup_wanted:
        return
    snapshot = Snapshot.objects.filter(change=change, state=SnapshotState.COMPLETE).order_by("-pk").first()
    if snapshot is None:
        raise Refusal("deletion.backup_missing", name=group.name)
    if is_just_verified(snapshot):
        # The key has to be here still, too.
        read_manifest(snapshot)
    else:
        verify(snapshot)


change_foreseen.connect(prepare_backup, dispatch_uid="backups.prepare_backup")
change_requested.connect(back_up_before, dispatch_uid="backups.back_up_before")
rows_about_to_go.connect(keep_rows_without_sound_copy, dispatch_uid="backups.keep_rows_without_sound_copy")
copies_asked.connect(tell_of_copies, dispatch_uid="backups.tell_of_copies")
