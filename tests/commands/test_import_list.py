"""manage.py import_list"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from backups import storage
from backups.models import Snapshot
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.jobs.models import Job
from recipients.actions import surveys
from recipients.models import (
    Attribute,
    Change,
    ChangeState,
    Group,
    Import,
    Recipient,
    RejectedRow,
)
from tests.commands.conftest import Done, Run
from tests.fixtures.lists import Lists, staged_rows, table

# Uploads go when what ends their change has been committed.
pytestmark = pytest.mark.django_db(transaction=True)
CsvFile = Callable[[str], Path]
PEOPLE = "email,First name,age\nanna@x.com,Änna,3\nbob@x.com,Bob,\nBob@x.com,Bobby,7\nbad,x,1\n"
INTO_NEWS = ("--account", "acme", "--group", "News")
AS_ACTIVE = (*INTO_NEWS, "--status", "active")
COUNTS = ("rows", "added", "updated", "unchanged", "kept_safe", "rejected", "duplicates")


def counts(document: dict[str, int]) -> list[int]:
    return [document[name] for name in COUNTS]


def nothing_is_left_of_it(uploads: Path) -> bool:
    """Whether there are no staged or rejected rows and no uploads, and no change is open."""
    ended = {ChangeState.CANCELLED, ChangeState.FAILED, ChangeState.DONE}
    return (
        staged_rows() == 0
        and not RejectedRow.objects.exists()
        and not [path for path in uploads.rglob("*") if path.is_file()]
        and {change.state for change in Change.objects.all()} <= ended
    )


def test_it_makes_the_list_and_its_fields_and_counts_every_row(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--create", "--wait", "--json")
    assert done.code == 0
    assert (done.json["kind"], done.json["group"], done.json["mode"]) == ("import", "News", "reform_and_add")
    assert (done.json["state"], done.json["error"], done.json["backup"]) == ("done", None, None)
    assert counts(done.json) == [4, 2, 0, 0, 0, 1, 1]
    group = Group.objects.get(account=account, name="News")
    assert table(group)["bob@x.com"]["attributes"] == {"First name": "Bobby", "age": "7"}
    assert {(field.name, field.type) for field in Attribute.objects.all()} == {
        ("First name", "text"),
        ("age", "text"),
    }
    assert Import.objects.get().file_name == "people.csv"
    assert AuditEntry.objects.filter(event="import.done", origin="command", user=None).exists()


def test_a_list_that_is_not_there_is_refused_without_create(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--wait", "--json")
    assert done.code == 1
    assert (done.json["id"], done.json["state"], done.json["group"]) == (None, "failed", "News")
    assert done.json["error"]["code"] == "group.not_found"
    assert done.json["error"]["message"] in done.err
    assert not Group.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "group.name_empty"), ("x\udcff", "group.name_control"), ("\t\x07", "group.name_control")],
)
def test_no_list_is_made_without_a_name_that_can_be_shown(
    name: str, code: str, run: Run, account: Account, csv_file: CsvFile
) -> None:
    def call(name: str) -> Done:
        scope = ("--account", "acme", "--group", name, "--status", "active")
        return run("import_list", csv_file(PEOPLE), *scope, "--create", "--wait", "--json")

    refused = call(name)
    assert (refused.code, refused.json["error"]["code"]) == (1, code)
    assert refused.out.isascii()
    assert not Group.objects.exists()
    assert not Change.objects.exists()
    assert call("News").json["state"] == "done"


def test_no_list_is_made_of_an_id(run: Run, account: Account, csv_file: CsvFile) -> None:
    scope = ("--account", "acme", "--group", "#2024", "--status", "active")
    done = run("import_list", csv_file(PEOPLE), *scope, "--create", "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "group.not_found")
    assert not Group.objects.exists()


def test_an_account_that_is_not_there_is_refused(run: Run, account: Account, csv_file: CsvFile) -> None:
    done = run(
        "import_list", csv_file(PEOPLE), "--account", "nobody", "--group", "News", "--create", "--json"
    )
    assert (done.code, done.json["error"]["code"]) == (1, "account.not_found")


def test_a_known_list_is_backed_up_first(run: Run, lists: Lists, csv_file: CsvFile) -> None:
    group = lists.group("email,First name\nanna@x.com,Anna\n")
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--wait", "--json")
    snapshot = Snapshot.objects.get()
    assert done.json["backup"] == str(snapshot.pk)
    assert (snapshot.state, snapshot.cause, snapshot.recipients) == ("complete", "import", 1)
    assert Recipient.objects.filter(group=group).count() == 2


@pytest.mark.parametrize(
    ("options", "why"), [(["--origin", "api"], "api_off"), (["--no-backup"], "declined")]
)
def test_no_backup_is_made_for_the_api_or_when_declined(
    options: list[str], why: str, run: Run, lists: Lists, csv_file: CsvFile
) -> None:
    lists.group("email\nanna@x.com\n")
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--wait", "--json", *options)
    assert (done.code, done.json["state"], done.json["backup"]) == (0, "done", None)
    assert not Snapshot.objects.exists()
    assert AuditEntry.objects.filter(event="backup.skipped", data__why=why).exists()


def test_origin_ui_is_backed_up_as_the_web_application_is(run: Run, lists: Lists, csv_file: CsvFile) -> None:
    lists.group("email\nanna@x.com\n")
    done = run(
        "import_list",
        csv_file(PEOPLE),
        *INTO_NEWS,
        "--status",
        "active",
        "--origin",
        "ui",
        "--wait",
        "--json",
    )
    assert Snapshot.objects.get(pk=done.json["backup"]).origin == "ui"


def test_the_api_may_not_go_without_the_backup_it_asked_for(
    run: Run, lists: Lists, csv_file: CsvFile, uploads: Path
) -> None:
    lists.group("email\nanna@x.com\n")
    done = run(
        "import_list", csv_file(PEOPLE), *AS_ACTIVE, "--origin", "api",
        "--no-backup", "--wait", "--json",
    )  # fmt: skip
    assert (done.code, done.json["error"]["code"]) == (1, "change.backup_not_optional")
    assert nothing_is_left_of_it(uploads)


def test_a_dry_run_shows_the_preview_and_leaves_nothing_behind(
    run: Run, lists: Lists, csv_file: CsvFile, uploads: Path
) -> None:
    group = lists.group("email,First name\nanna@x.com,Anna\n")
    before = table(group)
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--dry-run", "--json")
    assert (done.code, done.json["state"]) == (0, "preview")
    assert counts(done.json) == [4, 1, 1, 0, 0, 1, 1]
    assert table(group) == before
    assert not Snapshot.objects.exists()
    assert nothing_is_left_of_it(uploads)
    assert Change.objects.latest("pk").state == ChangeState.CANCELLED


def test_a_dry_run_with_create_makes_no_list(
    run: Run, account: Account, csv_file: CsvFile, uploads: Path
) -> None:
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--create", "--dry-run", "--json")
    assert (done.json["state"], done.json["added"]) == ("preview", 2)
    assert not Group.objects.exists()
    assert not Attribute.objects.exists()
    assert nothing_is_left_of_it(uploads)


def test_new_recipients_get_no_silent_status(
    run: Run, account: Account, csv_file: CsvFile, uploads: Path
) -> None:
    done = run("import_list", csv_file(PEOPLE), *INTO_NEWS, "--create", "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "import.status_missing")
    assert not Group.objects.exists()
    assert nothing_is_left_of_it(uploads)


def test_without_wait_the_work_is_left_to_the_workers(run: Run, account: Account, csv_file: CsvFile) -> None:
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--create", "--json")
    assert (done.code, done.json["state"]) == (0, "active")
    assert Job.objects.filter(kind="recipients.apply_change", state="due").count() == 1
    assert not Recipient.objects.exists()


def test_columns_are_mapped_by_name(run: Run, account: Account, csv_file: CsvFile) -> None:
    text = "Kunde;Kontakt;a=b\nAnna;anna@x.com;7\n"
    done = run(
        "import_list", csv_file(text), *INTO_NEWS, "--create", "--status", "unconfirmed", "--wait", "--json",
        "--map", "Kontakt=email", "--map", "Kunde=Given name", "--map", "a=b=Lucky number",
    )  # fmt: skip
    assert (done.code, done.json["added"]) == (0, 1)
    recipient = Recipient.objects.get()
    assert recipient.attributes == {"Given name": "Anna", "Lucky number": "7"}
    assert recipient.status == "unconfirmed"


@pytest.mark.parametrize(
    ("mapping", "code"),
    [("Nope=email", "mapping.unknown_column"), ("First name=Shoe size", "mapping.unknown_field")],
)
def test_a_mapping_that_names_nothing_known_is_refused(
    mapping: str, code: str, run: Run, lists: Lists, csv_file: CsvFile, uploads: Path
) -> None:
    lists.group("email,First name\nanna@x.com,Anna\n")
    done = run(
        "import_list",
        csv_file(PEOPLE),
        *INTO_NEWS,
        "--status",
        "active",
        "--map",
        mapping,
        "--json",
        "--wait",
    )
    assert (done.code, done.json["error"]["code"]) == (1, code)
    assert nothing_is_left_of_it(uploads)


def test_sign_up_columns_are_used_unless_left_out_by_name(run: Run, lists: Lists, csv_file: CsvFile) -> None:
    lists.group("email,First name\nanna@x.com,Anna\n")
    gone = csv_file("email,deactivated\nanna@x.com,2026-01-01T00:00:00Z\n")
    words = ("import_list", gone, *AS_ACTIVE, "--wait", "--json")
    assert run(*words, "--map", "deactivated=").json["state"] == "done"
    assert Recipient.objects.get().deactivated is None
    assert run(*words).json["updated"] == 1
    assert Recipient.objects.get().deactivated is not None


def test_an_opt_out_becomes_a_field_only_by_name(run: Run, account: Account, csv_file: CsvFile) -> None:
    text = "email,Abgemeldet\nanna@x.com,\nbob@x.com,ja\n"
    words = ("import_list", csv_file(text), *INTO_NEWS, "--create", "--status", "active", "--wait", "--json")
    assert run(*words, "--map", "Abgemeldet=Left").json["state"] == "done"
    assert Recipient.objects.get(key="bob@x.com").attributes["Left"] == "ja"


def test_a_column_left_out_by_name_stays_so_wherever_it_says_who_is_out(
    run: Run, lists: Lists, csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.group("email\nanna@x.com\n")
    monkeypatch.setattr(surveys, "SURVEYED_ROWS", 1)
    file = csv_file("email,Newsletter-Wunsch\nanna@x.com,\nbob@x.com,abbestellt\n")
    done = run("import_list", file, *AS_ACTIVE, "--wait", "--json", "--map", "Newsletter-Wunsch=")
    assert (done.code, done.json["added"]) == (0, 1)


def test_a_mode_decides_what_happens_to_known_addresses(run: Run, lists: Lists, csv_file: CsvFile) -> None:
    group = lists.group("email,First name\nanna@x.com,Anna\n")
    words = ("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--wait", "--json")
    done = run(*words, "--mode", "add_only")
    assert counts(done.json) == [4, 1, 0, 1, 0, 1, 1]
    assert table(group)["anna@x.com"]["attributes"] == {"First name": "Anna"}


def test_an_empty_cell_clears_only_when_told(run: Run, lists: Lists, csv_file: CsvFile) -> None:
    lists.group("email,First name\nanna@x.com,Anna\n")
    words = ("import_list", csv_file("email,First name\nanna@x.com,\n"), *AS_ACTIVE)
    assert run(*words, "--wait", "--json").json["unchanged"] == 1
    assert run(*words, "--blank", "clear", "--wait", "--json").json["updated"] == 1
    assert Recipient.objects.get().attributes.get("First name", "") == ""


def test_a_file_of_stdin_is_read(run: Run, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(PEOPLE.encode())))
    done = run("import_list", "-", *AS_ACTIVE, "--create", "--wait", "--json")
    assert done.json["added"] == 2
    assert Import.objects.get().file_name == "stdin"


@pytest.mark.parametrize(("text", "code"), [("", "file.empty"), ("%PDF-1.7\0", "file.binary")])
def test_a_file_that_is_no_list_is_refused(
    text: str, code: str, run: Run, account: Account, csv_file: CsvFile, uploads: Path
) -> None:
    done = run("import_list", csv_file(text), *AS_ACTIVE, "--create", "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, code)
    assert nothing_is_left_of_it(uploads)


def test_a_file_that_is_not_there_is_refused(run: Run, account: Account, tmp_path: Path) -> None:
    done = run("import_list", tmp_path / "none.csv", *INTO_NEWS, "--create", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "file.unreadable")
    assert run("import_list", tmp_path, *INTO_NEWS, "--create").code == 1


def test_a_file_without_rows_fails_while_it_is_staged(
    run: Run, account: Account, csv_file: CsvFile, uploads: Path
) -> None:
    done = run("import_list", csv_file("email,age\n"), *AS_ACTIVE, "--create", "--wait", "--json")
    assert (done.code, done.json["state"], done.json["error"]["code"]) == (1, "failed", "file.no_rows")
    assert "Nothing stands below the column names" in done.err
    assert "reject" not in done.err
    assert nothing_is_left_of_it(uploads)


def test_when_the_backup_fails_the_change_fails_and_says_why(
    run: Run, lists: Lists, csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group("email,First name\nanna@x.com,Anna\n")
    before = table(group)

    def full(*_: object) -> NoReturn:
        raise storage.StorageRefused("storage.full")

    monkeypatch.setattr(storage, "write", full)
    done = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--wait", "--json")
    assert (done.code, done.json["state"], done.json["error"]["code"]) == (1, "failed", "storage.full")
    assert done.json["error"]["message"] in done.err
    assert table(group) == before


def test_people_get_a_table_and_the_first_rejected_rows(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    text = PEOPLE + "".join(f"bad{n},x,1\n" for n in range(25))
    done = run("import_list", csv_file(text), *AS_ACTIVE, "--create", "--wait")
    assert done.code == 0
    assert "rows read            29" in done.out
    assert "backup               none" in done.out
    assert "An e-mail address needs an @." in done.err
    assert "… and 6 more." in done.err


def test_what_looks_wrong_is_told_on_stderr_as_the_wizard_tells_it(
    run: Run, lists: Lists, csv_file: CsvFile
) -> None:
    lists.group("email\nzoe@x.com\n")
    file = csv_file("email\nAnn <ann@gmial.com>\nbad\nworse\nworst\n")
    done = run("import_list", file, *AS_ACTIVE, "--dry-run", "--json")
    assert done.json["state"] == "preview"
    assert "doubts" not in done.json
    assert "Look at this: 3 of 4 rows cannot be used." in done.err
    assert "Note: Addresses that look misspelled: 1 (gmial.com → gmail.com (1))." in done.err
    assert "“Ann <ann@gmial.com>” → ann@gmial.com" in done.err
