"""What a file is: its dialect, its headers, a sample, and how sure that is.

The dialect is the one in which the whole file, or a large sample from its head, middle and tail, makes
the best table: rows of one width, an address column, cells that are values. A first line alone proves
nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from backupsvc.errors import Refusal
from recipients.imports.charset import Charset, detect, doubly_encoded
from recipients.imports.columns import FIELDS, is_own_header, numbered
from recipients.imports.dialect import MOST_COLUMNS, Dialect, corrected
from recipients.imports.fit import Fit, best_fit, rows_in
from recipients.imports.heading import names_in, names_of
from recipients.imports.lines import MARK_ERRORS, split_lines
from recipients.imports.records import FAR_LINE, Row, has_address
from recipients.imports.shape import Shape, shape_of
from recipients.imports.spreadsheet import open_sheet
from recipients.values import SAFE_MARKER, unescape_formula

SAMPLE_ROWS = 20
_SHEET_ROWS = 300
# Head, middle and tail of a file larger than all three.
_HEAD_BYTES, _PART_BYTES = 1 << 18, 1 << 17

Warned = tuple[str, dict[str, Any]]

# Web pages that are called .xls, and documents of other programs, hold tables that are none of CSV.
_MARKUP = re.compile(
    r"\ufeff?\s*+(?:<(?:!doctype|html|head|body|table|meta|style|div|script)[\s>]|<\?xml|<!--|\{\\rtf"
    r"|BEGIN:VCARD|MIME-Version:|\[?\s*+\{\s*+\")",
    re.IGNORECASE,
)
# What some writers put before a quote in a cell, and others mean as it stands.
_BACKSLASH = re.compile(r"\\[\"'\\]")

# Below this certainty a person is asked to look whether the columns are right.
_DOUBT = 0.4


@dataclass(frozen=True)
class Sniffed:
    """What was found out about a file. `warnings` are (code, params).

    `confidence` says from 0 to 1 how sure the columns are, `encoding_certainty` how sure the characters.
    """

    dialect: Dialect
    headers: list[str]
    sample: list[list[str]]
    confidence: float
    warnings: list[Warned] = field(default_factory=list)
    is_own: bool = False
    is_spreadsheet_safe: bool = False
    rows_estimate: int | None = None
    sheets: list[str] = field(default_factory=list)
    encoding_certainty: float = 1.0


def sniff(path: Path, *, name: str = "", overrides: Mapping[str, object] | None = None) -> Sniffed:
    """Look at a file. `name` is what its owner calls it; `overrides` are fields of Dialect a person set.

    Raises Refusal("file.…") for a file that cannot be read at all.
    """
    given: dict[str, Any] = dict(overrides or {})
    corrected(Dialect(), overrides=given)
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        return _sniff_sheet(path, given=given)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        return _sniff_old_sheet(path, given=given)
    return _sniff_text(path, given=given)


# Delimited files


def _sniff_text(path: Path, *, given: dict[str, Any]) -> Sniffed:
    charset = Charset(given["encoding"]) if "encoding" in given else detect(path)
    encoding = charset.encoding
    parts = _sample_parts(path, encoding=encoding)
    if not any(part.strip("\ufeff \r\n\t") for part in parts):
        raise Refusal("file.empty")
    if _MARKUP.match(parts[0]) and "delimiter" not in given:
        raise Refusal("file.markup")
    base = replace(Dialect(), encoding=encoding)
    fit = _own_fit(parts, base=base, given=given) or best_fit(parts, base=base, given=given)
    shape, rows = fit.shape, fit.rows[fit.shape.start :]
    if shape.columns > MOST_COLUMNS:
        raise Refusal("file.too_many_columns", found=shape.columns, limit=MOST_COLUMNS)
    # A first row may be too long for all of it to be looked at.
    first_line = rows[0].line if rows[0].line < FAR_LINE else 1
    dialect = _with_shape(fit.dialect, shape=shape, first_line=given.get("first_line", first_line))
    warnings = _text_warnings(charset, text="".join(parts)) + _warnings(dialect, fit=fit)
    size, sampled = path.stat().st_size, sum(len(part.encode(encoding, "replace")) for part in parts)
    count = len(rows) - shape.header * shape.header_rows
    estimate = count if len(parts) == 1 else int(count * size / max(sampled, 1))
    found = _sniffed(dialect, rows=rows, confidence=fit.certainty, warnings=warnings, estimate=estimate)
    return replace(found, encoding_certainty=charset.certainty)


def _with_shape(dialect: Dialect, *, shape: Shape, first_line: int) -> Dialect:
    return replace(
        dialect,
        header=shape.header,
        header_rows=shape.header_rows,
        first_line=first_line,
        columns=shape.columns,
        short_rows=shape.short_rows,
        long_rows=shape.long_rows,
        notes=shape.notes,
    )


def _sample_parts(path: Path, *, encoding: str) -> list[str]:
    """The text of the whole file, or of its head, middle and tail, each from the start of a line."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size <= _HEAD_BYTES + 2 * _PART_BYTES:
            return [stream.read().decode(encoding, MARK_ERRORS)]
        head = stream.read(_HEAD_BYTES).decode(encoding, MARK_ERRORS)
        parts = [head[: max(head.rfind("\n"), head.rfind("\r")) + 1] or head]
        plain = encoding.removesuffix("-sig") if encoding != "utf-16" else "utf-16-le"
        for offset, end in ((size // 2, -1), (size - _PART_BYTES, None)):
            # A multiple of four is never within a character of UTF-16 or UTF-32.
            stream.seek(offset & ~3)
            text = stream.read(_PART_BYTES + 3).decode(plain, MARK_ERRORS)
            parts.append("".join(split_lines(text)[1:end]))
    return [part for part in parts if part]


def _own_fit(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> Fit | None:
    """Our own files need no guessing: their first line says all."""
    first = split_lines(parts[0])[0].lstrip("\ufeff")
    delimiter = next((mark for mark in ",;\t" if first.startswith((mark.join(FIELDS[:3]) + mark))), None)
    if delimiter is None or given:
        return None
    dialect = replace(base, delimiter=delimiter)
    rows, _ = rows_in(parts, dialect=dialect)
    if not is_own_header(rows[0].cells):
        return None
    columns = len(rows[0].cells)
    shape = Shape(columns, 0, True, _lacks_marker(rows), 1.0, 0, 1.0)
    return Fit(dialect, rows, shape, 1.0)


def _lacks_marker(rows: Sequence[Row]) -> bool:
    """Whether Excel has saved our safe file: it leaves out the empty cells that sixteen rows end with.

    Of the last row more may be missing where the file was cut off.
    """
    columns = len(rows[0].cells)
    widths = [len(row.cells) for row in rows if not row.problem and row.line < FAR_LINE]
    is_short = any(width < columns for width in widths[:-1]) or widths[-1:] == [columns - 1]
    return SAFE_MARKER in rows[0].cells and is_short


def _text_warnings(charset: Charset, *, text: str) -> list[Warned]:
    """What makes the characters doubtful."""
    warnings: list[Warned] = []
    if charset.lines:
        lines = ", ".join(map(str, charset.lines))
        warnings.append(("file.encoding_few", {"encoding": charset.encoding, "lines": lines}))
    elif charset.certainty < 1:
        warnings.append(("file.encoding_guessed", {"encoding": charset.encoding}))
    if not text.isascii():
        if doubled := doubly_encoded(text):
            warnings.append(("file.doubly_encoded", {"count": len(doubled), "example": doubled[0][:20]}))
        if lost := text.count("\ufffd"):
            warnings.append(("file.characters_lost", {"count": lost}))
    return warnings


def _warnings(dialect: Dialect, *, fit: Fit) -> list[Warned]:
    shape, rows = fit.shape, fit.rows[fit.shape.start :]
    warnings: list[Warned] = []
    if dialect.kind == "delimited" and len(rows) > 1 and _is_doubtful(fit):
        warnings.append(("file.delimiter_guessed", {"delimiter": dialect.delimiter}))
    if shape.start:
        warnings.append(("file.preamble_skipped", {"lines": dialect.first_line - 1}))
    cells = [cell for row in rows for cell in row.cells if "\\" in cell]
    if count := sum(bool(_BACKSLASH.search(cell)) for cell in cells):
        warnings.append(("file.backslashes", {"count": count}))
    if not dialect.header:
        warnings.append(("file.no_header", {}))
    else:
        warnings += _header_warnings(rows, dialect=dialect)
    if shape.second_table is not None and fit.rows[shape.second_table].line < FAR_LINE:
        warnings.append(("file.second_table", {"line": fit.rows[shape.second_table].line}))
    if damaged := sum(bool(row.problem) for row in rows):
        warnings.append(("file.damaged_rows", {"count": damaged}))
    return warnings


def _is_doubtful(fit: Fit) -> bool:
    """Whether another delimiter may be meant: it is likely, or addresses stand amid other things."""
    rows = fit.rows[fit.shape.start :]
    is_mixed = fit.shape.columns == 1 and fit.shape.address_column is None
    return fit.certainty < _DOUBT or (is_mixed and any(has_address(row.cells[0]) for row in rows))


def _header_warnings(rows: Sequence[Row], *, dialect: Dialect) -> list[Warned]:
    """What is odd about the header: names moved by a lost or stray delimiter are wrong for every row."""
    warnings: list[Warned] = []
    header, data = rows[0], rows[dialect.header_rows :]
    names = [name for name in names_in(header, columns=dialect.columns) if name.strip()]
    widths = Counter(len(row.cells) for row in data if not row.problem)
    usual = widths.most_common(1)[0][0] if widths else len(header.cells)
    if data and not widths[len(header.cells)]:
        warnings.append(("file.header_width", {"names": len(names), "columns": usual}))
    if header.problem:
        warnings.append(("file.header_damaged", {"line": header.line}))
    if dialect.header_rows > 1:
        warnings.append(("file.header_rows", {"count": dialect.header_rows}))
    return warnings


# Spreadsheets


def _sniff_old_sheet(path: Path, *, given: dict[str, Any]) -> Sniffed:
    """A spreadsheet in the format of Excel 97, or any other document of that time, or one with a password."""
    try:
        return _sniff_sheet(path, given=given)
    except Refusal as refusal:
        if refusal.code != "file.spreadsheet_unreadable":
            raise
    # The name of a stream, in a directory that may be anywhere in the file.
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        is_locked = content.find("EncryptedPackage".encode("utf-16-le")) >= 0
    raise Refusal("file.spreadsheet_locked" if is_locked else "file.spreadsheet_old")


def _sniff_sheet(path: Path, *, given: dict[str, Any]) -> Sniffed:
    with open_sheet(path, sheet=given.get("sheet", ""), limit=_SHEET_ROWS) as sheet:
        rows = [Row(line, cells) for line, cells in sheet.rows]
    if not rows:
        raise Refusal("file.empty")
    header, first_line = given.get("header"), given.get("first_line")
    width = max(len(row.cells) for row in rows)
    # A sheet's rows end at their last filled cell.
    all_rows = [Row(row.line, row.cells + [""] * (width - len(row.cells))) for row in rows]
    shape = shape_of(all_rows, header=header, first_line=first_line)
    rows, columns = all_rows[shape.start :], shape.columns
    if columns > MOST_COLUMNS:
        raise Refusal("file.too_many_columns", found=columns, limit=MOST_COLUMNS)
    base = Dialect(kind="spreadsheet", sheet=sheet.name)
    dialect = replace(_with_shape(base, shape=shape, first_line=rows[0].line), short_rows=True)
    fit = Fit(dialect, all_rows, shape, 1.0)
    warnings = _warnings(dialect, fit=fit)
    if sheet.unread:
        warnings.append(("file.sheets_unread", {"sheet": sheet.name, "others": ", ".join(sheet.unread)}))
    if sheet.merged:
        warnings.append(("file.merged_cells", {"count": sheet.merged}))
    if sheet.hidden:
        warnings.append(("file.hidden_rows", {"count": sheet.hidden}))
    if sheet.errors:
        warnings.append(("file.error_cells", {"count": sheet.errors}))
    if sheet.uncalculated:
        warnings.append(("file.uncalculated_cells", {"count": sheet.uncalculated}))
    estimate = sheet.last_row - rows[0].line + 1 - shape.header * shape.header_rows
    found = _sniffed(dialect, rows=rows, confidence=1.0, warnings=warnings, estimate=estimate)
    return replace(found, sheets=sheet.sheets)


# Both


def _sniffed(
    dialect: Dialect, *, rows: Sequence[Row], confidence: float, warnings: list[Warned], estimate: int
) -> Sniffed:
    header, data_rows = (
        (rows[: dialect.header_rows], rows[dialect.header_rows :]) if dialect.header else ([], rows)
    )
    names = names_of(header, columns=dialect.columns) if header else []
    data = [list(row.cells) for row in data_rows if not row.problem][:SAMPLE_ROWS]
    plain = [unescape_formula(name) for name in names]
    known = max((n for n, name in enumerate(names, 1) if name), default=0)
    is_own = is_own_header(names)
    # Wherever it stands: people add columns behind it.
    is_safe = SAFE_MARKER in plain
    if is_safe:
        names, data = plain, [[unescape_formula(cell) for cell in row] for row in data]
    headers = [names[n] if n < known else numbered(n) for n in range(dialect.columns)]
    if not any(has_address(cell) for row in data for cell in row) and data:
        warnings = [*warnings, ("file.no_address_column", {})]
    return Sniffed(
        dialect, headers, data, confidence, warnings, is_own=is_own, is_spreadsheet_safe=is_safe,
        rows_estimate=max(estimate, 0),
    )  # fmt: skip
