"""Where quotes, escapes and delimiters may stand in a record, and how the csv module is told of them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any

from recipients.imports.dialect import Dialect

# Stands in for a delimiter of several characters, which the csv module cannot split at. A noncharacter:
# no text has it, and a line that does is reported.
STAND_IN = "\U0010fffe"
_NO_QUOTE = "\U0010ffff"


class Quoting:
    """The rules of one dialect. `quote` never occurs in text when the dialect has none."""

    def __init__(self, dialect: Dialect) -> None:
        self.quote = dialect.quote or _NO_QUOTE
        self.escape = dialect.escape
        self.delimiter = dialect.delimiter
        self.has_stand_in = len(dialect.delimiter) != 1
        # Lines go to the csv module as they are.
        self.is_plain = not (self.has_stand_in or dialect.escape)
        self.other = {'"': "'", "'": '"'}.get(dialect.quote, _NO_QUOTE)
        mark = STAND_IN if self.has_stand_in else dialect.delimiter
        self.format: dict[str, Any] = {
            "delimiter": mark,
            "quotechar": dialect.quote or None,
            "quoting": csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            "escapechar": dialect.escape or None,
            "strict": True,
        }
        # Writers that quote nothing escape quotes all the same.
        quotes = (dialect.quote,) if dialect.quote else ('"', "'")
        self._escaped = _escaped(dialect.escape, marks=(*quotes, dialect.escape, mark))
        inner = f"[^{re.escape(self.quote + self.delimiter)}\r\n]"
        self._inside = re.compile(inner + re.escape(self.quote) + inner)
        self._sound = _sound(mark, quote=dialect.quote, escape=dialect.escape)

    def prepared(self, line: str) -> str:
        """A line as the csv module is to see it.

        An escape counts before a quote, an escape, a delimiter or a line end; before anything else it is
        a character like any other, and doubled so that the csv module keeps it.
        """
        if self.has_stand_in and self.delimiter:
            line = line.replace(self.delimiter, STAND_IN)
        if self._escaped and self.escape in line:
            line = self._escaped.sub(lambda found: found[0] if found[1] else self.escape * 2, line)
        return line

    def is_odd(self, text: str) -> bool:
        """Whether a quote is left open or astray: a sound record has an even number of them."""
        if self.escape:
            text = text.replace(self.escape * 2, "").replace(self.escape + self.quote, "")
        return bool(text.count(self.quote) & 1)

    def goes_on(self, line: str) -> bool:
        """Whether a line's end is escaped, so that its record goes on in the next line."""
        body = line.rstrip("\r\n")
        return bool(self.escape) and bool((len(body) - len(body.rstrip(self.escape))) & 1)

    def is_sound(self, text: str, *, cells: Sequence[str]) -> bool:
        """Whether the quotes of a record that was read as `cells` mean what the csv module took them for.

        It takes a quote within an unquoted cell for a character; where a delimiter follows in the same
        pair of quotes, as in `ab"cd,ef"`, that is as likely a lost delimiter, and nobody can tell.
        """
        if not any(self.quote in cell for cell in cells):
            return True
        return bool(self._sound.fullmatch(self.prepared(text)))

    def is_neat(self, text: str) -> bool:
        """Whether each quote of a line surely opens or closes a cell, or is doubled within one.

        A quick look, for a dialect without escapes: False says only that a closer look is needed.
        """
        quote, delimiter = self.quote, self.delimiter
        text = text.replace(quote + quote, "").rstrip("\r\n")
        opening = text.count(delimiter + quote) + text.startswith(quote)
        closing = text.count(quote + delimiter) + text.endswith(quote)
        return opening == closing and opening + closing == text.count(quote)

    def is_tidy(self, text: str, *, cells: Sequence[str]) -> bool:
        """Whether quotes stand around whole cells only, or doubled within them."""
        if not any(self.quote in cell for cell in cells):
            return True
        if self.escape:
            text = text.replace(self.escape * 2, "").replace(self.escape + self.quote, "")
        return not self._inside.search(text)

    def is_foreign(self, cells: Sequence[str]) -> bool:
        """Whether every cell wears the other kind of quotes: this row was written in another dialect."""
        filled = [cell for cell in cells if cell]
        mark = self.other
        if not filled or any(cell[0] != mark for cell in filled):
            return False
        return any(len(cell) > 1 and cell[-1] == mark for cell in filled)


def _escaped(escape: str, *, marks: Sequence[str]) -> re.Pattern[str] | None:
    if not escape:
        return None
    ends = "|".join([*(re.escape(mark) for mark in marks if mark), "\r\n?", "\n"])
    return re.compile(f"{re.escape(escape)}({ends})?")


def _sound(delimiter: str, *, quote: str, escape: str) -> re.Pattern[str]:
    """A record of cells that are quoted as a whole, or that hold quotes in pairs without a delimiter."""
    if not quote:
        return re.compile("(?s:.*)")
    q, d, e = re.escape(quote), re.escape(delimiter), re.escape(escape)
    pair = f"{e}(?s:.)|" if escape else ""
    quoted = f"{q}(?:{pair}{q}{q}|[^{q}{e}])*+{q}"
    plain = f"(?:{pair}[^{q}{d}{e}\r\n])"
    bare = f"(?:{plain}++(?:{q}{plain}*+{q}{plain}*+)*+)?"
    return re.compile(f"(?:{quoted}|{bare})(?:{d}(?:{quoted}|{bare}))*+(?:\r\n?|\n)?")
