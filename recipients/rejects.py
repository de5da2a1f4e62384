"""The rows of a change that could not be used: what is wrong with them, and a file to mend them in.

Knows no HTTP.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backupsvc.wording import say_code
from recipients.imports.columns import REJECT_COLUMNS
from recipients.models import Change, Import, RejectedRow
from recipients.selectors import rejected_by_code
from recipients.values import SAFE_MARKER, escape_formula

SHOWN_PROBLEMS = 12
SHOWN_LINES = 8
SHOWN_CELLS = 3
LONGEST_CELL = 60
_CHUNK_CHARACTERS = 64 * 1024


@dataclass(frozen=True)
class Problem:
    """One kind of mistake: in which column, how often, in which lines, and one of them in words."""

    column: str
    count: int
    lines: list[int]
    text: str
    # Different cells that have it, where it is about a cell.
    examples: list[str]

    @property
    def has_more(self) -> bool:
        return self.count > len(self.lines)


def problems(change: Change) -> list[Problem]:
    """What is wrong, most frequent first."""
    run = Import.objects.filter(pk=change.pk).first()
    headers = run.headers if run else []
    return [
        _problem(change, code=found["code"], column=found["column"], count=found["count"], headers=headers)
        for found in rejected_by_code(change)[:SHOWN_PROBLEMS]
    ]


def _problem(change: Change, *, code: str, column: str, count: int, headers: Sequence[str]) -> Problem:
    rows = list(RejectedRow.objects.filter(change=change, code=code, column=column)[:SHOWN_LINES])
    return Problem(
        column=column,
        count=count,
        lines=[row.line for row in rows],
        text=say_code(code, rows[0].params),
        examples=_examples(rows, index=headers.index(column) if column in headers else None),
    )


def _examples(rows: Sequence[RejectedRow], *, index: int | None) -> list[str]:
    """Different bad cells, each once, shortened."""
    if index is None:
        return []
    cells = [row.cells[index].strip() for row in rows if index < len(row.cells)]
    shown = list(dict.fromkeys(cell for cell in cells if cell))[:SHOWN_CELLS]
    return [cell if len(cell) <= LONGEST_CELL else f"{cell[: LONGEST_CELL - 1]}…" for cell in shown]


def rejected_csv(change: Change) -> Iterator[bytes]:
    """The rejected rows in chunks, with their line and problem behind them; mended, it can be imported.

    Foreign data that a spreadsheet opens: no cell becomes a formula, and the marker in the last column
    says so, so that reading the file again gives every value back.
    """
    run = Import.objects.filter(pk=change.pk).first() or Import()
    ours = (*REJECT_COLUMNS, SAFE_MARKER)
    kept = [index for index, header in enumerate(run.headers) if header not in ours]
    buffer = io.StringIO()
    write = csv.writer(buffer, lineterminator="\r\n").writerow
    buffer.write("\ufeff")
    write([*(escape_formula(run.headers[index]) for index in kept), *ours])
    for row in RejectedRow.objects.filter(change=change).iterator(chunk_size=2_000):
        write(_cells(row, kept=kept, run=run))
        if buffer.tell() >= _CHUNK_CHARACTERS:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _cells(row: RejectedRow, *, kept: Sequence[int], run: Import) -> list[str]:
    # A file with the marker holds escaped cells already.
    cells = row.cells if run.is_spreadsheet_safe else [escape_formula(cell) for cell in row.cells]
    own = [cells[index] if index < len(cells) else "" for index in kept]
    # Cells that no column is for stay at the end, where the person who mends the row finds them.
    beyond = cells[len(run.headers) :]
    return [*own, str(row.line), escape_formula(say_code(row.code, row.params)), "", *beyond]


def _emptied(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
