"""manage.py keys …, manage.py backups key, and what happens without the keys."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pytest_django.fixtures import Settings

from backups import keyring
from backups.actions import rotation
from backups.actions.purge import delete_snapshot, purge_due
from backups.actions.snapshots import request_snapshot
from backups.archive import ArchiveReader, new_identity
from backups.models import AccountKey, ArchiveKey, PurgeEntry, Snapshot, SnapshotState
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.jobs.runner import drain
from recipients.models import Group, Recipient
from tests.commands.conftest import Run
from tests.fixtures.lists import Lists

PEOPLE = "email,First name\nanna@x.com,Anna\nbob@x.com,Bob\n"
MISSING_TOOLS = [tool for tool in ("bash", "age", "unzip", "zstd") if shutil.which(tool) is None]


@pytest.fixture(autouse=True)
def key_path(tmp_path: Path, settings: Settings) -> Path:
    """Where this test keeps the instance's key; nothing is there yet."""
    settings.ARCHIVE_KEY_PATH = tmp_path / "keys" / "archive.key"
    return tmp_path / "keys" / "archive.key"


@pytest.fixture
def news(lists: Lists) -> Group:
    return lists.group(PEOPLE)


@pytest.fixture
def theirs(other_account: Account, stranger: User, archives: Path, uploads: Path) -> Snapshot:
    other = Lists(account=other_account, owner=stranger)
    return taken(other, other.group("email\ncarl@x.com\n", name="Theirs"))


def taken(lists: Lists, group: Group) -> Snapshot:
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    return Snapshot.objects.get(pk=snapshot.pk)


def change(group: Group) -> None:
    """So that the next backup is a file of its own."""
    Group.objects.filter(pk=group.pk).update(revision=group.revision + 1)
    group.refresh_from_db()


def test_what_lies_in_the_storage_is_encrypted(lists: Lists, news: Group, archives: Path) -> None:
    snapshot = taken(lists, news)
    data = (archives / snapshot.archive).read_bytes()
    for secret in (b"anna@x.com", b"Anna", b"News", b"acme"):
        assert secret not in data
    key = ArchiveKey.objects.select_related("account_key").get(archive=snapshot.archive)
    assert key.account_key.account_id == snapshot.account_id
    assert key.account_key.instance_key_id == keyring.load().current_id


def test_each_archive_has_a_key_of_its_own(run: Run, lists: Lists, news: Group) -> None:
    first = taken(lists, news)
    change(news)
    second = taken(lists, news)
    keys = [run("backups", "key", each.pk, "--json").json["key"] for each in (first, second)]
    assert keys[0] != keys[1]


def test_the_first_start_makes_the_key_and_says_where_it_is(run: Run, key_path: Path) -> None:
    first = run("keys", "check")
    assert first.code == 0
    assert str(key_path) in first.out
    assert "Keep a copy" in first.out
    before = key_path.read_text()
    assert run("keys", "check").out == "The keys open what they should.\n"
    assert key_path.read_text() == before


def test_a_lost_key_is_never_replaced_by_a_new_one(
    run: Run, lists: Lists, news: Group, key_path: Path
) -> None:
    snapshot = taken(lists, news)
    lost = key_path.rename(key_path.with_name("lost"))
    for words in (
        ("keys", "check"),
        ("backups", "verify", snapshot.pk),
        ("keys", "list"),
        ("keys", "rotate"),
    ):
        done = run(*words)
        assert done.code == 1
        assert not key_path.exists()
    assert str(key_path) in run("keys", "check").err
    assert [each["invariant"] for each in run("fsck", "--json").json["findings"]] == ["I2", "I2"]
    # Nothing was called damaged that is only locked.
    snapshot.refresh_from_db()
    assert snapshot.damaged_code == ""
    lost.rename(key_path)
    assert run("keys", "check").code == 0
    assert run("backups", "verify", snapshot.pk).code == 0
    assert run("fsck").code == 0


def test_with_the_key_of_another_installation_nothing_opens(
    run: Run, lists: Lists, news: Group, key_path: Path
) -> None:
    snapshot = taken(lists, news)
    right = key_path.read_text()
    key_path.write_text(new_identity())
    done = run("keys", "check", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "key.instance_unknown")
    assert AccountKey.objects.get().instance_key_id in done.err
    states = {key["is_here"]: key["accounts"] for key in run("keys", "list", "--json").json}
    assert states == {True: 0, False: 1}
    restored = run("backups", "restore", snapshot.pk, "--wait", "--json")
    assert (restored.code, restored.json["error"]["code"]) == (1, "key.instance_unknown")
    key_path.write_text(right)
    assert run("backups", "restore", snapshot.pk, "--wait", "--json").code == 0


def test_without_the_key_no_backup_is_made_and_the_change_does_not_happen(
    run: Run, lists: Lists, news: Group, key_path: Path, archives: Path
) -> None:
    taken(lists, news)
    files = sorted(archives.rglob("*.zip"))
    change(news)
    lost = key_path.rename(key_path.with_name("lost"))
    failed = lists.load("email\ndora@x.com\n", into=news)
    assert failed.state == "failed"
    assert "key" in failed.error_code or failed.error_code == "job.needed_failed"
    assert set(Recipient.objects.filter(group=news).values_list("key", flat=True)) == {
        "anna@x.com",
        "bob@x.com",
    }
    snapshot = Snapshot.objects.get(change=failed)
    assert (snapshot.state, snapshot.error_code) == (SnapshotState.FAILED, "key.instance_missing")
    assert sorted(archives.rglob("*.zip")) == files
    lost.rename(key_path)
    assert lists.load("email\ndora@x.com\n", into=news).state == "done"


def test_a_key_that_would_not_open_again_completes_no_backup(
    lists: Lists, news: Group, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_options: object) -> str:
        return "-----BEGIN AGE ENCRYPTED FILE-----\n"

    monkeypatch.setattr("backups.actions.keys.seal", broken)
    snapshot = taken(lists, news)
    assert (snapshot.state, snapshot.error_code) == (SnapshotState.FAILED, "archive.key_broken")
    assert list(archives.rglob("*.zip")) == []
    assert not ArchiveKey.objects.exists()


def test_keys_exchanged_between_rows_open_nothing(
    run: Run, lists: Lists, news: Group, theirs: Snapshot
) -> None:
    first = taken(lists, news)
    change(news)
    second = taken(lists, news)
    mine, other = (ArchiveKey.objects.get(archive=each.archive) for each in (first, second))
    for sealed in (other.sealed, ArchiveKey.objects.get(archive=theirs.archive).sealed, "", "x"):
        ArchiveKey.objects.filter(pk=mine.pk).update(sealed=sealed)
        done = run("backups", "verify", first.pk, "--json")
        assert (done.code, done.json[0]["error"]["code"]) == (1, "archive.key_broken")
    ArchiveKey.objects.filter(pk=mine.pk).update(sealed=mine.sealed)
    assert run("backups", "verify", first.pk).code == 0
    ArchiveKey.objects.filter(pk=mine.pk).delete()
    done = run("backups", "verify", first.pk, "--json")
    assert (done.code, done.json[0]["error"]["code"]) == (1, "archive.no_key")


def test_an_accounts_key_that_was_changed_is_found(run: Run, lists: Lists, theirs: Snapshot) -> None:
    snapshot = taken(lists, lists.group(PEOPLE))
    mine = AccountKey.objects.get(account=lists.account)
    other = AccountKey.objects.get(account=theirs.account)
    AccountKey.objects.filter(pk=mine.pk).update(sealed=other.sealed)
    done = run("backups", "verify", snapshot.pk, "--json")
    assert (done.code, done.json[0]["error"]["code"]) == (1, "key.account_broken")
    places = [each["where"] for each in run("fsck", "--json").json["findings"]]
    assert f"account {lists.account.slug} (its key)" in places
    assert f"account {theirs.account.slug} (its key)" not in places


def test_the_key_goes_with_the_last_backup_of_the_file(lists: Lists, news: Group) -> None:
    first, second = taken(lists, news), taken(lists, news)
    assert first.archive == second.archive
    for snapshot, is_last in ((first, False), (second, True)):
        delete_snapshot(snapshot, actor=operator())
        Snapshot.objects.filter(pk=snapshot.pk).update(expires_at="2020-01-01T00:00Z")
        assert purge_due(actor=operator()) == 1
        entry = PurgeEntry.objects.get(snapshot_id=snapshot.pk)
        assert (entry.key_destroyed_at is not None, entry.file_removed) == (is_last, is_last)
        assert ArchiveKey.objects.filter(archive=first.archive).exists() is not is_last


def test_rotation_gives_every_account_the_new_key_and_is_on_record(
    run: Run, lists: Lists, news: Group, theirs: Snapshot, key_path: Path
) -> None:
    snapshot = taken(lists, news)
    old = keyring.load().current_id
    done = run("keys", "rotate", "--json")
    assert (done.code, done.json["accounts"], done.json["old"]) == (0, 2, [old])
    new = done.json["current"]
    assert set(AccountKey.objects.values_list("instance_key_id", flat=True)) == {new} != {old}
    entries = AuditEntry.objects.filter(event="key.rotated")
    assert {entry.account_id for entry in entries} == {lists.account.pk, theirs.account_id}
    assert entries[0].data == {"old": old, "new": new}
    assert run("backups", "verify", snapshot.pk, theirs.pk).code == 0
    assert run("keys", "drop", old).code == 0
    assert old not in key_path.read_text()
    assert run("backups", "verify", snapshot.pk, theirs.pk).code == 0
    change(news)
    assert taken(lists, news).state == SnapshotState.COMPLETE
    assert run("fsck").code == 0


def test_a_rotation_that_was_killed_goes_on_with_the_same_key(
    run: Run, lists: Lists, news: Group, theirs: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = taken(lists, news)

    class Killed(BaseException):
        pass

    seal_anew = rotation._seal_anew
    calls: list[object] = []

    def die_at_the_second(*args: Any, **options: Any) -> bool:
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        return seal_anew(*args, **options)

    monkeypatch.setattr(rotation, "_seal_anew", die_at_the_second)
    with pytest.raises(Killed):
        run("keys", "rotate")
    new = keyring.load().current_id
    assert sorted(AccountKey.objects.values_list("instance_key_id", flat=True)).count(new) == 1
    # In the middle, both halves can be read.
    assert run("backups", "verify", snapshot.pk, theirs.pk).code == 0
    done = run("keys", "rotate", "--json")
    assert (done.json["accounts"], done.json["current"]) == (1, new)
    assert len(done.json["old"]) == 1


def test_a_rotation_killed_before_the_first_account_makes_no_third_key(
    run: Run, lists: Lists, news: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(lists, news)

    def die(*_args: object, **_options: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "_seal_anew", die)
        with pytest.raises(KeyboardInterrupt):
            run("keys", "rotate")
    assert run("keys", "rotate", "--json").json["accounts"] == 1
    assert len(keyring.load().ids) == 2


def test_while_keys_are_rotated_no_other_command_changes_them(
    run: Run, lists: Lists, news: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(lists, news)
    old = keyring.load().current_id
    spare = run("keys", "rotate", "--json").json["current"]
    seal_anew = rotation._seal_anew
    refused = []

    def rotate_meanwhile(*args: Any, **options: Any) -> bool:
        for command in (("rotate",), ("drop", old)):
            done = run("keys", *command, "--json")
            refused.append((done.code, done.json["error"]["code"]))
        return seal_anew(*args, **options)

    monkeypatch.setattr(rotation, "_seal_anew", rotate_meanwhile)
    done = run("keys", "rotate", "--json")
    assert (done.code, refused) == (0, [(1, "key.being_changed")] * 2)
    assert keyring.load().ids == [done.json["current"], spare, old]
    monkeypatch.undo()
    # When it has ended they may.
    assert run("keys", "drop", old).code == 0


def test_a_key_that_is_needed_is_not_dropped(run: Run, lists: Lists, news: Group) -> None:
    taken(lists, news)
    current = keyring.load().current_id
    for name, code in ((current, "key.in_use"), ("age1unknown", "key.not_found")):
        done = run("keys", "drop", name, "--json")
        assert (done.code, done.json["error"]["code"]) == (1, code)
    new = keyring.add_new()
    done = run("keys", "drop", current, "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "key.in_use")
    assert keyring.load() == new


def test_keys_of_the_environment_are_rotated_by_putting_a_new_one_first(
    run: Run, lists: Lists, news: Group, settings: Settings, key_path: Path
) -> None:
    old = run("keys", "new", "--json").json["key"]
    settings.ARCHIVE_KEY = old
    snapshot = taken(lists, news)
    done = run("keys", "rotate", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "key.put_new_first")
    new = run("keys", "new", "--json").json
    settings.ARCHIVE_KEY = f"{new['key']},{old}"
    assert run("keys", "rotate", "--json").json["current"] == new["id"]
    settings.ARCHIVE_KEY = new["key"]
    assert run("backups", "verify", snapshot.pk).code == 0
    assert run("keys", "drop", new["id"], "--json").json["error"]["code"] == "key.not_ours"
    assert not key_path.exists()


def test_showing_a_key_is_on_record_and_the_key_opens_the_file(
    run: Run, lists: Lists, news: Group, archives: Path
) -> None:
    snapshot = taken(lists, news)
    shown = run("backups", "key", snapshot.pk)
    assert shown.out.splitlines()[0] == f"# archive {snapshot.archive}"
    assert AuditEntry.objects.get(event="backup.key_shown").data == {"snapshot": snapshot.pk}
    with (archives / snapshot.archive).open("rb") as file:
        reader = ArchiveReader(file, identity=shown.out.splitlines()[1])
        with reader.open_part() as part:
            assert b"anna@x.com" in part.read()


@pytest.mark.skipif(bool(MISSING_TOOLS), reason=f"LEFT OUT: {MISSING_TOOLS} not here")
def test_with_the_instances_key_and_two_values_of_the_database_age_comes_to_the_rows(
    lists: Lists, news: Group, archives: Path, key_path: Path, tmp_path: Path
) -> None:
    snapshot = taken(lists, news)
    key = ArchiveKey.objects.select_related("account_key").get(archive=snapshot.archive)
    (tmp_path / "account.sealed").write_text(key.account_key.sealed)
    (tmp_path / "archive.sealed").write_text(key.sealed)
    script = f"""
        age -d -i {key_path} account.sealed > account.key
        age -d -i account.key archive.sealed > backup.key
        unzip -p {archives / snapshot.archive} recipients.tsv.zst.age > rows.age
        age -d -i backup.key rows.age | zstd -dc | cut -f 2
    """
    shown = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert shown.split() == ["anna@x.com", "bob@x.com"]
