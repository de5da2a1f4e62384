"""A delimited file in pieces of whole lines, so that a database can load the sound ones as they are.

A piece is sound when every reader of CSV must find the same cells in it: quotes only around cells, one
kind of line end, one record a line, no characters that a cell may not have. Whether its rows have the
right width is left to whoever loads it. The others are read with care, by `records`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from recipients.imports.columns import is_own_header
from recipients.imports.dialect import Dialect
from recipients.imports.lines import LONGEST_LINE, MARK_ERRORS, UNDECODABLE, read_lines, split_lines
from recipients.imports.quoting import Quoting
from recipients.imports.reader import read
from recipients.imports.records import Records, Row

# Several pieces are held at once, and taken apart: larger ones are not faster, and show in the memory.
CHUNK_BYTES = 2 << 20
# So much is read with care where quotes do not tell where records end; then pieces are cut again.
CAREFUL_BYTES = 256 << 10
# Where no record ends for so long, the rest is read as one.
PATIENCE_BYTES = 4 << 20
# A line longer than a cell may be is looked at cell by cell.
LONGEST_SOUND_LINE = 32_000

# In these a line feed is the byte 0x0A and nothing else is, and a quote likewise.
ONE_BYTE = frozenset((
    "cp1252", "iso-8859-1", "iso-8859-15", "mac_roman", "cp1250", "iso-8859-2", "cp1251", "koi8-r", "koi8-u",
    "iso-8859-5", "cp1253", "iso-8859-7", "cp1254", "iso-8859-9", "cp1257", "iso-8859-4", "iso-8859-13",
    "cp437", "cp850", "cp852",
))  # fmt: skip
_UTF8 = frozenset(("utf-8", "utf-8-sig"))
_BOM = b"\xef\xbb\xbf"
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\r\n")
# How the noncharacters begin that `records` keeps for itself.
_NONCHARACTER = b"\xf4\x8f\xbf"


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file as they are, from physical line `first_line` on. `lines` counts them."""

    data: bytes
    first_line: int
    lines: int
    dialect: Dialect
    is_sound: bool

    @property
    def utf8(self) -> bytes:
        """The lines in UTF-8, as far as the file keeps what it says of itself. Call it on a sound chunk."""
        if self.dialect.encoding in _UTF8:
            return self.data
        return self.data.decode(self.dialect.encoding).encode()

    def columns(self, *, names: list[str]) -> list[Sequence[str]] | None:
        """The cells of each column, where each line is a row of the table beyond doubt; else None.

        `names` are the header's cells, [] without a header.
        """
        if not self.is_sound:
            return None
        try:
            lines = self.data.decode(_plain(self.dialect.encoding)).removesuffix("\n").split("\n")
            rows = list(csv.reader(lines, **Quoting(self.dialect).format))
        except (UnicodeDecodeError, csv.Error):
            return None
        # What `records` says of a row by its cells: blank, of another width, or the header once more.
        is_table = set(map(len, rows)) == {self.dialect.columns} and all(map(any, rows)) and names not in rows
        return list(zip(*rows, strict=True)) if is_table and len(rows) == len(lines) else None

    def rows(self, *, names: list[str]) -> Iterator[Row]:
        """The rows, read with care. `names` are the header's cells, [] without a header."""
        text = self.data.decode(_plain(self.dialect.encoding), MARK_ERRORS)
        return _rows(split_lines(text), line=self.first_line, dialect=self.dialect, names=names)


@dataclass(frozen=True)
class Rest:
    """All lines from `first_line` on, where no end of a record could be found; or the whole file."""

    path: Path
    first_line: int
    dialect: Dialect
    is_whole: bool = False

    def rows(self, *, names: list[str]) -> Iterator[Row]:
        """The rows, read with care. `names` are the header's cells, [] without a header."""
        if self.is_whole:
            return read(self.path, dialect=self.dialect)
        lines = islice(read_lines(self.path, encoding=self.dialect.encoding), self.first_line - 1, None)
        return _rows(lines, line=self.first_line, dialect=self.dialect, names=names)


def _rows(lines: Iterable[str], *, line: int, dialect: Dialect, names: list[str]) -> Iterator[Row]:
    is_exact = is_own_header(names)
    records = Records(lines, dialect=dialect, columns=dialect.columns, line=line, is_exact=is_exact)
    records.names = names
    return iter(records)


def can_be_cut(dialect: Dialect) -> bool:
    """Whether files of this dialect have lines that can be found without reading their records."""
    return (
        dialect.kind == "delimited"
        and (dialect.encoding in _UTF8 or dialect.encoding in ONE_BYTE)
        and len(dialect.delimiter) == 1
        and dialect.delimiter.isascii()
        and not dialect.escape
        and dialect.columns > 0
        and not (dialect.short_rows or dialect.long_rows or dialect.notes)
        and dialect.header_rows == 1
    )


def header_of(path: Path, *, dialect: Dialect) -> list[str]:
    """The cells of the file's header; [] when it has none."""
    lines = islice(read_lines(path, encoding=dialect.encoding), dialect.first_line - 1, None)
    first = Records(lines, dialect=dialect, columns=None, line=dialect.first_line).next_row()
    return first.cells if dialect.header and first is not None else []


def cut(path: Path, *, dialect: Dialect, size: int = 0) -> Iterator[Chunk | Rest]:
    """The file's data rows in pieces, in the file's order; its header and what comes before it left out.

    Call it for a dialect that `can_be_cut`. `size` is of a piece in bytes, CHUNK_BYTES unless told.
    """
    with path.open("rb") as stream:
        line = _skip_head(stream, dialect=dialect)
        if line is None:
            yield Rest(path, dialect.first_line, dialect, is_whole=True)
            return
        rest, size = b"", size or CHUNK_BYTES
        while block := stream.read(size):
            begin = stream.tell() - len(block) - len(rest)
            data, rest = _whole_records(rest + block, dialect=dialect)
            has_line = bool(data) or b"\n" in rest
            if not has_line and len(rest) <= size + PATIENCE_BYTES:
                continue
            chunk = _chunk(data, line=line, dialect=dialect) if data else None
            if chunk is None or not (chunk.is_sound or _tells_records(chunk)):
                chunk = _careful(path, begin=begin, line=line, dialect=dialect) if has_line else None
                if chunk is None:
                    yield Rest(path, line, dialect)
                    return
                stream.seek(begin + len(chunk.data))
                rest = b""
            yield chunk
            line += chunk.lines
        if rest:
            yield _chunk(rest, line=line, dialect=dialect)


def _skip_head(stream: BinaryIO, *, dialect: Dialect) -> int | None:
    """Move behind the header; the number of the line that comes next. None: no line is surely the header."""
    if stream.read(len(_BOM)) != _BOM or dialect.encoding not in _UTF8:
        stream.seek(0)
    skipped = dialect.first_line - 1 + dialect.header
    for _ in range(skipped):
        line = stream.readline(LONGEST_LINE)
        if line.count(b"\r") != line.count(b"\r\n") or (
            dialect.quote and line.count(dialect.quote.encode()) & 1
        ):
            return None
    return skipped + 1


def _whole_records(data: bytes, *, dialect: Dialect) -> tuple[bytes, bytes]:
    """The data up to the last line end at which no quote is open, and what is left."""
    end = data.rfind(b"\n") + 1
    if not dialect.quote:
        return data[:end], data[end:]
    quote = dialect.quote.encode()
    odd = data.count(quote, 0, end) & 1
    while end and odd:
        before = data.rfind(b"\n", 0, end - 1) + 1
        odd ^= data.count(quote, before, end) & 1
        end = before
    return data[:end], data[end:]


def _tells_records(chunk: Chunk) -> bool:
    """Whether the quotes of the piece open and close cells, so that their number tells where records end."""
    quote = chunk.dialect.quote.encode()
    return not quote or _are_at_cells(chunk.data.split(quote), dialect=chunk.dialect)


def _careful(path: Path, *, begin: int, line: int, dialect: Dialect) -> Chunk | None:
    """The records from a place on, as `records` finds them: CAREFUL_BYTES of them, or a few more.

    After a quote astray the number of quotes is even just where it should be odd, within cells of several
    lines: who cut there would lose their rows, and take their lines for others. None where there is no end
    of a record for too long.
    """
    ends: list[int] = []
    with path.open("rb") as stream:
        stream.seek(begin)
        lines = io.TextIOWrapper(stream, encoding=_plain(dialect.encoding), errors=MARK_ERRORS, newline="")
        names = header_of(path, dialect=dialect)
        for row in _rows(_measured(lines, ends=ends), line=line, dialect=dialect, names=names):
            count = row.line - line
            if count and ends[count - 1] >= CAREFUL_BYTES:
                break
        else:
            count = len(ends)
        size = ends[count - 1] if count else 0
        if not 0 < size <= CAREFUL_BYTES + PATIENCE_BYTES:
            return None
        stream.seek(begin)
        return Chunk(stream.read(size), line, count, dialect, is_sound=False)


def _measured(lines: io.TextIOWrapper, *, ends: list[int]) -> Iterator[str]:
    """The lines; `ends` gets the byte behind each. They end where one is longer than any can be."""
    end = 0
    while (line := lines.readline(LONGEST_LINE + 1)) and len(line) <= LONGEST_LINE:
        # What could not be decoded is a character for each byte.
        marks = 0 if line.isascii() else len(UNDECODABLE.findall(line))
        is_utf8 = lines.encoding == "utf-8"
        end += len(line.encode("utf-8", "surrogatepass")) - 2 * marks if is_utf8 else len(line)
        ends.append(end)
        yield line


def _chunk(data: bytes, *, line: int, dialect: Dialect) -> Chunk:
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    is_sound = _is_sound(data, dialect=dialect)
    if not is_sound and b"\r" in data:
        lines = len(split_lines(data.decode(_plain(dialect.encoding), MARK_ERRORS)))
    return Chunk(data, line, lines, dialect, is_sound)


def _is_sound(data: bytes, *, dialect: Dialect) -> bool:
    return (
        # Several times as fast as a search for one of them.
        len(data.translate(None, _CONTROLS)) == len(data)
        and not _holds(data, _NONCHARACTER)
        and (b"\r" not in data or data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"))
        # The end of the data for PostgreSQL's COPY.
        and not (_holds(data, b"\\.") and (data.startswith(b"\\.") or b"\n\\." in data))
        and not _begins_with_another_quote(data, quote=dialect.quote)
        and not _has_long_line(data)
        and (dialect.encoding in _UTF8 or _can_be_decoded(data, encoding=dialect.encoding))
        and (not dialect.quote or _quotes_are_sound(data, dialect=dialect))
    )


def _holds(data: bytes, rare: bytes) -> bool:
    """Whether it does, of what begins with a byte that few files have: to look for one byte is eight times as
    fast as to look for several."""
    return rare[:1] in data and rare in data


def _has_long_line(data: bytes) -> bool:
    """Whether a line is longer than LONGEST_SOUND_LINE; steps from line end to line end, as far as it may."""
    at = 0
    while len(data) - at > LONGEST_SOUND_LINE:
        at = data.rfind(b"\n", at, at + LONGEST_SOUND_LINE + 1) + 1
        if not at:
            return True
    return False


def _begins_with_another_quote(data: bytes, *, quote: str) -> bool:
    """Whether a line does: it may have been written in another dialect, which `records` tells."""
    other = {'"': b"'", "'": b'"'}.get(quote)
    return other is not None and (data.startswith(other) or b"\n" + other in data)


def _can_be_decoded(data: bytes, *, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _quotes_are_sound(data: bytes, *, dialect: Dialect) -> bool:
    """Whether every quote begins or ends a cell, or is one of two within a quoted one."""
    quote = dialect.quote.encode()
    if quote not in data:
        return True
    parts = data.split(quote)
    return not any(b"\n" in inside for inside in parts[1::2]) and _are_at_cells(parts, dialect=dialect)


def _are_at_cells(parts: Sequence[bytes], *, dialect: Dialect) -> bool:
    """Whether data that were split at their quotes have them at the ends of cells alone.

    The parts are by turns outside and inside of quoted cells; nothing between two of the latter is a doubled
    quote.
    """
    mark = dialect.delimiter.encode()
    before, after = {*mark, *b"\n"}, {*mark, *b"\r\n"}
    outside = [part for part in parts[2:-1:2] if part]
    return (
        bool(len(parts) & 1)
        and {part[0] for part in outside} <= after
        and {part[-1] for part in outside} <= before
        and (len(parts) == 1 or not parts[0] or parts[0][-1] in before)
        and (len(parts) == 1 or not parts[-1] or parts[-1][0] in after)
    )


def _plain(encoding: str) -> str:
    # A byte order mark is at the start of the file only.
    return "utf-8" if encoding == "utf-8-sig" else encoding
