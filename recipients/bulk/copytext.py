"""The row format that archives and bulk loading share: PostgreSQL's COPY text format, in UTF-8.

A row is a line, its columns are separated by tabs, NULL is `\\N`, and every character that would end a
column or a line is escaped. So PostgreSQL writes and loads it without any Python per row, and a person
can read it with `cut`. Only the escapes PostgreSQL itself writes are accepted; anything else is damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

from backupsvc.errors import Refusal

COLUMNS = (
    "key",
    "email",
    "registered",
    "activated",
    "deactivated",
    "bounced",
    "source",
    "signup_ip",
    "tags",
    "attributes",
)

NULL = "\\N"

_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_MEANING = {escaped: character for character, escaped in _ESCAPED.items()}
_TO_ESCAPED = str.maketrans(_ESCAPED)
_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r\b\f\v]")
_ESCAPE = re.compile(r"\\(?:.|$)", re.DOTALL)
# A column ends at a tab, a row at a line feed; a raw CR or NUL is what PostgreSQL would refuse to load.
_RAW_FORBIDDEN = re.compile("[\n\r\0]")

# Large enough that the work per block is done in C, small enough that memory stays flat.
_BLOCK_BYTES = 256 * 1024
# A row without an end must not fill the memory: 45 fields of PostgreSQL text fit here many times.
MAX_ROW_BYTES = 16 * 1024 * 1024

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00", re.ASCII)


class RowBroken(Refusal):
    """A row that nobody could have written in this format: the file was damaged or changed by hand."""

    def __init__(self, reason: str, *, line: int) -> None:
        super().__init__("archive.row_broken", line=line, reason=reason)


class Readable(Protocol):
    """Where rows come from."""

    def read(self, size: int, /) -> bytes: ...


class Sink(Protocol):
    """Where rows go."""

    def write(self, data: bytes, /) -> object: ...


class Rest:
    """A stream of which `begun` was read already: that comes first."""

    def __init__(self, begun: bytes, stream: Readable) -> None:
        self._begun, self._stream = begun, stream

    def read(self, size: int, /) -> bytes:
        begun, self._begun = self._begun[:size], self._begun[size:]
        return begun or self._stream.read(size)


def move_lines(stream: Readable, *, into: Sink, most: int) -> tuple[int, bytes]:
    """Move lines, whole ones and up to a block more than `most`; how many, and what was read of the next.

    Raise RowBroken for a line that has no end.
    """
    moved, rest = 0, b""
    while moved < most and (block := stream.read(_BLOCK_BYTES)):
        rest += block
        if end := rest.rfind(b"\n") + 1:
            into.write(rest[:end])
            moved, rest = moved + rest.count(b"\n"), rest[end:]
        elif len(rest) > MAX_ROW_BYTES:
            raise RowBroken(f"longer than {MAX_ROW_BYTES} bytes", line=moved + 1)
    return moved, rest


def encode_row(values: Sequence[str | None]) -> bytes:
    """One row's values (None: NULL) as a line, its line feed included.

    Raise Refusal for a character that a row cannot hold: NUL and half of a surrogate pair.
    """
    line = "\t".join(_escaped(values)) + "\n"
    if "\0" in line:
        raise Refusal("row.character_refused", character="U+0000")
    try:
        return line.encode()
    except UnicodeEncodeError as exc:
        raise Refusal("row.character_refused", character=f"U+{ord(line[exc.start]):04X}") from exc


def encode_columns(columns: Sequence[Sequence[str | None]]) -> bytes:
    """The rows of columns as lines: `encode_row` of each, in a fraction of the time. Raise Refusal."""
    ready = [
        _escaped(column) if None in column or _NEEDS_ESCAPE.search("".join(column)) else column  # type: ignore[arg-type]
        for column in columns
    ]
    text = "".join(f"{line}\n" for line in map("\t".join, zip(*ready, strict=True)))
    try:
        if "\0" not in text:
            return text.encode()
    except UnicodeEncodeError:
        pass
    # One by one: the row that cannot be written says why.
    return b"".join(map(encode_row, zip(*columns, strict=True)))


def _escaped(values: Sequence[str | None]) -> list[str]:
    return [
        NULL if value is None else value.translate(_TO_ESCAPED) if _NEEDS_ESCAPE.search(value) else value
        for value in values
    ]


def decode_row(line: bytes, *, number: int = 1) -> list[str | None]:
    """The values of one line, with or without its line feed; None for NULL.

    `number` is the line's number for the message. Raise RowBroken when it is not a row of this format.
    """
    try:
        text = line.removesuffix(b"\n").decode()
    except UnicodeDecodeError as exc:
        raise RowBroken(f"not UTF-8 at byte {exc.start + 1}", line=number) from exc
    if _RAW_FORBIDDEN.search(text):
        raise RowBroken("an unescaped control character", line=number)
    return _fields(text, number=number)


def rows(stream: BinaryIO | Iterable[bytes], *, columns: int = len(COLUMNS)) -> Iterator[list[str | None]]:
    """The rows of a stream (a file, or blocks of bytes cut anywhere), in constant memory.

    Raise RowBroken at the first line that is not a row of `columns` columns, or that has no end.
    """
    for number, line in enumerate(lines(stream), start=1):
        yield cells(line, number=number, columns=columns)


def lines(stream: BinaryIO | Iterable[bytes]) -> Iterator[str]:
    """The lines of such a stream as they stand there, without their line feeds; `cells` reads one.

    For who looks at many and reads few. Raise RowBroken for what cannot be a line.
    """
    number = 0
    rest = b""
    for block in _blocks(stream):
        whole, newline, rest = (rest + block).rpartition(b"\n")
        for text in _lines(whole, number=number) if newline else ():
            number += 1
            yield text
        if len(rest) > MAX_ROW_BYTES:
            raise RowBroken(f"longer than {MAX_ROW_BYTES} bytes", line=number + 1)
    if rest:
        raise RowBroken("the line is cut off", line=number + 1)


def cells(line: str, *, number: int = 1, columns: int = len(COLUMNS)) -> list[str | None]:
    """The values of a line of `lines`; `number` is the line's number for the message. Raise RowBroken."""
    fields = _fields(line, number=number)
    if len(fields) != columns:
        raise RowBroken(f"{len(fields)} columns instead of {columns}", line=number)
    return fields


def columns(lines: Sequence[str], *, number: int = 1) -> dict[str, list[str | None]]:
    """The values of some lines of `lines` by column: `cells` of each, in a fraction of the time.

    `number` is the number of the first line. Raise RowBroken.
    """
    width = len(COLUMNS)
    if any(line.count("\t") != width - 1 for line in lines):
        for at, line in enumerate(lines, number):
            cells(line, number=at)
    texts = "\t".join(lines).split("\t")
    return {name: _meanings(texts[at::width], number=number) for at, name in enumerate(COLUMNS)}


def _meanings(fields: list[str], *, number: int) -> list[str | None]:
    if "\\" not in "".join(fields):
        return fields  # type: ignore[return-value]  # a list of str is read as one of str | None
    return [
        None if field == NULL else _value(field, number=at) if "\\" in field else field
        for at, field in enumerate(fields, number)
    ]


def format_time(moment: datetime) -> str:
    """A time as the format spells it: `2026-11-23 18:31:20.123456+00`, what PostgreSQL prints in UTC."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment!r}")
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return (text.rstrip("0") if "." in text else text) + "+00"


def parse_time(text: str) -> datetime:
    """The time that `format_time` or PostgreSQL wrote; zeros at the end of the fraction may be missing.

    Raise Refusal when the text is not such a time.
    """
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError("not in the form of the format")
        *parts, fraction = match.groups(default="")
        return datetime(*map(int, parts), int(fraction.ljust(6, "0")), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as exc:
        raise Refusal("row.time_invalid", value=text[:40]) from exc


def _blocks(stream: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read", None)
    return iter(stream) if read is None else iter(lambda: read(_BLOCK_BYTES), b"")


def _lines(block: bytes, *, number: int) -> Iterable[str]:
    """The lines of a block of whole lines; `number` lines came before it."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = ""
    # Decoded and searched as one block, which is several times faster than line by line. What is
    # wrong is found by the slow way, which knows the line and says everything before it first.
    if "\r" in text or "\0" in text or (block and not text):
        return _lines_one_by_one(block, number=number)
    return text.split("\n")


def _lines_one_by_one(block: bytes, *, number: int) -> Iterator[str]:
    for at, line in enumerate(block.split(b"\n"), number + 1):
        decode_row(line, number=at)
        yield line.decode()


def _fields(text: str, *, number: int) -> list[str | None]:
    fields = text.split("\t")
    if "\\" not in text:
        return fields  # type: ignore[return-value]  # a list of str is read as one of str | None
    return [_value(field, number=number) if "\\" in field else field for field in fields]


def _value(field: str, *, number: int) -> str | None:
    if field == NULL:
        return None

    def meaning(match: re.Match[str]) -> str:
        escaped = match.group()
        try:
            return _MEANING[escaped]
        except KeyError:
            raise RowBroken(f"an unknown escape {escaped!r}", line=number) from None

    return _ESCAPE.sub(meaning, field)
