"""The rows of a list file, one after the other, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from backupsvc.errors import Refusal
from recipients.imports.columns import is_own_header
from recipients.imports.dialect import Dialect
from recipients.imports.lines import read_lines
from recipients.imports.records import Records, Row
from recipients.imports.shape import is_note
from recipients.imports.spreadsheet import open_sheet

__all__ = ["Row", "read"]

# So many notes may stand below a table; more rows that look like notes are rows.
MOST_NOTES = 20


def read(path: Path, *, dialect: Dialect) -> Iterator[Row]:
    """The data rows: header and preamble skipped, blank rows too, damaged ones with their problem set.

    Raises Refusal when the file as a whole cannot be read, maybe only after some rows.
    """
    rows = _sheet_rows if dialect.kind == "spreadsheet" else _delimited_rows
    found = rows(path, dialect=dialect)
    return _with_notes_marked(found) if dialect.notes else found


def _delimited_rows(path: Path, *, dialect: Dialect) -> Iterator[Row]:
    lines = islice(read_lines(path, encoding=dialect.encoding), dialect.first_line - 1, None)
    # A header may have another width than the rows.
    columns = None if dialect.header else dialect.columns or None
    records = Records(lines, dialect=dialect, columns=columns, line=dialect.first_line)
    first = records.next_filled()
    if first is None:
        return
    records.columns = dialect.columns or len(first.cells)
    if dialect.header:
        records.is_exact = is_own_header(first.cells)
        records.names = first.cells
        for _ in range(dialect.header_rows - 1):
            records.next_filled()
    else:
        yield _at_width(first, columns=records.columns, short_rows=dialect.short_rows)
    yield from records


def _sheet_rows(path: Path, *, dialect: Dialect) -> Iterator[Row]:
    with open_sheet(path, sheet=dialect.sheet) as sheet:
        columns, names = dialect.columns, None
        headers_due = dialect.header_rows if dialect.header else 0
        for line, cells in sheet.rows:
            if line < dialect.first_line or not any(cells):
                continue
            columns = columns or len(cells)
            if headers_due:
                headers_due -= 1
                names = names or cells
            elif cells == names:
                yield Row(line, cells, Refusal("row.header_again"))
            else:
                # A sheet's rows end at their last filled cell: being short says nothing about damage.
                yield _at_width(Row(line, cells), columns=columns, short_rows=True)


def _at_width(row: Row, *, columns: int, short_rows: bool) -> Row:
    """The row at the table's width, or with the problem that it does not fit."""
    found = len(row.cells)
    if row.problem or found == columns:
        return row
    if found > columns:
        return Row(row.line, row.cells, Refusal("row.too_many_fields", found=found, expected=columns))
    if not short_rows:
        return Row(row.line, row.cells, Refusal("row.too_few_fields", found=found, expected=columns))
    return Row(row.line, row.cells + [""] * (columns - found))


def _with_notes_marked(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, those at the very end that look like notes with that as their problem."""
    held: list[Row] = []
    for row in rows:
        if is_note(row) and len(held) < MOST_NOTES:
            held.append(row)
            continue
        yield from held
        held.clear()
        yield row
    for row in held:
        yield Row(row.line, row.cells, row.problem or Refusal("row.note"))
