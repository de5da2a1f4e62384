"""Every archive is read back within a week, whatever happens to another one."""

from __future__ import annotations

import errno
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import storage
from backups.actions.snapshots import request_snapshot, verify
from backups.actions.verification import verify_due, verify_snapshot
from backups.models import ArchiveKey, Snapshot, SnapshotState
from backups.tasks import verify as verify_task
from backupsvc.accounts.models import AuditEntry
from backupsvc.errors import Refusal
from backupsvc.jobs.runner import drain
from recipients.models import Group
from tests.fixtures.lists import Lists

NAMES = ("One", "Two", "Three")


def taken(lists: Lists, group: Group) -> Snapshot:
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    return Snapshot.objects.get(pk=snapshot.pk)


@pytest.fixture
def backups(lists: Lists) -> list[Snapshot]:
    """Three archives, the first one waiting longest; all of them are due."""
    made = [taken(lists, lists.group("email\nanna@example.com\n", name=name)) for name in NAMES]
    for place, snapshot in enumerate(made):
        wait(snapshot, days=20 - place)
    return made


def wait(snapshot: Snapshot, *, days: float) -> datetime:
    moment = timezone.now() - timedelta(days=days)
    Snapshot.objects.filter(archive=snapshot.archive).update(verified_at=moment)
    return moment


def damaged(*snapshots: Snapshot) -> list[str]:
    return [Snapshot.objects.get(pk=snapshot.pk).damaged_code for snapshot in snapshots]


def flip(archives: Path, snapshot: Snapshot) -> bytes:
    path = archives / snapshot.archive
    content = path.read_bytes()
    path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    return content


def test_what_is_due_is_read_and_what_is_not_is_left(backups: list[Snapshot]) -> None:
    fresh = wait(backups[2], days=1)
    before = timezone.now()
    assert verify_due().sound == 2
    assert verify_due().sound == 0
    verified = [Snapshot.objects.get(pk=snapshot.pk).verified_at for snapshot in backups]
    assert verified[2] == fresh
    assert all(moment is not None and moment >= before for moment in verified[:2])


def test_its_turn_comes_before_the_week_is_over(backups: list[Snapshot]) -> None:
    for snapshot in backups:
        wait(snapshot, days=6.1)
    assert verify_due().sound == 3


def test_a_file_that_several_backups_share_is_read_once_for_all(
    lists: Lists, backups: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = taken(lists, Group.objects.get(pk=backups[0].group_id))
    assert again.archive == backups[0].archive
    old = wait(backups[0], days=20)
    opened: list[str] = []
    open_file = storage.open

    def open_and_note(key: str) -> BinaryIO:
        opened.append(key)
        return open_file(key)

    monkeypatch.setattr(storage, "open", open_and_note)
    assert verify_due().sound == 3
    assert opened == [snapshot.archive for snapshot in backups]
    again.refresh_from_db()
    assert again.verified_at is not None
    assert again.verified_at > old


def test_a_damaged_file_keeps_no_other_from_being_read_and_is_on_record_once(
    backups: list[Snapshot], archives: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flip(archives, backups[0])
    (archives / backups[1].archive).unlink()
    found = verify_due()
    assert (found.sound, found.damaged) == (1, backups[:2])
    assert damaged(*backups) == ["archive.file_checksum", "archive.missing", ""]
    assert caplog.text.count("backup damaged") == 2
    verify_due()
    entries = AuditEntry.objects.filter(event="backup.damaged", origin="schedule")
    assert sorted(entry.data["snapshot"] for entry in entries) == sorted(each.pk for each in backups[:2])


def test_a_file_that_was_put_back_is_sound_again(backups: list[Snapshot], archives: Path) -> None:
    content = flip(archives, backups[0])
    verify_due()
    assert damaged(backups[0]) == ["archive.file_checksum"]
    (archives / backups[0].archive).write_bytes(content)
    assert verify_due().sound == 1
    assert damaged(backups[0]) == [""]
    assert AuditEntry.objects.get(event="backup.verified").data == {"snapshot": backups[0].pk}


def test_a_disk_that_fails_for_one_file_is_no_damage_and_stops_nobody_else(
    backups: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    class BadSector:
        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def read(self, _size: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    open_file = storage.open
    with monkeypatch.context() as patched:
        patched.setattr(
            storage,
            "open",
            lambda key: BadSector(open_file(key)) if key == backups[0].archive else open_file(key),
        )
        with pytest.raises(storage.StorageRefused, match=r"storage\.broken"):
            verify_due()
    assert damaged(*backups) == ["", "", ""]
    assert verify_due().sound == 1


def test_without_the_key_nothing_is_called_damaged_and_the_run_is_no_good_one(
    backups: list[Snapshot], settings: Settings, tmp_path: Path
) -> None:
    settings.ARCHIVE_KEY_PATH = tmp_path / "nowhere" / "archive.key"
    with pytest.raises(Refusal, match=r"key\.instance_missing"):
        verify_task()
    assert damaged(*backups) == ["", "", ""]


def test_a_run_is_bounded_and_the_next_one_goes_on(backups: list[Snapshot]) -> None:
    for _ in backups:
        assert verify_due(longest=timedelta(0)).sound == 1
    assert verify_due().sound == 0


def test_a_backup_that_is_purged_while_it_is_read_is_not_called_damaged(
    backups: list[Snapshot], archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def purged(key: str) -> object:
        Snapshot.objects.filter(archive=key).update(state=SnapshotState.EXPIRED)
        raise storage.ArchiveMissing("archive.missing", key=key)

    monkeypatch.setattr(storage, "open", purged)
    found = verify_due()
    assert (found.sound, found.damaged) == (0, [])
    assert not AuditEntry.objects.filter(event="backup.damaged").exists()


def test_an_archive_from_before_encryption_is_read_until_its_end_and_never_shared(
    lists: Lists, backups: list[Snapshot]
) -> None:
    old = backups[0]
    # As the version before left it: a file that is not encrypted, and no key.
    unencrypted(old)
    old.refresh_from_db()
    assert verify_due().sound == 3
    assert verify_snapshot(old, actor=lists.actor).damaged_code == ""
    assert lists.restore(old).state == "done"
    group = Group.objects.get(pk=old.group_id)
    Snapshot.objects.filter(pk=old.pk).update(revision=group.revision)
    new = taken(lists, group)
    assert new.archive != old.archive
    assert ArchiveKey.objects.filter(archive=new.archive).exists()


def unencrypted(snapshot: Snapshot) -> None:
    from backups.actions import archives  # noqa: PLC0415  # what wrote it, without the key

    path = storage._local_path(snapshot.archive)
    assert path is not None
    path.unlink()
    written = storage.write(
        snapshot.archive,
        lambda file: archives._produce(file, group_id=snapshot.group_id, identity=None),  # type: ignore[arg-type]
    )
    ArchiveKey.objects.filter(archive=snapshot.archive).delete()
    Snapshot.objects.filter(archive=snapshot.archive).update(
        sha256=written.sha256, size_bytes=written.size_bytes
    )


def test_somebody_who_asks_is_told_and_it_is_on_record(
    lists: Lists, backups: list[Snapshot], archives: Path
) -> None:
    verify_snapshot(backups[0], actor=lists.actor)
    assert AuditEntry.objects.filter(event="backup.verified", user=lists.owner).exists()
    flip(archives, backups[0])
    with pytest.raises(Refusal):
        verify_snapshot(backups[0], actor=lists.actor)
    backups[0].refresh_from_db()
    assert AuditEntry.objects.filter(event="backup.damaged", user=lists.owner).exists()
    assert not backups[0].is_restorable


def test_damage_that_a_restore_finds_is_written_down_once(
    lists: Lists, backups: list[Snapshot], archives: Path
) -> None:
    flip(archives, backups[0])
    with pytest.raises(Refusal, match=r"archive\."):
        verify(backups[0])
    verify_due()
    entries = AuditEntry.objects.filter(event="backup.damaged", data__snapshot=backups[0].pk)
    assert (damaged(backups[0]) != [""], entries.count()) == (True, 1)
