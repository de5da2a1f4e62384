"""Files with one thing wrong, made from clean ones: they read as the clean one, or what differs is named.

Every kind of damage is done to lists of several kinds, with and without addresses, in several rows and
columns. A row that comes out must be one of the clean rows; a clean row that does not come out must be
within the lines of a row that was reported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.damage import BASES, DAMAGES, Writing, is_whole_but_for, look, places


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
                writing = Writing(BASES[base], delimiter, quote, escape, [end], quotes_all)
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


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("quotes_all", [True, False], ids=["all quoted", "some quoted"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_reported_and_takes_no_other_with_it(
    path: Path, base: str, quotes_all: bool, damage: str
) -> None:
    for row, column in places(BASES[base]):
        writing = Writing(BASES[base], quotes_all=quotes_all)
        DAMAGES[damage](writing, row, column)
        found, rows = look(path, writing.text)
        is_whole_but_for(row, writing=writing, found=found, rows=rows)


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
