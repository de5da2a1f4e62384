"""XLSX files: what is in them, and what they may not do to us.

One file although it is long: its cases share the sheets that they write.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from backupsvc.errors import Refusal
from recipients.imports import spreadsheet, spreadsheet_cells
from recipients.imports.check import Rejected, Rules, StagedRow, check_row
from recipients.imports.mapping import AttributeSpec, Mapping
from recipients.imports.reader import read
from recipients.imports.sniff import Sniffed, sniff
from recipients.imports.spreadsheet_cells import UNCALCULATED
from tests.fixtures.binary_workbook import binary_workbook
from tests.fixtures.old_workbook import old_workbook


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


def unread(found: Sniffed) -> list[str]:
    return [params["others"] for code, params in found.warnings if code == "file.sheets_unread"]


def test_sheets_that_are_not_read_are_named(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    for name in ("Abonnenten", "Abgemeldet", "Leer", "Bounces", "Alt"):
        sheet = workbook.add_worksheet(name)
        if name != "Leer":
            sheet.write_column(0, 0, ["email", f"{name}@x.com"])
    sheet.hide()
    workbook.close()
    found = sniff(path)
    assert (found.dialect.sheet, unread(found)) == ("Abonnenten", ["Abgemeldet, Bounces"])
    # Who names a sheet knows of the others.
    assert unread(sniff(path, overrides={"sheet": "Abgemeldet"})) == []
    assert unread(sniff(written(path, Only=[["email"], ["a@x.com"]], Empty=[]))) == []


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
    assert refused.value.code == "file.archive"


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


def test_zeros_in_front_are_read_as_they_are_shown(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    codes = ["00000", "000-000", '00" "00', "0", "#,##0", "0.00", "dd/mm/yyyy", "00000;(00000)"]
    sheet.write_row(0, 0, ["email", *codes])
    sheet.write(1, 0, "a@x.com")
    for column, code in enumerate(codes, 1):
        sheet.write(1, column, 1234, workbook.add_format({"num_format": code}))
    plain = workbook.add_format({"num_format": "00000"})
    sheet.write_row(2, 0, ["b@x.com", 7], plain)
    sheet.write_row(3, 0, ["c@x.com", 1234567], plain)
    sheet.write_row(4, 0, ["d@x.com", 1.5], plain)
    sheet.write_row(5, 0, ["e@x.com", "n/a"], plain)
    workbook.close()
    rows = [row for _, row in rows_of(path, sniff(path))]
    assert rows[0] == ["a@x.com", "01234", "001-234", "12 34", "1234", "1234", "1234", "1903-05-18", "01234"]
    assert [row[1] for row in rows[1:]] == ["00007", "1234567", "1.5", "n/a"]


def test_what_formulas_came_to_is_read_and_errors_are_counted(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "points", "level"])
    sheet.write(1, 0, "a@x.com")
    sheet.write_formula(1, 1, "=1+1", None, 2)
    sheet.write_formula(1, 2, '=IF(B2>1,"gold","")', None, "gold")
    sheet.write(2, 0, "b@x.com")
    sheet.write_formula(2, 1, "=VLOOKUP(A3,Z:Z,1)", None, "#N/A")
    workbook.close()
    found = sniff(path)
    assert rows_of(path, found) == [(2, ["a@x.com", "2", "gold"]), (3, ["b@x.com", "#N/A", ""])]
    assert ("file.error_cells", {"count": 1}) in found.warnings


ATTRIBUTES = (
    AttributeSpec("Text", "text"),
    AttributeSpec("Number", "number"),
    AttributeSpec("Gender", "gender"),
    AttributeSpec("Date", "date"),
)
STATUS = '<c r="B2"><f>IF(1=1,"inactive","active")</f><v></v></c>'


def with_status_cell(path: Path, xml: str) -> Path:
    """A list whose first person's status is a formula, its cell written as `xml`."""
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "status", "name"])
    sheet.write_row(1, 0, ["a@x.com", None, "A"])
    sheet.write_formula(1, 1, '=IF(1=1,"inactive","active")', None, "")
    sheet.write_row(2, 0, ["b@x.com", "active", "B"])
    workbook.close()

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("sheet1.xml"):
            return content
        assert content.count(STATUS.encode()) == 1
        return content.replace(STATUS.encode(), xml.encode())

    rewritten(path, change)
    return path


def uncalculated(found: Sniffed) -> int:
    return sum(params["count"] for code, params in found.warnings if code == "file.uncalculated_cells")


@pytest.mark.parametrize(
    "xml",
    [
        '<c r="B2"><f>1+1</f><v></v></c>',
        '<c r="B2"><f>1+1</f><v/></c>',
        '<c r="B2"><f>1+1</f></c>',
        '<c r="B2" s="0" t="n"><f>1+1</f><v /></c>',
        '<c r="B2" t="str"><f>1+1</f></c>',
        '<c t="b" r="B2"><f>1+1</f><v></v></c>',
        '<c r="B2" t="e"><f>1+1</f><v></v></c>',
        '<c r="B2"><f t="shared" si="0"/><v></v></c>',
        '<c r="B2"><f t="array" ref="B2">1&lt;1</f><v xml:space="preserve"></v></c>',
        '<c r="B2">\n  <f>1+1</f>\n  <v></v>\n</c>',
    ],
)
def test_a_formula_without_a_result_is_not_read_as_an_empty_cell(path: Path, xml: str) -> None:
    with_status_cell(path, xml)
    found = sniff(path)
    assert rows_of(path, found) == [(2, ["a@x.com", UNCALCULATED, "A"]), (3, ["b@x.com", "active", "B"])]
    assert uncalculated(found) == 1


@pytest.mark.parametrize(
    ("xml", "status"),
    [
        ('<c r="B2" t="str"><f>1+1</f><v>inactive</v></c>', "inactive"),
        ('<c r="B2" t="str"><f>1+1</f><v></v></c>', ""),
        ('<c r="B2" s="0" t="str"><f t="shared" si="0"/><v/></c>', ""),
        ('<c r="B2" t="inlineStr"><f>1+1</f><is><t></t></is></c>', ""),
        ('<c r="B2"><f>1+1</f><v>0</v></c>', "0"),
        ('<c r="B2" t="b"><f>1=1</f><v>1</v></c>', "true"),
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "#DIV/0!"),
        ('<c r="B2"><v></v></c>', ""),
        ('<c r="B2"/>', ""),
    ],
)
def test_what_a_formula_came_to_is_read_even_if_it_is_an_empty_text(
    path: Path, xml: str, status: str
) -> None:
    with_status_cell(path, xml)
    found = sniff(path)
    assert rows_of(path, found) == [(2, ["a@x.com", status, "A"]), (3, ["b@x.com", "active", "B"])]
    assert not uncalculated(found)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("status", "email"),
        ("status", "status"),
        ("bounced", "status"),
        ("unsubscribed", "status"),
        ("status", "activated"),
        ("status", "deactivated"),
        ("status", "tags"),
        ("status", "source"),
        *(("status", f"attribute:{spec.name}") for spec in ATTRIBUTES),
    ],
)
def test_a_formula_without_a_result_rejects_the_row_whatever_its_column_is(
    path: Path, header: str, target: str
) -> None:
    with_status_cell(path, STATUS)
    rules = Rules(
        attributes=ATTRIBUTES,
        mapping=Mapping(("", "email", "") if target == "email" else ("email", target, "")),
        blank="clear",
        new_status="active",
        now=datetime(2026, 11, 23, tzinfo=UTC),
        headers=("email", header, "name"),
    )
    refused, _ = (check_row(row, rules=rules) for row in read(path, dialect=sniff(path).dialect))
    assert isinstance(refused, Rejected)
    assert (refused.line, refused.column) == (2, header)
    # Whatever else could be said of such a cell: not that somebody should type it again.
    assert refused.problem.code == "value.uncalculated"


def test_a_formula_without_a_result_in_a_column_that_is_left_out_rejects_nobody(path: Path) -> None:
    with_status_cell(path, STATUS)
    rules = Rules((), Mapping(("email", "", "")), "keep", "active", datetime(2026, 11, 23, tzinfo=UTC))
    rows = [check_row(row, rules=rules) for row in read(path, dialect=sniff(path).dialect)]
    assert [isinstance(row, StagedRow) for row in rows] == [True, True]


def test_rows_of_nothing_but_formulas_without_results_are_there(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "name"])
    sheet.write_row(1, 0, ["a@x.com", "A"])
    for line in (2, 4):
        for column in range(3):
            sheet.write_formula(line, column, '="x"', None, "")
    workbook.close()
    found = sniff(path)
    assert [cells[:3] for _, cells in rows_of(path, found)] == [
        ["a@x.com", "A", ""],
        *[[UNCALCULATED] * 3] * 2,
    ]
    assert [line for line, _ in rows_of(path, found)] == [2, 3, 5]
    assert (uncalculated(found), found.rows_estimate) == (6, 4)


ARRAY = '<c r="B2"><f {}>UNIQUE(1)</f>{}</c>'


def with_array(path: Path, cell: str) -> Sniffed:
    """Four people; a formula for the status of several of them, its first cell written as `cell`."""
    with_status_cell(path, cell)
    cells = '<row r="4"><c r="A4" t="inlineStr"><is><t>c@x.com</t></is></c><c r="B4"/></row>'
    cells += '<row r="5"><c r="A5" t="inlineStr"><is><t>d@x.com</t></is></c></row></sheetData>'

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("sheet1.xml"):
            return content
        return content.replace(b"</sheetData>", cells.encode())

    rewritten(path, change)
    return sniff(path)


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ('t="array" ref="B2:B5"', [UNCALCULATED, "active", UNCALCULATED, UNCALCULATED]),
        ("ref='B2:B4' t='array' ca='1'", [UNCALCULATED, "active", UNCALCULATED, ""]),
        ('t="dataTable" ref="B2:B5" dt2D="0"', [UNCALCULATED, "active", *[UNCALCULATED] * 2]),
        # As far as the sheet goes, and no further.
        ('t="array" ref="B2:XFD1048576"', [UNCALCULATED, "active", *[UNCALCULATED] * 2]),
        ('t="array" ref="B2:ZZZ9999999"', [UNCALCULATED, "active", *[UNCALCULATED] * 2]),
        ('t="array" ref="B5:B0"', [UNCALCULATED, "active", "", ""]),
        # Here every cell has a formula of its own.
        ('t="shared" si="0" ref="B2:B5"', [UNCALCULATED, "active", "", ""]),
    ],
)
def test_a_formula_for_many_cells_without_a_result_leaves_none_of_them_empty(
    path: Path, attributes: str, found: list[str]
) -> None:
    sniffed = with_array(path, ARRAY.format(attributes, "<v></v>"))
    rows = [cells for _, cells in rows_of(path, sniffed)]
    assert [(cells[0], cells[1] if len(cells) > 1 else "") for cells in rows] == list(
        zip(["a@x.com", "b@x.com", "c@x.com", "d@x.com"], found, strict=True)
    )
    assert [cells[2:] for cells in rows[:2]] == [["A"], ["B"]]
    assert uncalculated(sniffed)


def test_a_formula_for_many_cells_that_came_to_something_is_read(path: Path) -> None:
    cell = ARRAY.format('t="array" ref="B2:B5"', "<v>7</v>")
    sniffed = with_array(path, cell)
    assert [cells[1:2] for _, cells in rows_of(path, sniffed)] == [["7"], ["active"], [""], [""]]
    assert not uncalculated(sniffed)


def test_formulas_for_more_cells_than_a_sheet_has_are_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheet_cells, "_MOST_SPREAD", 9)
    with_array(path, ARRAY.format('t="array" ref="B2:C5"', "<v></v>"))
    with zipfile.ZipFile(path) as archive:
        shown = spreadsheet_cells.Shown(archive)
        shown.look(archive.read("xl/worksheets/sheet1.xml"))
    shown.spread(height=5, width=3)
    shown.look(b'<c r="C2"><f t="array" ref="C2:C5">1</f></c>')
    with pytest.raises(Refusal, match=r"file\.spreadsheet_too_large"):
        shown.spread(height=5, width=3)


def test_no_formula_without_a_result_is_missed_where_two_blocks_of_the_file_meet(path: Path) -> None:
    """Formulas of the greatest length; more than two megabytes of them."""
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "level"])
    for line in range(1, 301):
        sheet.write(line, 0, f"p{line}@x.com")
        sheet.write_formula(line, 1, f'=LEN("{"x" * 8000}")+{line}', None, "")
    workbook.close()
    found = sniff(path)
    assert uncalculated(found) == 300
    assert {cells[1] for _, cells in rows_of(path, found)} == {UNCALCULATED}


def test_cells_merged_over_rows_are_pointed_out(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.merge_range(0, 0, 0, 1, "Our customers")
    sheet.write_row(1, 0, ["email", "company"])
    sheet.write_column(2, 0, ["a@x.com", "b@x.com"])
    sheet.merge_range(2, 1, 3, 1, "Smith & Co.")
    workbook.close()
    found = sniff(path)
    assert found.headers == ["email", "company"]
    assert rows_of(path, found) == [(3, ["a@x.com", "Smith & Co."]), (4, ["b@x.com", ""])]
    assert ("file.merged_cells", {"count": 1}) in found.warnings


def hidden(found: Sniffed) -> list[int]:
    return [params["count"] for code, params in found.warnings if code == "file.hidden_rows"]


def test_rows_that_a_filter_hides_are_read_and_counted(path: Path) -> None:
    """Enough rows for several blocks of the sheet's XML; those without a cell are nobody."""
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "Status"])
    for line in range(1, 12_001):
        sheet.write_row(line, 0, [f"p{line}@x.com", "out" if line % 3 == 0 else "in"])
        sheet.set_row(line, options={"hidden": line % 3 == 0})
    sheet.set_row(12_001, options={"hidden": True})
    sheet.write_blank(12_002, 0, None, workbook.add_format({"bold": True}))
    sheet.set_row(12_002, options={"hidden": True})
    workbook.close()
    found = sniff(path)
    assert hidden(found) == [4_000]
    assert len(rows_of(path, found)) == 12_000
    assert hidden(sniff(written(path, List=[["email"], ["a@x.com"]]))) == []


def test_rows_that_other_programs_hide_are_counted_too(path: Path) -> None:
    def hide(name: str, content: bytes) -> bytes:
        shown = content.replace(b"<row ", b'<row hidden="false" ')
        return shown.replace(b'hidden="false" r="2"', b"hidden='true' r=\"2\"")

    rewritten(written(path, List=[["email"], ["a@x.com"], ["b@x.com"]]), hide)
    found = sniff(path)
    assert (hidden(found), len(rows_of(path, found))) == ([1], 2)


def test_durations_and_dates_of_every_format_are_read(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["email", "hours", "day", "typed"])
    sheet.write(1, 0, "a@x.com")
    sheet.write(1, 1, 1.5, workbook.add_format({"num_format": "[h]:mm"}))
    sheet.write(1, 2, 45293, workbook.add_format({"num_format": "dddd, d. mmmm yyyy"}))
    sheet.write_string(1, 3, "2.1.2024")
    workbook.close()
    assert rows_of(path, sniff(path)) == [(2, ["a@x.com", "36:00:00", "2024-01-02", "2.1.2024"])]


def test_a_workbook_of_the_strict_standard_is_read(path: Path) -> None:
    def strict(name: str, content: bytes) -> bytes:
        usual, strict = b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/"
        for kind in (b"officeDocument/", b"spreadsheetml/") if name.startswith("xl/") else ():
            content = content.replace(usual + kind + b"2006/", strict + kind)
        return content

    written(path, List=[["email", "name"], ["a@x.com", "A"]])
    rewritten(path, strict)
    assert rows_of(path, sniff(path)) == [(2, ["a@x.com", "A"])]


@pytest.mark.parametrize("attached", [False, True], ids=["plain", "with an archive in it"])
def test_workbooks_of_old_formats_are_read(path: Path, tmp_path: Path, attached: bool) -> None:
    """Excel keeps its colours as a zip archive within an XLS file."""
    archive = written(tmp_path / "theme.zip", List=[["no", "list"]]).read_bytes()
    path.write_bytes(old_workbook([["email", "name"], ["a@x.com", "Zoë"]]) + archive * attached)
    found = sniff(path, name="list.xls")
    assert (found.headers, rows_of(path, found)) == (["email", "name"], [(2, ["a@x.com", "Zoë"])])


def test_a_binary_workbook_says_which_sheets_are_not_read_and_which_rows_are_hidden(path: Path) -> None:
    people = [["email", "name"], ["a@x.com", "Zoë"], ["b@x.com", ""], ["", ""], ["c@x.com", "C" * 200]]
    sheets = {"Main": people, "Gone": [["email"], ["d@x.com"]], "Leer": [[""]], "Alt": people}
    binary_workbook(path, hidden_sheets={"Alt"}, hidden_rows={2, 3, 4}, **sheets)
    found = sniff(path, name="list.xlsb")
    assert rows_of(path, found) == [(2, people[1]), (3, people[2]), (5, people[4])]
    assert (unread(found), hidden(found)) == (["Gone"], [2])
    assert unread(sniff(path, overrides={"sheet": "Gone"})) == []


def test_an_xlsx_file_may_be_called_anything(path: Path, tmp_path: Path) -> None:
    written(path, List=[["email"], ["a@x.com"]])
    for name in ("list.xls", "list.csv", "list"):
        other = tmp_path / name
        other.write_bytes(path.read_bytes())
        assert sniff(other).sample == [["a@x.com"]]


OPEN_DOCUMENT = """<?xml version="1.0"?><office:document-content
xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>{tables}
</office:spreadsheet></office:body></office:document-content>"""


def open_document(path: Path, **tables: str) -> Path:
    content = OPEN_DOCUMENT.format(
        tables="".join(
            f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in tables.items()
        )
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def cell(text: str, **value: str) -> str:
    given = value or {"value_type": "string"}
    said = " ".join(f'office:{name.replace("_", "-")}="{part}"' for name, part in given.items())
    return f"<table:table-cell {said}><text:p>{text}</text:p></table:table-cell>"


EMPTY_TO_THE_END = '<table:table-cell table:number-columns-repeated="16380"/>'
ROWS_TO_THE_END = (
    f'<table:table-row table:number-rows-repeated="1048570">{EMPTY_TO_THE_END}</table:table-row>'
)


def test_open_document_sheets_are_read(path: Path) -> None:
    day = cell("2.1.24", value_type="date", date_value="2024-01-02")
    flag = cell("WAHR", value_type="boolean", boolean_value="true")
    number = cell("1.234,5", value_type="float", value="1234.5")
    open_document(
        path.with_suffix(".ods"),
        List=row(*map(cell, ("email", "day", "flag", "number")), EMPTY_TO_THE_END)
        + row(cell("a@x.com"), day, flag, number, EMPTY_TO_THE_END)
        + ROWS_TO_THE_END,
        Other=row(cell("email")) + row(cell("b@x.com")),
    )
    found = sniff(path.with_suffix(".ods"))
    assert (found.sheets, unread(found)) == (["List", "Other"], ["Other"])
    assert rows_of(path.with_suffix(".ods"), found) == [(2, ["a@x.com", "2024-01-02", "true", "1234.5"])]
    assert sniff(path.with_suffix(".ods"), overrides={"sheet": "Other"}).sample == [["b@x.com"]]


def test_rows_that_are_hidden_in_an_open_document_are_counted(path: Path) -> None:
    def hidden_row(text: str, *, how: str, count: int = 1) -> str:
        attributes = f'table:visibility="{how}" table:number-rows-repeated="{count}"'
        return f"<table:table-row {attributes}>{cell(text) if text else EMPTY_TO_THE_END}</table:table-row>"

    away = hidden_row("b@x.com", how="filter") + hidden_row("c@x.com", how="collapse", count=2)
    empty = hidden_row("", how="filter", count=1_000)
    rows = row(cell("email")) + row(cell("a@x.com"))
    other = rows + hidden_row("d@x.com", how="filter")
    found = sniff(open_document(path.with_suffix(".ods"), List=rows + away + empty, Other=other))
    assert (hidden(found), found.sample[1:3]) == ([3], [["b@x.com"], ["c@x.com"]])
    assert hidden(sniff(path.with_suffix(".ods"), overrides={"sheet": "Other"})) == [1]


def test_zeros_in_front_are_read_as_shown_in_open_documents_too(path: Path) -> None:
    code = cell("01234", value_type="float", value="1234")
    twice = row(cell("b@x.com"), code).replace(
        "<table:table-row", '<table:table-row table:number-rows-repeated="2"'
    )
    rows = (
        row(cell("email"), cell("zip")) + row(cell("a@x.com"), code) + twice + row(cell("c@x.com"), cell("7"))
    )
    open_document(path, Other=row(cell("x")), List=rows)
    found = sniff(path, overrides={"sheet": "List"})
    assert [cells[1] for _, cells in rows_of(path, found)] == ["01234", "01234", "01234", "7"]


def test_a_formula_without_a_result_in_an_open_document_is_not_read_as_empty(path: Path) -> None:
    formula = '<table:table-cell table:formula="of:=[.A1]"/>'
    empty_text = (
        '<table:table-cell table:formula="of:=[.A1]" office:value-type="string"><text:p/></table:table-cell>'
    )
    open_document(
        path,
        List=row(cell("email"), cell("status"))
        + row(cell("a@x.com"), formula)
        + row(cell("b@x.com"), empty_text)
        + row(cell("c@x.com"), cell("active")),
    )
    found = sniff(path)
    assert [cells[1] for _, cells in rows_of(path, found)] == [UNCALCULATED, "", "active"]
    assert uncalculated(found) == 1


def test_an_open_document_that_claims_a_whole_universe_of_cells_is_refused(path: Path) -> None:
    wide = cell("x").replace("<table:table-cell", '<table:table-cell table:number-columns-repeated="16384"')
    rows = row(wide).replace("<table:table-row", '<table:table-row table:number-rows-repeated="1048576"')
    open_document(path, List=rows)
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_unreadable"


def test_a_document_with_a_password_is_said_to_have_one(path: Path) -> None:
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(401_400) + "EncryptedPackage".encode("utf-16-le")
    )
    with pytest.raises(Refusal) as refused:
        sniff(path)
    assert refused.value.code == "file.spreadsheet_locked"
