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

from backupsvc.errors import Refusal
from recipients.imports.dialect import Dialect
from recipients.imports.lines import LONGEST_LINE, UNDECODABLE, readable
from recipients.imports.quoting import STAND_IN, Quoting

# The default of the csv module (128 KiB) is less than a cell may have; no limit would let one open quote
# take a whole file into memory.
FIELD_LIMIT = 1 << 20
csv.field_size_limit(FIELD_LIMIT)

# After this many characters were read in vain behind open quotes, look less far: a file with a hundred
# thousand open quotes must not be read a hundred thousand times. A cell of this size is refused anyway.
PATIENCE_CHARS = 64 << 20
SHORT_LIMIT = 1 << 16

# Records read one by one before the fast path is tried again, and twice as many each time it does not get
# further than that: damage comes in clusters.
CAREFUL_RECORDS = 10
MOST_CAREFUL_RECORDS = 1 << 20
# A record of more lines is read with care. Most are none: they are what an open quote takes up.
MOST_FAST_LINES = 50

# Lines that escaped line ends may join to one record.
MOST_ESCAPED_LINES = 1000

# The line number of rows of which only the place in a middle or last part of the file is known.
FAR_LINE = 1_000_000_000

ADDRESS = re.compile(r"[^\s@<>\"',;|]+@[^\s@<>\"',;|]+\.[^\s@<>\"',;|]+")
# What an address has around its @. A search for a whole one would take the square of a cell's length.
_HEART = re.compile(r"[^\s@<>\"',;|]@[^\s@<>\"',;|]+\.[^\s@<>\"',;|]")


def has_address(text: str) -> bool:
    """Whether there is an address somewhere in a text."""
    return bool(_HEART.search(text))


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

    `columns` None accepts rows of any width (sniffing). `names` are the header's cells; a row that
    repeats them is reported. `is_exact` says that the file is known to be written by us: then a cell may
    hold lines that look like rows. `untidy` counts the records whose quotes stand within unquoted cells.
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
        self.names: list[str] = []
        self.untidy = 0
        self._source = iter(lines)
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self._wasted = 0
        self._short_rows, self._long_rows = dialect.short_rows, dialect.long_rows
        self._delimiter = dialect.delimiter
        self._quoting = Quoting(dialect)

    def __iter__(self) -> Iterator[Row]:
        careful = CAREFUL_RECORDS
        while True:
            start = self.line
            yield from self._fast()
            got_on = self.line - start > careful
            careful = CAREFUL_RECORDS if got_on else min(2 * careful, MOST_CAREFUL_RECORDS)
            for _ in range(careful):
                if not self._peek():
                    return
                row = self.next_row()
                if row is not None:
                    yield row

    def next_row(self) -> Row | None:
        """The next record, read with care; None when it is blank or nothing is left."""
        start = self.line
        if not self._peek():
            return None
        lines = [self._ahead.popleft()]
        while self._quoting.goes_on(lines[-1]) and len(lines) < MOST_ESCAPED_LINES and self._peek():
            lines.append(self._ahead.popleft())
        if self._quoting.is_odd("".join(lines)):
            lines += self._rest_of_quote("".join(lines))
        row = self._judge(self._parse(lines), lines=lines)
        if row is None:
            self._ahead.extendleft(reversed(lines[1:]))
            del lines[1:]
            if self._quoting.is_odd(lines[0]):
                self._take_fragments(lines)
            code = "row.too_long" if len(lines[0]) > FIELD_LIMIT else "row.quote"
            row = self._damaged(lines, problem=Refusal(code))
        self.line = start + len(lines)
        return row if any(row.cells) else None

    def next_filled(self) -> Row | None:
        """The next record that is not blank; None when nothing is left."""
        while self._peek():
            if row := self.next_row():
                return row
        return None

    # The fast path

    def _fast(self) -> Iterator[Row]:
        """Rows as long as all is well. Stops at the end, or gives back the lines of a record that is not."""
        taken, columns, names = self._taken, self.columns, self.names
        is_plain, quote, other = self._quoting.is_plain, self._quoting.quote, self._quoting.other
        escape = "" if self._quoting.has_stand_in else self._quoting.escape
        is_neat = self._quoting.is_neat
        line = self.line
        try:
            for cells in csv.reader(self._feed(), **self._quoting.format):
                text = taken[0]
                row: Row | None
                if (
                    (len(cells) == columns or columns is None)
                    and len(taken) == 1
                    and "\0" not in text
                    and (
                        quote not in text
                        or (not text.count(quote) & 1 and quote not in "".join(cells))
                        or is_neat(text)
                    )
                    and (text.isascii() or not UNDECODABLE.search(text))
                    and text[0] != other
                    and cells != names
                    and (is_plain or (escape and escape not in text))
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
        taken, ahead, prepared = self._taken, self._ahead, self._quoting.prepared
        while ahead:
            line = ahead.popleft()
            taken.append(line)
            yield prepared(line)
            if len(taken) > MOST_FAST_LINES:
                return
        if self._quoting.is_plain:
            for line in self._source:
                taken.append(line)
                yield line
                if len(taken) > MOST_FAST_LINES:
                    return
        else:
            for line in self._source:
                taken.append(line)
                yield prepared(line)
                if len(taken) > MOST_FAST_LINES:
                    return

    # One record

    def _judge(self, cells: list[str] | None, *, lines: list[str]) -> Row | None:
        """The row these lines make, maybe with a problem; None when they cannot be one record."""
        text = lines[0] if len(lines) == 1 else "".join(lines)
        if cells is None or self._quoting.is_odd(text):
            return None
        if not self._quoting.is_tidy(text, cells=cells):
            self.untidy += 1
        if not self._quoting.is_sound(text, cells=cells):
            return None if len(lines) > 1 else self._damaged(lines, problem=Refusal("row.quote"))
        if self._quoting.has_stand_in:
            cells = [cell.replace(STAND_IN, self._delimiter) for cell in cells]
        fitted = self._fitted(cells)
        if len(lines) > 1 and (fitted is None or self._holds_rows(lines)):
            if fitted is None:
                return None
            return self._damaged(lines, problem=Refusal("row.several", lines=len(lines)))
        if problem := self._bad_characters(text) or self._bad_cells(cells, text=text):
            return self._damaged(lines, problem=problem)
        if fitted is None:
            code = "row.too_many_fields" if len(cells) > (self.columns or 0) else "row.too_few_fields"
            return Row(self.line, cells, Refusal(code, found=len(cells), expected=self.columns))
        return Row(self.line, fitted)

    def _bad_cells(self, cells: list[str], *, text: str) -> Refusal | None:
        if self.columns is None:
            return None
        if text[0] == self._quoting.other and self._quoting.is_foreign(cells):
            return Refusal("row.quote")
        names = self.names
        return Refusal("row.header_again") if names and cells == names[: len(cells)] else None

    def _fitted(self, cells: list[str]) -> list[str] | None:
        """The cells at the width of the table, or None when they do not fit.

        A row that is too short is padded only where the file leaves empty cells at the end out as a habit,
        and one too long is cut only where the file has empty cells too many as a habit (sniffing saw
        that): in any other file a delimiter may be missing or astray anywhere, and values would move under
        the wrong heading. An empty row is a blank line, of whatever width.
        """
        columns, found = self.columns, len(cells)
        if columns is None or found == columns or not any(cells):
            return cells
        if found > columns:
            return cells[:columns] if self._long_rows and not any(cells[columns:]) else None
        return cells + [""] * (columns - found) if self._short_rows else None

    def _bad_characters(self, text: str) -> Refusal | None:
        if "\0" in text:
            return Refusal("row.nul")
        if UNDECODABLE.search(text) or (self._quoting.has_stand_in and STAND_IN in text):
            return Refusal("row.undecodable")
        return Refusal("row.too_long") if len(text) > LONGEST_LINE else None

    def _holds_rows(self, lines: list[str]) -> bool:
        """Whether two lines of one record are rows by themselves: as wide as the table, and an address in
        the same column or lines around them. Then two lost quotes are likelier than a cell that looks
        like the list it is in."""
        if self.is_exact or self.columns is None or self.columns < 2 or not self._delimiter:
            return False
        seen: set[int] = set()
        whole = 0
        for number, line in enumerate(lines):
            cells = line.split(self._delimiter)
            if len(cells) != self.columns:
                continue
            marks = self._quoting.quote + " \r\n"
            whole += 0 < number < len(lines) - 1 and sum(bool(cell.strip(marks)) for cell in cells) > 1
            here = {n for n, cell in enumerate(cells) if ADDRESS.fullmatch(cell.strip(marks))}
            if here & seen or (whole > 1 and self.columns > 2):
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
            records = list(csv.reader(map(self._quoting.prepared, lines), **self._quoting.format))
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
            if self._quoting.is_odd(line):
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
            if line.count(self._delimiter) >= self.columns - 1 or has_address(line):
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
