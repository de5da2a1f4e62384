"""The damage of test_damage.py, done to files of every other dialect and encoding."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.damage import BASES, DAMAGES, Writing, is_whole_but_for, look, pairs

DIALECTS: dict[str, dict[str, Any]] = {
    "semicolons": {"delimiter": ";"},
    "tabs": {"delimiter": "\t"},
    "bars": {"delimiter": "|"},
    "spaces": {"delimiter": " "},
    "two bars": {"delimiter": "||"},
    "two colons": {"delimiter": "::"},
    "single quotes": {"quote": "'", "escape": "'", "quotes_all": True},
    "backslashes": {"escape": "\\", "quotes_all": True},
    "carets for escapes": {"escape": "^", "quotes_all": True},
    "line feeds": {"ends": ["\n"]},
    "carriage returns": {"ends": ["\r"]},
    "mixed line ends": {"ends": ["\n", "\r\n", "\r"]},
    "no last line end": {"closed": False},
    "blank lines": {"blanks": 3},
    "no header": {"header": False},
}
# Without quotes, cells hold nothing that would need them.
PLAIN = pairs(24)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stays_in_its_row_in_every_dialect(path: Path, base: str, dialect: str, damage: str) -> None:
    table = BASES[base]
    # Above rows that begin without a header, only an address tells a damaged row from a title.
    first = 1 if "email" in table[0] or dialect != "no header" else 2
    for row, column in ((first, 0), (len(table) // 2, 1), (len(table) - 1, len(table[0]) - 1)):
        writing = Writing(table, **DIALECTS[dialect])
        DAMAGES[damage](writing, row, column)
        found, rows = look(path, writing.text)
        is_whole_but_for(row, writing=writing, found=found, rows=rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "||"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_stays_in_its_row_where_nothing_is_quoted(path: Path, delimiter: str, damage: str) -> None:
    for row, column in ((1, 0), (12, 1), (24, 1)):
        writing = Writing(PLAIN, delimiter=delimiter, quote="")
        DAMAGES[damage](writing, row, column)
        found, rows = look(path, writing.text)
        is_whole_but_for(row, writing=writing, found=found, rows=rows)


ENCODINGS = {
    "utf-8-sig": b"",
    "utf-16-le": b"",
    "utf-16-be": b"",
    "utf-16-le with its mark": codecs.BOM_UTF16_LE,
    "utf-16-be with its mark": codecs.BOM_UTF16_BE,
    "cp1252": b"",
    "iso-8859-1": b"",
    "iso-8859-15": b"",
    "mac_roman": b"",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "an undecodable byte"])
def test_damage_stays_in_its_row_in_every_encoding(path: Path, encoding: str, damage: str) -> None:
    # Letters that all of them have.
    table = [[cell.replace("Ł", "É") for cell in row] for row in BASES["people"]]
    codec = encoding.removesuffix(" with its mark")
    chosen = {"encoding": codec} if codec in ("mac_roman", "iso-8859-1", "iso-8859-15") else {}
    for row, column in ((1, 0), (len(table) // 2, 1), (len(table) - 1, len(table[0]) - 1)):
        writing = Writing(table)
        DAMAGES[damage](writing, row, column)
        found, rows = look(path, ENCODINGS[encoding] + writing.text.encode(codec), **chosen)
        is_whole_but_for(row, writing=writing, found=found, rows=rows)


@pytest.mark.parametrize(
    "piece", ["x", "<", "a@", "1.", '"', "'", "\\", "\x1f", "\n", "a\r", '"\n', '","', " "]
)
def test_no_file_takes_the_square_of_its_length_to_read(path: Path, piece: str) -> None:
    """Half an hour and more for one of these otherwise."""
    for before in ("email,name\na@x.com,", "\n"):
        _, rows = look(path, before + piece * (600_000 // len(piece)) + "\nb@x.com,B\nc@x.com,C\n")
        assert rows
