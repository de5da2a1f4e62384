"""The header of a table: which rows it takes up, and what it calls the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from recipients.imports.columns import field_of, idea_of
from recipients.imports.records import ADDRESS, Row

# A cell that is a value, not a heading.
_DATA = re.compile(
    r"[+-]?[$€£]?[\d.,:]*\d%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|(true|false|yes|no|ja|nein)|https?://.*",
    re.IGNORECASE,
)
_AT = re.compile(r"\w@\w|@[\w-]+\.\w")
# No column has a longer name.
_LONGEST_NAME = 1000
_WRAPPED = re.compile(r"([\"']).*\1")
# More rows than this are no header.
MOST_HEADER_ROWS = 4


def is_address(cell: str) -> bool:
    """Whether a cell looks like an address, bare or behind a name in angle brackets."""
    if "@" not in cell:
        return False  # most cells, in a tenth of the time
    text = cell.strip()
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1]
    return bool(ADDRESS.fullmatch(text.removeprefix("mailto:").strip("\"' ")))


def holds_address(cell: str) -> bool:
    """Whether there is an address in a cell, sound or not, and whatever else is there."""
    return bool(_AT.search(cell))


def is_value(cell: str) -> bool:
    """Whether a cell is a number, date, address or the like, and so no column's name."""
    text = cell.strip(" \t\r\n\"'")
    return bool(_DATA.fullmatch(text)) or is_address(text)


def names_in(row: Row, *, columns: int) -> list[str]:
    """The names in a header row, up to the last that is not blank. `columns` is the width of the rows.

    A stray quote in a name is no reason to do without the name, nor are other quotes than those of the
    rows: names are not data. Where a header has more names than the rows have cells, and some are blank,
    a delimiter too many made the blank ones.
    """
    is_odd = row.problem or all(_WRAPPED.fullmatch(cell) for cell in row.cells if cell)
    names = [cell.strip().strip("\"'") for cell in row.cells] if is_odd else list(row.cells)
    while names and not names[-1].strip():
        names.pop()
    filled = [name for name in names if name.strip()]
    return filled if len(filled) == columns < len(names) else names


def names_of(rows: Sequence[Row], *, columns: int) -> list[str]:
    """What a header of one or more rows calls the columns; "" where it says nothing.

    One row that names every column differently is enough, the last such row first: rows above it are
    titles of several columns, those below it units or the same again. Otherwise the rows' names are
    joined, each word once.
    """
    each = [[*names_in(row, columns=columns), *[""] * columns][:columns] for row in rows]
    if len(each) == 1:
        return each[0]
    for names in (each[0], *reversed(each[1:])):
        if all(name.strip() for name in names) and len(set(names)) == len(names):
            return names
    return [
        " ".join(dict.fromkeys(name.strip() for name in column if name.strip()))
        for column in zip(*each, strict=True)
    ]


def is_header(row: Row, *, following: Sequence[Row], address_column: int | None) -> bool:
    """Whether a row names the columns: no addresses in it, and names we know or cells unlike those below."""
    cells = [cell.strip() for cell in names_in(row, columns=0)]
    if any(len(cell) > _LONGEST_NAME or holds_address(cell) for cell in cells):
        return False
    if any(field_of(cell) or idea_of(cell) for cell in cells):
        return True
    if address_column is not None and following:
        return True
    return not any(is_value(cell) for cell in cells if cell)


def is_header_above(row: Row, *, first: Row, columns: int) -> bool:
    """Whether the row above the first full one is its header: damaged, or with some names missing or too
    many."""
    names = names_in(row, columns=columns)
    is_near = max(2, columns - 2) <= len(names) <= columns + 3
    filled = [name for name in names if name.strip()]
    has_names = len(filled) > 1 and not any(map(is_value, filled))
    return is_near and has_names and any(is_value(cell) for cell in first.cells if cell)


def rows_of_header(body: Sequence[Row], *, columns: int) -> int:
    """How many of the rows a table begins with are its header.

    A row below the first one is header too when it repeats it, or when at least two columns whose other
    cells are all values have a word there. One column is not enough: a row with a bad address is a row.
    """
    rows = [row for row in body[:MOST_HEADER_ROWS] if len(row.cells) == columns and not row.problem]
    if not rows or rows[0] is not body[0]:
        return 1
    count = 1
    typed = value_columns(body[MOST_HEADER_ROWS:], columns=columns)
    for row in rows[1:]:
        if row is not body[count] or any(map(is_address, row.cells)):
            break
        words = [bool(row.cells[n].strip()) and not is_value(row.cells[n]) for n in typed]
        if row.cells != rows[0].cells and not (len(words) > 1 and all(words)):
            break
        count += 1
    return count if count < MOST_HEADER_ROWS else 1


def value_columns(rows: Sequence[Row], *, columns: int) -> list[int]:
    """The columns in which nearly all cells are values."""
    found = []
    for column in range(columns):
        cells = [row.cells[column] for row in rows[:100] if len(row.cells) == columns and row.cells[column]]
        if len(cells) > 2 and sum(map(is_value, cells)) >= 0.95 * len(cells):
            found.append(column)
    return found
