"""Files with one thing wrong, made from clean ones: they read as the clean one, or what differs is named.

Every kind of damage is done to lists of several kinds, with and without addresses, in several rows and
columns. A row that comes out must be one of the clean rows; a clean row that does not come out must be
within the lines of a row that was reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recipients.imports.reader import Row, read
from recipients.imports.sniff import Sniffed, sniff

Table = list[list[str]]


def people(rows: int = 16) -> Table:
    names = ["Ann", "Zoë", "Jörg", "O'Neil", "Łukasz", "Mary Ann"]
    return [
        ["email", "first name", "last name", "registered", "tags"],
        *(
            [
                f"person{n}@example.com",
                names[n % 6],
                "Smith, Jr." if n % 4 == 0 else f'Bob "B{n}"' if n % 5 == 4 else f"Smith{n}",
                f"2024-0{n % 9 + 1}-{n % 28 + 1:02} 10:{n:02}:00",
                "" if n % 3 else "vip,new",
            ]
            for n in range(rows)
        ),
    ]


def letters(rows: int = 16) -> Table:
    """Cells of two lines."""
    return [
        ["email", "address", "country"],
        *(
            [f"p{n}@example.com", f"Street {n}\n{n:05} Köln" if n % 4 == 1 else "Ulm", "DE"]
            for n in range(rows)
        ),
    ]


def products(rows: int = 16) -> Table:
    """No addresses, quotes and commas in texts, one backslash, and a last column that is always empty."""
    return [
        ["date", "time", "quantity", "id", "price", "name", "description", "url", "comment"],
        *(
            [
                f"{n % 28 + 1:02}/0{n % 9 + 1}/2018",
                f"{n // 4:02}:{n % 4 * 15:02}",
                str(n % 17),
                f"MG-{8000 + n}",
                f"${n}.37",
                f'Table, round {n}"' if n % 7 == 3 else "Men's fit",
                "light, in our 8\\'9\" length" if n == 9 else "rugged enough, yet light and quick.",
                f"https://www.example.com/{n}.html",
                "",
            ]
            for n in range(rows)
        ),
    ]


def measures(rows: int = 16) -> Table:
    return [
        ["id", "station", "temperature", "rain"],
        *([str(n), f"S{n % 7}", f"{n * 0.37 - 5:.1f}", f"{n % 4},{n % 10}"] for n in range(rows)),
    ]


def pairs(rows: int = 16) -> Table:
    return [["email", "name"], *([f"p{n}@example.com", f"Name{n}"] for n in range(rows))]


BASES: dict[str, Table] = {
    "people": people(),
    "letters": letters(),
    "products": products(),
    "measures": measures(),
    "pairs": pairs(),
}


@dataclass
class Writing:
    """A table as the cells of a file, as they are written."""

    table: Table
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    end: str = "\r\n"
    quotes_all: bool = False
    cells: Table = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [[self.cell(text) for text in row] for row in self.table]

    def cell(self, text: str) -> str:
        special = {*self.delimiter, *"\r\n", self.quote}
        if not self.quotes_all and not special & set(text):
            return text
        return self.quote + text.replace(self.quote, self.escape + self.quote) + self.quote

    @property
    def lines(self) -> list[str]:
        return [self.delimiter.join(row) for row in self.cells]

    @property
    def text(self) -> str:
        return self.end.join(self.lines) + self.end


def look(path: Path, content: str | bytes) -> tuple[Sniffed, list[Row]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    found = sniff(path)
    return found, list(read(path, dialect=found.dialect))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


# Nothing is wrong: another way to write the same


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("quotes_all", [True, False], ids=["all quoted", "some quoted"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "||", "; ", "::", "^", "§", "#"])
def test_a_sound_file_is_exact_in_every_dialect(
    path: Path, base: str, quotes_all: bool, delimiter: str
) -> None:
    for quote in "\"'":
        for escape in (quote, "\\"):
            if escape == "\\" and base == "products":
                continue  # its backslash would have to be escaped too
            for end in ("\n", "\r\n", "\r"):
                writing = Writing(BASES[base], delimiter, quote, escape, end, quotes_all)
                found, rows = look(path, writing.text)
                assert [found.headers, *(row.cells for row in rows)] == BASES[base]
                assert not any(row.problem for row in rows)


@pytest.mark.parametrize("base", BASES)
def test_the_end_of_a_file_may_look_like_anything(path: Path, base: str) -> None:
    text = Writing(BASES[base]).text
    for content in (text.rstrip(), text + "\r\n", text + "\r\n \r\n", text + "," * len(BASES[base][0])):
        found, rows = look(path, content)
        assert [found.headers, *(row.cells for row in rows if not row.problem)] == BASES[base]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "head",
    [
        "PREAMBLE\r\n",
        "Report\r\nby: me\r\n\r\n",
        "sep=,\r\n",
        '"Report ""X"", 2024"\r\n\r\n',
        "full,,\r\n,,\r\n",
    ],
)
def test_what_stands_above_a_table_is_skipped(path: Path, base: str, head: str) -> None:
    table = BASES[base]
    found, rows = look(path, head.replace(",,", "," * (len(table[0]) - 1)) + Writing(table).text)
    assert [found.headers, *(row.cells for row in rows)] == table
    assert "file.preamble_skipped" in dict(found.warnings)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("foot", ["FOOTNOTE", "FOOTNOTE,,", "\r\nTotal: 16\r\nby: me", "-- end --"])
def test_notes_below_a_table_are_reported(path: Path, base: str, foot: str) -> None:
    table = BASES[base]
    content = Writing(table).text + foot.replace(",,", "," * (len(table[0]) - 1)) + "\r\n"
    found, rows = look(path, content)
    assert [found.headers, *(row.cells for row in rows if not row.problem)] == table
    assert {row.problem.code for row in rows if row.problem} <= {"row.note", "row.too_few_fields"}
    assert any(row.problem for row in rows)


@pytest.mark.parametrize("base", BASES)
def test_a_header_may_take_up_several_lines(path: Path, base: str) -> None:
    header, *data = BASES[base]
    for count in (2, 3):
        found, rows = look(path, Writing([*[header] * count, *data]).text)
        assert [found.headers, *(row.cells for row in rows)] == [header, *data]
        assert ("file.header_rows", {"count": count}) in found.warnings


@pytest.mark.parametrize("base", ["people", "products", "measures"])
def test_units_below_the_names_are_no_row(path: Path, base: str) -> None:
    header, *data = BASES[base]
    found, rows = look(path, Writing([header, [f"({name[:2]})" for name in header], *data]).text)
    assert [found.headers, *(row.cells for row in rows)] == [header, *data]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("gap", ["", "\r\n", "\r\nOther list\r\n"], ids=["no gap", "gap", "title"])
def test_a_second_table_does_not_mix_with_the_first(path: Path, base: str, gap: str) -> None:
    other = [["sku", "amount", *"abcdefgh"], *([f"A{n}", str(n), *"stuvwxyz"] for n in range(12))]
    found, rows = look(path, Writing(BASES[base]).text + gap + Writing(other).text)
    assert [found.headers, *(row.cells for row in rows if not row.problem)] == BASES[base]
    assert "file.second_table" in dict(found.warnings)
    assert sum(bool(row.problem) for row in rows) >= len(other)


@pytest.mark.parametrize("base", BASES)
def test_a_header_that_comes_again_is_reported(path: Path, base: str) -> None:
    header, *data = BASES[base]
    _, rows = look(path, Writing([header, *data, header, *data]).text)
    assert [row.problem.code for row in rows if row.problem] == ["row.header_again"]
    assert [row.cells for row in rows if not row.problem] == [*data, *data]


# One place is wrong

Damage = Callable[[Writing, int, int], None]


def _delimiter_too_many(writing: Writing, row: int, column: int) -> None:
    writing.cells[row].insert(column, "")


def _delimiter_lost(writing: Writing, row: int, column: int) -> None:
    cells = writing.cells[row]
    column = max(column, 1)
    cells[column - 1 : column + 1] = ["".join(cells[column - 1 : column + 1])]


def _quote_in_front(writing: Writing, row: int, column: int) -> None:
    cell = writing.cells[row][column]
    writing.cells[row][column] = f'""{cell[1:]}' if cell.startswith('"') else f'"{cell}'


def _quote_within(writing: Writing, row: int, column: int) -> None:
    cell = writing.cells[row][column]
    writing.cells[row][column] = f'{cell[: len(cell) // 2]}"{cell[len(cell) // 2 :]}'


def _quote_lost(writing: Writing, row: int, column: int) -> None:
    writing.cells[row][column] = writing.cells[row][column].removesuffix('"') or '"'


def _other_delimiter(mark: str) -> Damage:
    def damage(writing: Writing, row: int, column: int) -> None:
        writing.cells[row] = [mark.join(writing.cells[row])]

    return damage


def _other_quotes(writing: Writing, row: int, column: int) -> None:
    writing.cells[row] = [f"'{cell}'" for cell in writing.table[row]]


def _cut(writing: Writing, row: int, column: int) -> None:
    line = ",".join(writing.cells[row])
    writing.cells[row] = [line[: len(line) // 2]]


def _in_a_cell(mark: str) -> Damage:
    def damage(writing: Writing, row: int, column: int) -> None:
        cell = writing.cells[row][column]
        writing.cells[row][column] = cell[:2] + mark + cell[2:]

    return damage


DAMAGES: dict[str, Damage] = {
    "a delimiter too many": _delimiter_too_many,
    "a delimiter lost": _delimiter_lost,
    "a quote in front": _quote_in_front,
    "a quote within": _quote_within,
    "a quote lost": _quote_lost,
    "other delimiters": _other_delimiter(";"),
    "spaces for delimiters": _other_delimiter(" "),
    "tabs for delimiters": _other_delimiter("\t"),
    "other quotes": _other_quotes,
    "cut short": _cut,
    "a NUL": _in_a_cell("\0"),
    "an undecodable byte": _in_a_cell("\udcff"),
}  # fmt: skip


def _places(table: Table) -> Iterator[tuple[int, int]]:
    """Some rows of every kind, and in each some columns, all of them in one row or another."""
    for number, row in enumerate((1, 2, len(table) // 2, len(table) - 1)):
        for column in range(number % 3, len(table[0]), 3):
            yield row, column


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("quotes_all", [True, False], ids=["all quoted", "some quoted"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_reported_and_takes_no_other_with_it(
    path: Path, base: str, quotes_all: bool, damage: str
) -> None:
    for row, column in _places(BASES[base]):
        writing = Writing(BASES[base], quotes_all=quotes_all)
        DAMAGES[damage](writing, row, column)
        found, rows = look(path, writing.text)
        _is_whole_but_for(row, writing=writing, found=found, rows=rows)


def _is_whole_but_for(row: int, *, writing: Writing, found: Sniffed, rows: list[Row]) -> None:
    """Every other row is there, and the damaged one is as it was, or reported where it stands."""
    table = writing.table
    good = [one.cells for one in rows if not one.problem]
    assert found.headers == table[0]
    assert not Counter(map(tuple, good)) - Counter(map(tuple, table[1:])), "A row was read wrong."
    if good == table[1:]:
        return
    first = 1 + sum(line.count("\n") + 1 for line in writing.lines[:row])
    last = first + writing.lines[row].count("\n")
    lines = {one.line for one in rows if one.problem}
    assert good == [cells for number, cells in enumerate(table[1:], 1) if number != row]
    assert lines <= set(range(first, last + 1))
    assert lines, "The damaged row has vanished."


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "an undecodable byte"])
def test_a_damaged_header_is_pointed_out_and_costs_no_row(path: Path, base: str, damage: str) -> None:
    for column in range(len(BASES[base][0])):
        writing = Writing(BASES[base], quotes_all=True)
        DAMAGES[damage](writing, 0, column)
        found, rows = look(path, writing.text)
        assert [row.cells for row in rows if not row.problem] == BASES[base][1:]
        told = {"file.header_width", "file.header_damaged", "file.no_header", "file.preamble_skipped"}
        assert found.headers == BASES[base][0] or told & set(dict(found.warnings))
