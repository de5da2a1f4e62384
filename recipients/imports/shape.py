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
    r"[+-]?[\d.,:]*\d%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|(true|false|yes|no|ja|nein)|https?://.*",
    re.IGNORECASE,
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
    skipped = sum(row.line < first_line for row in rows) if first_line is not None else 0
    skipped = min(skipped, max(len(rows) - 1, 0))
    columns = _usual_width(rows[skipped:])
    full = [index for index in range(skipped, len(rows)) if _fits(rows[index], columns=columns)]
    address_column, address_share = _address_column([rows[index] for index in full], columns=columns)
    start = skipped
    if first_line is None and full:
        start = _start(rows, full=full, columns=columns)
        # Whatever its width: a row with an address is no title, and nobody may vanish as one.
        start = min([start, *(n for n in range(start) if any(map(is_address, rows[n].cells)))])
    body = rows[start:]
    if header is None:
        header = bool(body) and _is_header(body[0], following=body[1:], address_column=address_column)
    if header and len(full) > 1:
        below = [rows[index] for index in full if index > start]
        address_column, address_share = _address_column(below, columns=columns)
    names = len(_names(body[0])) if header and body else 0
    short = [row for row in body[1:] if 0 < len(row.cells) < columns and not row.problem]
    # Fewer cells than headings in all rows: the empty ones at the end were left out.
    short_rows = names > columns or _is_habit(short, among=len(body), address_column=address_column)
    fitting = sum(_fits(row, columns=columns) for row in body) + (len(short) if short_rows else 0)
    consistency = fitting / max(len(body), 1)
    return Shape(max(columns, names), start, header, short_rows, consistency, address_column, address_share)


def _start(rows: Sequence[Row], *, full: Sequence[int], columns: int) -> int:
    """The index of the header, or of the first row: below titles and notes, of whatever width."""
    filled = {index: sum(map(bool, rows[index].cells)) for index in full[:50]}
    enough = 0.6 * max(filled.values())
    first = full[0]
    for index in full[:20]:
        if filled[index] >= enough or any(is_address(cell) for cell in rows[index].cells):
            if index != first and not any(_is_value(cell) for cell in rows[index].cells if cell):
                return index
            break
    if first and _is_header_before(rows[first - 1], first=rows[first], columns=columns):
        return first - 1
    return first


def header_names(row: Row, *, quote: str) -> list[str]:
    """The names in a header row. A stray quote in one is no reason to do without: names are not data."""
    return [cell.strip().strip(quote) for cell in row.cells] if row.problem and quote else row.cells


def _names(row: Row) -> list[str]:
    """The cells of a row up to the last that is not blank."""
    cells = header_names(row, quote="\"'")
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _fits(row: Row, *, columns: int) -> bool:
    return len(row.cells) == columns and not row.problem


def _usual_width(rows: Sequence[Row]) -> int:
    counts = Counter(len(row.cells) for row in rows if not row.problem)
    if not counts:
        return max((len(row.cells) for row in rows), default=1)
    # Lines of one cell above a table (or rubble below it) say little about its width.
    return max(counts, key=lambda width: (counts[width] * (1.0 if width > 1 else 0.5), width))


def _address_column(rows: Sequence[Row], *, columns: int) -> tuple[int | None, float]:
    best, best_share = None, 0.0
    for column in range(min(columns, 64)):
        cells = [cell for row in rows[:300] if (cell := row.cells[column].strip())]
        share = sum(is_address(cell) for cell in cells) / max(len(cells), 1)
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
    """Whether the row above the first full one is its header: damaged, or with some names missing or too
    many."""
    names = _names(row)
    is_near = max(2, columns - 2) <= len(names) <= columns + 3
    has_names = all(name.strip() and not _is_value(name) for name in names)
    return is_near and has_names and any(_is_value(cell) for cell in first.cells if cell)


def _is_header(row: Row, *, following: Sequence[Row], address_column: int | None) -> bool:
    """Whether a row names the columns: no addresses in it, and names we know or cells unlike those below."""
    cells = [cell.strip() for cell in _names(row)]
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
