"""The child that reads one sheet of a spreadsheet and writes it as JSON lines (see spreadsheet.py).

XLSX, ODS, XLSB and XLS. Of XLSX alone it can tell beforehand how large a sheet will be; the others have
the limits of the process. Of XLSB and XLS it knows the values alone, not what cells show, and of XLS not even
which rows are hidden.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from backupsvc.errors import Refusal
from recipients.imports.spreadsheet import CPU_SECONDS, MEMORY_BYTES
from recipients.imports.spreadsheet_binary import (
    BINARY_WORKBOOK,
    DAMAGED,
    binary_hidden_rows,
    binary_is_filled,
    binary_parts,
)
from recipients.imports.spreadsheet_cells import OPEN_CONTENT, CellTexts, OpenShown, Shown, column_number

MOST_MEMBERS = 2_000
MOST_BYTES = 500 << 20
MOST_CELLS = 20_000_000
# Deflate cannot do more than 1,032 : 1; sheets people make stay far below 200. Small members may be
# anything: they cannot harm.
HIGHEST_RATIO = 200
SMALL_MEMBER_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
# More than a line of a text file may have. A text that a thousand cells share is small in the archive.
LONGEST_ROW = 4 << 20
# What people send in archives.
_LISTS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
# A cell and what follows it at the end of one chunk, to be looked at again with the next. The longest
# formula has 8,192 characters, some of them escaped.
_TAIL_BYTES = 1 << 16
WORKBOOK = "xl/workbook.xml"
OPEN_MANIFEST = "META-INF/manifest.xml"

# A cell with content; one without ends in "/>" and takes no memory.
_CELL = rb"<%bc\s(?:[^>]*?\s)??r=[\"']([A-Z]{1,3})([0-9]{1,7})[\"'][^>]*(?<!/)>"
_ROOT = re.compile(rb"<(\w+:)?worksheet")
_CONTENT = re.compile(rb"<(?:\w+:)?(?:v|f|is)[\s>]")
# Two namespaces are in use: the usual one, and that of "Strict Open XML".
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


def main(path: str, sheet: str, limit: int) -> None:
    """Write the sheet, or the refusal, to stdout."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if is_archive(path):
            with zipfile.ZipFile(path) as archive:
                check_directory(archive)
        _write_sheet(path, sheet=sheet, limit=limit)
    except Refusal as refusal:
        _say({"refusal": refusal.code, "params": refusal.params})
    except PasswordError:
        _say({"refusal": "file.spreadsheet_locked", "params": {}})
    except (
        CalamineError,
        zipfile.BadZipFile,
        ElementTree.ParseError,
        OSError,
        KeyError,
        ValueError,
        EOFError,
    ):
        _say({"refusal": "file.spreadsheet_unreadable", "params": {}})


def _write_sheet(path: str, *, sheet: str, limit: int) -> None:
    # By what is in it: people name a file .xls that is an XLSX.
    with Path(path).open("rb") as stream, CalamineWorkbook.from_filelike(stream) as workbook:
        name, names, shown = _chosen(path, workbook=workbook, wanted=sheet)
        table = workbook.get_sheet_by_name(name)
        about: dict[str, Any] = {"sheets": names, "name": name, "merged": _merged_rows(table)}
        about["last_row"] = _rows_to_last_value(table)
        if isinstance(shown, Shown):
            height, width = shown.uncalculated.size
            last_column = table.end[1] + 1 if table.end else 0
            shown.spread(height=max(about["last_row"], height), width=max(last_column, width))
        if limit and not sheet:
            # Who reads all rows has seen the first, and who names a sheet means no other.
            about["unread"] = _unread(path, workbook=workbook, name=name)
        if shown:
            about["last_row"] = max(about["last_row"], shown.uncalculated.size[0])
            about |= {
                "errors": len(shown.errors),
                "uncalculated": len(shown.uncalculated),
                "hidden": shown.hidden,
            }
        elif limit:
            # Likewise told to them alone: it takes a look at every record.
            about["hidden"] = _hidden_in_binary(path, name=name)
        _say(about)
        for number, cells in enumerate(_rows(table, shown=shown)):
            if limit and number >= limit:
                break
            texts = [as_text(cell) for cell in cells]
            if shown:
                _show(texts, cells=cells, row=number, shown=shown)
            while texts and not texts[-1]:
                texts.pop()
            if sum(map(len, texts)) > LONGEST_ROW:
                raise Refusal("file.spreadsheet_too_large")
            if texts:
                _say([number + 1, texts])
    _say("end")


def _rows(table: CalamineSheet, *, shown: CellTexts | None) -> Iterator[list[Any]]:
    """The rows of the sheet. The parser ends at the last value: formulas without one may reach further."""
    height, width = shown.uncalculated.size if shown else (0, 0)
    beyond: Iterator[list[Any]] = repeat([], height - _rows_to_last_value(table))
    for cells in chain(table.iter_rows(), beyond):
        yield cells + [""] * (width - len(cells))


def _rows_to_last_value(table: CalamineSheet) -> int:
    return table.end[0] + 1 if table.end else 0


def _show(texts: list[str], *, cells: list[Any], row: int, shown: CellTexts) -> None:
    for column, cell in enumerate(cells):
        text = shown.text(row, column, cell)
        if text is not None:
            texts[column] = text


def _merged_rows(table: CalamineSheet) -> int:
    """How many cells are merged over several rows; all but the first of such rows are empty there."""
    return sum(end[0] > start[0] for start, end in table.merged_cell_ranges or [])


def _chosen(path: str, *, workbook: CalamineWorkbook, wanted: str) -> tuple[str, list[str], CellTexts | None]:
    """The sheet to read, the names there are, and what its cells show."""
    if not is_archive(path):
        return *_choose(workbook, wanted=wanted, has_content=_has_cells(workbook)), None
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if WORKBOOK not in members:
            name, names = _choose(workbook, wanted=wanted, has_content=_has_cells(workbook))
            return name, names, OpenShown(archive, sheet=name) if OPEN_CONTENT in members else None
        parts, shown = sheet_parts(archive), Shown(archive)
        chosen = _choose(
            workbook,
            wanted=wanted,
            has_content=lambda name: bool(count_cells(archive, member=parts[name], shown=shown)),
        )
        return *chosen, shown


def _hidden_in_binary(path: str, *, name: str) -> int:
    if not is_archive(path):
        return 0
    try:
        with zipfile.ZipFile(path) as archive:
            return binary_hidden_rows(archive, member=binary_parts(archive)[name])
    except DAMAGED:
        # What the parser could read is worth more than what it would take to warn of it.
        return 0


def _unread(path: str, *, workbook: CalamineWorkbook, name: str) -> list[str]:
    """The other visible sheets with content. Of XLSX and XLSB none is loaded for it."""
    others = [item.name for item in _sheets(workbook) if item.visible == SheetVisibleEnum.Visible]
    others = [other for other in others if other != name]
    if not is_archive(path):
        return list(filter(_has_cells(workbook), others))
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if WORKBOOK in members:
            parts = sheet_parts(archive)
            return [other for other in others if _is_filled(archive, member=parts.get(other, ""))]
        if BINARY_WORKBOOK in members:
            parts = binary_parts(archive)
            return [other for other in others if binary_is_filled(archive, member=parts.get(other, ""))]
    return list(filter(_has_cells(workbook), others))


def _is_filled(archive: zipfile.ZipFile, *, member: str) -> bool:
    """Whether a sheet that is not read has content. A damaged one may have."""
    tail = b""
    try:
        with archive.open(member) as stream:
            while block := stream.read(_CHUNK_BYTES):
                if _CONTENT.search(tail + block):
                    return True
                tail = block[-100:]
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        return True
    return False


def is_archive(path: str) -> bool:
    """Whether the file begins as a zip archive: Excel puts one at the end of an XLS file too."""
    with Path(path).open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _has_cells(workbook: CalamineWorkbook) -> Callable[[str], bool]:
    return lambda name: workbook.get_sheet_by_name(name).end is not None


def check_directory(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that is no spreadsheet, or that would unpack to more than one ever is."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_BYTES:
        raise Refusal("file.spreadsheet_too_large")
    for member in members:
        if member.flag_bits & 1:
            raise Refusal("file.spreadsheet_locked")
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if is_link or member.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.filename):
            raise Refusal("file.spreadsheet_unreadable")
        if member.file_size > max(SMALL_MEMBER_BYTES, HIGHEST_RATIO * member.compress_size):
            raise Refusal("file.spreadsheet_too_large")
    names = archive.namelist()
    if not {WORKBOOK, "xl/workbook.bin", OPEN_CONTENT} & set(names):
        holds_lists = any(name.lower().endswith(_LISTS) for name in names)
        raise Refusal("file.archive" if holds_lists else "file.binary")
    # The members of a locked ODS are what they were, but for their content.
    if OPEN_MANIFEST in names and b"encryption-data" in archive.read(OPEN_MANIFEST):
        raise Refusal("file.spreadsheet_locked")


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The archive's member for each sheet name."""
    relations = _xml(archive, member="xl/_rels/workbook.xml.rels")
    targets = {str(item.get("Id")): str(item.get("Target")) for item in relations}
    parts = {}
    for item in _xml(archive, member=WORKBOOK).iter():
        target = targets.get(item.get(_RELATION) or item.get(_STRICT_RELATION) or "")
        if item.tag.endswith("}sheet") and target:
            parts[str(item.get("name"))] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return parts


def _xml(archive: zipfile.ZipFile, *, member: str) -> ElementTree.Element:
    # Whatever entities or nesting it brings: this process has its limits, and nobody waits for it long.
    return ElementTree.fromstring(archive.read(member))  # noqa: S314


def _choose(
    workbook: CalamineWorkbook, *, wanted: str, has_content: Callable[[str], bool]
) -> tuple[str, list[str]]:
    """The sheet to read and the names there are. Its size is checked before it is loaded."""
    sheets = _sheets(workbook)
    names = [item.name for item in sheets]
    if wanted:
        if wanted not in names:
            raise Refusal("file.sheet_unknown", sheet=wanted)
        has_content(wanted)
        return wanted, names
    for item in sheets:
        if item.visible == SheetVisibleEnum.Visible and has_content(item.name):
            return item.name, names
    raise Refusal("file.empty")


def _sheets(workbook: CalamineWorkbook) -> list[SheetMetadata]:
    return [item for item in workbook.sheets_metadata if item.typ == SheetTypeEnum.WorkSheet]


def count_cells(archive: zipfile.ZipFile, *, member: str, shown: Shown) -> int:
    """The area the sheet's filled cells span; it is what the parser allocates. Refuses a huge one."""
    columns: set[bytes] = set()
    rows: set[bytes] = set()
    seen, filled, tail = 0, 0, b""
    cell: re.Pattern[bytes] | None = None
    with archive.open(member) as stream:
        while block := stream.read(_CHUNK_BYTES):
            seen += len(block)
            if seen > MOST_BYTES:
                raise Refusal("file.spreadsheet_too_large")
            # With the prefix known, the search runs from "<c" to "<c" instead of from tag to tag.
            cell = cell or _cell_pattern(block)
            found = cell.findall(tail + block)
            if found:
                letters, numbers = zip(*found, strict=True)
                columns.update(letters)
                rows.update(numbers)
            else:
                filled += len(_CONTENT.findall(block))
            block = tail + block
            shown.look(block)
            # From the last cell on, which may end in the next block.
            tail = block[max(block.rfind(b"<c"), len(block) - _TAIL_BYTES, 0) :]
    if b"worksheet>" not in tail:
        raise Refusal("file.spreadsheet_unreadable")
    if not columns:
        # Cells need not say where they are; then they stand side by side and span no more than they are.
        return filled
    shown.count_hidden(filled=rows)
    places = [column_number(column) for column in columns]
    lines = [int(row) for row in rows]
    area = (max(places) - min(places) + 1) * (max(lines) - min(lines) + 1)
    if area > MOST_CELLS:
        raise Refusal("file.spreadsheet_too_large")
    return area


def _cell_pattern(head: bytes) -> re.Pattern[bytes]:
    root = _ROOT.search(head)
    return re.compile(_CELL % ((root and root[1]) or b""))


def as_text(value: Any) -> str:
    """A cell the way it would stand in a CSV file: ISO times, whole numbers without ".0"."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            minutes, seconds = divmod(int(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
