"""A file cut into pieces gives the rows that it gives as a whole, and only sound pieces are called so."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipients.imports import chunks
from recipients.imports.chunks import Chunk, can_be_cut, cut, header_of
from recipients.imports.dialect import Dialect
from recipients.imports.reader import read

FROM_FIXTURE = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MARKS = ('"', '""', ",", "\n", "\r\n", "a", "b c", "ä", "a@b.de", "\\.", "'", "\0", "\x0b", "\r", "")
PIECES = st.lists(st.sampled_from(MARKS), max_size=40).map("".join)


def dialect_of(**changes: Any) -> Dialect:
    return Dialect(**{"columns": 3, **changes})


def rows_in_pieces(path: Path, *, dialect: Dialect) -> list[tuple[int, list[str], str | None]]:
    """All rows, those of sound chunks as a plain CSV reader finds them."""
    names = header_of(path, dialect=dialect)
    found: list[tuple[int, list[str], str | None]] = []
    for piece in cut(path, dialect=dialect):
        if isinstance(piece, Chunk) and piece.is_sound:
            lines = piece.utf8.decode().splitlines(keepends=True)
            cells = list(csv.reader(lines, delimiter=dialect.delimiter, strict=True))
            if all(len(row) == dialect.columns for row in cells) and len(cells) == piece.lines:
                found += [
                    (piece.first_line + at, row, None)
                    for at, row in enumerate(cells)
                    if any(row) and row != names
                ]
                continue
        found += [
            (row.line, row.cells, row.problem.code if row.problem else None)
            for row in piece.rows(names=names)
        ]
    return [row for row in found if row[2] != "row.header_again"]


@FROM_FIXTURE
@given(text=PIECES, size=st.integers(5, 60))
def test_rows_are_the_same_however_the_file_is_cut(tmp_path: Path, text: str, size: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"email,name,city\n" + text.encode())
    dialect = dialect_of()
    whole = [(row.line, row.cells) for row in read(path, dialect=dialect) if row.problem is None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", size)
        pieces = rows_in_pieces(path, dialect=dialect)
    good = [(line, cells) for line, cells, problem in pieces if problem is None]
    # What the whole file shows to be damaged may be sound at the edge of a piece, never the reverse.
    assert [row for row in whole if row not in good] == []


CELLS = st.sampled_from(
    ("x", '"x, y"', '"two\nlines"', '"an ""inner"" one"', '"a\n\nb,c\n"', "", "ä", '5" pipe', '"open')
)
RECORDS = st.lists(st.tuples(CELLS, CELLS).map(",".join), min_size=1, max_size=25)


@FROM_FIXTURE
@given(
    records=RECORDS,
    size=st.integers(20, 200),
    careful=st.sampled_from([1, 40, 100_000]),
    is_utf8=st.booleans(),
)
def test_a_quote_astray_costs_its_row_and_no_other(
    tmp_path: Path, records: list[str], size: int, careful: int, is_utf8: bool
) -> None:
    """It is no quote that tells where records end: cells of several lines after it stay whole."""
    path, encoding = tmp_path / "x.csv", "utf-8" if is_utf8 else "cp1252"
    lines = [f"p{at}@x.de,{record}" for at, record in enumerate(records)]
    path.write_bytes("\n".join(["email,name,city", *lines, ""]).encode(encoding))
    dialect = dialect_of(encoding=encoding)
    whole = [(row.line, row.cells) for row in read(path, dialect=dialect) if row.problem is None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", size)
        patch.setattr(chunks, "CAREFUL_BYTES", careful)
        pieces = rows_in_pieces(path, dialect=dialect)
    assert [(line, cells) for line, cells, problem in pieces if problem is None] == whole


def test_who_is_in_a_cell_after_a_quote_astray_is_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        'email,name,city\nann@x.de,Ann,Rome\ntim@x.de,Ti"m,Rome\n'
        'bob@x.de,"Forwarded:\neve@x.de,Eve,Nowhere\nplease remove her",Rome\ncarl@x.de,Carl,Rome\n',
        encoding="utf-8",
    )
    found = rows_in_pieces(path, dialect=dialect_of())
    assert [(line, cells[0], problem) for line, cells, problem in found] == [
        (2, "ann@x.de", None), (3, "tim@x.de", "row.quote"), (4, "bob@x.de", None), (7, "carl@x.de", None),
    ]  # fmt: skip


@FROM_FIXTURE
@given(text=PIECES, size=st.integers(5, 60), header=st.sampled_from(["email,name,city", ",,", "a,ä,a@b.de"]))
def test_columns_hold_what_a_piece_gives_when_it_is_read_with_care(
    tmp_path: Path, text: str, size: int, header: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"{header}\n{text}".encode())
    dialect = dialect_of()
    names = header_of(path, dialect=dialect)
    for piece in cut(path, dialect=dialect, size=size):
        columns = piece.columns(names=names) if isinstance(piece, Chunk) else None
        if columns is not None:
            rows = list(piece.rows(names=names))
            assert [row.line for row in rows if row.problem is None] == list(
                range(piece.first_line, piece.first_line + len(columns[0]))
            )
            assert [tuple(row.cells) for row in rows] == list(zip(*columns, strict=True))


@pytest.mark.parametrize("line", ["a,b", "a,b,c,d", ",,", '"",,""', "", "email,name,city", "'a','b','c'"])
def test_a_piece_with_a_line_that_is_no_row_has_no_columns(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"email,name,city\na@b.de,x,y\n{line}\nc@d.de,x,y\n", newline="")
    (piece,) = cut(path, dialect=dialect_of())
    assert isinstance(piece, Chunk)
    assert piece.columns(names=["email", "name", "city"]) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_piece_of_rows_has_columns(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f'email,name,city{line_end}a@b.de,"x, ""ü""",ß', encoding=encoding, newline="")
    (piece,) = cut(path, dialect=dialect_of(encoding=encoding))
    assert isinstance(piece, Chunk)
    assert piece.columns(names=[]) == [("a@b.de",), ('x, "ü"',), ("ß",)]


@FROM_FIXTURE
@given(
    rows=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), min_size=3, max_size=3),
        max_size=30,
    ),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(20, 200),
)
def test_every_sound_row_comes_back(
    tmp_path: Path, rows: list[list[str]], quoting: Any, line_end: str, size: int
) -> None:
    rows = [[f"p{at}@x.de", *row[1:]] for at, row in enumerate(rows)]
    target = io.StringIO()
    csv.writer(target, quoting=quoting, lineterminator=line_end).writerows([["email", "name", "city"], *rows])
    path = tmp_path / "x.csv"
    path.write_bytes(target.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", size)
        found = rows_in_pieces(path, dialect=dialect_of())
    assert [(line, cells) for line, cells, _problem in found] == [
        (at, row) for at, row in enumerate(rows, start=2)
    ]


@pytest.mark.parametrize(
    "line",
    [
        'a,b"c,d',
        'a,"b,c',
        'a,"b"x,c',
        'a,x"b",c',
        'a,x""y,c',
        'a, "b",c',
        "a,\0,c",
        "a,\x0b,c",
        "\\.",
        "'a','b','c'",
        "a,b\rc,d",
        "a,b," + "c" * 40_000,
        'a,"b\nc",d',
    ],
)
def test_a_line_that_readers_could_take_differently_is_not_sound(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"email,name,city\na@b.de,x,y\n{line}\n", newline="")
    assert not all(isinstance(piece, Chunk) and piece.is_sound for piece in cut(path, dialect=dialect_of()))


@pytest.mark.parametrize("line", ["a,b,c", '"a","b,b","c""c"', 'a,"",c', "a,'b',c", 'a,"""b""",c', "ä,b,\t"])
def test_an_ordinary_line_is_sound(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"email,name,city\n{line}\n", encoding="utf-8", newline="")
    pieces = list(cut(path, dialect=dialect_of()))
    assert [isinstance(piece, Chunk) and piece.is_sound for piece in pieces] == [True]


def test_an_encoding_of_one_byte_a_character_is_brought_to_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("email;name;city\na@b.de;Käthe;Köln €\n".encode("cp1252"))
    dialect = dialect_of(encoding="cp1252", delimiter=";")
    assert [piece.utf8.decode() for piece in cut(path, dialect=dialect) if isinstance(piece, Chunk)] == [
        "a@b.de;Käthe;Köln €\n"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "utf-16"},
        {"encoding": "shift_jis"},
        {"delimiter": "||"},
        {"delimiter": ""},
        {"delimiter": "¦"},
        {"escape": "\\"},
        {"short_rows": True},
        {"long_rows": True},
        {"notes": True},
        {"header_rows": 2},
        {"columns": 0},
        {"kind": "spreadsheet"},
    ],
)
def test_what_needs_care_is_not_cut(changes: dict[str, Any]) -> None:
    assert not can_be_cut(dialect_of(**changes))
    assert can_be_cut(dialect_of())


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_the_header_is_no_row_whatever_ends_the_lines(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(line_end.join(["email,name,city", "a@b.de,x,y", "c@d.de,x,y", ""]), newline="")
    assert [(line, cells[0]) for line, cells, _problem in rows_in_pieces(path, dialect=dialect_of())] == [
        (2, "a@b.de"),
        (3, "c@d.de"),
    ]


def test_a_quote_that_never_closes_is_left_to_the_careful_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('email,name,city\na@b.de,"x,y\n' + "c@d.de,x,y\n" * 50, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", 64)
        patch.setattr(chunks, "PATIENCE_BYTES", 64)
        found = rows_in_pieces(path, dialect=dialect_of())
    assert [line for line, _cells, problem in found if problem is None] == list(range(3, 53))


@pytest.mark.parametrize("before", [0, 1, 40])
@pytest.mark.parametrize(("length", "is_sound"), [(32_000, True), (32_001, False), (70_000, False)])
@pytest.mark.parametrize("after", ["", "\n", "\na@b.de,x,y\n" * 3])
def test_a_line_longer_than_a_cell_may_be_is_left_to_the_careful_reader(
    tmp_path: Path, before: int, length: int, is_sound: bool, after: str
) -> None:
    path = tmp_path / "x.csv"
    long = "c@d.de,y,".ljust(length, "x")
    path.write_text("email,name,city\n" + "a@b.de,x,y\n" * before + long + after, encoding="utf-8")
    pieces = list(chunks.cut(path, dialect=dialect_of()))
    assert all(isinstance(piece, chunks.Chunk) and piece.is_sound for piece in pieces) == is_sound
