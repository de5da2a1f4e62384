"""Reading delimited files: nothing is lost, nothing is invented, and damage stays where it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipients.imports.dialect import Dialect
from recipients.imports.lines import LONGEST_LINE
from recipients.imports.reader import Row, read
from recipients.imports.sniff import sniff

FROM_FIXTURE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rows_of(path: Path, text: str | bytes, *, dialect: Dialect | None = None) -> list[Row]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return list(read(path, dialect=dialect or sniff(path).dialect))


def codes(rows: list[Row]) -> dict[int, str]:
    return {row.line: row.problem.code for row in rows if row.problem}


def good(rows: list[Row]) -> list[list[str]]:
    return [row.cells for row in rows if not row.problem]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def test_a_stray_quote_rejects_only_its_own_row(path: Path) -> None:
    lines = [f'p{n}@example.com,"Doe, {n}",city' for n in range(1000)]
    lines[499] = 'p499@example.com,"Doe 499,city'
    rows = rows_of(path, "email,name,city\n" + "\n".join(lines) + "\n")
    assert codes(rows) == {501: "row.quote"}
    assert len(good(rows)) == 999


def test_an_open_quote_at_the_end_of_the_file_takes_nobody_with_it(path: Path) -> None:
    rows = rows_of(path, 'email,name\na@x.com,A\nb@x.com,"B\nc@x.com,C\nd@x.com,D\n')
    assert codes(rows) == {3: "row.quote"}
    assert good(rows) == [["a@x.com", "A"], ["c@x.com", "C"], ["d@x.com", "D"]]


def test_many_open_quotes_are_read_in_reasonable_time(path: Path) -> None:
    lines = "".join(f'p{n}@x.com,"N{n}\n' if n % 3 == 0 else f"p{n}@x.com,N{n}\n" for n in range(3000))
    rows = rows_of(path, "email,name\n" + lines, dialect=Dialect())
    assert len(rows) == 3000
    assert len(good(rows)) == 2000


def test_two_lost_quotes_do_not_hide_the_rows_between_them(path: Path) -> None:
    rows = rows_of(path, 'email,name\na@x.com,"A\nb@x.com,B\nc@x.com,C"\nd@x.com,D\n')
    assert codes(rows) == {2: "row.several"}
    assert good(rows) == [["d@x.com", "D"]]


def test_our_own_files_may_hold_a_list_in_a_cell(path: Path) -> None:
    header = [
        "email",
        "status",
        "registered",
        "activated",
        "deactivated",
        "source",
        "signup_ip",
        "tags",
        "note",
    ]
    row = ["a@x.com", "active", "", "", "", "", "", "", "b@x.com,,,,,,,,\nc@x.com,,,,,,,,\n"]
    stream = io.StringIO()
    csv.writer(stream).writerows([header, row])
    assert good(rows_of(path, stream.getvalue())) == [row]


def test_lines_within_quotes_are_one_row_and_count_as_lines(path: Path) -> None:
    rows = rows_of(path, 'email,note\na@x.com,"one\ntwo\r\nthree"\nb@x.com,B\n')
    assert [(row.line, row.cells[1]) for row in rows] == [(2, "one\ntwo\r\nthree"), (5, "B")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_line(path: Path, end: str) -> None:
    rows = rows_of(path, end.join(["email,name", "a@x.com,A", "", "b@x.com,B"]))
    assert [(row.line, row.cells) for row in rows] == [(2, ["a@x.com", "A"]), (4, ["b@x.com", "B"])]


def test_line_ends_may_be_mixed(path: Path) -> None:
    rows = rows_of(path, "email,name\r\na@x.com,A\nb@x.com,B\rc@x.com,C")
    assert [row.line for row in rows] == [2, 3, 4]


def test_other_separators_of_unicode_are_data(path: Path) -> None:
    value = "a\u2028b\u2029c\x0bd\x0ce\x85f"
    assert good(rows_of(path, f"email,name\na@x.com,{value}\n")) == [["a@x.com", value]]


def test_a_nul_rejects_its_row(path: Path) -> None:
    rows = rows_of(path, "email,name\na@x.com,A\0\nb@x.com,B\n", dialect=Dialect())
    assert codes(rows) == {2: "row.nul"}


def test_bytes_that_cannot_be_decoded_reject_their_row(path: Path) -> None:
    rows = rows_of(path, "email,name\na@x.com,Zoë\n".encode() + b"b@x.com,\xff\xfe\nc@x.com,C\n")
    assert codes(rows) == {3: "row.undecodable"}
    assert rows[1].cells == ["b@x.com", "��"]
    assert good(rows) == [["a@x.com", "Zoë"], ["c@x.com", "C"]]


def test_half_a_character_at_the_end_of_utf_16_rejects_the_last_row(path: Path) -> None:
    rows = rows_of(path, "email,name\na@x.com,A\nb@x.com,B".encode("utf-16") + b"\x20")
    assert codes(rows) == {3: "row.undecodable"}


def test_rows_of_another_width_are_reported(path: Path) -> None:
    text = "email,name,city\na@x.com,A,X\nb@x.com,B\nc@x.com,C,X,Y\nd@x.com,D,X,,\n" + "e@x.com,E,X\n" * 40
    rows = rows_of(path, text)
    assert codes(rows) == {
        3: "row.too_few_fields",
        4: "row.too_many_fields",
        5: "row.too_many_fields",  # maybe a delimiter astray in front of an empty cell: nobody can tell
    }


def test_short_rows_are_whole_where_the_file_makes_a_habit_of_it(path: Path) -> None:
    text = "email,name,city\n" + "".join(f"p{n}@x.com,A{',X' if n % 2 else ''}\n" for n in range(20))
    rows = rows_of(path, text)
    assert not codes(rows)
    assert rows[0].cells == ["p0@x.com", "A", ""]


def test_blank_rows_are_skipped(path: Path) -> None:
    rows = rows_of(path, "email,name\n\n,\na@x.com,A\n   \n\n", dialect=Dialect(columns=2))
    assert good(rows) == [["a@x.com", "A"]]
    assert codes(rows) == {5: "row.too_few_fields"}


def test_a_field_may_have_a_mebibyte_and_no_more(path: Path) -> None:
    rows = rows_of(
        path, "email,name\na@x.com," + "x" * 1_000_000 + "\nb@x.com," + "y" * 1_100_000 + "\nc@x.com,C\n"
    )
    assert codes(rows) == {3: "row.too_long"}
    assert [len(cells[1]) for cells in good(rows)] == [1_000_000, 1]


def test_a_line_without_end_is_reported_and_not_kept_in_memory(path: Path) -> None:
    text = "email,name\na@x.com," + ("x" * 1000 + ",") * (2 * LONGEST_LINE // 1000) + "\nb@x.com,B\n"
    rows = rows_of(path, text, dialect=Dialect())
    assert codes(rows) == {2: "row.too_long"}
    assert good(rows) == [["b@x.com", "B"]]
    assert rows[1].line == 3


@pytest.mark.parametrize("delimiter", ["||", "::", ", ", "\t\t"])
def test_delimiters_of_two_characters(path: Path, delimiter: str) -> None:
    lines = [
        ["email", "name"],
        ["a@x.com", "A"],
        ["b@x.com", f'"B{delimiter}C"'],
        ["c@x.com", '"say ""hi"""'],
    ]
    rows = rows_of(
        path, "\n".join(delimiter.join(line) for line in lines), dialect=Dialect(delimiter=delimiter)
    )
    assert good(rows) == [["a@x.com", "A"], ["b@x.com", f"B{delimiter}C"], ["c@x.com", 'say "hi"']]


def test_one_column_takes_each_line_as_a_cell(path: Path) -> None:
    rows = rows_of(path, "Bob, Jr <a@x.com>\nAnn <b@x.com>\n", dialect=Dialect(delimiter="", header=False))
    assert good(rows) == [["Bob, Jr <a@x.com>"], ["Ann <b@x.com>"]]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\U0010fffe\U0010ffff"), max_size=12)


@given(
    table=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
@FROM_FIXTURE
def test_what_a_csv_writer_writes_is_read_back_exactly(
    path: Path, table: list[list[str]], delimiter: str, quote: str, quoting: int, end: str
) -> None:
    if quoting == csv.QUOTE_MINIMAL:
        end = "\r\n"  # with any other, Python's writer leaves the other line end's character unquoted
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quotechar=quote, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerow([f"h{n}" for n in range(len(table[0]))])
    writer.writerows(table)
    rows = rows_of(path, stream.getvalue(), dialect=Dialect(delimiter=delimiter, quote=quote))
    assert not codes(rows)
    assert good(rows) == [row for row in table if any(row)]


Damage = Callable[[str, int], str]


def _inserted(mark: str) -> Damage:
    return lambda text, at: text[:at] + mark + text[at:]


def _removed(text: str, at: int) -> str:
    return text[:at] + text[at + 1 :]


DAMAGES: dict[str, Damage] = {
    "a quote too many": _inserted('"'),
    "a delimiter too many": _inserted(","),
    "a line end too many": _inserted("\n"),
    "a character lost": _removed,
    "a NUL": _inserted("\0"),
    "an undecodable byte": _inserted("\udcff"),
}
BASES = {
    "plain": [f"p{n}@example.com,Zoë{n},City{n}" for n in range(40)],
    "all quoted": [f'"p{n}@example.com","Zoë {n}","City, {n}"' for n in range(40)],
    "some quoted": [
        f'p{n}@example.com,"Zoë, ""{n}""",City' if n % 3 else f"p{n}@example.com,Zoë,City" for n in range(40)
    ],
    "some of two lines": [
        f'p{n}@example.com,"Zoë\n{n}",City' if n % 4 == 1 else f"p{n}@example.com,Zoë,City" for n in range(40)
    ],
}  # fmt: skip


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("damage", DAMAGES)
@given(at=st.floats(0, 1, exclude_max=True), record=st.integers(0, 39))
@FROM_FIXTURE
def test_one_damaged_place_costs_no_other_row(
    path: Path, base: str, damage: str, at: float, record: int
) -> None:
    """Whatever happens to one record, every other one is read as it was, or reported next to it."""
    records = list(BASES[base])
    clean = good(rows_of(path, "email,name,city\n" + "\n".join(records) + "\n"))
    records[record] = DAMAGES[damage](records[record], int(at * len(records[record])))
    text = "email,name,city\n" + "\n".join(records) + "\n"
    rows = rows_of(path, text.encode("utf-8", "surrogateescape"))
    found = good(rows)
    for number, cells in enumerate(clean):
        if number != record:
            assert cells in found, f"{cells} was lost"
    if damage in ("a quote too many", "a NUL", "an undecodable byte"):
        assert [cells for cells in found if cells not in clean] == []
        assert len(found) == len(clean) or codes(rows)
