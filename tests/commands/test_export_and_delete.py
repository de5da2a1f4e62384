"""manage.py export_list and delete_group"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from django.core.management import call_command

from backups import storage
from backups.models import Snapshot
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Job
from recipients.actions.groups import change_group
from recipients.models import Attribute, Change, Group, Recipient
from tests.commands.conftest import Run
from tests.fixtures.lists import Lists, table

CsvFile = Callable[[str], Path]
OF_NEWS = ("--account", "acme", "--group", "News")
PEOPLE = "email,First name\nanna@x.com,=1+1\nbob@x.com,Bob\n"


def test_an_exported_list_comes_back_exactly(run: Run, lists: Lists, tmp_path: Path) -> None:
    group = lists.group(PEOPLE)
    target = tmp_path / "news.csv"
    done = run("export_list", *OF_NEWS, "-o", target)
    assert (done.code, done.out) == (0, "")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["news.csv"]
    copy = run("import_list", target, "--account", "acme", "--group", "Copy", "--create", "--wait", "--json")
    assert (copy.json["state"], copy.json["added"]) == ("done", 2)
    assert table(Group.objects.get(name="Copy")) == table(group)
    assert AuditEntry.objects.get(event="group.exported").target == "News"


def test_without_a_name_the_list_goes_to_stdout(
    run: Run, lists: Lists, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lists.group(PEOPLE)
    assert run("export_list", *OF_NEWS).out.splitlines()[0].startswith("email,status,")
    call_command("export_list", *OF_NEWS)
    assert capfdbinary.readouterr().out.count(b"\n") == 3


def test_spreadsheet_safe_cells_are_no_formulas(run: Run, lists: Lists) -> None:
    lists.group(PEOPLE)
    assert ",=1+1" in run("export_list", *OF_NEWS).out
    assert ",'=1+1" in run("export_list", *OF_NEWS, "--spreadsheet-safe").out


@pytest.mark.parametrize("scope", [("acme", "Nothing"), ("other", "News"), ("nobody", "News")])
def test_a_list_that_is_not_there_is_not_exported(
    scope: tuple[str, str], run: Run, lists: Lists, other_account: Account, tmp_path: Path
) -> None:
    lists.group(PEOPLE)
    done = run("export_list", "--account", scope[0], "--group", scope[1], "-o", tmp_path / "x.csv")
    assert done.code == 1
    assert done.err.startswith("There is no such")
    assert not (tmp_path / "x.csv").exists()
    assert not AuditEntry.objects.filter(event="group.exported").exists()


def test_a_file_that_cannot_be_written_is_a_refusal_and_keeps_the_old_one(
    run: Run, lists: Lists, tmp_path: Path
) -> None:
    lists.group(PEOPLE)
    assert "could not be written" in run("export_list", *OF_NEWS, "-o", tmp_path / "none" / "x.csv").err
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run("export_list", *OF_NEWS, "-o", folder).code == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


def test_a_deleted_list_is_gone_at_once_and_its_backup_is_there(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    done = run("delete_group", *OF_NEWS, "--wait", "--json")
    assert done.code == 0
    assert (done.json["kind"], done.json["state"], done.json["deleted"]) == ("deletion", "done", 2)
    snapshot = Snapshot.objects.get(pk=done.json["backup"])
    assert (snapshot.state, snapshot.cause, snapshot.recipients) == ("complete", "deletion", 2)
    group.refresh_from_db()
    assert group.deleted_at is not None
    assert not Recipient.objects.exists()
    assert AuditEntry.objects.filter(event="group.deleted", origin="command").exists()


def test_as_from_the_web_application_the_rows_stay_until_undo_is_over(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    done = run("delete_group", *OF_NEWS, "--origin", "ui", "--wait", "--json")
    assert (done.code, done.json["state"], done.json["deleted"]) == (0, "done", 2)
    assert Snapshot.objects.get(pk=done.json["backup"]).state == "complete"
    group.refresh_from_db()
    assert (group.is_live, group.deleted_at) == (False, None)
    assert Recipient.objects.count() == 2
    purge = Job.objects.get(kind="recipients.purge_group")
    assert purge.due_at > database_now() + timedelta(hours=1)


def test_as_from_the_api_no_backup_is_made_and_undo_stays_possible(run: Run, lists: Lists) -> None:
    lists.group(PEOPLE)
    done = run("delete_group", *OF_NEWS, "--origin", "api", "--wait", "--json")
    assert (done.json["state"], done.json["backup"]) == ("done", None)
    assert Recipient.objects.count() == 2


def test_without_wait_the_list_is_hidden_and_nothing_is_removed(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    done = run("delete_group", *OF_NEWS, "--json")
    assert (done.code, done.json["state"]) == (0, "active")
    group.refresh_from_db()
    assert not group.is_live
    assert Recipient.objects.count() == 2


def test_a_locked_list_is_not_deleted(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change_group(group, actor=lists.actor, locked=True)
    done = run("delete_group", *OF_NEWS, "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "group.locked")
    assert (done.json["id"], done.json["state"], done.json["group"]) == (None, "failed", "News")
    assert Group.objects.get(pk=group.pk).is_live
    assert not Change.objects.filter(kind="deletion").exists()


def test_a_list_of_another_account_is_not_deleted(run: Run, lists: Lists, other_account: Account) -> None:
    group = lists.group(PEOPLE)
    done = run("delete_group", "--account", "other", "--group", f"#{group.pk}", "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "group.not_found")
    assert Group.objects.get(pk=group.pk).is_live


def test_a_year_is_never_taken_for_an_id(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    Group.objects.create(account=lists.account, name=str(group.pk))
    of_year = ("--account", "acme", "--group", str(group.pk), "--wait", "--json")
    assert run("delete_group", *of_year).json["state"] == "done"
    again = run("delete_group", *of_year)
    assert (again.code, again.json["error"]["code"]) == (1, "group.not_found")
    assert Group.objects.get(pk=group.pk).is_live


def test_a_list_can_be_named_by_its_id(run: Run, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    by_id = ("--account", "acme", "--group", f"#{group.pk}")
    assert "anna@x.com" in run("export_list", *by_id).out
    assert run("delete_group", *by_id, "--wait", "--json").json["group"] == "News"
    # The backups of a deleted list are found by its id too.
    assert len(run("backups", "list", *by_id, "--json").json) == 1


@pytest.mark.parametrize("name", ["#0", f"#{'9' * 18}", f"#{'9' * 30}", "#", "#x"])
def test_an_id_that_no_list_has_is_not_found(name: str, run: Run, lists: Lists) -> None:
    lists.group(PEOPLE)
    done = run("delete_group", "--account", "acme", "--group", name, "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "group.not_found")


def test_when_the_backup_fails_the_list_comes_back(
    run: Run, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group(PEOPLE)

    def full(*_: object) -> NoReturn:
        raise storage.StorageRefused("storage.full")

    monkeypatch.setattr(storage, "write", full)
    done = run("delete_group", *OF_NEWS, "--wait", "--json")
    assert (done.code, done.json["state"], done.json["error"]["code"]) == (1, "failed", "storage.full")
    assert done.json["error"]["message"] in done.err
    assert Group.objects.get(pk=group.pk).is_live
    assert Recipient.objects.count() == 2


def test_fields_of_the_account_outlive_a_list(run: Run, lists: Lists) -> None:
    lists.group(PEOPLE)
    run("delete_group", *OF_NEWS, "--wait")
    assert Attribute.objects.get().name == "First name"
