"""The shape of a table: where it begins, how wide it is, whether it has a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipients.imports.columns import field_of
from recipients.imports.heading import (
    holds_address,
    is_address,
    is_header,
    is_header_above,
    is_value,
    names_in,
    rows_of_header,
)
from recipients.imports.records import FAR_LINE, Row

# Fewer than this share of rows that are short or long is damage, not a habit.
_HABIT = 0.1
# Titles and notes above a table take up no more rows than this.
_TITLE_ROWS = 20
# A table of its own has so many rows of one width, one after the other.
_TABLE_ROWS = 3


@dataclass(frozen=True)
class Shape:
    """`start` is the index of the header or first data row among the rows looked at.

    `consistency` is the share of rows from there on that have the table's width; `address_column` the
    column that holds addresses and `address_share` how many of its cells do. `second_table` is the index
    of the first row that belongs to another table further down; None when there is none. `others` is how
    many rows above `start` look like rows of a table themselves. `coherence` is the share of all rows that
    are as wide as the one before or behind them.
    """

    columns: int
    start: int
    header: bool
    short_rows: bool
    consistency: float
    address_column: int | None
    address_share: float
    header_rows: int = 1
    long_rows: bool = False
    notes: bool = False
    second_table: int | None = None
    others: int = 0
    coherence: float = 1.0


def shape_of(rows: Sequence[Row], *, header: bool | None = None, first_line: int | None = None) -> Shape:
    """The shape these rows suggest. `header` and `first_line` are taken as given when a person set them."""
    skipped = sum(row.line < first_line for row in rows) if first_line is not None else 0
    skipped = min(skipped, max(len(rows) - 1, 0))
    columns = _width(rows[skipped:])
    full = [index for index in range(skipped, len(rows)) if _fits(rows[index], columns=columns)]
    address_column, _ = _address_column([rows[index] for index in full], columns=columns)
    start = skipped
    near = [index for index in full if rows[index].line < FAR_LINE]
    if first_line is None and near:
        start = _start(rows, full=near, columns=columns, address_column=address_column)
        # Whatever its width: a row with an address is no title, and nobody may vanish as one.
        start = min([start, *(n for n in range(start) if any(map(is_address, rows[n].cells)))])
    if header is None:
        header = _has_header(rows[start:], address_column=address_column)
    if first_line is None and not header:
        # Nor is one above rows that begin without a header, be it damaged.
        start = min([start, *(n for n in range(start) if any(map(holds_address, rows[n].cells)))])
    return _shape(rows, start=start, columns=columns, header=header)


def _has_header(body: Sequence[Row], *, address_column: int | None) -> bool:
    return bool(body) and is_header(body[0], following=body[1:], address_column=address_column)


def _shape(rows: Sequence[Row], *, start: int, columns: int, header: bool) -> Shape:
    """The shape of a table whose first row is known."""
    body = rows[start:]
    header_rows = rows_of_header(body, columns=columns) if header else 1
    data = body[header_rows:] if header else body
    full = [row for row in data if _fits(row, columns=columns)]
    address_column, share = _address_column(full, columns=columns)
    names = len(names_in(body[0], columns=columns)) if header and body else 0
    short = [row for row in data if 0 < len(row.cells) < columns and not row.problem]
    long = [row for row in data if len(row.cells) > columns and not any(row.cells[columns:])]
    # Fewer cells than headings in all rows: the empty ones at the end were left out.
    short_rows = names > columns or _is_habit(short, among=len(body), address_column=address_column)
    long_rows = _is_habit(long, among=len(body), address_column=address_column)
    has_fit_header = header and len(body[0].cells) == max(columns, names)
    fitting = len(full) + has_fit_header + len(short) * short_rows + len(long) * long_rows
    return Shape(
        columns=max(columns, names),
        start=start,
        header=header,
        short_rows=short_rows,
        consistency=min(fitting / max(len(body) - (header_rows - 1) * header, 1), 1.0),
        address_column=address_column,
        address_share=share,
        header_rows=header_rows,
        long_rows=long_rows,
        notes=_has_notes(data, columns=columns, address_share=share),
        second_table=_second_table(rows, after=start, columns=columns, short_rows=short_rows),
        coherence=_coherence(rows[start:]),
        others=sum(len(row.cells) > 1 or bool(row.problem) for row in rows[:start]),
    )


def is_note(row: Row) -> bool:
    """Whether a row at the end of a table looks like a note: one filled cell, and no address in it."""
    filled = [cell for cell in row.cells if cell.strip()]
    return len(filled) == 1 and not is_address(filled[0])


def _has_notes(data: Sequence[Row], *, columns: int, address_share: float) -> bool:
    """Whether the last rows are notes where the others are none: wide rows, or a column of addresses."""
    if not data or not is_note(data[-1]):
        return False
    alike = sum(is_note(row) for row in data)
    return alike <= len(data) / 10 + 1 and (columns > 2 or address_share > 0.9) and len(data) > 2 * alike


def _start(rows: Sequence[Row], *, full: Sequence[int], columns: int, address_column: int | None) -> int:
    """The index of the header, or of the first row: below titles and notes, of whatever width."""
    if address_column is not None:
        for index in full[:_TITLE_ROWS]:
            # Bad or good: no address is skipped for the sake of a name further down.
            if "@" in rows[index].cells[address_column]:
                break
            if field_of(rows[index].cells[address_column]):
                return index
        if columns == 1:
            return max(index - 1, 0)
    filled = {index: sum(map(bool, rows[index].cells)) for index in full[:50]}
    enough = 0.6 * max(filled.values())
    first = full[0]
    for index in full[:_TITLE_ROWS]:
        if (
            filled[index] >= enough
            # A column of the rows' own names has none itself. What stands above a table begins at the left.
            or (columns > 1 and all(rows[index].cells[1:]))
            or any(is_address(cell) for cell in rows[index].cells)
        ):
            if index != first and not any(is_value(cell) for cell in rows[index].cells if cell):
                return index
            break
    if first and is_header_above(rows[first - 1], first=rows[first], columns=columns):
        return first - 1
    return first


def _fits(row: Row, *, columns: int) -> bool:
    return len(row.cells) == columns and not row.problem


def _width(rows: Sequence[Row]) -> int:
    """The width of the table: what most rows have; of two tables the one with addresses, or the first."""
    places: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        if not row.problem:
            places.setdefault(len(row.cells), []).append(index)
    if not places:
        return max((len(row.cells) for row in rows), default=1)
    weights = {width: _weight(rows, width=width, places=found) for width, found in places.items()}
    # Where as many rows have one width as another, the first row tells.
    best = max(weights, key=lambda width: (weights[width], width == len(rows[0].cells) > 1, width))
    for width, found in sorted(places.items(), key=lambda item: item[1][0]):
        is_before = found[int(len(found) * 0.95)] < places[best][len(places[best]) // 20]
        if width > 1 and len(found) >= _TABLE_ROWS and is_before and weights[width] > 0.5 * weights[best]:
            return width
    return best


def _weight(rows: Sequence[Row], *, width: int, places: Sequence[int]) -> float:
    # Lines of one cell above a table (or rubble below it) say little about its width.
    weight = len(places) * (1.0 if width > 1 else 0.5)
    step = len(places) // 40 + 1
    sample = [rows[index] for index in places[::step]]
    return weight * (2 if _address_column(sample, columns=width)[1] > 0.5 else 1)


def _second_table(rows: Sequence[Row], *, after: int, columns: int, short_rows: bool) -> int | None:
    """The index where rows of another width begin that follow each other as those of a table do."""
    run = 0
    for index in range(after, len(rows)):
        width = len(rows[index].cells)
        is_other = width > 1 and not rows[index].problem and (width > columns or width < columns > 2)
        is_same_run = run and width == len(rows[index - 1].cells)
        run = 0 if not is_other or (short_rows and width < columns) else run + 1 if is_same_run else 1
        if run == _TABLE_ROWS:
            return index - run + 1
    return None


def _coherence(rows: Sequence[Row]) -> float:
    widths = [0, *(0 if row.problem else len(row.cells) for row in rows), 0]
    alike = sum(1 < w in (widths[n - 1], widths[n + 1]) for n, w in enumerate(widths[1:-1], 1))
    return alike / max(len(rows), 1)


def _address_column(rows: Sequence[Row], *, columns: int) -> tuple[int | None, float]:
    best, best_share = None, 0.0
    for column in range(min(columns, 64)):
        cells = [cell for row in rows[:300] if (cell := row.cells[column].strip())]
        share = sum(is_address(cell) for cell in cells) / max(len(cells), 1)
        if share > best_share:
            best, best_share = column, share
    return best, best_share


def _is_habit(odd: Sequence[Row], *, among: int, address_column: int | None) -> bool:
    """Whether the file leaves empty cells at the end of rows out, or has too many. The addresses must be
    where they belong, or cells are missing elsewhere."""
    if len(odd) < 3 or len(odd) < among * _HABIT or address_column is None:
        return False
    in_place = sum(len(row.cells) > address_column and is_address(row.cells[address_column]) for row in odd)
    return in_place >= 0.95 * len(odd)
