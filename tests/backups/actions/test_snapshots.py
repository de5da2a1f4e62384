"""Complete means restorable: written whole, read back, shared when nothing changed, gone in time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backups import storage
from backups.actions.compare import compare, contents
from backups.actions.purge import delete_snapshot, purge_due, sweep_orphans
from backups.actions.restore import plan_restore
from backups.actions.snapshots import (
    lease,
    pin,
    record_snapshot,
    request_snapshot,
)
from backups.models import Cause, PurgeEntry, PurgeGuard, Snapshot, SnapshotState
from backups.policy import Switches, decide
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import AuditEntry, User
from backupsvc.errors import Forbidden, Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import Claim, drain
from recipients.actions.recipients import unsubscribe
from recipients.models import Recipient
from tests.fixtures.clock import MovedClock
from tests.fixtures.lists import Lists, acting, snapshot_of

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"


def files(archives: Path) -> list[Path]:
    return [path for path in archives.rglob("*") if path.is_file()]


def in_days(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """So much time goes by, and the purge has had its turns all the while."""
    clock = MovedClock(monkeypatch)
    PurgeGuard.objects.all().delete()
    clock.goes_on(days=days)


def test_a_backup_by_hand_is_complete_verified_and_on_record(lists: Lists, archives: Path) -> None:
    group = lists.group(PEOPLE)
    snapshot = snapshot_of(lists, group)
    assert (snapshot.state, snapshot.recipients, snapshot.cause) == (SnapshotState.COMPLETE, 2, Cause.MANUAL)
    assert snapshot.verified_at is not None
    assert [path.stat().st_size for path in files(archives)] == [snapshot.size_bytes]
    assert AuditEntry.objects.get(event="backup.made").data["snapshot"] == snapshot.pk


def test_the_days_that_a_backup_is_kept_begin_when_it_is_there(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    snapshot_of(lists, group)
    same, job = request_snapshot(group, actor=lists.actor)
    other, other_job = request_snapshot(lists.group(PEOPLE, name="Other"), actor=lists.actor)
    in_days(monkeypatch, 3)
    drain(job)
    drain(other_job)
    for snapshot in Snapshot.objects.filter(pk__in=[same.pk, other.pk]):
        assert snapshot.completed_at is not None
        assert snapshot.completed_at > snapshot.created_at + timedelta(days=3)
        assert snapshot.expires_at == snapshot.completed_at + timedelta(days=30)


def test_an_unchanged_list_needs_no_second_file(lists: Lists, archives: Path) -> None:
    group = lists.group(PEOPLE)
    first, second = snapshot_of(lists, group), snapshot_of(lists, group)
    assert first.archive == second.archive
    assert len(files(archives)) == 1
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    assert snapshot_of(lists, group).archive != first.archive


def test_a_lost_file_is_not_shared(lists: Lists, archives: Path) -> None:
    group = lists.group(PEOPLE)
    first = snapshot_of(lists, group)
    files(archives)[0].unlink()
    assert snapshot_of(lists, group).archive != first.archive


@pytest.mark.parametrize("code", ["storage.full", "storage.read_only"])
def test_a_backup_that_cannot_be_written_fails_and_leaves_no_file(
    lists: Lists, archives: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    group = lists.group(PEOPLE)

    def refuse(*_args: object) -> None:
        raise storage.StorageRefused(code)

    monkeypatch.setattr(storage, "write", refuse)
    snapshot = snapshot_of(lists, group)
    assert (snapshot.state, snapshot.error_code, files(archives)) == ("failed", code, [])


def test_a_backup_that_reads_back_differently_is_not_complete(
    lists: Lists, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    opened = storage.open

    def flipped(key: str) -> object:
        path = archives / key
        content = path.read_bytes()
        path.write_bytes(content[:100] + bytes([content[100] ^ 4]) + content[101:])
        return opened(key)

    monkeypatch.setattr(storage, "open", flipped)
    snapshot = snapshot_of(lists, group)
    assert (snapshot.state, snapshot.error_code, files(archives)) == ("failed", "archive.file_checksum", [])


def test_a_backup_job_delivered_twice_writes_one_file(lists: Lists, archives: Path) -> None:
    group = lists.group(PEOPLE)
    _snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    assert not runner.run(job.pk)
    assert len(files(archives)) == 1


def test_with_the_clock_moved_31_days_on_old_backups_are_gone_and_pinned_ones_stay(
    lists: Lists, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    old = snapshot_of(lists, group)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    pinned = pin(snapshot_of(lists, group), actor=lists.actor, pinned=True)
    in_days(monkeypatch, 31)
    young = snapshot_of(lists, lists.group(PEOPLE, name="Young"))
    assert purge_due(actor=operator()) == 1
    assert set(Snapshot.objects.all()) == {pinned, young}
    assert {path.relative_to(archives).as_posix() for path in files(archives)} == {
        pinned.archive,
        young.archive,
    }
    entry = PurgeEntry.objects.get()
    assert (entry.snapshot_id, entry.file_removed, entry.sha256) == (old.pk, True, old.sha256)
    assert entry.unlinked_at is not None
    noted = AuditEntry.objects.get(event="backup.purged")
    assert (noted.data["snapshot"], noted.data["sha256"], entry.entry) == (old.pk, old.sha256, noted)


def test_a_backup_is_not_purged_before_its_time(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot_of(lists, lists.group(PEOPLE))
    in_days(monkeypatch, 29.9)
    assert purge_due(actor=operator()) == 0
    assert Snapshot.objects.get().state == SnapshotState.COMPLETE


def test_a_backup_that_is_being_read_is_not_purged(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of(lists, lists.group(PEOPLE))
    in_days(monkeypatch, 31)
    lease(snapshot)
    assert purge_due(actor=operator()) == 0
    Snapshot.objects.update(leased_until=None)
    assert purge_due(actor=operator()) == 1


def test_a_backup_whose_change_has_not_ended_is_not_purged(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    _change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    drain(Job.objects.get(kind="backups.take_snapshot"))
    in_days(monkeypatch, 31)
    assert purge_due(actor=operator()) == 0
    drain(job)
    assert purge_due(actor=operator()) == 1


def test_the_last_backup_of_a_shared_archive_takes_the_file(
    lists: Lists, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)
    snapshot_of(lists, group)
    second = snapshot_of(lists, group)
    Snapshot.objects.filter(pk=second.pk).update(expires_at=timezone.now() + timedelta(days=90))
    in_days(monkeypatch, 31)
    assert purge_due(actor=operator()) == 1
    assert len(files(archives)) == 1
    in_days(monkeypatch, 91)
    assert purge_due(actor=operator()) == 1
    assert files(archives) == []


def test_a_deleted_backup_is_gone_from_the_page_at_once_and_from_storage_later(
    lists: Lists, archives: Path, edith: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = snapshot_of(lists, lists.group(PEOPLE))
    with pytest.raises(Forbidden):
        delete_snapshot(snapshot, actor=acting(edith))
    delete_snapshot(snapshot, actor=lists.actor)
    assert Snapshot.objects.get().state == SnapshotState.EXPIRED
    assert purge_due(actor=operator()) == 0
    assert len(files(archives)) == 1
    in_days(monkeypatch, 1)
    assert purge_due(actor=operator()) == 1
    assert files(archives) == []


def test_what_is_said_of_a_backup_while_it_is_written_still_holds_when_it_is_there(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    snapshot, job = request_snapshot(group, actor=lists.actor)

    def meanwhile(_claim: Claim, **_shown: object) -> None:
        pin(snapshot, actor=lists.actor, pinned=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Claim, "progress", meanwhile)
        with pytest.raises(Refusal, match=r"snapshot\.being_written"):
            delete_snapshot(snapshot, actor=lists.actor)
        drain(job)
    snapshot.refresh_from_db()
    assert (snapshot.state, snapshot.pinned) == ("complete", True)


def test_a_pinned_backup_is_not_deleted_by_hand(lists: Lists) -> None:
    snapshot = pin(snapshot_of(lists, lists.group(PEOPLE)), actor=lists.actor, pinned=True)
    with pytest.raises(Refusal, match=r"snapshot\.pinned"):
        delete_snapshot(snapshot, actor=lists.actor)
    delete_snapshot(pin(snapshot, actor=lists.actor, pinned=False), actor=lists.actor)


def test_files_that_nobody_refers_to_are_swept_when_they_are_old(
    lists: Lists, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = snapshot_of(lists, lists.group(PEOPLE))
    (archives / "1").mkdir(exist_ok=True)
    (archives / "1" / "orphan.zip").write_bytes(b"x")
    assert sweep_orphans() == 0
    in_days(monkeypatch, 2)
    assert sweep_orphans() == 1
    assert files(archives) == [archives / kept.archive]


def test_a_backup_is_compared_with_the_list_now_and_with_another(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    first = snapshot_of(lists, group)
    lists.load("email,First name\nanna@example.com,Changed\nnew@example.com,New\n", into=group)
    lists.load("email\nbob@example.com\n", into=group, mode="delete")
    now = compare(first, actor=lists.actor)
    assert (now.added, now.removed, now.changed, now.unchanged) == (1, 1, 1, 0)
    assert now.samples == {
        "added": ["new@example.com"], "removed": ["bob@example.com"], "changed": ["anna@example.com"],
    }  # fmt: skip
    second = snapshot_of(lists, group)
    assert compare(first, actor=lists.actor, other=second) == now
    same = compare(second, actor=lists.actor)
    assert (same.added, same.removed, same.changed, same.unchanged) == (0, 0, 0, 2)


def test_people_are_found_in_a_backup(lists: Lists) -> None:
    snapshot = snapshot_of(lists, lists.group(PEOPLE))
    found = contents(snapshot, actor=lists.actor, search="ANNA")
    assert [row[1] for row in found.rows] == ["anna@example.com"]


def test_a_backup_not_yet_complete_is_not_restored(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    snapshot, _job = record_snapshot(group, actor=lists.actor, cause=Cause.MANUAL)
    with pytest.raises(Refusal, match=r"snapshot\.not_complete"):
        plan_restore(snapshot, actor=lists.actor)


ON = Switches(account=True, group=True, api=False)


@pytest.mark.parametrize(
    ("switches", "origin", "kind", "asked", "is_new", "wanted", "why"),
    [
        (ON, "ui", "import", None, False, True, "on"),
        (ON, "command", "deletion", None, False, True, "on"),
        (ON, "api", "import", None, False, False, "api_off"),
        (Switches(account=True, group=True, api=True), "api", "deletion", None, False, True, "api"),
        (Switches(account=False, group=True, api=True), "api", "import", None, False, False, "account_off"),
        (Switches(account=False, group=True, api=False), "ui", "import", None, False, False, "account_off"),
        (Switches(account=True, group=False, api=False), "ui", "deletion", None, False, False, "group_off"),
        (Switches(account=False, group=False, api=False), "ui", "import", True, False, True, "asked"),
        (ON, "ui", "import", False, False, False, "declined"),
        (Switches(account=False, group=False, api=False), "ui", "restore", None, False, True, "restore"),
        (ON, "ui", "restore", False, False, True, "restore"),
        (ON, "ui", "import", True, True, False, "new_list"),
    ],
)
def test_whether_a_change_is_backed_up(
    *, switches: Switches, origin: str, kind: str, asked: bool | None, is_new: bool, wanted: bool, why: str
) -> None:
    decision = decide(switches=switches, origin=origin, kind=kind, asked=asked, is_new=is_new)
    assert (decision.wanted, decision.why) == (wanted, why)
