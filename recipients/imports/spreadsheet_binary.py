"""What the records of an XLSB workbook say that the parser does not: which sheets are filled, and which rows
are hidden. A record is a number, a length, and so many bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO
from xml.etree import ElementTree

BINARY_WORKBOOK = "xl/workbook.bin"
_RELATIONS = "xl/_rels/workbook.bin.rels"
# The numbers of records. Of cells, 1 is one without content.
_ROW, _CELLS, _END_OF_ROWS, _SHEET, _END_OF_SHEETS = 0, range(2, 12), 146, 156, 144
_BLOCK_BYTES = 1 << 18
# What reading a member raises that is not there, or not whole.
DAMAGED = (KeyError, zipfile.BadZipFile, zlib.error, EOFError)


def binary_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The archive's member for each sheet name."""
    # Whatever entities or nesting it brings: this process has its limits, and nobody waits for it long.
    relations = ElementTree.fromstring(archive.read(_RELATIONS))  # noqa: S314
    targets = {str(item.get("Id")): str(item.get("Target")) for item in relations}
    parts = {}
    for kind, content in _records(archive, member=BINARY_WORKBOOK):
        if kind == _END_OF_SHEETS:
            break
        if kind == _SHEET:
            relation, end = _text(content, at=8)
            name, _ = _text(content, at=end)
            if relation in targets:
                parts[name] = f"xl/{targets[relation]}"
    return parts


def binary_is_filled(archive: zipfile.ZipFile, *, member: str) -> bool:
    """Whether a sheet that is not read has content. A damaged one may have."""
    try:
        return any(kind in _CELLS for kind, _ in _records(archive, member=member))
    except DAMAGED:
        return True


def binary_hidden_rows(archive: zipfile.ZipFile, *, member: str) -> int:
    """How many filled rows of a sheet are hidden, by hand or by a filter."""
    count, is_hidden = 0, False
    for kind, content in _records(archive, member=member):
        if kind == _END_OF_ROWS:
            break
        if kind == _ROW:
            is_hidden = bool(int.from_bytes(content[11:12]) & 0x10)
        elif is_hidden and kind in _CELLS:
            count, is_hidden = count + 1, False
    return count


def _records(archive: zipfile.ZipFile, *, member: str) -> Iterator[tuple[int, bytes]]:
    with archive.open(member) as part, io.BufferedReader(part, _BLOCK_BYTES) as stream:  # type: ignore[type-var]
        while first := stream.read(1):
            kind = first[0]
            if kind & 0x80:
                kind = kind & 0x7F | (_byte(stream) & 0x7F) << 7
            yield kind, stream.read(_length(stream))


def _length(stream: IO[bytes]) -> int:
    """A number in groups of seven bits, the last one without the eighth."""
    length = 0
    for shift in (0, 7, 14, 21):
        byte = _byte(stream)
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return length


def _byte(stream: IO[bytes]) -> int:
    if not (byte := stream.read(1)):
        raise EOFError
    return byte[0]


def _text(content: bytes, *, at: int) -> tuple[str, int]:
    """The text at a place, behind the number of its characters, and where it ends."""
    end = at + 4 + 2 * int.from_bytes(content[at : at + 4], "little")
    return content[at + 4 : end].decode("utf-16-le", "replace"), end
