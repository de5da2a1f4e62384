"""XLSX files: what is in them, and what they may not do to us."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from backupsvc.errors import Refusal
from recipients.imports import spreadsheet
from recipients.imports.reader import read
from recipients.imports.sniff import Sniffed, sniff


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.xlsx"


def written(path: Path, **sheets: list[list[object]]) -> Path:
    workbook = xlsxwriter.Workbook(str(path), {"default_date_format": "dd.mm.yyyy hh:mm"})
    for name, rows in sheets.items():
        sheet = workbook.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    workbook.close()
    return path


def rows_of(path: Path, found: Sniffed) -> list[tuple[int, list[str]]]:
    return [(row.line, row.cells) for row in read(path, dialect=found.dialect)]


def test_cells_become_text_as_in_a_csv_file(path: Path) -> None:
    moment = datetime(2026, 11, 23, 18, 31)  # noqa: DTZ001 (spreadsheets know no zones)
    written(
        path,
        List=[
            ["email", "number", "fraction", "time", "date", "flag", "formula-like"],
            ["a@x.com", 491721234567, 0.1, moment, moment.replace(hour=0, minute=0), True, "'=1"],
        ],
    )
    found = sniff(path)
    assert found.dialect.kind == "spreadsheet"
    assert rows_of(path, found) == [
        (2, ["a@x.com", "491721234567", "0.1", "2026-11-23 18:31:00", "2026-11-23", "true", "'=1"])
    ]


def test_rows_keep_the_numbers_a_person_sees(path: Path) -> None:
    written(path, List=[[], ["Our list"], [], ["email", "name"], ["a@x.com", "A"], [], ["b@x.com"]])
    found = sniff(path)
    assert found.headers == ["email", "name"]
    assert found.dialect.first_line == 4
    assert rows_of(path, found) == [(5, ["a@x.com", "A"]), (7, ["b@x.com", ""])]


def test_a_sheet_may_start_anywhere(path: Path) -> None:
    written(path, List=[[], [None, None, "email", "name"], [None, None, "a@x.com", "A"]])
    assert rows_of(path, sniff(path)) == [(3, ["a@x.com", "A"])]


def test_the_first_visible_sheet_with_content_is_read_and_another_can_be_chosen(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheets: dict[str, Worksheet] = {
        name: workbook.add_worksheet(name) for name in ("Hid", "Empty", "Main", "Old")
    }
    sheets["Main"].activate()
    sheets["Hid"].hide()
    for name in ("Hid", "Main", "Old"):
        sheets[name].write_column(0, 0, ["email", f"{name}@x.com"])
    workbook.close()
    found = sniff(path)
    assert (found.dialect.sheet, found.sheets) == ("Main", ["Hid", "Empty", "Main", "Old"])
    assert sniff(path, overrides={"sheet": "Old"}).sample == [["Old@x.com"]]
    with pytest.raises(Refusal) as refused:
        sniff(path, overrides={"sheet": "None"})
    assert refused.value.code == "file.sheet_unknown"


def test_an_empty_workbook_is_an_empty_file(path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        sniff(written(path, List=[]))
    assert refused.value.code == "file.empty"


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))


def _far_cells(name: str, content: bytes) -> bytes:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return content.replace(b"</sheetData>", far) if name.endswith("sheet1.xml") else content


def _broken_xml(name: str, content: bytes) -> bytes:
    return content[: len(content) // 2] if name.endswith("sheet1.xml") else content


def _no_workbook(name: str, content: bytes) -> bytes:
    return b"" if name == "xl/workbook.xml" else content


def _bomb(name: str, content: bytes) -> bytes:
    return content + b" " * (300 << 20) if name.endswith("sheet1.xml") else content


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_far_cells, "file.spreadsheet_too_large"),
        (_bomb, "file.spreadsheet_too_large"),
        (_broken_xml, "file.spreadsheet_unreadable"),
        (_no_workbook, "file.spreadsheet_unreadable"),
    ],
)
def test_files_made_to_harm_are_refused(path: Path, change: Callable[[str, bytes], bytes], code: str) -> None:
    rewritten(written(path, List=[["email"], ["a@x.com"]]), change)
    with pytest.raises(Refusal) as refused:
        list(read(path, dialect=sniff(path).dialect))
    assert refused.value.code == code


def test_far_cells_without_a_place_kill_only_the_child(path: Path) -> None:
    def hidden(name: str, content: bytes) -> bytes:
        # Hidden from the look at the cells' places by the quotes, found or not: nothing may happen to us.
        return _far_cells(name, content).replace(b'r="XFD1048576"', b"r = 'XFD1048576'")

    rewritten(written(path, List=[["email"], ["a@x.com"]]), hidden)
    with pytest.raises(Refusal):
        sniff(path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "xl\\..\\..\\x"])
def test_members_with_paths_out_of_the_archive_are_refused(path: Path, name: str) -> None:
    with zipfile.ZipFile(written(path, List=[["email"]]), "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_unreadable"


def test_too_many_members_are_refused(path: Path) -> None:
    with zipfile.ZipFile(written(path, List=[["email"]]), "a") as archive:
        for number in range(2001):
            archive.writestr(f"x{number}", "")
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_too_large"


def test_a_zip_file_that_is_no_spreadsheet_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("list.csv", "email\na@x.com\n")
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_unreadable"


def test_a_file_cut_short_is_refused(path: Path) -> None:
    content = written(path, List=[["email"], ["a@x.com"]]).read_bytes()
    path.write_bytes(content[:-200])
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_unreadable"


def test_a_child_that_does_not_answer_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "WAIT_SECONDS", 0.001)
    with pytest.raises(Refusal) as refused:
        sniff(written(path, List=[["email"]]))
    assert refused.value.code == "file.spreadsheet_unreadable"
