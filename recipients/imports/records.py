"""Rows out of lines. A damaged row is reported and never takes its neighbours with it.

Sound stretches are read by `csv.reader(strict=True)`. Where that fails, or where a record cannot be
sound (an odd number of quotes, several lines and the wrong width), its lines are given back and read one
by one: a line that is a row by itself stays a row, whatever an open quote above it says.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backupsvc.errors import Refusal
from recipients.imports.dialect import Dialect
from recipients.imports.lines import LONGEST_LINE, UNDECODABLE, readable

# The default of the csv module (128 KiB) is less than a cell may have; no limit would let one open quote
# take a whole file into memory.
FIELD_LIMIT = 1 << 20
csv.field_size_limit(FIELD_LIMIT)

# After this many characters were read in vain behind open quotes, look less far: a file with a hundred
# thousand open quotes must not be read a hundred thousand times. A cell of this size is refused anyway.
PATIENCE_CHARS = 64 << 20
SHORT_LIMIT = 1 << 16

# Records read one by one before the fast path is tried again, and twice as many each time it fails:
# damage comes in clusters, and finding an open quote may cost the fast path a mebibyte.
CAREFUL_RECORDS = 100
MOST_CAREFUL_RECORDS = 1 << 20

# Stands in for a delimiter of several characters, which the csv module cannot split at. A noncharacter:
# no text has it, and a line that does is reported.
STAND_IN = "\U0010fffe"
NO_QUOTE = "\U0010ffff"

ADDRESS = re.compile(r"[^\s@<>\"',;|]+@[^\s@<>\"',;|]+\.[^\s@<>\"',;|]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One data row: the line its record starts at, its cells, and why it cannot be used, if so.

    The cells of a damaged row are its raw text, cut at the delimiters.
    """

    line: int
    cells: list[str]
    problem: Refusal | None = None


class Records:
    """The rows of decoded lines, beginning with line number `line`.

    `columns` None accepts rows of any width (sniffing). `is_exact` says that the file is known to be
    written by us: then a cell may hold lines that look like rows.
    """

    def __init__(
        self,
        lines: Iterable[str],
        *,
        dialect: Dialect,
        columns: int | None,
        line: int = 1,
        is_exact: bool = False,
    ) -> None:
        self.columns = columns
        self.line = line
        self.is_exact = is_exact
        self._source = iter(lines)
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self._wasted = 0
        self._short_rows = dialect.short_rows
        self._delimiter = dialect.delimiter
        self._quote = dialect.quote or NO_QUOTE
        self._escape = dialect.escape
        self._stand_in = len(dialect.delimiter) != 1
        self._format: dict[str, Any] = {
            "delimiter": STAND_IN if self._stand_in else dialect.delimiter,
            "quotechar": dialect.quote or None,
            "quoting": csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            "escapechar": dialect.escape or None,
            "strict": True,
        }

    def __iter__(self) -> Iterator[Row]:
        careful = CAREFUL_RECORDS
        while True:
            yield from self._fast()
            for _ in range(careful):
                if not self._peek():
                    return
                row = self.next_row()
                if row is not None:
                    yield row
            careful = min(2 * careful, MOST_CAREFUL_RECORDS)

    def next_row(self) -> Row | None:
        """The next record, read with care; None when it is blank or nothing is left."""
        start = self.line
        if not self._peek():
            return None
        lines = [self._ahead.popleft()]
        if self._is_odd(lines[0]):
            lines += self._rest_of_quote(lines[0])
        row = self._judge(self._parse(lines), lines=lines)
        if row is None:
            self._ahead.extendleft(reversed(lines[1:]))
            del lines[1:]
            if self._is_odd(lines[0]):
                self._take_fragments(lines)
            code = "row.too_long" if len(lines[0]) > FIELD_LIMIT else "row.quote"
            row = self._damaged(lines, problem=Refusal(code))
        self.line = start + len(lines)
        return row if any(row.cells) else None

    # The fast path

    def _fast(self) -> Iterator[Row]:
        """Rows as long as all is well. Stops at the end, or gives back the lines of a record that is not."""
        taken, quote, columns = self._taken, self._quote, self.columns
        line = self.line
        try:
            for cells in csv.reader(self._feed(), **self._format):
                text = taken[0]
                row: Row | None
                if (
                    len(cells) == columns
                    and len(taken) == 1
                    and "\0" not in text
                    and not (quote in text and self._is_odd(text))
                    and (text.isascii() or not UNDECODABLE.search(text))
                    and not self._stand_in
                ):
                    row = Row(line, cells)
                else:
                    self.line = line
                    row = self._judge(cells, lines=taken)
                    if row is None:
                        break
                line += len(taken)
                taken.clear()
                if any(row.cells):
                    yield row
        except csv.Error:
            pass
        self.line = line
        self._ahead.extendleft(reversed(taken))
        taken.clear()

    def _feed(self) -> Iterator[str]:
        taken, ahead = self._taken, self._ahead
        while ahead:
            line = ahead.popleft()
            taken.append(line)
            yield self._with_stand_in(line)
        if self._stand_in:
            for line in self._source:
                taken.append(line)
                yield self._with_stand_in(line)
        else:
            for line in self._source:
                taken.append(line)
                yield line

    # One record

    def _judge(self, cells: list[str] | None, *, lines: list[str]) -> Row | None:
        """The row these lines make, maybe with a problem; None when they cannot be one record."""
        text = lines[0] if len(lines) == 1 else "".join(lines)
        if cells is None or self._is_odd(text):
            return None
        if self._stand_in:
            cells = [cell.replace(STAND_IN, self._delimiter) for cell in cells]
        fitted = self._fitted(cells)
        if len(lines) > 1 and (fitted is None or self._holds_rows(lines)):
            return (
                None
                if fitted is None
                else self._damaged(lines, problem=Refusal("row.several", lines=len(lines)))
            )
        if problem := self._bad_characters(text):
            return self._damaged(lines, problem=problem)
        if fitted is None:
            code = "row.too_many_fields" if len(cells) > (self.columns or 0) else "row.too_few_fields"
            return Row(self.line, cells, Refusal(code, found=len(cells), expected=self.columns))
        return Row(self.line, fitted)

    def _fitted(self, cells: list[str]) -> list[str] | None:
        """The cells at the width of the table, or None when they do not fit.

        A row that is too short is padded only where the file leaves empty cells at the end out as a habit
        (sniffing saw that): in any other file a missing cell may be missing anywhere, and padding would
        move values under the wrong heading. An empty row is a blank line, of whatever width.
        """
        columns, found = self.columns, len(cells)
        if columns is None or found == columns or not any(cells):
            return cells
        if found > columns:
            return None if any(cells[columns:]) else cells[:columns]
        return cells + [""] * (columns - found) if self._short_rows else None

    def _bad_characters(self, text: str) -> Refusal | None:
        if "\0" in text:
            return Refusal("row.nul")
        if UNDECODABLE.search(text) or (self._stand_in and STAND_IN in text):
            return Refusal("row.undecodable")
        return Refusal("row.too_long") if len(text) > LONGEST_LINE else None

    def _holds_rows(self, lines: list[str]) -> bool:
        """Whether two lines of one record are rows by themselves: as wide as the table, and an address in
        the same column. Then two lost quotes are likelier than a cell that looks like the list it is in."""
        if self.is_exact or self.columns is None or self.columns < 2 or not self._delimiter:
            return False
        seen: set[int] = set()
        for line in lines:
            cells = line.split(self._delimiter)
            if len(cells) != self.columns:
                continue
            here = {n for n, cell in enumerate(cells) if ADDRESS.fullmatch(cell.strip().strip(self._quote))}
            if here & seen:
                return True
            seen |= here
        return False

    def _damaged(self, lines: list[str], *, problem: Refusal) -> Row:
        text = readable("".join(lines)).rstrip("\r\n").replace("\0", "\ufffd")
        cells = text.split(self._delimiter) if self._delimiter else [text]
        return Row(self.line, cells, problem)

    # Reading line by line

    def _parse(self, lines: list[str]) -> list[str] | None:
        try:
            records = list(csv.reader(map(self._with_stand_in, lines), **self._format))
        except csv.Error:
            return None
        return records[0] if len(records) == 1 else None

    def _rest_of_quote(self, first: str) -> list[str]:
        """The lines that follow up to the one that closes the quote left open; none when nothing does.

        In a sound record the count of quotes is odd at the end of each line but the last.
        """
        limit = FIELD_LIMIT if self._wasted < PATIENCE_CHARS else SHORT_LIMIT
        size, seen = len(first), 0
        while size <= limit and self._peek(seen):
            line = self._ahead[seen]
            size, seen = size + len(line), seen + 1
            if self._is_odd(line):
                rest = [self._ahead.popleft() for _ in range(seen)]
                if self._parse([first, *rest]) is None:
                    self._ahead.extendleft(reversed(rest))
                    break
                return rest
        self._wasted += size
        return []

    def _take_fragments(self, lines: list[str]) -> None:
        """Add the lines that can only be the rest of a damaged record: too few cells, and no address."""
        size = len(lines[0])
        while self._peek() and self.columns and self._delimiter and size < SHORT_LIMIT:
            line = self._ahead[0]
            if line.count(self._delimiter) >= self.columns - 1 or ADDRESS.search(line):
                return
            size += len(line)
            lines.append(self._ahead.popleft())

    def _peek(self, index: int = 0) -> bool:
        """Whether a line is there `index` lines ahead."""
        while len(self._ahead) <= index:
            line = next(self._source, None)
            if line is None:
                return False
            self._ahead.append(line)
        return True

    def _with_stand_in(self, line: str) -> str:
        return line.replace(self._delimiter, STAND_IN) if self._stand_in and self._delimiter else line

    def _is_odd(self, text: str) -> bool:
        """Whether a quote is left open or astray: a sound record has an even number of them."""
        if self._escape:
            text = text.replace(self._escape * 2, "").replace(self._escape + self._quote, "")
        return bool(text.count(self._quote) & 1)
