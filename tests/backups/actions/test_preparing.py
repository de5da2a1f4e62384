"""An archive is written while the rows of a change are read, and the change's backup takes it over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backups import storage
from backups.actions import preparing
from backups.actions.purge import drop_prepared, sweep_orphans
from backups.invariants import check_all
from backups.models import ArchiveKey, PreparedArchive, Snapshot
from backupsvc.accounts.models import AuditEntry
from backupsvc.jobs import runner
from backupsvc.jobs.models import Job, JobState
from backupsvc.jobs.runner import drain
from recipients.actions import imports
from recipients.actions.changes import cancel_change, confirm_change
from recipients.actions.groups import change_group
from recipients.actions.recipients import unsubscribe
from recipients.models import Change, ChangeState, Group, Recipient
from tests.fixtures.lists import Lists, table

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"
MORE = "email,First name\nanna@example.com,Anne\ncarl@example.com,Carl\n"


@pytest.fixture
def group(lists: Lists) -> Group:
    return lists.group(PEOPLE)


def prepared(change: Change) -> PreparedArchive:
    """The archive for that change, written as by a worker that has time while somebody looks."""
    ahead = PreparedArchive.objects.get(change=change)
    drain(Job.objects.get(kind="backups.prepare_archive", subject_id=ahead.pk))
    ahead.refresh_from_db()
    return ahead


def confirmed(change: Change, lists: Lists, **options: object) -> Change:
    drain(confirm_change(change, actor=lists.actor, **options))  # type: ignore[arg-type]
    change.refresh_from_db()
    return change


def brought_back(snapshot: Snapshot, lists: Lists) -> dict[str, dict[str, object]]:
    """What the backup holds, as a list of its own."""
    change = lists.restore(snapshot, new_name="Copy")
    assert change.group is not None
    return table(change.group)


def files(archives: Path) -> list[Path]:
    return [path for path in archives.rglob("*") if path.is_file()]


def test_a_confirmed_import_takes_over_what_was_written_while_its_rows_were_read(
    lists: Lists, group: Group, archives: Path
) -> None:
    before = table(group)
    change = lists.preview(MORE, into=group)
    ahead = prepared(change)
    assert not Snapshot.objects.exists()
    assert not AuditEntry.objects.filter(event="backup.made").exists()
    assert confirmed(change, lists).state == ChangeState.DONE
    snapshot = Snapshot.objects.get()
    assert (snapshot.archive, snapshot.change) == (ahead.archive, change)
    assert not PreparedArchive.objects.exists()
    assert len(files(archives)) == 1
    assert table(group) != before
    assert brought_back(snapshot, lists) == before
    assert check_all() == []


def test_an_uploaded_file_is_reason_enough(lists: Lists, group: Group, archives: Path) -> None:
    """Long before its columns are told; and whoever uploads it again finds the same archive."""
    before = table(group)
    ahead = prepared(lists.draft(MORE, into=group).change)
    change = lists.load(MORE, into=group)
    assert Job.objects.filter(kind="backups.prepare_archive").count() == 1
    snapshot = Snapshot.objects.get(change=change)
    assert snapshot.archive == ahead.archive
    assert brought_back(snapshot, lists) == before


def test_a_list_that_moves_while_the_columns_are_told_is_written_once_more(
    lists: Lists, group: Group, archives: Path
) -> None:
    run = lists.draft(MORE, into=group)
    outdated = prepared(run.change)
    unsubscribe(Recipient.objects.get(key="bob@example.com"), actor=lists.actor)
    drain(imports.stage(run, actor=lists.actor))
    ahead = PreparedArchive.objects.exclude(pk=outdated.pk).get()
    drain(Job.objects.get(kind="backups.prepare_archive", subject_id=ahead.pk))
    ahead.refresh_from_db()
    assert confirmed(Change.objects.get(pk=run.pk), lists).state == ChangeState.DONE
    assert Snapshot.objects.get().archive == ahead.archive != outdated.archive


def test_the_backup_waits_for_what_is_being_written_ahead(lists: Lists, group: Group, archives: Path) -> None:
    change = lists.preview(MORE, into=group)
    assert Job.objects.get(kind="backups.prepare_archive").state == JobState.DUE
    assert confirmed(change, lists).state == ChangeState.DONE
    assert Snapshot.objects.count() == len(files(archives)) == 1


def test_a_list_that_has_moved_since_gets_a_backup_of_its_own(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    ahead = prepared(change)
    unsubscribe(Recipient.objects.get(key="bob@example.com"), actor=lists.actor)
    before = table(group)
    confirmed(change, lists)
    snapshot = Snapshot.objects.get(change=change)
    assert snapshot.archive != ahead.archive
    assert brought_back(snapshot, lists) == before
    # The outdated one is nobody's now, and goes with its key.
    drop_prepared()
    assert not storage_has(ahead.archive)
    assert not ArchiveKey.objects.filter(archive=ahead.archive).exists()


def test_a_renamed_list_gets_a_backup_with_its_new_name(lists: Lists, group: Group, archives: Path) -> None:
    change = lists.preview(MORE, into=group)
    ahead = prepared(change)
    change_group(group, actor=lists.actor, name="Fresh")
    confirmed(change, lists)
    assert Snapshot.objects.get(change=change).archive != ahead.archive


def storage_has(archive: str) -> bool:
    return archive in [key for key, _at in storage.keys()]  # noqa: SIM118  # a module, not a dict


def test_what_nobody_confirms_goes_without_a_trace(lists: Lists, group: Group, archives: Path) -> None:
    change = lists.preview(MORE, into=group)
    ahead = prepared(change)
    assert drop_prepared() == 0
    cancel_change(change, actor=lists.actor)
    assert drop_prepared() == 1
    assert not files(archives)
    assert not ArchiveKey.objects.filter(archive=ahead.archive).exists()
    assert check_all() == []


def test_a_storage_that_keeps_a_file_keeps_nothing_else(
    lists: Lists, group: Group, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = lists.preview(MORE, into=group)
    ahead = prepared(change)
    cancel_change(change, actor=lists.actor)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", refuse)
        assert drop_prepared() == 0
    # What is left can be read by nobody, and goes like every file that no backup has.
    assert not ArchiveKey.objects.filter(archive=ahead.archive).exists()
    assert not PreparedArchive.objects.exists()
    monkeypatch.setattr("backups.actions.purge.ORPHAN_AGE", timedelta(0))
    assert sweep_orphans() == 1
    assert not files(archives)


def test_what_nobody_confirms_for_a_day_goes_and_the_change_can_still_be_confirmed(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    prepared(change)
    PreparedArchive.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert drop_prepared() == 1
    assert confirmed(change, lists).state == ChangeState.DONE
    assert Snapshot.objects.get(change=change).is_restorable


def test_work_that_has_not_begun_when_its_change_ends_never_does(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    cancel_change(change, actor=lists.actor)
    drop_prepared()
    assert Job.objects.get(kind="backups.prepare_archive").state == JobState.CANCELLED
    assert not PreparedArchive.objects.exists()
    assert not files(archives)


def test_a_change_that_was_cancelled_keeps_no_other_from_what_is_written_ahead(
    lists: Lists, group: Group, archives: Path
) -> None:
    cancel_change(lists.preview(MORE, into=group), actor=lists.actor)
    ahead = prepared(lists.preview(MORE, into=group))
    assert storage_has(ahead.archive)


def test_work_that_begins_after_its_change_has_ended_writes_nothing(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    cancel_change(change, actor=lists.actor)
    drain(Job.objects.get(kind="backups.prepare_archive"))
    assert not PreparedArchive.objects.exists()
    assert not files(archives)


def test_the_sweep_of_files_leaves_what_was_written_ahead(
    lists: Lists, group: Group, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = prepared(lists.preview(MORE, into=group))
    monkeypatch.setattr("backups.actions.purge.ORPHAN_AGE", timedelta(0))
    assert sweep_orphans() == 0
    assert storage_has(ahead.archive)


@pytest.mark.parametrize("how", ["account", "list"])
def test_nothing_is_written_ahead_where_backups_are_off(lists: Lists, group: Group, how: str) -> None:
    switched = lists.account if how == "account" else group
    switched.auto_backup = False
    switched.save()
    lists.preview(MORE, into=group)
    assert not Job.objects.filter(kind="backups.prepare_archive").exists()


def test_nothing_is_written_ahead_for_a_new_list(lists: Lists) -> None:
    lists.preview(PEOPLE)
    assert not Job.objects.filter(kind="backups.prepare_archive").exists()


def test_nothing_is_written_ahead_of_a_list_that_has_not_changed_since_its_last_backup(
    lists: Lists, group: Group
) -> None:
    lists.load(MORE, into=group)
    lists.load(MORE, into=group)
    count = Job.objects.filter(kind="backups.prepare_archive").count()
    lists.restore(Snapshot.objects.latest("pk"))
    # The last import changed nothing but the revision; the restore's backup was written ahead, once.
    assert Job.objects.filter(kind="backups.prepare_archive").count() == count + 1
    lists.preview(MORE, into=group)
    lists.preview(MORE, into=group)
    assert PreparedArchive.objects.count() == 1


def test_a_backup_declined_leaves_what_was_written_ahead_to_go(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    prepared(change)
    confirmed(change, lists, backup=False, typed_name=group.name)
    assert not Snapshot.objects.exists()
    assert drop_prepared() == 1
    assert not files(archives)


@pytest.mark.parametrize("problem", ["full", "damaged", "gone"])
def test_trouble_with_it_is_no_trouble_of_the_change(
    lists: Lists, group: Group, archives: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    before = table(group)
    change = lists.preview(MORE, into=group)
    if problem == "full":
        with monkeypatch.context() as patch:
            patch.setattr(preparing, "archived", refuse)
            drain(Job.objects.get(kind="backups.prepare_archive"))
        assert not PreparedArchive.objects.exists()
    else:
        prepared(change)
        path = files(archives)[0]
        path.unlink() if problem == "gone" else path.write_bytes(path.read_bytes()[:-1])
    assert confirmed(change, lists).state == ChangeState.DONE
    snapshot = Snapshot.objects.get(change=change)
    assert snapshot.is_restorable
    assert brought_back(snapshot, lists) == before


def refuse(*_args: object, **_named: object) -> None:
    raise storage.StorageRefused("storage.full")


def test_a_worker_that_dies_over_it_keeps_nobody_from_the_backup(
    lists: Lists, group: Group, archives: Path
) -> None:
    change = lists.preview(MORE, into=group)
    job = Job.objects.get(kind="backups.prepare_archive")
    claim = runner.claim_job(job.pk)
    assert claim is not None
    apply_job = confirm_change(change, actor=lists.actor)
    assert runner.run(apply_job.pk) is False
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    drain(apply_job)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    assert Snapshot.objects.get(change=change).is_restorable
