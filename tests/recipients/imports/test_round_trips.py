"""What Python's own CSV writer writes in any dialect comes back exactly, or it is said that it may not."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recipients.imports.dialect import Dialect
from recipients.imports.reader import read
from recipients.imports.sniff import sniff

FROM_FIXTURE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Table = list[list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@st.composite
def writers(draw: st.DrawFn, delimiters: str) -> dict[str, Any]:
    """The arguments of a csv.writer that loses nothing."""
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]))
    doubles = quoting != csv.QUOTE_NONE and draw(st.booleans())
    # With any other line end, the writer leaves the characters of the usual ones as they are.
    leaves_ends = quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)
    return {
        "delimiter": draw(st.sampled_from(list(delimiters))),
        "quotechar": draw(st.sampled_from("\"'")),
        "quoting": quoting,
        "doublequote": doubles,
        "escapechar": None if doubles else "\\",
        "lineterminator": "\r\n" if leaves_ends else draw(st.sampled_from(["\n", "\r\n", "\r"])),
    }


def write(path: Path, table: Table, *, encoding: str, writer: dict[str, Any]) -> None:
    stream = io.StringIO(newline="")
    try:
        csv.writer(stream, **writer).writerows(table)
    except csv.Error:
        assume(False)  # What it cannot write is not there to be read.
    path.write_text(stream.getvalue(), encoding=encoding, newline="")


def wears(row: list[str], *, mark: str) -> bool:
    """Whether every cell that is not empty begins with the mark."""
    filled = [cell for cell in row if cell]
    return bool(filled) and all(cell.startswith(mark) for cell in filled)


anything = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\U0010fffe\U0010ffff"), max_size=10
) | st.text(st.sampled_from(list("ab,;|\t \"'\\^\r\n@.1")), max_size=8)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])


@given(
    table=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(anything, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    writer=writers(",;\t| ^:§"),
    other_escape=st.sampled_from("\\~!"),
    encoding=ENCODINGS,
)
@settings(FROM_FIXTURE, max_examples=250)
def test_in_a_dialect_that_is_known_every_table_is_exact(
    path: Path, table: Table, writer: dict[str, Any], other_escape: str, encoding: str
) -> None:
    if writer["escapechar"]:
        writer["escapechar"] = other_escape
    # A row whose cells all wear the other kind of quotes was written in another dialect, and told.
    assume(not any(wears(row, mark="'" if writer["quotechar"] == '"' else '"') for row in table))
    header = [f"h{n}" for n in range(len(table[0]))]
    write(path, [header, *table], encoding=encoding, writer=writer)
    dialect = Dialect(
        encoding=encoding,
        delimiter=writer["delimiter"],
        quote="" if writer["quoting"] == csv.QUOTE_NONE else writer["quotechar"],
        escape=writer["escapechar"] or "",
    )
    rows = list(read(path, dialect=dialect))
    problems = [row.problem.code for row in rows if row.problem]
    # A cell whose lines are rows of this very table is more likely two lost quotes, and told.
    assume("row.several" not in problems)
    assert problems == []
    assert [row.cells for row in rows] == [row for row in table if any(row)]


NAMES = ["Ann", "Zoë", "Müller", "O'Neil", "de", "Łukasz", "New York", "Köln", "Jr.", "Dr. b", "5th"]
words = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(" ".join)
MARKS = ['"', '""', ",", ", ", "; ", "|", "\t", "\\", "'", "\n", "\r\n", ": ", '"x"', "'y'"]
texts = st.just("") | words | st.tuples(words, st.sampled_from(MARKS), words).map("".join)


@st.composite
def lists(draw: st.DrawFn) -> Table:
    """A list as people have it: a header, addresses, and texts, dates and numbers around them."""
    kinds = draw(st.lists(st.sampled_from(["text", "date", "number"]), min_size=1, max_size=4))
    columns: list[list[str]] = [["email"]]
    rows = draw(st.integers(3, 12))
    columns[0] += [f"p{n}@example.com" for n in range(rows)]
    for number, kind in enumerate(kinds):
        values = {
            "text": st.lists(texts, min_size=rows, max_size=rows),
            "date": st.just([f"2024-0{n % 9 + 1}-1{n % 9}" for n in range(rows)]),
            "number": st.just([f"{n * 37 % 101},5" if n % 3 else str(n) for n in range(rows)]),
        }
        columns.append([f"{kind} {number}", *draw(values[kind])])
    columns.insert(draw(st.integers(0, len(kinds))), columns.pop(0))
    return [list(row) for row in zip(*columns, strict=True)]


@given(
    table=lists(),
    writer=writers(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
)
@settings(FROM_FIXTURE, max_examples=150)
def test_in_a_dialect_that_is_found_a_list_is_exact_or_doubtful(
    path: Path, table: Table, writer: dict[str, Any], encoding: str
) -> None:
    write(path, table, encoding=encoding, writer=writer)
    found = sniff(path)
    rows = list(read(path, dialect=found.dialect))
    if [found.headers, *(row.cells for row in rows)] != table:
        reasons = [row.problem.code for row in rows if row.problem]
        reasons += [code for code, _ in found.warnings if code != "file.encoding_guessed"]
        assert reasons, "The list is read wrong, and nobody is told."
