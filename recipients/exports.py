"""The files people download: rows of an archive, or of a group, as CSV or XLSX. Knows no HTTP.

Exact CSV gives every value back byte for byte. The spreadsheet-safe kinds escape what a spreadsheet
would run as a formula and say so in a last column, so that reading them back is exact as well.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from backupsvc.errors import Refusal
from recipients.values import SAFE_MARKER, escape_formula

COLUMNS = ("email", "status", "registered", "activated", "deactivated", "source", "signup_ip", "tags")

# What one sheet of the XLSX format holds, its header included.
MAX_SHEET_ROWS = 1_048_576
MAX_SHEET_COLUMNS = 16_384

Cells = list[str | None]


class Kind(NamedTuple):
    """A kind of file. `is_safe`: nothing in it runs as a formula in a spreadsheet."""

    extension: str
    content_type: str
    is_safe: bool


_CSV = "text/csv; charset=utf-8"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = {
    "csv": Kind("csv", _CSV, is_safe=False),
    "csv-safe": Kind("csv", _CSV, is_safe=True),
    "xlsx": Kind("xlsx", _XLSX, is_safe=True),
}

_CHUNK_CHARACTERS = 64 * 1024
_CHUNK_BYTES = 64 * 1024
# Few enough that long values fit in memory.
_BLOCK_ROWS = 100
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00", re.ASCII)
# Blanks at an end are part of the value by RFC 4180, but some readers strip them unless quoted.
_NEEDS_QUOTES = re.compile(r'[,;"\t\r\n]|^\s|\s$')


def columns_of(rows: Iterable[Cells], *, attributes: Sequence[str]) -> list[str]:
    """The attributes' columns for these rows of copytext: the known ones, then, by name, what else is there.

    A value whose field is gone is still a value: it gets a column of its own, and the file can be made.
    """
    found: set[str] = set()
    rest = iter(rows)
    # Many rows are read as one JSON text: half the time of one by one.
    while block := [row[-1] or "{}" for row in islice(rest, _BLOCK_ROWS)]:
        found.update(*json.loads(f"[{','.join(block)}]"))
    return [*dict.fromkeys(attributes), *sorted(found.difference(attributes))]


def file_chunks(rows: Iterable[Cells], *, attributes: Sequence[str], kind: str) -> Iterator[bytes]:
    """The file of that kind in chunks; arguments and errors as for `csv_lines` and `xlsx_file`."""
    if kind != "xlsx":
        yield from csv_lines(rows, attributes=attributes, spreadsheet_safe=KINDS[kind].is_safe)
        return
    # The format's directory comes last, so the file is whole before its first byte leaves.
    with tempfile.TemporaryFile() as target:
        xlsx_file(rows, attributes=attributes, target=target)
        target.seek(0)
        while chunk := target.read(_CHUNK_BYTES):
            yield chunk


def csv_lines(
    rows: Iterable[Cells], *, attributes: Sequence[str], spreadsheet_safe: bool = False
) -> Iterator[bytes]:
    """The CSV file in chunks: RFC 4180, UTF-8; with a byte order mark only for spreadsheets.

    `rows` are rows of copytext, `attributes` the names of the attributes' columns in their order. A
    missing value gives an empty cell, an empty text a quoted empty cell. Raise ValueError for a row with
    an attribute that has no column: a caller's bug, which would lose data.
    """
    table = _table(rows, attributes=attributes, spreadsheet_safe=spreadsheet_safe)
    chunk = ["\ufeff" if spreadsheet_safe else ""]
    length = 0
    for cells in table:
        line = ",".join(map(_quoted, cells)) + "\r\n"
        chunk.append(line)
        length += len(line)
        if length >= _CHUNK_CHARACTERS:
            yield "".join(chunk).encode()
            chunk, length = [], 0
    if chunk:
        yield "".join(chunk).encode()


def xlsx_file(rows: Iterable[Cells], *, attributes: Sequence[str], target: BinaryIO) -> None:
    """Write an XLSX file, every cell a text and none a formula, into an empty, seekable file.

    Arguments as for `csv_lines`; missing and empty give the same cell. Raise Refusal when there are more
    rows or longer values than the format holds, ValueError like `csv_lines`, OSError from the disk.
    """
    if len(COLUMNS) + len(attributes) + 1 > MAX_SHEET_COLUMNS:
        raise Refusal("export.too_many_columns", limit=MAX_SHEET_COLUMNS)
    output = _Output(target)
    # Rows go through a file of the library's; here it is gone even when the export is given up.
    with tempfile.TemporaryDirectory() as folder:
        try:
            _write_workbook(_table(rows, attributes=attributes, spreadsheet_safe=True), output, folder=folder)
        except FileCreateError as exc:
            raise exc.args[0] from None  # the OSError that the library wrapped: a full disk says so
        finally:
            output.let_go()


def _table(rows: Iterable[Cells], *, attributes: Sequence[str], spreadsheet_safe: bool) -> Iterator[Cells]:
    """The header, then the cells of every row."""
    header: Cells = [*COLUMNS, *attributes, *([SAFE_MARKER] if spreadsheet_safe else [])]
    if len(set(header)) != len(header):
        raise ValueError(f"a column twice: {header}")
    names = tuple(attributes)
    known = frozenset(names)
    if not spreadsheet_safe:
        yield header
        yield from (_cells(row, names=names, known=known) for row in rows)
        return
    yield [escape_formula(name) if name else name for name in header]
    for row in rows:
        cells = _cells(row, names=names, known=known)
        yield [*(escape_formula(cell) if cell else cell for cell in cells), None]


def _cells(row: Cells, *, names: Sequence[str], known: frozenset[str]) -> Cells:
    _, email, registered, activated, deactivated, bounced, source, signup_ip, tags, attributes = row
    values: dict[str, str] = json.loads(attributes) if attributes and attributes != "{}" else {}
    if not values.keys() <= known:
        raise ValueError(f"attributes without a column: {sorted(values.keys() - known)}")
    return [
        email,
        _status(activated=activated, deactivated=deactivated, bounced=bounced),
        _time(registered),
        _time(activated),
        _time(deactivated),
        source,
        signup_ip,
        # No tag holds a comma: tags are letters, digits and _ - . alone.
        ",".join(json.loads(tags)) if tags and tags != "[]" else None,
        *map(values.get, names),
    ]


def _status(*, activated: str | None, deactivated: str | None, bounced: str | None) -> str:
    if bounced is not None:
        return "bounced"
    if deactivated is not None:
        return "inactive"
    return "unconfirmed" if activated is None else "active"


def _time(text: str | None) -> str | None:
    """A time of copytext as ISO 8601 in UTC, with microseconds only when there are any."""
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of the row format: {text!r}")
    day, clock, fraction = match.groups(default="")
    fraction = fraction.rstrip("0")
    return f"{day}T{clock}.{fraction:0<6}Z" if fraction else f"{day}T{clock}Z"


def _quoted(cell: str | None) -> str:
    if cell is None:
        return ""
    if cell == "" or _NEEDS_QUOTES.search(cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


class _Output:
    """The target while the workbook is written.

    The library leaves a ZIP file open when it fails, which writes its directory when it is collected,
    some time later: by then it must not reach the target any more.
    """

    def __init__(self, target: BinaryIO) -> None:
        self._file = target

    def let_go(self) -> None:
        self._file = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()


def _write_workbook(table: Iterable[Cells], output: _Output, *, folder: str) -> None:
    workbook = Workbook(
        output,
        {
            "constant_memory": True,
            "tmpdir": folder,
            "use_zip64": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )
    sheet = workbook.add_worksheet("Recipients", worksheet_class=_ExactSheet)
    try:
        for number, cells in enumerate(table):
            _write_cells(sheet, cells, number=number)
    except BaseException:
        sheet.row_data_fh.close()
        raise
    workbook.close()


def _write_cells(sheet: Worksheet, cells: Cells, *, number: int) -> None:
    if number >= MAX_SHEET_ROWS:
        raise Refusal("export.too_many_rows", limit=MAX_SHEET_ROWS - 1)
    for column, cell in enumerate(cells):
        # The library cuts a text that is too long and only says so in what it returns.
        if cell and sheet.write_string(number, column, cell) != 0:
            raise Refusal("export.value_too_long", row=number + 1, column=column + 1)


class _ExactSheet(Worksheet):  # type: ignore[misc]  # the library has no types
    """A sheet whose texts come back exactly, also those that look like the format's own escapes."""

    # Spreadsheets read `_xHHHH_` as a character. So an underscore that would begin one, alone or
    # together with a control character's escape behind it, is escaped itself.
    _BEGINS_ESCAPE = re.compile(r"_(?=x[0-9a-fA-F]{4}(?:_|[\x00-\x08\x0b-\x1f\ufffe\uffff]))")
    _NOT_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        data = _ExactSheet._BEGINS_ESCAPE.sub("_x005F_", data)
        return _ExactSheet._NOT_XML.sub(lambda match: f"_x{ord(match.group()):04X}_", data)

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[Any] = ()) -> None:
        # The library takes a text in <r>…</r> for markup of its own and would write it unescaped.
        self._xml_inline_string(string, None, attributes)
