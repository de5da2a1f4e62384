"""The shape of a table: where it begins, how wide it is, whether it has a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from recipients.imports.columns import field_of, idea_of
from recipients.imports.records import ADDRESS, Row

# A cell that is a value, not a heading.
_DATA = re.compile(
    r"[+-]?[\d.,:]*\d%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|(true|false|yes|no|ja|nein)|https?://.*", re.I
)
# Fewer than this share of short rows is damage, not a habit.
_HABIT = 0.1


@dataclass(frozen=True)
class Shape:
    """`start` is the index of the header or first data row among the rows looked at.

    `consistency` is the share of rows from there on that have the table's width; `address_column` the
    column that holds addresses and `address_share` how many of its cells do.
    """

    columns: int
    start: int
    header: bool
    short_rows: bool
    consistency: float
    address_column: int | None
    address_share: float


def shape_of(rows: Sequence[Row], *, header: bool | None = None, first_line: int | None = None) -> Shape:
    """The shape these rows suggest. `header` and `first_line` are taken as given when a person set them."""
    if first_line is not None:
        rows = [row for row in rows if row.line >= first_line] or rows[-1:]
    columns = _usual_width(rows)
    full = [row for row in rows if _width(row) == columns and not row.problem]
    address_column, address_share = _address_column(full, columns=columns)
    start = 0 if first_line is not None or not full else rows.index(full[0])
    if start and _is_header_before(rows[start - 1], first=full[0], columns=columns):
        start -= 1
    body = rows[start:]
    if header is None:
        header = bool(body) and _is_header(body[0], following=body[1:], address_column=address_column)
    short = [row for row in body[1:] if 0 < len(row.cells) < columns and not row.problem]
    fitting = sum(_width(row) == columns and not row.problem for row in body)
    short_rows = _is_habit(short, among=len(body), address_column=address_column)
    if short_rows:
        fitting += len(short)
    return Shape(columns, start, header, short_rows, fitting / max(len(body), 1), address_column, address_share)


def _usual_width(rows: Sequence[Row]) -> int:
    counts = Counter(_width(row) for row in rows if not row.problem)
    if not counts:
        return max((len(row.cells) for row in rows), default=1)
    # Lines of one cell above a table (or rubble below it) say little about its width.
    return max(counts, key=lambda width: (counts[width] * (1.0 if width > 1 else 0.5), width))


def _width(row: Row) -> int:
    return len(row.cells)


def _address_column(rows: Sequence[Row], *, columns: int) -> tuple[int | None, float]:
    best, best_share = None, 0.0
    for column in range(min(columns, 64)):
        cells = [cell for row in rows[:300] if (cell := row.cells[column].strip())]
        share = sum(is_address(cell) for cell in cells) / max(len(cells), 1)
        # The heading is one of the cells, so that in a short file even a pure column is not full.
        if share > best_share:
            best, best_share = column, share
    return best, best_share


def is_address(cell: str) -> bool:
    """Whether a cell looks like an address, bare or behind a name in angle brackets."""
    text = cell.strip()
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1]
    return bool(ADDRESS.fullmatch(text.removeprefix("mailto:").strip("\"' ")))


def _is_header_before(row: Row, *, first: Row, columns: int) -> bool:
    """Whether the row above the first full one is its header, only with a name missing or too many."""
    cells = row.cells
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    is_near = max(2, columns - 2) <= len(cells) <= columns
    has_names = all(cell.strip() and not _is_value(cell) for cell in cells)
    return is_near and has_names and not row.problem and any(_is_value(cell) for cell in first.cells)


def _is_header(row: Row, *, following: Sequence[Row], address_column: int | None) -> bool:
    """Whether a row names the columns: no addresses in it, and names we know or cells unlike those below."""
    cells = [cell.strip() for cell in row.cells]
    if any(is_address(cell) for cell in cells):
        return False
    if any(field_of(cell) or idea_of(cell) for cell in cells):
        return True
    if address_column is not None and following:
        return True
    return not any(_is_value(cell) for cell in cells if cell)


def _is_value(cell: str) -> bool:
    return bool(_DATA.fullmatch(cell.strip())) or is_address(cell)


def _is_habit(short: Sequence[Row], *, among: int, address_column: int | None) -> bool:
    """Whether the file leaves empty cells at the end of rows out. The addresses must be where they belong,
    or cells are missing elsewhere."""
    if len(short) < 3 or len(short) < among * _HABIT or address_column is None:
        return False
    in_place = sum(len(row.cells) > address_column and is_address(row.cells[address_column]) for row in short)
    return in_place >= 0.95 * len(short)
