"""What the columns of a file say about their cells: which comes first, day or month; which mark stands
before a fraction; what the words of a status mean. And signs that the file was not read as it was meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from backupsvc.errors import Refusal
from recipients.imports import mapping as maps
from recipients.imports.fields import field_parser
from recipients.times import Style, Tally, parse_date, tally
from recipients.values import DecimalVotes, decimal_votes, parse_number

DATED = ("registered", "activated", "deactivated")
DAY, MONTH, DAYS, POINT, COMMA = "day", "month", "days", ".", ","
# A column of words has few of them; more are texts that only look like a status by their name.
MOST_WORDS = 12
# The meaning of a word that nobody knows.
UNKNOWN = "?"
REPLACEMENT = "\ufffd"
# UTF-8 that was read as Latin 1 or Windows: Ã¤, â€™.
_TWICE_ENCODED = re.compile("Ã[\u0080-\u00bf\u0152-\u0178\u2013-\u2122]|â(?:€|\u0080)|Â[\u00a0-\u00bf]")
_MARKS = ",;\t|"

Kind = Literal["dates", "numbers", "words"]


@dataclass(frozen=True)
class Reading:
    """How the cells of one column are read.

    `choice` is DAY or MONTH (which comes first), DAYS (numbers are a spreadsheet's days), POINT or COMMA
    (the mark before a fraction), or "" where the column does not tell: then a person has to. `is_sure`
    says that the column's own cells tell it: `told` of them do, `against` say the opposite. `examples`
    are cells beside what they are with the first choice (DAY, DAYS, POINT) and with the other; for words,
    the word, its meaning and how often it is there.
    """

    index: int
    header: str
    kind: Kind
    choice: str
    is_sure: bool
    examples: list[list[str]]
    told: int = 0
    against: int = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody has to say how the column is meant."""
        return self.kind != "words" and not self.choice

    @property
    def choices(self) -> tuple[str, ...]:
        """What a person can choose."""
        if self.kind == "words" or self.choice == DAYS:
            return ()
        return (DAY, MONTH) if self.kind == "dates" else (POINT, COMMA)


@dataclass(frozen=True)
class Survey:
    """The columns that need a word, and how many of the rows looked at show a sign of being misread."""

    rows: int = 0
    readings: list[Reading] = field(default_factory=list)
    # Rows with replacement characters, and with text in UTF-8 that was read as something else.
    replaced: int = 0
    twice_encoded: int = 0
    example: str = ""
    # The mark that stands in most cells of a file of one column.
    unsplit: str = ""

    def open_columns(self, orders: Mapping[str, str]) -> list[Reading]:
        """The columns that neither tell by themselves nor were decided by a person."""
        return [one for one in self.readings if one.is_open and orders.get(str(one.index)) not in one.choices]

    def chosen(self, orders: Mapping[str, str]) -> dict[int, str]:
        """For each column of dates or numbers what it is read by: a person's choice, or its own."""
        found = {}
        for one in self.readings:
            asked = orders.get(str(one.index), "")
            found[one.index] = asked if asked in one.choices else one.choice
        return found

    def to_json(self) -> dict[str, Any]:
        """The survey as a plain dict, to be stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Survey:
        """The survey that `to_json` stored."""
        readings = [Reading(**reading) for reading in stored.get("readings", [])]
        return cls(**{**stored, "readings": readings})


def survey(
    rows: Iterable[Sequence[str]],
    *,
    headers: Sequence[str],
    mapping: maps.Mapping,
    attributes: Sequence[maps.AttributeSpec],
    is_own: bool = False,
) -> Survey:
    """Look at the cells of some rows. Our own files say all by themselves: no column of theirs is asked."""
    kinds = {} if is_own else _kinds(mapping, attributes=attributes)
    cells: dict[int, list[str]] = {index: [] for index in kinds}
    signs: Counter[str] = Counter()
    example = ""
    count = 0
    for row in rows:
        count += 1
        text = "\n".join(row)
        if not text.isascii() and (sign := _sign(text)):
            signs[sign] += 1
            example = example or next(cell for cell in row if _sign(cell))
        if len(headers) == 1:
            signs.update(mark for mark in _MARKS if mark in text)
        for index, column in cells.items():
            if index < len(row) and row[index].strip():
                column.append(row[index])
    return Survey(
        rows=count,
        readings=_readings(kinds, cells=cells, headers=headers),
        replaced=signs["replaced"],
        twice_encoded=signs["twice"],
        example=example[:60],
        unsplit=next((mark for mark in _MARKS if count > 1 and signs[mark] > count / 2), ""),
    )


def _kinds(mapping: maps.Mapping, *, attributes: Sequence[maps.AttributeSpec]) -> dict[int, Kind]:
    """The columns of dates, numbers and words of a status."""
    types = {spec.name: spec.type for spec in (*attributes, *mapping.new)}
    found: dict[int, Kind] = {}
    for index, target in enumerate(mapping.columns):
        type_ = types.get(target.removeprefix(maps.ATTRIBUTE)) if target.startswith(maps.ATTRIBUTE) else ""
        if target in DATED or type_ == "date":
            found[index] = "dates"
        elif type_ == "number":
            found[index] = "numbers"
        elif target == "status":
            found[index] = "words"
    return found


def _sign(text: str) -> str:
    if REPLACEMENT in text:
        return "replaced"
    return "twice" if _TWICE_ENCODED.search(text) else ""


def _readings(
    kinds: Mapping[int, Kind], *, cells: Mapping[int, list[str]], headers: Sequence[str]
) -> list[Reading]:
    dates = {index: tally(cells[index]) for index, kind in kinds.items() if kind == "dates"}
    numbers = {index: decimal_votes(cells[index]) for index, kind in kinds.items() if kind == "numbers"}
    # One program wrote all columns of a file: where one does not tell, the others may.
    days = sum(one.day_first for one in dates.values()) - sum(one.month_first for one in dates.values())
    commas = sum(one.comma for one in numbers.values()) - sum(one.point for one in numbers.values())
    readings = [
        *(_date_reading(index, found, header=headers[index], votes=days) for index, found in dates.items()),
        *(_number_reading(index, found, header=headers[index], votes=commas)
          for index, found in numbers.items()),
        *(_word_reading(index, cells[index], header=headers[index])
          for index, kind in kinds.items() if kind == "words"),
    ]  # fmt: skip
    return sorted((reading for reading in readings if reading), key=lambda reading: reading.index)


def _date_reading(index: int, found: Tally, *, header: str, votes: int) -> Reading | None:
    if found.is_serial:
        examples = [[found.number, _day(found.number, style=Style(is_serial=True)), ""]]
        return Reading(index, header, "dates", DAYS, True, examples)
    told, against = sorted((found.day_first, found.month_first), reverse=True)
    first = found.is_day_first
    is_sure = first is not None
    if first is None:
        if not found.unclear:
            return None
        first = None if votes == 0 else votes > 0
    choice = "" if first is None else DAY if first else MONTH
    shown = [text for text in (found.example, found.telling) if text]
    return Reading(
        index, header, "dates", choice, is_sure, [_either_day(text) for text in shown], told, against
    )


def _either_day(text: str) -> list[str]:
    """A date as it is written, read with the day first, and read with the month first."""
    return [
        text,
        *(_day(text, style=Style(is_day, last_year=2099, is_past=True)) for is_day in (True, False)),
    ]


def _day(text: str, *, style: Style) -> str:
    """The date in a cell, without its time of day; "" where it cannot be read."""
    try:
        return parse_date(re.split(r"[T\s,]", text, maxsplit=1)[0], style)
    except Refusal:
        return ""


def _number_reading(index: int, found: DecimalVotes, *, header: str, votes: int) -> Reading | None:
    decimal = found.decimal
    is_sure = decimal is not None
    if decimal is None:
        if not found.unclear:
            return None
        decimal = "" if votes == 0 else COMMA if votes > 0 else POINT
    elif decimal == POINT and not found.unclear:
        return None  # plain numbers, as programs write them
    told, against = sorted((found.point, found.comma), reverse=True)
    shown = [text for text in (found.example, found.telling) if text]
    examples = [[text, _number(text, decimal=POINT), _number(text, decimal=COMMA)] for text in shown]
    return Reading(index, header, "numbers", decimal, is_sure, examples, told, against)


def _number(text: str, *, decimal: str) -> str:
    try:
        return parse_number(text, decimal=decimal)
    except Refusal:
        return ""


def _word_reading(index: int, cells: Sequence[str], *, header: str) -> Reading | None:
    """The words of a status with what each means: a status, "" for none, or UNKNOWN."""
    words = Counter(" ".join(cell.split())[:40] for cell in cells)
    if not words:
        return None
    parse = field_parser("status", header=header)
    examples = []
    for word, count in words.most_common(MOST_WORDS):
        try:
            meaning = parse(word) or ""
        except Refusal:
            meaning = UNKNOWN
        examples.append([word, meaning, str(count)])
    return Reading(index, header, "words", "", True, examples)
