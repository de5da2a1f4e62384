"""Deleting a list: hidden at once, rows gone only after a verified backup, undone until then."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backups import storage
from backups.models import Snapshot
from backupsvc.accounts.actor import Origin, operator
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.errors import Forbidden, Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Job, JobState, Queue
from backupsvc.jobs.queue import enqueue
from recipients.actions.changes import DELETE_JOB
from recipients.actions.deletion import delete_group, undo_deletion
from recipients.actions.groups import PURGE_JOB, change_group, create_group
from recipients.actions.recipients import unsubscribe
from recipients.bulk.engine import engine
from recipients.models import Change, Group, OptOut, Recipient
from recipients.selectors import undoable_deletions
from tests.fixtures.lists import Lists, acting, table

PEOPLE = "email\nanna@example.com\nbob@example.com\n"


def finished(change: Change) -> Change:
    runner.drain(Job.objects.get(kind=DELETE_JOB, subject_id=change.pk))
    change.refresh_from_db()
    return change


def purge_job(group: Group) -> Job:
    return Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk).latest("pk")


def let_time_to_undo_pass(group: Group) -> Job:
    job = purge_job(group)
    Job.objects.filter(pk=job.pk).update(due_at=database_now())
    return runner.drain(job)


def test_a_deleted_list_is_hidden_at_once_and_keeps_its_rows(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = delete_group(group, actor=lists.actor)
    group.refresh_from_db()
    assert (group.is_live, change.state, Recipient.objects.count()) == (False, "active", 2)
    assert undoable_deletions(lists.account) == [change]


def test_deleting_a_list_keeps_a_snapshot_of_the_state_before(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = finished(delete_group(group, actor=lists.actor))
    snapshot = Snapshot.objects.get(change=change)
    assert (snapshot.cause, snapshot.state, snapshot.recipients) == ("deletion", "complete", 2)
    assert (change.state, change.deleted, Recipient.objects.count()) == ("done", 2, 2)


def test_the_rows_go_when_the_time_to_undo_is_over(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    finished(delete_group(group, actor=lists.actor))
    assert purge_job(group).due_at > database_now() + timedelta(hours=23)
    assert not runner.run(purge_job(group).pk)
    let_time_to_undo_pass(group)
    group.refresh_from_db()
    assert (Recipient.objects.count(), group.recipients_count) == (0, 0)
    assert group.deleted_at is not None
    assert undoable_deletions(lists.account) == []


def test_undo_shows_the_list_again_just_as_it_was(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change = finished(delete_group(group, actor=lists.actor))
    undo_deletion(change, actor=lists.actor)
    group.refresh_from_db()
    change.refresh_from_db()
    assert (group.is_live, group.recipients_count, change.state) == (True, 2, "cancelled")
    assert table(group) == before
    assert purge_job(group).state == JobState.CANCELLED


def test_undo_before_the_backup_was_made_stops_the_deletion(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = delete_group(group, actor=lists.actor)
    undo_deletion(change, actor=lists.actor)
    assert finished(change).state == "cancelled"
    assert Recipient.objects.count() == 2


def test_undo_is_refused_when_the_rows_have_gone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = finished(delete_group(group, actor=lists.actor))
    let_time_to_undo_pass(group)
    with pytest.raises(Refusal, match=r"deletion\.too_late"):
        undo_deletion(change, actor=lists.actor)


def test_undo_gives_the_list_another_name_when_its_own_was_taken(lists: Lists) -> None:
    group = lists.group(PEOPLE, name="News")
    change = finished(delete_group(group, actor=lists.actor))
    create_group(lists.account, actor=lists.actor, name="News")
    assert undo_deletion(change, actor=lists.actor).name == "News (restored 1)"


def test_only_the_last_deletion_can_be_undone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    first = finished(delete_group(group, actor=lists.actor))
    Group.objects.filter(pk=group.pk).update(hidden_at=None)
    last = finished(delete_group(Group.objects.get(), actor=lists.actor))
    with pytest.raises(Refusal, match=r"deletion\.too_late"):
        undo_deletion(first, actor=lists.actor)
    assert not Group.objects.get().is_live
    assert undoable_deletions(lists.account) == [last]
    undo_deletion(last, actor=lists.actor)
    last.refresh_from_db()
    assert (Group.objects.get().is_live, last.state) == (True, "cancelled")


def test_a_deletion_of_a_list_that_is_shown_again_meanwhile_is_called_off(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = delete_group(group, actor=lists.actor)
    Group.objects.filter(pk=group.pk).update(hidden_at=None)
    change = finished(change)
    assert (change.state, change.deleted, Group.objects.get().is_live) == ("cancelled", 0, True)
    assert not Job.objects.filter(kind=PURGE_JOB).exists()
    assert not AuditEntry.objects.filter(event="group.deleted").exists()


def test_a_list_that_is_shown_again_keeps_its_name_when_its_deletion_fails(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)

    def full(*_args: object) -> None:
        raise storage.StorageRefused("storage.full")

    monkeypatch.setattr(storage, "write", full)
    change = delete_group(group, actor=lists.actor)
    Group.objects.filter(pk=group.pk).update(hidden_at=None)
    assert finished(change).state == "failed"
    assert Group.objects.get().name == group.name


def test_what_is_left_of_an_earlier_deletion_removes_no_rows(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    undo_deletion(finished(delete_group(group, actor=lists.actor)), actor=lists.actor)
    left = enqueue(
        PURGE_JOB, subject_id=group.pk, account=lists.account, queue=Queue.MAINTENANCE, due_at=database_now()
    )
    change = delete_group(Group.objects.get(), actor=lists.actor)
    # While the backup is still to be made, and when it is there.
    runner.run(left.pk)
    assert table(group) == before
    finished(change)
    Job.objects.filter(pk=left.pk).update(state=JobState.DUE)
    assert runner.drain(left).state == JobState.DONE
    group.refresh_from_db()
    assert (group.deleted_at, table(group)) == (None, before)
    assert purge_job(group).due_at > database_now() + timedelta(hours=23)
    let_time_to_undo_pass(group)
    assert Recipient.objects.count() == 0


def test_a_locked_list_refuses(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change_group(group, actor=lists.actor, locked=True)
    with pytest.raises(Refusal, match=r"group\.locked"):
        delete_group(group, actor=lists.actor)
    change_group(group, actor=lists.actor, locked=False)
    assert delete_group(group, actor=lists.actor).pk


def test_a_list_that_is_being_imported_into_refuses(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    _change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    with pytest.raises(Refusal, match=r"group\.busy"):
        delete_group(group, actor=lists.actor)
    runner.drain(job)
    assert delete_group(group, actor=lists.actor).pk


def test_when_the_backup_cannot_be_written_nothing_is_deleted(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    before = table(group)

    def full(*_args: object) -> None:
        raise storage.StorageRefused("storage.full")

    monkeypatch.setattr(storage, "write", full)
    change = finished(delete_group(group, actor=lists.actor))
    group.refresh_from_db()
    assert (change.state, change.error_code, group.is_live) == ("failed", "storage.full", True)
    assert table(group) == before
    assert Snapshot.objects.get().state == "failed"
    assert {"group.deletion_failed", "backup.failed"} <= set(
        AuditEntry.objects.values_list("event", flat=True)
    )


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_backup_lost_before_the_rows_went_brings_the_list_back(
    lists: Lists, archives: Path, damage: str
) -> None:
    group = lists.group(PEOPLE)
    change = finished(delete_group(group, actor=lists.actor))
    for path in archives.rglob("*.zip"):
        content = path.read_bytes()
        flipped = content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
        path.write_bytes(content[:-1] if damage == "cut" else flipped)
        if damage == "gone":
            path.unlink()
    assert let_time_to_undo_pass(group).state == JobState.FAILED
    group.refresh_from_db()
    change.refresh_from_db()
    assert (group.is_live, change.state, Recipient.objects.count()) == (True, "failed", 2)


@pytest.mark.parametrize("minutes", [1, 10])
def test_a_backup_is_read_once_more_before_the_rows_go_if_it_was_not_just_read(
    lists: Lists, archives: Path, minutes: int
) -> None:
    group = lists.group(PEOPLE)
    finished(delete_group(group, actor=lists.actor))
    earlier = timezone.now() - timedelta(minutes=minutes)
    for path in archives.rglob("*.zip"):
        os.utime(path, (0, 0))
    Snapshot.objects.update(verified_at=earlier)
    assert let_time_to_undo_pass(group).state == JobState.DONE
    assert Recipient.objects.count() == 0
    assert (Snapshot.objects.get().verified_at == earlier) == (minutes == 1)


def test_a_deletion_by_command_leaves_its_rows_to_the_verified_backup_alone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    finished(delete_group(group, actor=operator()))
    runner.drain(purge_job(group))
    assert Recipient.objects.count() == 0
    assert Snapshot.objects.get().recipients == 2


def test_a_deletion_through_the_api_makes_no_backup_but_can_be_undone(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = finished(delete_group(group, actor=acting(lists.owner, origin=Origin.API)))
    assert (change.backup_why, Snapshot.objects.count(), Recipient.objects.count()) == ("api_off", 0, 2)
    undo_deletion(change, actor=lists.actor)
    assert Group.objects.get().is_live


def test_who_unsubscribed_is_remembered_when_the_rows_go(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    finished(delete_group(group, actor=lists.actor))
    let_time_to_undo_pass(group)
    assert OptOut.objects.get().key == "anna@example.com"


def test_a_viewer_deletes_nothing(lists: Lists, victor: User, edith: User) -> None:
    group = lists.group(PEOPLE)
    with pytest.raises(Forbidden):
        delete_group(group, actor=acting(victor))
    assert delete_group(group, actor=acting(edith)).pk


def test_other_lists_are_not_touched(lists: Lists, other_account: Account, stranger: User) -> None:
    neighbour = lists.group(PEOPLE, name="Neighbour")
    theirs = Lists(account=other_account, owner=stranger).group(PEOPLE)
    group = lists.group(PEOPLE, name="Gone")
    before = (table(neighbour), table(theirs))
    finished(delete_group(group, actor=lists.actor))
    let_time_to_undo_pass(group)
    assert (table(neighbour), table(theirs)) == before


def test_a_purge_that_was_cut_off_goes_on(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    group = lists.group("email\n" + "".join(f"p{number}@example.com\n" for number in range(25)))
    monkeypatch.setattr(type(engine()), "removes_at_once", 10)
    finished(delete_group(group, actor=lists.actor))
    progress = runner.Claim.progress

    def die(_claim: runner.Claim, **_shown: object) -> None:
        raise MemoryError

    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(runner.Claim, "progress", die)
    Job.objects.filter(pk=purge_job(group).pk).update(due_at=database_now())
    runner.run(purge_job(group).pk)
    assert Recipient.objects.count() == 15
    monkeypatch.setattr(runner.Claim, "progress", progress)
    let_time_to_undo_pass(group)
    assert Recipient.objects.count() == 0
