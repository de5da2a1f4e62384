"""manage.py backups …"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from django.utils import timezone

from backups import storage
from backups.actions.snapshots import request_snapshot
from backups.models import PurgeEntry, Snapshot
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.jobs.runner import drain
from recipients.models import Change, Group, Recipient
from tests.commands.conftest import Done, Run
from tests.fixtures.lists import Lists, table

OF_NEWS = ("--account", "acme", "--group", "News")
KEYS = [
    "id", "group", "group_id", "group_deleted", "cause", "created", "expires", "recipients", "size_bytes",
    "state", "verified_at", "pinned",
]  # fmt: skip
CHANGE_KEYS = [
    "id", "kind", "group", "mode", "state", "error", "rows", "added", "updated", "unchanged", "kept_safe",
    "rejected", "duplicates", "deactivated", "deleted", "backup",
]  # fmt: skip


@pytest.fixture
def news(lists: Lists) -> Group:
    return lists.group("email,First name\nanna@x.com,Anna\nbob@x.com,Bob\n")


def snapshot_of(group: Group, lists: Lists) -> Snapshot:
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    return Snapshot.objects.get(pk=snapshot.pk)


@pytest.fixture
def snapshot(news: Group, lists: Lists) -> Snapshot:
    return snapshot_of(news, lists)


@pytest.fixture
def foreign(other_account: Account, stranger: User, archives: Path, uploads: Path) -> Snapshot:
    """A backup of another account."""
    theirs = Lists(account=other_account, owner=stranger)
    return snapshot_of(theirs.group("email\ncarl@x.com\n", name="News"), theirs)


def test_the_list_is_newest_first_and_of_all_accounts(
    run: Run, snapshot: Snapshot, foreign: Snapshot, news: Group, lists: Lists
) -> None:
    newest = snapshot_of(news, lists)
    documents = run("backups", "list", "--json").json
    assert [int(document["id"]) for document in documents] == [newest.pk, foreign.pk, snapshot.pk]
    assert list(documents[0]) == KEYS
    assert (documents[0]["cause"], documents[0]["state"], documents[0]["recipients"]) == (
        "manual", "complete", 2,
    )  # fmt: skip


def test_the_list_of_an_account_or_a_group_holds_only_theirs(
    run: Run, snapshot: Snapshot, foreign: Snapshot, lists: Lists
) -> None:
    other = snapshot_of(lists.group("email\ndora@x.com\n", name="Events"), lists)
    of_account = run("backups", "list", "--account", "acme", "--json").json
    assert [int(document["id"]) for document in of_account] == [other.pk, snapshot.pk]
    of_group = run("backups", "--account", "acme", "list", "--group", "News", "--json").json
    assert [int(document["id"]) for document in of_group] == [snapshot.pk]
    assert "Events" not in run("backups", "list", *OF_NEWS).out


def test_a_deleted_list_is_still_listed_and_marked(run: Run, news: Group) -> None:
    run("delete_group", *OF_NEWS, "--wait")
    (document,) = run("backups", "list", *OF_NEWS, "--json").json
    assert (document["group"], document["group_deleted"], document["cause"]) == ("News", True, "deletion")


def test_without_backups_the_list_is_empty(run: Run, account: Account) -> None:
    assert run("backups", "list", "--json").json == []
    assert run("backups", "list").out == "There is no backup.\n"


def test_a_backup_is_made_by_hand(run: Run, news: Group) -> None:
    done = run("backups", "make", *OF_NEWS, "--wait", "--json")
    assert (done.code, done.json["state"], done.json["cause"]) == (0, "complete", "manual")
    snapshot = Snapshot.objects.get()
    assert done.json["id"] == str(snapshot.pk)
    assert storage.size(snapshot.archive) == done.json["size_bytes"]
    assert AuditEntry.objects.filter(event="backup.made", origin="command").exists()
    assert run("backups", "make", *OF_NEWS, "--json").json["state"] == "writing"


def test_a_backup_that_fails_says_why(run: Run, news: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise storage.StorageRefused("storage.full")

    monkeypatch.setattr(storage, "write", full)
    done = run("backups", "make", *OF_NEWS, "--wait", "--json")
    assert (done.code, done.json["state"], done.json["error"]["code"]) == (1, "failed", "storage.full")
    assert done.json["error"]["message"] in done.err


def test_a_deleted_list_is_not_backed_up(run: Run, news: Group) -> None:
    run("delete_group", *OF_NEWS, "--wait")
    done = run("backups", "make", *OF_NEWS, "--wait", "--json")
    assert (done.code, done.json) == (1, {"error": {
        "code": "group.not_found", "message": "There is no such list in this account.",
    }})  # fmt: skip


def test_one_backup_is_shown(run: Run, snapshot: Snapshot) -> None:
    done = run("backups", "show", snapshot.pk, "--json")
    assert list(done.json) == KEYS
    assert "recipients     2" in run("backups", "show", snapshot.pk, "--account", "acme").out


@pytest.mark.parametrize(
    "words",
    [
        ["show"], ["download"], ["compare"], ["verify"], ["pin"], ["delete"],
        ["restore", "--dry-run"], ["restore", "--wait"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_backup_of_another_account_is_refused_like_one_that_is_not_there(
    words: list[str], run: Run, foreign: Snapshot, snapshot: Snapshot, tmp_path: Path
) -> None:
    verb, *rest = words
    rest += ["-o", str(tmp_path / "x.csv")] if verb == "download" else []

    def call(pk: int) -> tuple[int, str]:
        done = run("backups", verb, pk, "--account", "acme", "--json", *rest)
        return done.code, done.out

    before = AuditEntry.objects.count()
    assert call(foreign.pk) == call(10**6)
    assert call(foreign.pk)[0] == 1
    assert not (tmp_path / "x.csv").exists()
    assert AuditEntry.objects.count() == before
    assert call(snapshot.pk)[0] == 0


@pytest.mark.parametrize("name", ["0", "-1", "abc", "1.5", "9" * 30, "", "１"])
def test_what_is_no_id_is_not_there(name: str, run: Run, snapshot: Snapshot) -> None:
    done = run("backups", "show", "--json", "--", name)
    assert (done.code, done.json["error"]["code"]) == (1, "snapshot.not_found")


def test_a_backup_of_another_list_is_refused(run: Run, snapshot: Snapshot, lists: Lists) -> None:
    lists.group("email\ndora@x.com\n", name="Events")
    done = run("backups", "show", snapshot.pk, "--account", "acme", "--group", "Events", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "snapshot.not_found")


def test_a_download_can_be_imported_again(run: Run, snapshot: Snapshot, news: Group, tmp_path: Path) -> None:
    target = tmp_path / "news.csv"
    done = run("backups", "download", snapshot.pk, "-o", target)
    assert (done.code, done.out) == (0, "")
    copy = run("import_list", target, "--account", "acme", "--group", "Copy", "--create", "--wait", "--json")
    assert (copy.json["state"], copy.json["added"]) == ("done", 2)
    assert table(Group.objects.get(name="Copy")) == table(news)
    assert AuditEntry.objects.filter(event="backup.downloaded", origin="command").exists()
    assert run("backups", "download", snapshot.pk).out.encode() == target.read_bytes()


def test_json_and_the_file_cannot_both_go_to_stdout(run: Run, snapshot: Snapshot) -> None:
    assert run("backups", "download", snapshot.pk, "--json").code == 2
    assert not AuditEntry.objects.filter(event="backup.downloaded").exists()


def test_a_damaged_backup_is_neither_downloaded_nor_restored(
    run: Run, snapshot: Snapshot, archives: Path, tmp_path: Path
) -> None:
    path = archives / snapshot.archive
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")
    done = run("backups", "verify", snapshot.pk, "--json")
    assert (done.code, done.json[0]["ok"], done.json[0]["state"]) == (1, False, "failed")
    assert done.json[0]["error"]["code"] == "archive.file_checksum"
    assert run("backups", "download", snapshot.pk, "-o", tmp_path / "x.csv").code == 1
    assert not (tmp_path / "x.csv").exists()
    restored = run("backups", "restore", snapshot.pk, "--wait", "--json")
    assert (restored.code, restored.json["error"]["code"]) == (1, "snapshot.damaged")


def test_a_restore_brings_the_list_back_and_is_backed_up_itself(
    run: Run, snapshot: Snapshot, news: Group
) -> None:
    before = table(news)
    run("delete_group", *OF_NEWS, "--wait")
    done = run("backups", "restore", snapshot.pk, "--wait", "--json")
    assert list(done.json) == CHANGE_KEYS
    assert (done.code, done.json["kind"], done.json["state"], done.json["added"]) == (0, "restore", "done", 2)
    assert Group.objects.get(pk=news.pk).is_live
    assert table(news) == before
    assert Snapshot.objects.get(pk=done.json["backup"]).cause == "restore"


def test_a_restore_goes_into_another_or_a_new_list(
    run: Run, snapshot: Snapshot, news: Group, lists: Lists
) -> None:
    events = lists.group("email\ndora@x.com\n", name="Events")
    into = run("backups", "restore", snapshot.pk, "--into", "Events", "--wait", "--json")
    assert (into.json["group"], into.json["added"]) == ("Events", 2)
    assert sorted(table(events)) == ["anna@x.com", "bob@x.com", "dora@x.com"]
    new = run("backups", "restore", snapshot.pk, "--new", "Copy", "--wait", "--json")
    assert (new.json["group"], new.json["state"]) == ("Copy", "done")
    assert table(Group.objects.get(name="Copy")) == table(news)
    taken = run("backups", "restore", snapshot.pk, "--new", "Copy", "--wait", "--json")
    assert (taken.code, taken.json["error"]["code"]) == (1, "group.name_taken")


@pytest.mark.parametrize(("option", "code"), [("--new", "group.name_empty"), ("--into", "group.not_found")])
@pytest.mark.parametrize("name", ["", " "])
def test_a_restore_into_a_list_without_a_name_is_no_restore_over_its_own(
    name: str, option: str, code: str, run: Run, snapshot: Snapshot, news: Group, lists: Lists
) -> None:
    lists.load("email,First name\nanna@x.com,Spoiled\n", into=news)
    before = table(news)
    refused = run("backups", "restore", snapshot.pk, option, name, "--wait", "--json")
    assert (refused.code, refused.json["state"], refused.json["error"]["code"]) == (1, "failed", code)
    assert refused.json["error"]["message"] in refused.err
    assert table(news) == before
    assert not Change.objects.filter(kind="restore").exists()
    assert not AuditEntry.objects.filter(event="restore.done").exists()
    lists.group("email\ndora@x.com\n", name="Known")
    name = "Copy" if option == "--new" else "Known"
    assert run("backups", "restore", snapshot.pk, option, name, "--wait", "--json").json["state"] == "done"


def test_a_restore_never_crosses_into_another_account(
    run: Run, snapshot: Snapshot, foreign: Snapshot
) -> None:
    done = run("backups", "restore", snapshot.pk, "--into", foreign.group_id, "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "group.not_found")
    assert Recipient.objects.filter(group=foreign.group_id).count() == 1


def test_a_dry_restore_changes_nothing(run: Run, snapshot: Snapshot, news: Group) -> None:
    Recipient.objects.filter(key="bob@x.com").delete()
    before = table(news)
    done = run("backups", "restore", snapshot.pk, "--dry-run", "--json")
    assert (done.code, done.json["state"], done.json["added"], done.json["unchanged"]) == (0, "preview", 1, 1)
    assert table(news) == before
    assert Change.objects.latest("pk").state == "cancelled"
    assert Snapshot.objects.count() == 1


def test_a_mode_of_a_restore_is_kept(run: Run, snapshot: Snapshot, news: Group) -> None:
    Recipient.objects.filter(key="bob@x.com").delete()
    done = run("backups", "restore", snapshot.pk, "--mode", "update_only", "--wait", "--json")
    assert (done.json["mode"], done.json["added"]) == ("update_only", 0)


@pytest.mark.parametrize("mode", ["update_only", "add_only"])
@pytest.mark.parametrize("into", ["new", "deleted"])
def test_in_a_list_without_rows_there_is_nobody_to_update(
    into: str, mode: str, run: Run, snapshot: Snapshot, news: Group
) -> None:
    before = table(news)
    if into == "deleted":
        run("delete_group", *OF_NEWS, "--wait")
        assert not Recipient.objects.exists()
    target = ("--new", "Copy") if into == "new" else ()
    done = run("backups", "restore", snapshot.pk, *target, "--mode", mode, "--wait", "--json")
    assert (done.code, done.json["state"], done.json["mode"]) == (0, "done", "reform_and_add")
    assert table(Group.objects.get(name="Copy" if into == "new" else "News")) == before


def test_a_deleted_list_that_has_its_rows_yet_is_restored_in_the_mode_that_was_asked_for(
    run: Run, snapshot: Snapshot, news: Group
) -> None:
    Recipient.objects.filter(key="bob@x.com").delete()
    # Deleted on a page, a list keeps its rows for as long as the deletion can be undone.
    run("delete_group", *OF_NEWS, "--origin", "ui", "--wait")
    assert not Group.objects.get(pk=news.pk).is_live
    done = run("backups", "restore", snapshot.pk, "--mode", "update_only", "--wait", "--json")
    assert (done.json["state"], done.json["mode"], done.json["added"]) == ("done", "update_only", 0)
    assert list(table(news)) == ["anna@x.com"]


def test_a_backup_is_compared_with_the_list_and_with_another(
    run: Run, snapshot: Snapshot, lists: Lists, news: Group
) -> None:
    lists.load("email,First name\nanna@x.com,Änna\ncarl@x.com,Carl\n", into=news)
    expected = {"added": 1, "removed": 0, "changed": 1, "unchanged": 1}
    assert run("backups", "compare", snapshot.pk, "--json").json == expected
    later = snapshot_of(news, lists)
    assert run("backups", "compare", snapshot.pk, later.pk, "--json").json == expected
    assert run("backups", "compare", later.pk, "--json").json["unchanged"] == 3


def test_backups_of_two_accounts_are_not_compared(run: Run, snapshot: Snapshot, foreign: Snapshot) -> None:
    done = run("backups", "compare", snapshot.pk, foreign.pk, "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "snapshot.not_found")


def test_all_backups_are_verified(run: Run, snapshot: Snapshot, foreign: Snapshot) -> None:
    done = run("backups", "verify", "--all", "--json")
    assert done.code == 0
    assert [document["ok"] for document in done.json] == [True, True]
    assert len(run("backups", "verify", "--all", "--account", "acme", "--json").json) == 1
    assert AuditEntry.objects.filter(event="backup.verified").count() == 3
    assert run("backups", "verify").code == 2
    assert run("backups", "verify", snapshot.pk, "--all").code == 2


def test_a_pinned_backup_is_kept_until_it_is_let_go(run: Run, snapshot: Snapshot) -> None:
    assert run("backups", "pin", snapshot.pk, "--json").json["pinned"] is True
    done = run("backups", "delete", snapshot.pk, "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "snapshot.pinned")
    assert run("backups", "pin", snapshot.pk, "--off", "--json").json["pinned"] is False
    assert run("backups", "delete", snapshot.pk, "--json").json["state"] == "expired"
    assert run("backups", "list", "--json").json == []
    assert run("backups", "show", snapshot.pk).code == 1


def test_purge_removes_what_is_due_and_files_of_nobody(
    run: Run, snapshot: Snapshot, foreign: Snapshot, archives: Path
) -> None:
    long_ago = timezone.now() - timedelta(days=2)
    orphan = archives / "1" / "orphan.zip.tmp"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"half")
    assert run("backups", "purge", "--json").json == {"purged": 0, "orphans": 0}
    Snapshot.objects.update(expires_at=long_ago)
    os.utime(orphan, (long_ago.timestamp(), long_ago.timestamp()))
    assert run("backups", "purge", "--account", "acme", "--json").json == {"purged": 1, "orphans": 0}
    assert not (archives / snapshot.archive).exists()
    assert (archives / foreign.archive).exists()
    assert run("backups", "purge", "--json").json == {"purged": 1, "orphans": 1}
    assert not [path for path in archives.rglob("*") if path.is_file()]
    assert PurgeEntry.objects.count() == 2


# What Python makes of a byte that is not UTF-8.
HALF = "x\udcff"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["backups", "list", "--account", "acme", "--group", HALF], "group.not_found"),
        (["backups", "list", "--account", HALF], "account.not_found"),
        (["backups", "show", HALF], "snapshot.not_found"),
        (["backups", "restore", "{id}", "--into", HALF], "group.not_found"),
        (["backups", "restore", "{id}", "--new", HALF], "group.name_control"),
        (["delete_group", "--account", "acme", "--group", HALF], "group.not_found"),
    ],
)
def test_words_that_are_not_utf_8_are_refused_like_others(
    words: list[str], code: str, run: Run, snapshot: Snapshot, lists: Lists, news: Group
) -> None:
    def call(name: str) -> Done:
        return run(*(word.format(id=snapshot.pk).replace(HALF, name) for word in words), "--json")

    before = table(news)
    refused = call(HALF)
    assert (refused.code, refused.json["error"]["code"]) == (1, code)
    assert refused.json["error"]["message"] in refused.err
    assert refused.out.isascii()
    assert table(news) == before
    assert not Change.objects.exclude(kind="import").exists()
    lists.group("email\ndora@x.com\n", name="Known")
    known = {"account.not_found": "acme", "snapshot.not_found": str(snapshot.pk)}
    assert call("Copy" if code == "group.name_control" else known.get(code, "Known")).code == 0


def test_a_group_without_its_account_is_wrong_usage(run: Run, news: Group) -> None:
    assert run("backups", "list", "--group", "News").code == 2
    assert run("backups", "make", "--account", "acme").code == 2
