"""manage.py import_list: how the file is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from backupsvc.accounts.models import Account
from recipients.actions.attributes import create_attribute
from recipients.models import Group, Import, Recipient, RejectedRow
from tests.commands.conftest import Run
from tests.commands.test_import_list import AS_ACTIVE, PEOPLE, counts, nothing_is_left_of_it
from tests.fixtures.lists import Lists, table

# Uploads go when what ends their change has been committed.
pytestmark = pytest.mark.django_db(transaction=True)
CsvFile = Callable[[str], Path]


@pytest.mark.parametrize(("asked", "found"), [((), "now@x.com"), (("--sheet", "Old"), "old@x.com")])
def test_the_sheet_of_a_workbook_can_be_chosen(
    run: Run, account: Account, tmp_path: Path, asked: tuple[str, ...], found: str
) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        for name in ("Now", "Old"):
            workbook.add_worksheet(name).write_column(0, 0, ["email", f"{name}@x.com"])
    done = run("import_list", path, *AS_ACTIVE, "--create", "--wait", *asked)
    assert done.code == 0
    assert [one.key for one in Recipient.objects.all()] == [found]
    assert ("There are others with content: Old" in done.err) == (not asked)
    refused = run("import_list", path, *AS_ACTIVE, "--sheet", "New", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "file.sheet_unknown")


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_whoever_is_refused_for_the_wrong_sheet_is_told_of_the_others(
    run: Run, account: Account, tmp_path: Path, uploads: Path, as_json: tuple[str, ...]
) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.add_worksheet("Readme").write(0, 0, "Our customers of 2026")
        workbook.add_worksheet("Kunden").write_column(0, 0, ["Email", "anna@x.com"])
    refused = run("import_list", path, *AS_ACTIVE, "--create", "--wait", *as_json)
    assert (refused.code, "No column is assigned to the e-mail address" in refused.err) == (1, True)
    assert "Note: Only the sheet “Readme” is read. There are others with content: Kunden." in refused.err
    assert not as_json or refused.json["error"]["code"] == "mapping.no_email"
    assert nothing_is_left_of_it(uploads)
    assert not Group.objects.exists()
    done = run("import_list", path, *AS_ACTIVE, "--create", "--wait", "--sheet", "Kunden", *as_json)
    assert (done.code, "Only the sheet" in done.err) == (0, False)
    assert [one.key for one in Recipient.objects.all()] == ["anna@x.com"]


def test_the_encoding_of_a_file_can_be_chosen(run: Run, account: Account, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("email;First name\nanna@x.com;Łucja\nbob@x.com;Żaneta\n".encode("cp1250"))
    done = run("import_list", path, *AS_ACTIVE, "--create", "--wait", "--encoding", "CP1250")
    assert done.code == 0
    assert {one.attributes["First name"] for one in Recipient.objects.all()} == {"Łucja", "Żaneta"}
    assert Import.objects.get().dialect_overrides == {"encoding": "cp1250"}
    run("import_list", path, *AS_ACTIVE, "--wait", "--encoding", "iso-8859-1")
    assert "£ucja" in {one.attributes["First name"] for one in Recipient.objects.all()}


@pytest.mark.parametrize(
    ("mark", "delimiter"), [("~", "~"), ("tab", "\t"), ("semicolon", ";"), ("||", "||"), ("none", "")]
)
def test_the_mark_between_columns_can_be_chosen(
    run: Run, account: Account, csv_file: CsvFile, mark: str, delimiter: str
) -> None:
    """Of each file it could be said that it has commas between its columns."""
    mark_in_file = delimiter or ","
    file = csv_file(f"anna@x.com{mark_in_file}A,B\nbob@x.com{mark_in_file}C,D\n")
    done = run("import_list", file, *AS_ACTIVE, "--create", "--dry-run", "--delimiter", mark)
    read = Import.objects.get()
    assert read.dialect_overrides == {"delimiter": delimiter}
    assert len(read.headers) == (2 if delimiter else 1)
    assert done.code == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--encoding", "klingon", "invalid choice: 'klingon'"),
        ("--encoding", "zip", "invalid choice: 'zip'"),
        ("--encoding", "", "invalid choice: ''"),
        ("--delimiter", "x", "“x” is no mark; type one, or comma, semicolon, tab"),
        ("--delimiter", "", "“” is no mark"),
        ("--delimiter", '"', '“"” cannot be used for: delimiter'),
        ("--sheet", "", "the name is missing"),
    ],
)
def test_a_file_is_not_read_in_a_way_that_there_is_not(
    run: Run, account: Account, csv_file: CsvFile, uploads: Path, option: str, value: str, said: str
) -> None:
    refused = run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--create", "--wait", option, value)
    assert refused.code != 0
    assert said in refused.err
    assert nothing_is_left_of_it(uploads)
    assert not Group.objects.exists()
    good = {"--encoding": "utf-8", "--delimiter": ","}.get(option, "any")
    assert run("import_list", csv_file(PEOPLE), *AS_ACTIVE, "--create", "--wait", option, good).code == 0


def test_a_file_whose_name_is_not_utf_8_is_imported(run: Run, account: Account, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_text(PEOPLE, encoding="utf-8")
    done = run("import_list", path, *AS_ACTIVE, "--create", "--wait", "--json")
    assert (done.code, done.json["state"]) == (0, "done")
    assert Import.objects.get().file_name == "caf?.csv"
    refused = run("import_list", path, *AS_ACTIVE, "--sheet", "x\udcff", "--map", "\udcff=email", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "mapping.unknown_column")


def test_an_address_that_is_a_formula_without_a_result_is_said_to_be_one(
    run: Run, account: Account, tmp_path: Path
) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_column(0, 0, ["email", "anna@x.com"])
        sheet.write_formula(2, 0, '=LOWER("BOB")&"@x.com"', None, "")
    done = run("import_list", path, *AS_ACTIVE, "--create", "--wait", "--json")
    assert (done.code, counts(done.json)) == (0, [2, 1, 0, 0, 0, 1, 0])
    assert RejectedRow.objects.get().code == "value.uncalculated"
    assert "The cell holds a formula whose result is not in the file." in done.err


AMBIGUOUS = "email,Born,Points\nanna@x.com,03/04/1984,1.234\nbob@x.com,05/06/1990,2.500\n"


def with_fields(lists: Lists) -> Group:
    group = lists.group("email\nzoe@x.com\n")
    create_attribute(lists.account, actor=lists.actor, name="Born", type="date")
    create_attribute(lists.account, actor=lists.actor, name="Points", type="number")
    return group


def test_dates_and_numbers_that_could_be_either_are_refused_until_they_are_told(
    run: Run, lists: Lists, csv_file: CsvFile, uploads: Path
) -> None:
    group = with_fields(lists)
    file = csv_file(AMBIGUOUS)
    done = run("import_list", file, *AS_ACTIVE, "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "import.dates_unclear")
    assert "03/04/1984" in done.err
    done = run("import_list", file, *AS_ACTIVE, "--dates", "month-first", "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "import.numbers_unclear")
    assert nothing_is_left_of_it(uploads)

    told = ("--dates", "month-first", "--decimal", "comma")
    done = run("import_list", file, *AS_ACTIVE, *told, "--wait", "--json")
    assert (done.code, counts(done.json)) == (0, [2, 2, 0, 0, 0, 0, 0])
    assert table(group)["anna@x.com"]["attributes"] == {"Born": "1984-03-04", "Points": "1234"}
