"""What sniffing makes of the files people have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backupsvc.errors import Refusal
from recipients.imports.dialect import Dialect
from recipients.imports.reader import read
from recipients.imports.sniff import Sniffed, sniff
from recipients.values import SAFE_MARKER

PEOPLE = [
    ["ann@example.com", "Ann", "Bath"],
    ["bob@example.com", "Bob", "Ulm"],
    ["zoe@example.com", "Zoë", "Köln"],
]
HEADER = ["email", "name", "city"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def look(path: Path, text: str | bytes, codec: str = "utf-8", **overrides: Any) -> Sniffed:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(codec))
    return sniff(path, overrides=overrides)


def table(rows: list[list[str]], delimiter: str = ",", quote: str = "") -> str:
    return "".join(delimiter.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "||", "::", ", ", "~", "^", ":", " "])
@pytest.mark.parametrize("quote", ["", '"', "'"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiter_quote_and_header_are_found(path: Path, delimiter: str, quote: str, header: bool) -> None:
    found = look(path, table([HEADER] * header + PEOPLE * 3, delimiter, quote))
    assert found.dialect.delimiter == delimiter
    assert found.dialect.header is header
    assert found.headers == (HEADER if header else ["Column 1", "Column 2", "Column 3"])
    assert [row.cells for row in read(path, dialect=found.dialect)] == PEOPLE * 3
    assert found.sample == PEOPLE * 3
    assert found.rows_estimate == 9


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["Zoë", "Łukasz", "Ивана"]),
        ("utf-8-sig", ["Zoë", "Łukasz"]),
        ("utf-16", ["Zoë", "Łukasz"]),
        ("utf-16-le", ["Zoë", "Łukasz"]),
        ("utf-16-be", ["Zoë", "Łukasz"]),
        ("cp1252", ["Zoë", "Müller", "Œuvre", "Æble", "“Ann”"]),
        ("iso-8859-15", ["Müller", "5 €"]),
        ("cp1250", ["Paweł Łoś", "Wałęsa", "Święcicki", "Müller"]),
        ("cp1250", ["Dvořák", "Jiří Černý", "Růžička", "Němec"]),
        ("cp1250", ["Őri", "Kűrti", "Szabó", "Gergő"]),
        ("cp1252", ["Jürgen Müller", "José", "Günther Weiß", "Hélène François", "Bjørn Åse", "Nicolò Però"]),
        ("cp1250", ["Paweł Łoś", "Jiří Dvořák", "Kűrti Gergő", "Šime Đurić", "Ľubica", "Ágnes", "Żaneta"]),
        ("cp1254", ["Yağmur", "Işıl", "Şahin", "Gül"]),
    ],
)
def test_encodings_are_found(path: Path, encoding: str, names: list[str]) -> None:
    rows = [["ann@example.com", name] for name in names]
    found = look(path, table([["email", "name"], *rows]), encoding)
    assert found.dialect.encoding == encoding
    assert [row.cells for row in read(path, dialect=found.dialect)] == rows


def test_latin_letters_are_not_taken_for_central_european_ones(path: Path) -> None:
    names = ["Hélène", "François", "Núñez", "Müller", "João", "Søren", "Björk", "Niccolò"]
    found = look(path, table([["email", "name"], *(["a@example.com", name] for name in names)]), "cp1252")
    assert [row[1] for row in found.sample] == names
    assert ("file.encoding_guessed", {"encoding": "cp1252"}) in found.warnings


def test_a_chosen_encoding_is_taken(path: Path) -> None:
    found = look(path, "email;name\na@x.com;Zoë\n", "mac_roman", encoding="mac_roman")
    assert found.sample == [["a@x.com", "Zoë"]]
    assert not found.warnings


def test_chosen_fields_are_taken_and_the_rest_follows(path: Path) -> None:
    found = look(path, table([HEADER, *PEOPLE], ";"), header=False)
    assert found.sample[0] == HEADER
    found = look(path, table([HEADER, *PEOPLE], ";"), first_line=2, header=False)
    assert found.sample == PEOPLE
    found = look(path, "email;name, first\na@x.com;b, c\n", delimiter=",")
    assert found.headers == ["email;name", " first"]


@pytest.mark.parametrize(
    "overrides",
    [
        {"encoding": "rot13"},
        {"delimiter": "\n"},
        {"quote": "x"},
        {"first_line": 0},
        {"header": 1},
        {"color": "red"},
    ],
)
def test_impossible_choices_are_refused(path: Path, overrides: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        look(path, table([HEADER, *PEOPLE]), **overrides)
    assert refused.value.code == "dialect.value"


@pytest.mark.parametrize(
    "preamble",
    [
        "Subscribers of 2026\n\n",
        "Subscribers,,\nas of 2026-11-23,,\n",
        "Subscribers\nof the shop\nfor you, and you only\n",
        "sep=,\n",
        '"Subscribers, and\nmore"\n',
    ],
)
def test_lines_above_the_table_are_skipped(path: Path, preamble: str) -> None:
    found = look(path, preamble + table([HEADER, *PEOPLE]))
    assert found.headers == HEADER
    assert found.sample == PEOPLE
    assert found.dialect.first_line == preamble.count("\n") + 1
    assert [row.cells for row in read(path, dialect=found.dialect)] == PEOPLE


def test_a_separator_line_is_believed(path: Path) -> None:
    assert look(path, "sep=;\nemail;n\na@x.com;1,5\nb@x.com;2,5\n").dialect.delimiter == ";"


def test_no_row_with_an_address_is_taken_for_a_title(path: Path) -> None:
    found = look(path, "a@x.com\n" + table(PEOPLE))
    assert found.dialect.first_line == 1
    assert [bool(row.problem) for row in read(path, dialect=found.dialect)] == [True, False, False, False]


def test_decimal_commas_are_no_delimiters(path: Path) -> None:
    found = look(path, "email;a;b\nx@x.com;1,5;2,5\ny@x.com;3,5;4,5\n")
    assert found.dialect.delimiter == ";"


def test_commas_in_names_are_no_delimiters(path: Path) -> None:
    found = look(path, "name;email\nSmith, Ann;a@x.com\nSmith, Bob;b@x.com\n")
    assert found.dialect.delimiter == ";"


@pytest.mark.parametrize("head", ["", "email\n"])
def test_a_file_may_be_one_column_of_addresses(path: Path, head: str) -> None:
    found = look(path, head + "a@x.com\nb@x.com\n")
    assert found.headers == (["email"] if head else ["Column 1"])
    assert found.sample == [["a@x.com"], ["b@x.com"]]


@pytest.mark.parametrize("mark", "=%#~^$!&*/?`{")
def test_a_mark_in_every_address_is_no_delimiter(path: Path, mark: str) -> None:
    addresses = [f"a{mark}{number}@example.com" for number in range(40)]
    path.write_text("\n".join(["E-mail", *addresses]))
    found = sniff(path)
    assert (found.dialect.columns, found.headers, found.dialect.header) == (1, ["E-mail"], True)
    assert found.sample[0] == addresses[:1]
    assert not found.warnings


@pytest.mark.parametrize("mark", "=%#|~^$")
def test_a_mark_that_the_header_has_too_is_a_delimiter(path: Path, mark: str) -> None:
    rows = [f"Anna{mark}anna{number}@example.com" for number in range(40)]
    path.write_text("\n".join(["Customers of 2025", f"Name{mark}E-mail", *rows]))
    found = sniff(path)
    assert (found.dialect.delimiter, found.headers) == (mark, ["Name", "E-mail"])


def test_pasted_names_with_addresses_stay_whole(path: Path) -> None:
    found = look(path, "Ann Smith <a@x.com>\nBob, Jr <b@x.com>\n")
    assert found.sample == [["Ann Smith <a@x.com>"], ["Bob, Jr <b@x.com>"]]


def test_addresses_in_angle_brackets_are_no_markup(path: Path) -> None:
    found = look(path, "<head@x.com>\n<table@x.com>\n<html@x.com>\n")
    assert found.sample == [["<head@x.com>"], ["<table@x.com>"], ["<html@x.com>"]]


def test_a_header_with_a_stray_quote_is_still_the_header(path: Path) -> None:
    found = look(path, '"email","na"me","city"\n' + table(PEOPLE, quote='"'))
    assert found.headers == ["email", 'na"me', "city"]
    assert [row.cells for row in read(path, dialect=found.dialect)] == PEOPLE


def test_a_header_may_name_more_columns_than_the_rows_have(path: Path) -> None:
    found = look(path, "email,name,city,notes\n" + table(PEOPLE))
    assert found.headers == [*HEADER, "notes"]
    assert [row.cells for row in read(path, dialect=found.dialect)] == [[*row, ""] for row in PEOPLE]


def test_a_header_may_lack_the_last_name(path: Path) -> None:
    found = look(path, "email,name\n" + table(PEOPLE))
    assert found.headers == ["email", "name", "Column 3"]


def test_backslashes_may_escape_quotes(path: Path) -> None:
    found = look(path, 'email,name\na@x.com,"Ann \\"A\\", B"\nb@x.com,"Bob"\nc@x.com,"D, \\"E"\n')
    assert found.dialect.escape == "\\"
    assert found.sample[0] == ["a@x.com", 'Ann "A", B']


def test_marks_for_inches_are_no_quotes(path: Path) -> None:
    found = look(path, 'email,size\na@x.com,5" wide\nb@x.com,6" wide\nc@x.com,7" wide\n')
    assert found.dialect.quote == ""
    assert found.sample[0] == ["a@x.com", '5" wide']


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file.empty"),
        (b"\n \n\t\n", "file.empty"),
        (b"\xef\xbb\xbf", "file.empty"),
        (b"%PDF-1.7 x", "file.binary"),
        (bytes(range(256)) * 20, "file.binary"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file.spreadsheet_old"),
        (b"a@x.com" + b",x" * 600 + b"\n", "file.too_many_columns"),
        (b"\r\n<html><body><table><tr><td>a@x.com</td></tr></table>", "file.markup"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Workbook><Row>a@x.com</Row></Workbook>', "file.markup"),
        (b'[{"email": "a@x.com"}]', "file.markup"),
        (b"BEGIN:VCARD\r\nEMAIL:a@x.com\r\nEND:VCARD\r\n", "file.markup"),
    ],
)
def test_files_that_are_no_lists_are_refused(path: Path, content: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        look(path, content)
    assert refused.value.code == code


def test_a_header_alone_is_a_table_without_rows(path: Path) -> None:
    found = look(path, "email,name\n")
    assert (found.headers, found.sample, found.rows_estimate) == (["email", "name"], [], 0)
    assert list(read(path, dialect=found.dialect)) == []


OWN = "email,status,registered,activated,deactivated,source,signup_ip,tags,Name"


def test_our_own_files_are_known(path: Path) -> None:
    found = look(path, OWN + "\na@x.com,active,,,,,,,'=1\n")
    assert found.is_own
    assert not found.is_spreadsheet_safe
    assert found.sample[0][-1] == "'=1"


def test_our_spreadsheet_safe_files_are_shown_as_they_were(path: Path) -> None:
    found = look(path, f"{OWN},'=Sum,{SAFE_MARKER}\na@x.com,active,,,,,,,'=1,''=2,\n")
    assert found.is_spreadsheet_safe
    assert found.headers == [*OWN.split(","), "=Sum", SAFE_MARKER]
    assert found.sample[0][-3:] == ["=1", "'=2", ""]


@pytest.mark.parametrize("count", [16, 17, 60])
def test_our_safe_file_saved_by_excel_comes_back_whole(path: Path, count: int) -> None:
    head = f"{OWN},{SAFE_MARKER}".replace(",", ";")
    people = [f"p{n}@x.com;active;;;;;;;Ann" for n in range(count)]
    # The header fills the first sixteen lines up to its last cell.
    lines = [head, *(f"{row};" for row in people[:15]), *people[15:]]
    found = look(path, "\ufeff" + "\r\n".join([*lines, ""]))
    rows = list(read(path, dialect=found.dialect))
    assert (found.is_own, found.is_spreadsheet_safe) == (True, True)
    assert {row.problem for row in rows} == {None}
    assert [row.cells for row in rows] == [[*row.split(";"), ""] for row in people]


def test_our_safe_file_cut_off_loses_its_last_row(path: Path) -> None:
    found = look(path, f"{OWN},{SAFE_MARKER}\na@x.com,active,,,,,,,Ann,\nb@x.com,act")
    assert [row.problem is None for row in read(path, dialect=found.dialect)] == [True, False]


def test_a_column_behind_the_marker_keeps_the_file_safe(path: Path) -> None:
    found = look(path, f"{OWN},'=Sum,{SAFE_MARKER},Seen\na@x.com,active,,,,,,,'=1,'-2,,'+3\n")
    assert found.is_spreadsheet_safe
    assert found.headers == [*OWN.split(","), "=Sum", SAFE_MARKER, "Seen"]
    assert found.sample[0][-4:] == ["=1", "-2", "", "+3"]


@pytest.mark.parametrize(
    ("content", "headers", "rows", "damaged"),
    [
        # No row is as wide as the header.
        ("a,b,c,d\n1,2,3\n", ["a", "b", "c", "d"], [], [2]),
        ("id,name,age\n1101,John\n1102,Julie,26,Potatoes\n", ["id", "name", "age"], [], [2, 3]),
        ("a,b,c\n1\n4,5,6\n", ["a", "b", "c"], [["4", "5", "6"]], [2]),
        ("a,b,c\n1,cat\ndog,c\n3,b,c\n", ["a", "b", "c"], [["3", "b", "c"]], [2, 3]),
        # The words of one row make no table that all others stand above.
        (
            'key,text,number\n1,27,,"Far too long!"\n,"Too short!"\n0,mixed types... uh oh,17\n',
            ["key", "text", "number"], [["0", "mixed types... uh oh", "17"]], [2, 3],
        ),
        ("Date,Agency,Clicks\nNo data for this report,,\n", ["Date", "Agency", "Clicks"],
         [["No data for this report", "", ""]], []),
        # A name is missing where the rows' own names stand, or amid the others.
        ('"","text"\n"V1","Often?"\n"V2","Never?"\n"V3","Now?"\n', ["", "text"],
         [["V1", "Often?"], ["V2", "Never?"], ["V3", "Now?"]], []),
        ("id,name,,note\n1,ann\n2,bob\n3,cid,1,2,3\n", ["id", "name", "", "note"],
         [["1", "ann", "", ""], ["2", "bob", "", ""]], [4]),
    ],
)  # fmt: skip
def test_small_odd_tables_keep_their_header_and_their_rows(
    path: Path, content: str, headers: list[str], rows: list[list[str]], damaged: list[int]
) -> None:
    found = look(path, content)
    read_rows = list(read(path, dialect=found.dialect))
    assert found.headers == headers
    assert [row.cells for row in read_rows if not row.problem] == rows
    assert [row.line for row in read_rows if row.problem] == damaged


def test_large_files_are_judged_by_head_middle_and_tail(path: Path) -> None:
    rows = [[f"p{n}@example.com", "Smith, Ann" if n > 9000 else "Ann", "x" * 40] for n in range(20_000)]
    found = look(path, table([HEADER, *rows], ";"))
    assert found.dialect.delimiter == ";"
    assert found.rows_estimate == pytest.approx(20_000, rel=0.05)


def test_large_files_with_cells_of_two_lines_are_not_called_damaged(path: Path) -> None:
    rows = [[f"p{n}@example.com", f"Street {n}\nKöln", "x" * 40] for n in range(20_000)]
    found = look(path, table([HEADER, *rows], ";", '"'))
    assert found.dialect.quote == '"'
    assert not found.warnings


def test_notes_below_the_table_of_a_large_file_are_seen(path: Path) -> None:
    rows = [[f"p{n}@example.com", "Ann", "x" * 40] for n in range(20_000)]
    found = look(path, table([HEADER, *rows, ["as of today", "", ""]], ";"))
    last = list(read(path, dialect=found.dialect))[-1]
    assert last.line == 20_002
    assert last.problem is not None
    assert last.problem.code == "row.note"


def test_a_dialect_can_be_stored(path: Path) -> None:
    dialect = look(path, table([HEADER, *PEOPLE], ";")).dialect
    assert Dialect.from_json(dialect.to_json()) == dialect
    with pytest.raises(Refusal):
        Dialect.from_json({"delimiter": 3})
