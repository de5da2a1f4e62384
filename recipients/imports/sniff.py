"""What a file is: its dialect, its headers, a sample, and how sure that is.

The dialect is the one in which the whole file, or a large sample from its head, middle and tail, makes
the best table: rows of one width, an address column, cells that are values. A first line alone proves
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backupsvc.errors import Refusal
from recipients.imports.charset import detect
from recipients.imports.columns import FIELDS, is_own_header
from recipients.imports.dialect import MOST_COLUMNS, Dialect, corrected
from recipients.imports.lines import MARK_ERRORS, split_lines
from recipients.imports.records import ADDRESS, Records, Row
from recipients.imports.shape import Shape, header_names, shape_of
from recipients.imports.spreadsheet import open_sheet
from recipients.values import SAFE_MARKER, unescape_formula

SAMPLE_ROWS = 20
_SHEET_ROWS = 300
# Head, middle and tail of a file larger than all three.
_HEAD_BYTES, _PART_BYTES = 1 << 18, 1 << 17

# With how much trust each delimiter is tried. "" is one column: a cell a line.
_DELIMITERS = {
    ",": 1.0, ";": 1.0, "\t": 1.0, "|": 1.0, "||": 1.0, "::": 0.95, ", ": 0.98, "; ": 0.98, "~": 0.9,
    "^": 0.9, "\t\t": 0.95, "\\t": 0.9, "\x1f": 0.9, ":": 0.8, " ": 0.7, "": 0.9,
}  # fmt: skip
_SEP_LINE = re.compile(r"\ufeff?\"?sep=(.{1,2}?)\"?[\r\n]*", re.IGNORECASE)
_VALUE = re.compile(r"[+-]?[\d.,]*\d%?|[\d./: T+Z-]{5,35}|[\w .'’()&/@+#!?*<>-]*|https?://\S+")
# Marks of a quote or an escape that was not understood.
_WRAPPED = re.compile(r"([\"']).*\1|.*\\[\"'].*", re.DOTALL)


@dataclass(frozen=True)
class Sniffed:
    """What was found out about a file. `warnings` are (code, params)."""

    dialect: Dialect
    headers: list[str]
    sample: list[list[str]]
    confidence: float
    warnings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_own: bool = False
    is_spreadsheet_safe: bool = False
    rows_estimate: int | None = None
    sheets: list[str] = field(default_factory=list)


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
        raise Refusal("file.spreadsheet_old")
    return _sniff_text(path, given=given)


# Delimited files


@dataclass(frozen=True)
class _Fit:
    dialect: Dialect
    rows: list[Row]
    shape: Shape
    score: float


def _sniff_text(path: Path, *, given: dict[str, Any]) -> Sniffed:
    encoding, is_guess = (given["encoding"], False) if "encoding" in given else detect(path)
    parts = _sample_parts(path, encoding=encoding)
    if not any(part.strip("\ufeff \r\n\t") for part in parts):
        raise Refusal("file.empty")
    base = replace(Dialect(), encoding=encoding)
    fit = _own_fit(parts, base=base, given=given) or _best_fit(parts, base=base, given=given)
    shape, rows = fit.shape, fit.rows[fit.shape.start :]
    if shape.columns > MOST_COLUMNS:
        raise Refusal("file.too_many_columns", found=shape.columns, limit=MOST_COLUMNS)
    dialect = replace(
        fit.dialect,
        header=shape.header,
        first_line=given.get("first_line", rows[0].line),
        columns=shape.columns,
        short_rows=shape.short_rows,
    )
    warnings = _warnings(dialect, rows=rows, is_guess=is_guess and "encoding" not in given, start=shape.start)
    size, sampled = path.stat().st_size, sum(len(part.encode(encoding, "replace")) for part in parts)
    count = len(rows) - shape.header
    estimate = count if len(parts) == 1 else int(count * size / max(sampled, 1))
    return _sniffed(dialect, rows=rows, confidence=min(fit.score, 1.0), warnings=warnings, estimate=estimate)


def _sample_parts(path: Path, *, encoding: str) -> list[str]:
    """The text of the whole file, or of its head, middle and tail, each from the start of a line."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size <= _HEAD_BYTES + 2 * _PART_BYTES:
            return [stream.read().decode(encoding, MARK_ERRORS)]
        head = stream.read(_HEAD_BYTES).decode(encoding, MARK_ERRORS)
        parts = [head[: max(head.rfind("\n"), head.rfind("\r")) + 1] or head]
        plain = encoding.removesuffix("-sig") if encoding != "utf-16" else "utf-16-le"
        for offset in (size // 2, size - _PART_BYTES):
            # A multiple of four is never within a character of UTF-16 or UTF-32.
            stream.seek(offset & ~3)
            text = stream.read(_PART_BYTES).decode(plain, MARK_ERRORS)
            parts.append("".join(split_lines(text)[1:-1]))
    return [part for part in parts if part]


def _own_fit(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> _Fit | None:
    """Our own files need no guessing: their first line says all."""
    first = split_lines(parts[0])[0].lstrip("\ufeff")
    delimiter = next((mark for mark in ",;\t" if first.startswith((mark.join(FIELDS[:3]) + mark))), None)
    if delimiter is None or given:
        return None
    dialect = replace(base, delimiter=delimiter)
    rows = _rows(parts, dialect=dialect)
    if not rows or not is_own_header(rows[0].cells):
        return None
    columns = len(rows[0].cells)
    return _Fit(dialect, rows, Shape(columns, 0, True, False, 1.0, 0, 1.0), 1.0)


def _best_fit(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> _Fit:
    fits = [
        _fit(parts, dialect=dialect, given=given) for dialect in _candidates(parts, base=base, given=given)
    ]
    by_quote = {(fit.dialect.delimiter, fit.dialect.quote): fit for fit in fits if not fit.dialect.escape}
    return max(fits, key=lambda fit: _weighed(fit, beside=by_quote.get((fit.dialect.delimiter, '"'))))


def _weighed(fit: _Fit, *, beside: _Fit | None) -> float:
    """The score, less for reading quotes as plain characters unless quoting clearly fails.

    One stray quote must not turn a file's quotes into data: then nobody would hear of it.
    """
    if fit.dialect.quote or beside is None:
        return fit.score
    broken = sum(bool(row.problem) for row in beside.rows)
    is_open = any(cell[:1] == '"' and cell.count('"') & 1 for row in fit.rows for cell in row.cells)
    return fit.score * 0.8 if broken >= 3 and not is_open else 0.0


def _candidates(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> list[Dialect]:
    text = "".join(parts)
    marks = [mark for mark in _DELIMITERS if mark in text or mark in ("", ",")]
    if re.search(r"<\S+@\S+>", text) and " " in marks:
        # "Ann Smith <ann@example.com>": the spaces are within the cells.
        marks.remove(" ")
    if separator := _SEP_LINE.match(parts[0]):
        marks = [separator[1]]
    delimiters = [given["delimiter"]] if "delimiter" in given else marks
    quotes = [
        '"',
        *(["'"] if re.search(r"'(?:\W|$)", text, re.MULTILINE) else []),
        *([""] if '"' in text else []),
    ]
    quotes = [given["quote"]] if "quote" in given else quotes
    escapes = ["", *(["\\"] if re.search(r"\\[\"'\\,;|\t]", text) else [])]
    escapes = [given["escape"]] if "escape" in given else escapes
    return [
        replace(base, delimiter=delimiter, quote=quote, escape=escape)
        for delimiter in delimiters
        for quote in quotes
        for escape in escapes
    ]


def _fit(parts: Sequence[str], *, dialect: Dialect, given: Mapping[str, Any]) -> _Fit:
    first_line = given.get("first_line")
    if first_line is None and _SEP_LINE.match(parts[0]):
        first_line = 2
    rows = _rows(parts, dialect=dialect)
    shape = shape_of(rows, header=given.get("header"), first_line=first_line)
    score = _score([row.cells for row in rows[shape.start :][:400] if not row.problem], shape=shape)
    return _Fit(dialect, rows, shape, score * _DELIMITERS.get(dialect.delimiter, 0.9))


def _score(table: Sequence[list[str]], *, shape: Shape) -> float:
    """How good a table this is, from 0 to 1."""
    cells = [cell for row in table for cell in row if cell]
    count = max(len(cells), 1)
    values = sum(bool(_VALUE.fullmatch(cell)) for cell in cells) / count
    # Signs of the wrong quote or delimiter: quotes left around cells, spaces before them, columns of nothing.
    wrapped = sum(bool(_WRAPPED.fullmatch(cell)) for cell in cells) / count
    spaced = sum(cell[0] == " " for cell in cells) / count
    filled = sum(any(column) for column in zip(*table, strict=False)) / max(shape.columns, 1)
    score = shape.consistency**2 * (0.5 + 0.5 * values) * (0.4 + 0.6 * shape.address_share)
    score *= (1 - 0.5 * wrapped) * (1 - 0.2 * spaced) * (0.7 + 0.3 * min(filled, 1.0))
    return score * (1.0 if shape.columns > 1 else 0.6)


def _rows(parts: Sequence[str], *, dialect: Dialect) -> list[Row]:
    """The rows of all parts. Those behind the first part have line numbers that mean nothing."""
    rows: list[Row] = []
    for number, part in enumerate(parts):
        lines = split_lines(part.lstrip("\ufeff"))
        found = list(Records(lines, dialect=dialect, columns=None, line=1 if number == 0 else 1_000_000))
        # A part that begins within a quoted cell begins with rubble.
        rows += found if number == 0 else found[1:]
    return rows or [Row(1, [""])]


def _warnings(
    dialect: Dialect, *, rows: Sequence[Row], is_guess: bool, start: int
) -> list[tuple[str, dict[str, Any]]]:
    warnings: list[tuple[str, dict[str, Any]]] = []
    if is_guess:
        warnings.append(("file.encoding_guessed", {"encoding": dialect.encoding}))
    if start:
        warnings.append(("file.preamble_skipped", {"lines": dialect.first_line - 1}))
    if not dialect.header:
        warnings.append(("file.no_header", {}))
    if damaged := sum(bool(row.problem) for row in rows):
        warnings.append(("file.damaged_rows", {"count": damaged}))
    return warnings


# Spreadsheets


def _sniff_sheet(path: Path, *, given: dict[str, Any]) -> Sniffed:
    with open_sheet(path, sheet=given.get("sheet", ""), limit=_SHEET_ROWS) as sheet:
        rows = [Row(line, cells) for line, cells in sheet.rows]
    if not rows:
        raise Refusal("file.empty")
    header, first_line = given.get("header"), given.get("first_line")
    width = max(len(row.cells) for row in rows)
    # A sheet's rows end at their last filled cell.
    rows = [Row(row.line, row.cells + [""] * (width - len(row.cells))) for row in rows]
    shape = shape_of(rows, header=header, first_line=first_line)
    rows, columns = rows[shape.start :], shape.columns
    if columns > MOST_COLUMNS:
        raise Refusal("file.too_many_columns", found=columns, limit=MOST_COLUMNS)
    dialect = Dialect(
        kind="spreadsheet", header=shape.header, first_line=rows[0].line, sheet=sheet.name, columns=columns,
        short_rows=True,
    )  # fmt: skip
    warnings = _warnings(dialect, rows=rows, is_guess=False, start=shape.start)
    estimate = sheet.last_row - rows[0].line + (not shape.header)
    found = _sniffed(dialect, rows=rows, confidence=1.0, warnings=warnings, estimate=estimate)
    return replace(found, sheets=sheet.sheets)


# Both


def _sniffed(
    dialect: Dialect, *, rows: Sequence[Row], confidence: float, warnings: list[Any], estimate: int
) -> Sniffed:
    names = header_names(rows[0], quote=dialect.quote) if dialect.header else []
    data = [list(row.cells) for row in rows[dialect.header :] if not row.problem][:SAMPLE_ROWS]
    plain = [unescape_formula(name) for name in names]
    is_own = is_own_header(names)
    is_safe = bool(plain) and plain[-1] == SAFE_MARKER
    if is_safe:
        names, data = plain, [[unescape_formula(cell) for cell in row] for row in data]
    headers = [names[n] if n < len(names) else f"Column {n + 1}" for n in range(dialect.columns)]
    if not any(ADDRESS.search(cell) for row in data for cell in row) and data:
        warnings = [*warnings, ("file.no_address_column", {})]
    return Sniffed(
        dialect, headers, data, confidence, warnings, is_own=is_own, is_spreadsheet_safe=is_safe,
        rows_estimate=max(estimate, 0),
    )  # fmt: skip
