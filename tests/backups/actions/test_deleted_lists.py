"""A deleted list comes back in one step with what is restored into it, or stays deleted as it was.

One file although it is long: every way back is tried against the same few states of a deleted list.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone

from backups import storage
from backups.actions.purge import delete_snapshot, purge_due
from backups.actions.restore import plan_restore
from backups.invariants import check_all
from backups.models import Snapshot
from backups.storage import StorageRefused
from backupsvc.accounts.actor import Actor, operator
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState
from backupsvc.jobs.runner import drain
from backupsvc.wording import say
from recipients.access import get_group
from recipients.actions import groups
from recipients.actions.changes import DELETE_JOB, cancel_change, confirm_change
from recipients.actions.deletion import delete_group, undo_deletion
from recipients.actions.groups import PURGE_JOB, create_group
from recipients.bulk.engine import engine
from recipients.models import Change, Group, Recipient
from recipients.selectors import groups_of, undoable_deletions
from tests.fixtures.lists import Lists, table

PEOPLE = "email,status\nanna@example.com,active\nbob@example.com,inactive\ncleo@example.com,active\n"


def deleted(lists: Lists, group: Group, *, actor: Actor | None = None) -> Change:
    """Hidden, and backed up; by command, the rows are due to go at once."""
    change = delete_group(group, actor=actor or lists.actor)
    drain(Job.objects.get(kind=DELETE_JOB, subject_id=change.pk))
    change.refresh_from_db()
    assert change.state == "done"
    return change


def backup_of(deletion: Change) -> Snapshot:
    return Snapshot.objects.get(change=deletion)


def purge_of(group: Group) -> Job:
    return Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk).latest("pk")


def let_time_to_undo_pass(group: Group) -> Job:
    job = purge_of(group)
    Job.objects.filter(pk=job.pk).exclude(state__in=ENDED).update(due_at=database_now())
    runner.run(job.pk)
    job.refresh_from_db()
    return job


def confirmed(lists: Lists, snapshot: Snapshot) -> tuple[Change, Job]:
    """A restore into the list it is of, confirmed; its job has not run yet."""
    restore, job = plan_restore(snapshot, actor=lists.actor)
    drain(job)
    change = Change.objects.get(pk=restore.pk)
    job = confirm_change(change, actor=lists.actor)
    change.refresh_from_db()
    return change, job


def come_to_nothing(
    how: str, change: Change, job: Job, *, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop the restore: by a person, or because its backup cannot be written."""

    def full(*_args: object) -> None:
        raise storage.StorageRefused("storage.full")

    if how == "cancelled":
        cancel_change(change, actor=lists.actor)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(storage, "write", full)
            drain(job)
    # What was begun of its backup.
    for other in Job.objects.exclude(state__in=ENDED).exclude(kind=PURGE_JOB):
        drain(other)
    change.refresh_from_db()
    assert change.state == how


def seen_by(lists: Lists, group: Group) -> bool:
    """Whether the list is among those that people see, and can be opened."""
    try:
        get_group(lists.actor, account=lists.account, group_id=group.pk)
    except NotFound:
        assert group not in groups_of(lists.account)
        return False
    assert group in groups_of(lists.account)
    return True


def test_the_backup_of_a_deletion_is_not_deleted_before_the_rows_are_gone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    with pytest.raises(Refusal, match=r"snapshot\.rows_wait") as refused:
        delete_snapshot(backup_of(deletion), actor=lists.actor)
    assert "Undo the deletion first" in say(refused.value)
    assert let_time_to_undo_pass(group).state == JobState.DONE
    assert not seen_by(lists, group)
    delete_snapshot(backup_of(deletion), actor=lists.actor)
    assert backup_of(deletion).state == "expired"


def test_the_backup_of_a_deletion_that_was_undone_can_be_deleted(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    undo_deletion(deletion, actor=lists.actor)
    delete_snapshot(backup_of(deletion), actor=lists.actor)
    assert backup_of(deletion).state == "expired"


def test_the_backup_of_an_earlier_deletion_can_be_deleted_while_the_last_ones_rows_wait(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    first = deleted(lists, group)
    let_time_to_undo_pass(group)
    lists.restore(backup_of(first))
    group.refresh_from_db()
    last = deleted(lists, group)
    delete_snapshot(backup_of(first), actor=lists.actor)
    with pytest.raises(Refusal, match=r"snapshot\.rows_wait"):
        delete_snapshot(backup_of(last), actor=lists.actor)


def test_the_backup_of_a_deletion_does_not_expire_before_the_rows_are_gone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    Snapshot.objects.update(expires_at=database_now() - timedelta(days=2))
    purge_due(actor=operator())
    assert backup_of(deletion).state == "complete"
    assert check_all() == []
    assert let_time_to_undo_pass(group).state == JobState.DONE
    deletion.refresh_from_db()
    assert (deletion.state, seen_by(lists, group)) == ("done", False)
    assert purge_due(actor=operator()) == 1
    assert not Snapshot.objects.filter(change=deletion).exists()


STOPPED = pytest.mark.parametrize("how", ["cancelled", "failed"])


def test_a_list_comes_back_although_its_name_is_taken_at_the_last_moment(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group("email\nanna@example.com\n")
    deletion = delete_group(group, actor=lists.actor)
    free, rivals = groups.free_name, list[Group]()

    def just_taken(account: Account, *, name: str) -> str:
        found = free(account, name=name)
        if not rivals:
            rivals.append(Group.objects.create(account=account, name=found))
        return found

    monkeypatch.setattr(groups, "free_name", just_taken)
    assert undo_deletion(deletion, actor=lists.actor).name == "News (restored 1)"
    assert Group.objects.filter(hidden_at=None).count() == 2


@STOPPED
def test_a_restore_that_comes_to_nothing_leaves_a_list_whose_rows_are_gone_deleted(
    lists: Lists, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group, actor=operator())
    let_time_to_undo_pass(group)
    group.refresh_from_db()
    was = (group.name, group.hidden_at, group.deleted_at)
    change, job = confirmed(lists, backup_of(deletion))
    assert not seen_by(lists, group)
    come_to_nothing(how, change, job, lists=lists, monkeypatch=monkeypatch)
    group.refresh_from_db()
    deletion.refresh_from_db()
    assert not seen_by(lists, group)
    assert (group.name, group.hidden_at, group.deleted_at) == was
    assert (deletion.state, deletion.deleted) == ("done", 3)
    assert check_all() == []
    # Its backup is the way back still.
    assert lists.restore(backup_of(deletion)).state == "done"
    assert seen_by(lists, group)
    assert table(group) == before


@STOPPED
def test_a_restore_that_comes_to_nothing_leaves_the_time_to_undo_as_it_was(
    lists: Lists, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group)
    due_at = purge_of(group).due_at
    # Another one, or the backup of the unchanged list would need no new file.
    Group.objects.filter(pk=group.pk).update(revision=group.revision + 1)
    change, job = confirmed(lists, backup_of(deletion))
    come_to_nothing(how, change, job, lists=lists, monkeypatch=monkeypatch)
    deletion.refresh_from_db()
    assert not seen_by(lists, group)
    assert (deletion.state, table(group)) == ("done", before)
    assert (purge_of(group).state, purge_of(group).due_at) == (JobState.DUE, due_at)
    assert undoable_deletions(lists.account) == [deletion]
    assert check_all() == []
    undo_deletion(deletion, actor=lists.actor)
    assert seen_by(lists, group)
    assert table(group) == before


def test_a_list_restored_in_the_time_to_undo_was_not_deleted_after_all(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group)
    create_group(lists.account, actor=lists.actor, name=group.name)
    change, job = confirmed(lists, backup_of(deletion))
    assert not seen_by(lists, group)
    drain(job)
    change.refresh_from_db()
    deletion.refresh_from_db()
    group.refresh_from_db()
    assert (change.state, change.unchanged, change.kept_safe) == ("done", 3, 0)
    assert seen_by(lists, group)
    assert (group.name, table(group)) == ("News (restored 1)", before)
    assert (deletion.state, deletion.deleted) == ("cancelled", 0)
    assert purge_of(group).state == JobState.CANCELLED
    assert check_all() == []


def test_rows_whose_time_is_over_stay_until_a_restore_has_judged_them(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group)
    change, job = confirmed(lists, backup_of(deletion))
    purge = let_time_to_undo_pass(group)
    group.refresh_from_db()
    assert (purge.state, purge.attempts, group.deleted_at) == (JobState.DUE, 0, None)
    assert table(group) == before
    assert check_all() == []
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.unchanged) == ("done", 3)
    assert let_time_to_undo_pass(group).state == JobState.CANCELLED
    assert seen_by(lists, group)
    assert table(group) == before


@STOPPED
def test_rows_whose_time_is_over_go_when_the_restore_came_to_nothing(
    lists: Lists, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    Group.objects.filter(pk=group.pk).update(revision=group.revision + 1)
    change, job = confirmed(lists, backup_of(deletion))
    let_time_to_undo_pass(group)
    come_to_nothing(how, change, job, lists=lists, monkeypatch=monkeypatch)
    assert Recipient.objects.count() == 3
    assert let_time_to_undo_pass(group).state == JobState.DONE
    group.refresh_from_db()
    deletion.refresh_from_db()
    assert Recipient.objects.count() == 0
    assert (group.deleted_at is None, group.recipients_count, deletion.state) == (False, 0, "done")
    assert not seen_by(lists, group)
    assert check_all() == []


def storage_away(*_args: object) -> None:
    raise StorageRefused("storage.broken", detail="no route to host")


@pytest.mark.parametrize("what", ["storage", "key"])
def test_a_list_stays_deleted_while_its_backup_cannot_be_read(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    nowhere = override_settings(ARCHIVE_KEY_PATH=tmp_path / "nowhere" / "archive.key")
    with monkeypatch.context() as patch, nowhere if what == "key" else nullcontext():
        if what == "storage":
            patch.setattr(storage, "open", storage_away)
        assert let_time_to_undo_pass(group).state == JobState.DONE
    assert timedelta(minutes=59) < purge_of(group).due_at - database_now() < timedelta(minutes=61)
    deletion.refresh_from_db()
    assert (deletion.state, seen_by(lists, group), len(table(group))) == ("done", False, 3)
    assert check_all() == []
    let_time_to_undo_pass(group)
    assert (seen_by(lists, group), len(table(group))) == (False, 0)


def test_a_list_whose_backup_cannot_be_read_for_a_week_comes_back(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    Change.objects.filter(pk=deletion.pk).update(ended_at=timezone.now() - timedelta(days=8, hours=1))
    monkeypatch.setattr(storage, "open", storage_away)
    let_time_to_undo_pass(group)
    deletion.refresh_from_db()
    assert (deletion.state, deletion.error_code) == ("failed", "storage.broken")
    assert (seen_by(lists, group), len(table(group))) == (True, 3)


def test_a_restore_is_refused_while_the_rows_are_just_being_removed(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    deletion = deleted(lists, group)
    refused = []

    def restore_meanwhile(claim: runner.Claim, **_shown: object) -> None:
        if claim.job.kind == PURGE_JOB:
            with pytest.raises(Refusal, match=r"group\.being_removed"):
                confirmed(lists, backup_of(deletion))
            refused.append(claim.job.pk)

    monkeypatch.setattr(runner.Claim, "progress", restore_meanwhile)
    purge = let_time_to_undo_pass(group)
    assert (purge.state, refused) == (JobState.DONE, [purge.pk])
    assert not seen_by(lists, group)


def test_a_list_half_of_which_is_gone_comes_back_whole(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group)
    monkeypatch.setattr(type(engine()), "removes_at_once", 1)
    with monkeypatch.context() as patch:

        def stop(_claim: runner.Claim, **_shown: object) -> None:
            raise runner.WaitAgain

        patch.setattr(runner.Claim, "progress", stop)
        assert let_time_to_undo_pass(group).state == JobState.DUE
    assert Recipient.objects.count() == 2
    change, job = confirmed(lists, backup_of(deletion))
    let_time_to_undo_pass(group)
    assert (Recipient.objects.count(), seen_by(lists, group)) == (2, False)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.added, table(group)) == ("done", 1, before)
    assert let_time_to_undo_pass(group).state == JobState.CANCELLED
    assert seen_by(lists, group)
    assert check_all() == []


def test_a_restore_confirmed_before_the_deletion_has_its_backup_comes_after_it(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    snapshot = Snapshot.objects.get(change=lists.load("email\ndora@example.com\n", into=group))
    now = table(group)
    deletion = delete_group(group, actor=lists.actor)
    change, job = confirmed(lists, snapshot)
    assert change.state == "queued"
    assert not seen_by(lists, group)
    drain(job)
    change.refresh_from_db()
    deletion.refresh_from_db()
    assert (change.state, deletion.state, deletion.deleted) == ("done", "cancelled", 0)
    assert seen_by(lists, group)
    assert before.keys() < now.keys() == table(group).keys()
    purges = Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk)
    assert not purges.exclude(state__in=ENDED).exists()
    assert check_all() == []


def test_a_list_deleted_again_after_a_restore_has_its_whole_time_to_undo(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    snapshot = Snapshot.objects.get(change=lists.load("email\ndora@example.com\n", into=group))
    before = table(group)
    delete_group(group, actor=lists.actor)
    drain(confirmed(lists, snapshot)[1])
    first = set(Job.objects.filter(kind=PURGE_JOB).values_list("pk", flat=True))
    group.refresh_from_db()
    deletion = deleted(lists, group)
    Job.objects.filter(pk__in=first).update(due_at=database_now())
    assert not any(runner.run(pk) for pk in first)
    assert table(group) == before
    assert purge_of(group).due_at > database_now() + timedelta(hours=23)
    undo_deletion(deletion, actor=lists.actor)
    assert seen_by(lists, group)
    assert table(group) == before


def test_one_of_two_restores_brings_the_list_back_though_the_first_was_stopped(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    deletion = deleted(lists, group, actor=operator())
    let_time_to_undo_pass(group)
    first, _job = confirmed(lists, backup_of(deletion))
    second, job = confirmed(lists, backup_of(deletion))
    cancel_change(first, actor=lists.actor)
    assert (second.state, seen_by(lists, group)) == ("queued", False)
    drain(job)
    second.refresh_from_db()
    assert (second.state, second.added, table(group)) == ("done", 3, before)
    assert seen_by(lists, group)
    assert check_all() == []


def test_nothing_is_imported_into_a_list_that_is_still_to_come_back(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = lists.preview("email\ndora@example.com\n", into=group)
    deletion = deleted(lists, group)
    _restore, job = confirmed(lists, backup_of(deletion))
    with pytest.raises(Refusal, match=r"group\.deleted_meanwhile"):
        confirm_change(change, actor=lists.actor)
    drain(job)
    drain(confirm_change(change, actor=lists.actor))
    assert Recipient.objects.filter(group=group).count() == 4
