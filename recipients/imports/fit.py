"""How well a dialect fits a file: every dialect worth trying is, and the one with the best table wins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, takewhile
from typing import Any

from recipients.imports.dialect import Dialect
from recipients.imports.heading import value_columns
from recipients.imports.lines import split_lines
from recipients.imports.records import FAR_LINE, Records, Row
from recipients.imports.shape import Shape, shape_of

# With how much trust each delimiter is tried. "" is one column: a cell a line.
_DELIMITERS = {
    ",": 1.0, ";": 1.0, "\t": 1.0, "|": 1.0, "||": 1.0, "::": 0.95, ", ": 0.98, "; ": 0.98, "~": 0.9,
    "^": 0.9, "\t\t": 0.95, "\\t": 0.9, "\x1f": 0.9, ":": 0.8, " ": 0.75, "": 0.9,
}  # fmt: skip
# Any other mark that most lines have equally often is tried too, but not these: they are in values.
_IN_VALUES = frozenset("@._-+'\"()[]{}<>\\")
_RARE_TRUST = 0.75
_MOST_RARE = 3
# Escapes other than the backslash are tried where quotes stand behind them.
_ESCAPES = "\\^~/!|#$%&*?\0"
_SEP_LINE = re.compile(r"\ufeff?\"?sep=(.{1,2}?)\"?[\r\n]*", re.IGNORECASE)
_VALUE = re.compile(r"[+-]?[\d.,]*\d%?|[\d./: T+Z-]{5,35}|[\w .'’()&/@+#!?*<>-]*|https?://\S+")
# Marks of a quote or an escape that was not understood.
_WRAPPED = re.compile(r"([\"']).*\1|.*\\[\"'].*", re.DOTALL)
# A quote that opens or closes, and has its partner in another cell.
_OPENED = re.compile(r"\"[^\"]*|'[^']*|[^\"]*[^\"\d]\"|[^']*'", re.DOTALL)
# A line that is one address. It may hold some of the marks that delimit.
_ADDRESS = re.compile(r"[^\s,;:@\"()<>\[\]\\]+@[\w-]+(?:\.[\w-]+)+")
_MOSTLY = 0.9
# What most files are delimited by, and a name between two of them.
_USUAL = ",;\t|"
_NAME = re.compile(r"[\w .()/#-]{0,40}")
# Rows above a table that are no reason for doubt.
_FREE_ROWS = 5
_COMPARED_ROWS = 50
# So many characters of each part tell which dialects are worth the whole.
_FIRST_LOOK = 1 << 14


@dataclass(frozen=True)
class Fit:
    """What a dialect makes of the sampled rows. `score` and `certainty` are from 0 to 1.

    `untidy` counts the rows with quotes within unquoted cells. `certainty` is low where the table is a
    poor one, or where another dialect makes one nearly as good.
    """

    dialect: Dialect
    rows: list[Row]
    shape: Shape
    score: float
    certainty: float = 1.0
    untidy: int = 0


def best_fit(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> Fit:
    """The dialect that fits the parts of a file best. `given` are the fields that a person chose."""
    candidates = _candidates(parts, base=base, given=given)
    if sum(map(len, parts)) > 2 * _FIRST_LOOK:
        candidates = _likely(parts, candidates=candidates, given=given)
    fits = [_fit(parts, dialect=dialect, given=given) for dialect in candidates]
    plain = {(fit.dialect.delimiter, fit.dialect.quote): fit for fit in fits if not fit.dialect.escape}
    scores = [_weighed(fit, beside=plain) for fit in fits]
    best = max(range(len(fits)), key=lambda n: scores[n])
    rivals = [score for fit, score in zip(fits, scores, strict=True) if _is_rival(fit, best=fits[best])]
    margin = 1 - max(rivals, default=0.0) / (scores[best] or 1.0)
    quality = fits[best].shape.consistency * min(1.0, 0.5 + len(fits[best].rows) / 20)
    return replace(fits[best], certainty=round(quality * min(1.0, 2 * margin), 3))


def _likely(
    parts: Sequence[str], *, candidates: Sequence[Dialect], given: Mapping[str, Any]
) -> list[Dialect]:
    """The candidates that are no hopeless ones by a first look at a little of each part."""
    some = [part[: part.rfind("\n", 0, _FIRST_LOOK) + 1] or part for part in parts]
    fits = [_fit(some, dialect=dialect, given=given) for dialect in candidates]
    enough = 0.4 * max(fit.score for fit in fits)
    likely = {(fit.dialect.delimiter, fit.dialect.quote) for fit in fits if fit.score >= enough}
    # An escape or no quote is judged beside the same delimiter without it.
    marks = {delimiter for delimiter, _ in likely}
    return [
        dialect
        for dialect in candidates
        if (dialect.delimiter, dialect.quote) in likely
        or (dialect.delimiter in marks and dialect.quote == '"')
    ]


def _is_rival(fit: Fit, *, best: Fit) -> bool:
    """Whether a dialect casts doubt on the best one: it reads other cells, and other quotes do not merely
    damage what the same delimiter reads soundly."""
    is_worse = fit.dialect.delimiter == best.dialect.delimiter and _misfits(fit) > _misfits(best)
    return not is_worse and _differs(fit, best)


def _differs(fit: Fit, best: Fit) -> bool:
    here, there = ([row.cells for row in one.rows[:_COMPARED_ROWS]] for one in (fit, best))
    return here != there


def rows_in(parts: Sequence[str], *, dialect: Dialect) -> tuple[list[Row], int]:
    """The rows of all parts, and how many of them have quotes within unquoted cells.

    Those behind the first part have line numbers that mean nothing.
    """
    rows: list[Row] = []
    untidy = 0
    for number, part in enumerate(parts):
        lines = split_lines(part.lstrip("\ufeff"))
        records = Records(lines, dialect=dialect, columns=None, line=1 if number == 0 else FAR_LINE)
        found = list(records)
        # A part that begins or ends within a quoted cell begins or ends with rubble.
        if number:
            found = list(dropwhile(lambda row: row.problem, found[1:]))
        if number < len(parts) - 1 and found and found[-1].problem:
            found.pop()
        rows += found
        untidy += records.untidy
    return rows or [Row(1, [""])], untidy


def _weighed(fit: Fit, *, beside: Mapping[tuple[str, str], Fit]) -> float:
    """The score, less for reading quotes as plain characters unless quoting clearly fails, and less for
    an escape that mends nothing.

    One stray quote must not turn a file's quotes into data, and one backslash must not turn those of a
    whole file into escapes: then nobody would hear of it.
    """
    dialect = fit.dialect
    if dialect.escape:
        without = beside.get((dialect.delimiter, dialect.quote))
        return fit.score if without and _misfits(fit) < _misfits(without) else 0.0
    quoted = beside.get((dialect.delimiter, '"'))
    if dialect.quote or quoted is None:
        return fit.score
    broken = sum(bool(row.problem) for row in quoted.rows)
    is_open = any(cell[:1] == '"' and cell.count('"') & 1 for row in fit.rows for cell in row.cells)
    return fit.score * 0.8 if broken >= 3 and not is_open else 0.0


def _misfits(fit: Fit) -> int:
    """How many rows are damaged, of another width than the table's, or have quotes within unquoted cells."""
    columns = fit.shape.columns
    return fit.untidy + sum(
        bool(row.problem) or len(row.cells) != columns for row in fit.rows[fit.shape.start :]
    )


def _candidates(parts: Sequence[str], *, base: Dialect, given: Mapping[str, Any]) -> list[Dialect]:
    text = "".join(parts)
    quotes = [
        '"',
        *(["'"] if re.search(r"'(?:\W|$)", text, re.MULTILINE) else []),
        *([""] if '"' in text else []),
    ]
    escapes = ["", *(mark for mark in _ESCAPES if mark in text and _may_escape(mark, text=text))]
    delimiters = [given["delimiter"]] if "delimiter" in given else _delimiters(parts, text=text)
    return [
        replace(base, delimiter=delimiter, quote=quote, escape=escape)
        for delimiter in delimiters
        for quote in ([given["quote"]] if "quote" in given else quotes)
        for escape in ([given["escape"]] if "escape" in given else escapes)
        if not escape or escape != delimiter
    ]


def _may_escape(mark: str, *, text: str) -> bool:
    behind = r"[\"'\\,;|\t\r\n]" if mark == "\\" else r"[\"']"
    return bool(re.search(rf"[^,;|\t\"']{re.escape(mark)}{behind}", text))


def _delimiters(parts: Sequence[str], *, text: str) -> list[str]:
    if separator := _SEP_LINE.match(parts[0]):
        return [separator[1]]
    marks = [mark for mark in _DELIMITERS if mark in text or mark in ("", ",")]
    if re.search(r"<[^\s<>@]+@[^\s<>@]+>", text) and " " in marks:
        # "Ann Smith <ann@example.com>": the spaces are within the cells.
        marks.remove(" ")
    marks += _rare_delimiters(text, known=marks)
    lines = _first_lines(text)
    above = "".join(takewhile(lambda line: "@" not in line, lines))
    if above and sum(bool(_ADDRESS.fullmatch(line)) for line in lines) >= _MOSTLY * (len(lines) - 1):
        # One column of addresses: a rare mark that its header does not have is a part of them.
        marks = [mark for mark in marks if mark in above or mark in _USUAL]
    return marks


def _first_lines(text: str) -> list[str]:
    """The first lines that are not empty."""
    return [line for line in map(str.strip, split_lines(text[: 1 << 15])[:200]) if line]


def _rare_delimiters(text: str, *, known: Sequence[str]) -> list[str]:
    """Marks that most lines have equally often, and that no list of delimiters names."""
    lines = _first_lines(text)
    marks = {mark for mark in set("".join(lines[:5])) if not mark.isalnum() and not mark.isspace()}
    shares = {}
    # Between two quotes, as in "a"-"b", even a mark that values have is a delimiter.
    between = Counter(re.findall(r"[\"']([^a-zA-Z0-9\s\"'])[\"']", "".join(lines)))
    sure = {mark for mark, count in between.most_common(1) if count >= len(lines)}
    for mark in ((marks - _IN_VALUES) | sure) - set(known):
        counts = Counter(line.count(mark) for line in lines)
        usual, share = counts.most_common(1)[0]
        if usual and share >= 0.5 * len(lines):
            shares[mark] = share
    return sorted(shares, key=lambda mark: (-shares[mark], mark))[:_MOST_RARE]


def _fit(parts: Sequence[str], *, dialect: Dialect, given: Mapping[str, Any]) -> Fit:
    first_line = given.get("first_line")
    if first_line is None and _SEP_LINE.match(parts[0]):
        first_line = 2
    rows, untidy = rows_in(parts, dialect=dialect)
    shape = shape_of(rows, header=given.get("header"), first_line=first_line)
    body = rows[shape.start :]
    score = _score([row.cells for row in body[:400] if not row.problem], shape=shape)
    # A table at the end of rows that fit nowhere is found in any text, and one of a single row everywhere.
    free = min(_FREE_ROWS, len(body) - 1)
    score *= len(body) / (len(body) + max(0, shape.others - free)) if first_line is None else 1.0
    if shape.start and first_line is None:
        # What was skipped may be the header, which fits the right dialect only.
        score *= 0.85 if shape.header else 0.5
    score *= 1 - 0.5 * untidy / max(len(rows), 1)
    return Fit(dialect, rows, shape, score * _DELIMITERS.get(dialect.delimiter, _RARE_TRUST), untidy=untidy)


def _score(table: Sequence[list[str]], *, shape: Shape) -> float:
    """How good a table this is, from 0 to 1."""
    cells = [cell for row in table for cell in row if cell]
    count = max(len(cells), 1)
    values = sum(bool(_VALUE.fullmatch(cell)) for cell in cells) / count
    # Signs of the wrong quote or delimiter: quotes left around cells, spaces before them, columns of nothing.
    wrapped = sum(bool(_WRAPPED.fullmatch(cell)) for cell in cells) / count
    spaced = sum(cell[0] == " " for cell in cells) / count
    filled = sum(any(column) for column in zip(*table, strict=False)) / max(shape.columns, 1)
    data = [Row(0, cells) for cells in table[shape.header * shape.header_rows :]]
    typed = len(value_columns(data, columns=shape.columns))
    opened = sum(any(map(_OPENED.fullmatch, cells)) for cells in table) / max(len(table), 1)
    # Two tables in a file are no worse than one.
    score = (
        max(shape.consistency, 0.9 * shape.coherence) ** 2
        * (0.5 + 0.5 * values)
        * (0.4 + 0.6 * shape.address_share)
    )
    score *= (1 - 0.6 * opened) * (1 - 0.5 * wrapped) * (1 - 0.2 * spaced) * (0.7 + 0.3 * min(filled, 1.0))
    if shape.columns > 2 and not any(any(row.cells[1::2]) for row in data):
        # Of a||b, half of the delimiter was taken.
        score *= 0.5
    score *= 0.7 + 0.3 * typed / max(shape.columns, 1)
    if shape.columns > 1:
        return score
    return score * (0.2 if _is_split(table, header=shape.header) else 0.6)


def _is_split(table: Sequence[list[str]], *, header: bool) -> bool:
    """Whether a table of one column has a header that a delimiter cuts into names, and rows that have it
    too: then rows of other widths are likelier than one column."""
    texts = [cells[0] for cells in table if cells]
    for mark in _USUAL if header and len(texts) > 1 else ():
        names = [name.strip(" \"'") for name in texts[0].split(mark)]
        if len(names) > 1 and all(_NAME.fullmatch(name) for name in names) and any(names):
            return 2 * sum(mark in text for text in texts[1:]) >= len(texts) - 1
    return False
