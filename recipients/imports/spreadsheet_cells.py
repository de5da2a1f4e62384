"""What an XLSX or ODS sheet shows that the parser does not say: zeros in front, errors, and what is hidden.

A postal code that is the number 1234 in the format 00000 shows 01234, and 01234 is what its owner means.

And what nobody can say: a script that writes a formula does not calculate it, and the file holds no result
until a spreadsheet program has saved it. The parser takes that for an empty cell, which it is not.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Iterable, Set
from itertools import product
from typing import Any, Protocol
from xml.etree import ElementTree

from backupsvc.errors import Refusal

STYLES = "xl/styles.xml"
_MOST_ERRORS = 100_000
# Only zeros, and marks that stand between them: 00000, 000-000, 00" "00. Zeros alone are a number.
_PADDED = re.compile(r"(?:0|\\.|\"[^\"]*\"|[- ()/+])+")
_LITERAL = re.compile(r"0|\\(.)|\"([^\"]*)\"|([- ()/+])")
_PLACE = rb"r=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']"
_ERROR = re.compile(
    rb"<(?:\w+:)?c\s(?:[^>]*?\s)??" + _PLACE + rb"(?=[^>]*\st=[\"']e[\"'])[^>]*>"
    rb"(?:<(?:\w+:)?f[^>]*/>|<(?:\w+:)?f[^>]*>[^<]*</(?:\w+:)?f>)?<(?:\w+:)?v>([^<]{1,20})<"
)
# What is read of a formula without a result. Its last character is one that no value may hold, so that
# the row is refused whatever the column is, a text too.
UNCALCULATED = "#FORMULA?\x1a"
# Behind a formula: nothing in the value, or no value. Looked for first, since most formulas have one.
_NO_VALUE = rb"\s*(<(?:\w+:)?v(?:\s[^<>]*)?(?:/>|></(?:\w+:)?v>))?\s*</(?:\w+:)?c>"
_AFTER_FORMULA = re.compile(rb"[f/]>" + _NO_VALUE)
# The whole cell: its attributes, those of its formula, and the value's element if there is one.
_UNCALCULATED = re.compile(
    rb"<(?:\w+:)?c(\s[^<>]*)>\s*<(?:\w+:)?f([^<>]*)(?:/>|>[^<]*</(?:\w+:)?f>)" + _NO_VALUE
)
_CELL_PLACE = re.compile(rb"\s" + _PLACE)
# One formula for many cells; it stands in the first of them alone.
_ARRAY = re.compile(
    rb"(?=[^<>]*\st=[\"'](?:array|dataTable)[\"'])"
    rb"[^<>]*\sref=[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})[\"']"
)
# As many cells as a sheet may have: in one that people make, no two such formulas share a cell.
_MOST_SPREAD = 20_000_000
_TEXT_TYPE = re.compile(rb"\st=[\"']str[\"']")
# Hidden by hand or by a filter. There are writers that say of every row whether it is.
_HIDDEN = re.compile(rb"\shidden=[\"'](?:1|true)[\"']")
_HIDDEN_ROW = re.compile(
    rb"<(?:\w+:)?row(?=\s)(?=[^>]*" + _HIDDEN.pattern + rb")[^>]*?\sr=[\"']([0-9]{1,7})[\"']"
)


class Places:
    """Places of cells in a sheet: a byte for each row of a column that has some, so a million stay small."""

    def __init__(self) -> None:
        self._columns: dict[int, bytearray] = {}

    def add(self, row: int, column: int) -> None:
        """Take note of a cell, once or again."""
        self.fill(range(row, row + 1), column)

    def fill(self, rows: range, column: int) -> None:
        """Take note of the cells of a column in these rows."""
        known = self._columns.setdefault(column, bytearray())
        known.extend(bytes(max(rows.stop - len(known), 0)))
        known[rows.start : rows.stop] = b"\1" * len(rows)

    def __contains__(self, place: tuple[int, int]) -> bool:
        row, column = place
        rows = self._columns.get(column, b"")
        return row < len(rows) and rows[row] == 1

    def __len__(self) -> int:
        return sum(rows.count(1) for rows in self._columns.values())

    @property
    def size(self) -> tuple[int, int]:
        """The rows and columns from the sheet's first cell to the last of these."""
        return max(map(len, self._columns.values()), default=0), max(self._columns, default=-1) + 1


class CellTexts(Protocol):
    """What cells show instead of their values.

    `errors` are those cells that show one, by row and column; `uncalculated` those with a formula whose
    result the file does not hold. `hidden` counts the filled rows that are not shown at all.
    """

    errors: dict[tuple[int, int], str]
    uncalculated: Places
    hidden: int

    def text(self, row: int, column: int, value: Any) -> str | None:
        """What the cell shows, if that is not just its value. `row` and `column` count from 0."""


class Shown:
    """What is shown in one sheet's cells. Give it the sheet's XML block by block, then ask for texts."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.errors: dict[tuple[int, int], str] = {}
        self.uncalculated = Places()
        self.hidden = 0
        self._hidden_rows = set[bytes]()
        # Where formulas for many cells go that have no result: their first and last rows and columns.
        self._arrays = set[tuple[int, int, int, int]]()
        self._formats = _padded_formats(archive)
        # For each column, the style of each row's cell (0: none of these), so that a million stay small.
        self._styles: dict[int, array[int]] = {}
        names = b"|".join(str(style).encode() for style in self._formats)
        self._styled = re.compile(
            rb"<(?:\w+:)?c\s(?:[^>]*?\s)??" + _PLACE + rb"(?=[^>]*\ss=[\"'](" + names + rb")[\"'])"
        )

    def look(self, block: bytes) -> None:
        """Take note of the cells in a piece of the sheet's XML that begins at the start of a cell."""
        if self._formats:
            for letters, row, style in self._styled.findall(block):
                styles = self._styles.setdefault(column_number(letters) - 1, array("H"))
                place = int(row) - 1
                styles.extend([0] * (place + 1 - len(styles)))
                styles[place] = int(style)
        if (b't="e"' in block or b"t='e'" in block) and len(self.errors) < _MOST_ERRORS:
            for letters, row, error in _ERROR.findall(block):
                self.errors[int(row) - 1, column_number(letters) - 1] = error.decode("ascii", "replace")
        if (b"<f" in block or b":f" in block) and _AFTER_FORMULA.search(block):
            self._look_for_uncalculated(block)
        if b"hidden=" in block and _HIDDEN.search(block):
            self._hidden_rows.update(_HIDDEN_ROW.findall(block))

    def count_hidden(self, *, filled: Set[bytes]) -> None:
        """Count the hidden rows that are filled, when the sheet was looked at to its end."""
        self.hidden = len(self._hidden_rows & filled)

    def _look_for_uncalculated(self, block: bytes) -> None:
        for attributes, formula, empty in _UNCALCULATED.findall(block):
            # An empty text is a result too: <c t="str"><f>…</f><v></v></c>, in Excel and all that follow it.
            # Without the type, nothing was calculated: openpyxl writes an empty <v> or none. And the type
            # alone says nothing: there are writers that give it to every formula, without a <v>.
            if empty and _TEXT_TYPE.search(attributes):
                continue
            if place := _CELL_PLACE.search(attributes):
                self.uncalculated.add(int(place[2]) - 1, column_number(place[1]) - 1)
            if spread := _ARRAY.match(formula):
                left, top, right, bottom = spread.groups()
                self._arrays.add((int(top), int(bottom), column_number(left), column_number(right)))

    def spread(self, *, height: int, width: int) -> None:
        """Take note of all cells of such formulas, when the sheet was looked at to its end and has that size.

        Raises Refusal: file.spreadsheet_too_large.
        """
        allowed = _MOST_SPREAD
        for top, bottom, first, last in self._arrays:
            rows, columns = range(max(top - 1, 0), min(bottom, height)), range(first - 1, min(last, width))
            allowed -= len(rows) * len(columns)
            if allowed < 0:
                raise Refusal("file.spreadsheet_too_large")
            for column in columns if rows else ():
                self.uncalculated.fill(rows, column)

    def text(self, row: int, column: int, value: Any) -> str | None:
        """See CellTexts."""
        if value == "":
            place = row, column
            return UNCALCULATED if place in self.uncalculated else self.errors.get(place)
        styles = self._styles.get(column)
        if styles is None or row >= len(styles) or not isinstance(value, (int, float)):
            return None
        code = self._formats.get(styles[row])
        return padded(value, code=code) if code else None


def padded(value: float, *, code: str) -> str | None:
    """A whole number in a format of zeros and marks, such as 00000 or 000-000."""
    if isinstance(value, bool) or value < 0 or value != int(value):
        return None
    parts = list(_LITERAL.finditer(code))
    zeros = sum(part[0] == "0" for part in parts)
    digits = list(str(int(value)).zfill(zeros))
    shown = []
    for part in reversed(parts):
        if part[0] != "0":
            shown.append("".join(mark for mark in part.groups() if mark))
            continue
        zeros -= 1
        # The first zero stands for all digits that are left.
        shown.append(digits.pop() if zeros else "".join(digits))
    return "".join(reversed(shown))


def column_number(letters: bytes) -> int:
    """The number of a column, counted from 1, by its letters."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _padded_formats(archive: zipfile.ZipFile) -> dict[int, str]:
    """The format code of each cell style that shows zeros in front."""
    if STYLES not in archive.namelist():
        return {}
    # Whatever entities or nesting it brings: this process has its limits, and nobody waits for it long.
    root = ElementTree.fromstring(archive.read(STYLES))  # noqa: S314
    codes = {
        item.get("numFmtId"): item.get("formatCode") or ""
        for item in root.iter()
        if item.tag.endswith("}numFmt")
    }
    styles: Iterable[ElementTree.Element] = next((item for item in root if item.tag.endswith("}cellXfs")), [])
    formats = {}
    for number, style in enumerate(styles):
        code = codes.get(style.get("numFmtId"), "").split(";")[0]
        if code.count("0") > 1 and _PADDED.fullmatch(code) and number < 1 << 16:
            formats[number] = code
    return formats


class OpenShown:
    """What is shown in one sheet of an ODS file: zeros in front of whole numbers. And formulas without a
    result, which have no type; only scripts write such."""

    def __init__(self, archive: zipfile.ZipFile, *, sheet: str) -> None:
        self.errors: dict[tuple[int, int], str] = {}
        self.uncalculated = Places()
        self.hidden = _open_hidden(archive, sheet=sheet)
        self._texts: dict[tuple[int, int], str] = {}
        if not _holds(archive, signs=_OPEN_SIGNS):
            return
        if archive.getinfo(OPEN_CONTENT).file_size > _MOST_PARSED_BYTES:
            raise Refusal("file.spreadsheet_too_large")
        root = ElementTree.fromstring(archive.read(OPEN_CONTENT))  # noqa: S314 (as above)
        table = next(
            (item for item in root.iter(f"{_TABLE}table") if item.get(f"{_TABLE}name") == sheet), None
        )
        row = 0
        for line in table.iter(f"{_TABLE}table-row") if table is not None else ():
            repeated = int(line.get(f"{_TABLE}number-rows-repeated", 1))
            self._take(line, rows=range(row, row + min(repeated, _MOST_REPEATED)))
            row += repeated

    def text(self, row: int, column: int, value: Any) -> str | None:
        """See CellTexts."""
        if value == "":
            return UNCALCULATED if (row, column) in self.uncalculated else None
        return self._texts.get((row, column)) if isinstance(value, (int, float)) else None

    def _take(self, line: ElementTree.Element, *, rows: range) -> None:
        column = 0
        for cell in line:
            repeated = int(cell.get(f"{_TABLE}number-columns-repeated", 1))
            columns = range(column, column + min(repeated, _MOST_REPEATED))
            text, type_ = "".join(cell.itertext()), cell.get(f"{_OFFICE}value-type")
            if type_ == "float" and _ZEROS.fullmatch(text):
                self._texts.update(dict.fromkeys(product(rows, columns), text))
            elif type_ is None and cell.get(f"{_TABLE}formula"):
                for row, place in product(rows, columns):
                    self.uncalculated.add(row, place)
            column += repeated


def _open_hidden(archive: zipfile.ZipFile, *, sheet: str) -> int:
    """How many filled rows of a sheet of an ODS file are hidden, by hand or by a filter."""
    if not _holds(archive, signs=_OPEN_HIDDEN):
        return 0
    count, name = 0, ""
    with archive.open(OPEN_CONTENT) as stream:
        for event, item in ElementTree.iterparse(stream, events=("start", "end")):  # noqa: S314 (as above)
            if event == "start" and item.tag == f"{_TABLE}table":
                name = item.get(f"{_TABLE}name", "")
            elif event == "end" and item.tag == f"{_TABLE}table-row":
                is_hidden = name == sheet and item.get(f"{_TABLE}visibility") in ("filter", "collapse")
                if is_hidden and any(map(str.strip, item.itertext())):
                    count += int(item.get(f"{_TABLE}number-rows-repeated", 1))
                item.clear()
    return count


def _holds(archive: zipfile.ZipFile, *, signs: re.Pattern[bytes]) -> bool:
    tail = b""
    with archive.open(OPEN_CONTENT) as stream:
        while block := stream.read(1 << 20):
            if signs.search(tail + block):
                return True
            # More than a cell with a formula takes up.
            tail = block[-(1 << 16) :]
    return False


OPEN_CONTENT = "content.xml"
# A tree takes many times the memory of its text.
_MOST_PARSED_BYTES = 48 << 20
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
# Zeros in front, or a formula without a result.
_OPEN_SIGNS = re.compile(
    rb"<text:p>0[0-9]+</text:p>"
    rb"|<table:table-cell(?=[^<>]*\stable:formula=)(?![^<>]*\soffice:value-type=)"
)
_OPEN_HIDDEN = re.compile(rb"<table:table-row(?=\s)[^<>]*\stable:visibility=[\"'](?:filter|collapse)")
_ZEROS = re.compile(r"0[0-9]+")
_MOST_REPEATED = 1000
