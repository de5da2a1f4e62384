"""Times and dates as people and programs write them, and how each is kept.

Every parse function raises Refusal("value.…") for what it cannot read without guessing. What a cell
alone does not say, its column does: see `Style`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from backupsvc.errors import Refusal
from recipients.words import MONTHS, NOTHING, WEEKDAYS, ZONES

FIRST_YEAR, LAST_YEAR = 1900, 2200
# No time is longer when it is written out; what is longer is not looked at.
LONGEST_TIME = 80
# Day 0 of spreadsheets, so that day 61 and all after it are right (they believe in a 29 February 1900).
_SERIAL_START = datetime(1899, 12, 30)  # noqa: DTZ001 (as written: the caller knows the zone)

# So many days are known at once: the usual list has fewer.
_MOST_DAYS = 20_000

# An empty text is in no tuple of characters, but in every string.
_FIGURE = tuple("123456789")
_ZERO = re.compile(r"0{1,4}([./-])0{1,2}\1(?:0{1,4})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_FIGURES = re.compile(
    r"(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{1,2})(?:(?:T|[\s,]+)(\S.*))?", re.ASCII
)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d)?)?", re.ASCII)
_UNIX = re.compile(r"(\d{9,10})(\d{3})?(?:\.\d{1,9})?", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:[.,](\d{1,12}))?", re.ASCII)
_CLOCK = re.compile(
    r"(?:(?:um|at|à|a\s+las|alle(?:\s+ore)?|ore|om)\s+)?"
    r"(?P<hour>\d{1,2})(?:\s?[:.h]\s?(?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?)?"
    r"(?:\s?(?P<half>[ap])\.?\s?m\.?)?(?P<word>\s?(?:Uhr|uur|hrs|h))?"
    r"(?:\s?(?P<zone>[A-Z]{1,5}))?(?:\s?(?P<sign>[+-])(?P<off_hour>\d{1,2}):?(?P<off_minute>\d{2})?)?"
    r"(?:\s?\([^()]*\))?",
    re.IGNORECASE | re.ASCII,
)
_NAME = r"(?P<month>[^\W\d_]{3,12})\.?"
_REST = r"(?:(?:T|[\s,]+)(?P<clock>\S.*))?"
# 23. November 2026; 23-Nov-26; 1er janvier 2026; 23 de noviembre de 2026
_DAY_NAME_YEAR = re.compile(
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|[ºª°])?[.\s/-]{{0,3}}(?:de\s|of\s)?{_NAME}[\s,./-]{{0,3}}(?:del?\s)?"
    rf"(?P<year>\d{{4}}|\d{{2}}){_REST}",
    re.IGNORECASE,
)
# November 23rd, 2026
_NAME_DAY_YEAR = re.compile(
    rf"{_NAME}[\s/-]{{1,3}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s,/-]{{1,3}}(?P<year>\d{{4}}){_REST}",
    re.IGNORECASE,
)
# 2026-Nov-23
_YEAR_NAME_DAY = re.compile(
    rf"(?P<year>\d{{4}})[\s/-]{{1,3}}{_NAME}[\s/-]{{1,3}}(?P<day>\d{{1,2}}){_REST}", re.IGNORECASE
)
# Nov 23 18:31:20 2026, as C's ctime writes it
_NAME_DAY_CLOCK_YEAR = re.compile(
    rf"{_NAME}\s{{1,3}}(?P<day>\d{{1,2}})\s(?P<clock>\d{{1,2}}:\d\d:\d\d(?:\s[A-Z]{{3,4}})?)\s(?P<year>\d{{4}})"
)
_NAMED = (_DAY_NAME_YEAR, _NAME_DAY_YEAR, _YEAR_NAME_DAY, _NAME_DAY_CLOCK_YEAR)
_WEEKDAY = re.compile(r"([^\W\d_]{2,12})\.?,?\s+")


# Times as they are kept, of days that are in the calendar.
_LEAP_YEARS = "(?:19|20)(?:0[48]|[2468][048]|[13579][26])|2000"
_PLAIN_TIMES = re.compile(
    r"(?:(?:(?:(?:19|20)[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    rf"|(?:0[13578]|1[02])-31)|(?:{_LEAP_YEARS})-02-29) (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?\n)*+"
)


@dataclass(frozen=True, slots=True)
class Style:
    """How the times of a column are written, where a cell alone does not say.

    `day_first` tells how 03/04/2026 is meant; None refuses it. Times without a zone are in `zone`.
    `is_serial`: numbers are the days of a spreadsheet (45000 is 2023-03-15). `last_year` is the latest
    year that two figures can mean; None refuses them. With `is_past` the years after it belong to the
    century before; without, they could be years to come, and are refused.
    """

    day_first: bool | None = None
    zone: str = "UTC"
    is_serial: bool = False
    last_year: int | None = None
    is_past: bool = False


PLAIN = Style()


def is_no_time(text: str) -> bool:
    """Whether a cell for a time says that there is none: empty, 0, NULL, a dash, 0000-00-00, 0/0/00."""
    if text[:1] in _FIGURE:
        return False  # no word for nothing begins so
    text = text.strip()
    return text == "0" or text.lower() in NOTHING or bool(_ZERO.fullmatch(text))


def parse_time(text: str, style: Style = PLAIN) -> datetime | None:
    """A moment in UTC; None for one that is not there (`is_no_time`)."""
    text = text.strip()
    moment = _iso_time(text)
    if moment is None:
        if is_no_time(text):
            return None
        moment = (_unix_time(text) if text[:9].isdigit() else None) or _written_time(text, style=style)
    if moment.year == 1:
        return None  # the zero of .NET
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Refusal("value.time", value=text[:40])
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC if style.zone == "UTC" else ZoneInfo(style.zone))
    return moment.astimezone(UTC)


class PlainTimes:
    """Reads many times of one zone that are all written as 2026-11-23 18:31:20.

    What is known of each day is kept: what its minutes are in UTC, where no clock was changed on it.
    """

    def __init__(self, zone: str) -> None:
        self.style = Style(zone=zone)
        self._days: dict[str, _Day | None] = {}

    def in_utc(self, texts: Sequence[str]) -> list[str | None] | None:
        """What `parse_time` makes of each, in the same spelling; None where one is written otherwise."""
        if not _PLAIN_TIMES.fullmatch("\n".join((*texts, ""))):
            return None
        if self.style.zone == "UTC":
            return [text or None for text in texts]
        return [self._moved(text) if text else None for text in texts]

    def _moved(self, text: str) -> str:
        written = text[:10]
        try:
            day = self._days[written]
        except KeyError:
            if len(self._days) >= _MOST_DAYS:
                self._days.clear()
            day = self._days[written] = _day_of(written, zone=ZoneInfo(self.style.zone))
        if day is None:
            return str(parse_time(text, self.style))[:19]
        at, minute = day.minutes[text[11:16]]
        return day.dates[at] + minute + text[16:]


class _Day(NamedTuple):
    """A day, the next, and the one before: for each minute at which of them it is in UTC, and as what."""

    dates: tuple[str, str, str]
    minutes: dict[str, tuple[int, str]]


def _day_of(written: str, *, zone: ZoneInfo) -> _Day | None:
    start = datetime.fromisoformat(written).replace(tzinfo=zone)
    offset, one = start.utcoffset() or timedelta(), timedelta(days=1)
    if offset != (start + one).utcoffset() or offset.seconds % 60:
        return None
    dates = (str(start.date()), str((start + one).date()), str((start - one).date()))
    return _Day(dates, _minutes(offset // timedelta(minutes=1)))


@lru_cache(maxsize=8)
def _minutes(offset: int) -> dict[str, tuple[int, str]]:
    """For each minute of a day whose clock is so many minutes ahead: on which day it is in UTC (0 the same,
    1 the next, -1 the one before), and as what."""
    found = {}
    for at in range(1440):
        days, minute = divmod(at - offset, 1440)
        found[f"{at // 60:02}:{at % 60:02}"] = (days, f" {minute // 60:02}:{minute % 60:02}")
    return found


def parse_date(text: str, style: Style = PLAIN) -> str:
    """A day of the calendar as YYYY-MM-DD. A time of day is accepted only when it is midnight."""
    text = text.strip()
    match = _ISO_DATE.fullmatch(text)
    if match:
        moment = _built(text, year=int(match[1]), month=int(match[2]), day=int(match[3]))
    else:
        try:
            moment = _iso_time(text) or _written_time(text, style=style)
        except Refusal as refusal:
            if refusal.code == "value.time":
                raise Refusal("value.date", value=text[:40]) from None
            raise
    if not FIRST_YEAR <= moment.year <= LAST_YEAR or (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise Refusal("value.date", value=text[:40])
    return moment.date().isoformat()


# What a column says


@dataclass(frozen=True)
class Tally:
    """How the cells of a column of dates are written: counts of those that tell the day is first or the
    month, of those that could be either, and of numbers that could be a spreadsheet's days; one of each."""

    filled: int = 0
    day_first: int = 0
    month_first: int = 0
    unclear: int = 0
    serial: int = 0
    telling: str = ""
    example: str = ""
    number: str = ""

    @property
    def is_day_first(self) -> bool | None:
        """What most of the telling cells say; None when none tells or they draw."""
        votes = self.day_first - self.month_first
        return None if votes == 0 else votes > 0

    @property
    def is_serial(self) -> bool:
        """Whether its numbers are surely dates: nearly all cells are such numbers."""
        return self.serial > 0 and self.serial >= 0.9 * self.filled


def tally(cells: Iterable[str]) -> Tally:
    """Count how the cells of one column write their dates."""
    filled = day_first = month_first = unclear = serial = 0
    telling: dict[bool, str] = {}
    example = number = ""
    for cell in cells:
        text = cell.strip()
        if is_no_time(text):
            continue
        filled += 1
        if text[4:5] == "-" and text[:4].isdigit():
            continue  # the year comes first, as programs write it
        if _SERIAL.fullmatch(text):
            serial, number = serial + 1, number or text
            continue
        match = _FIGURES.fullmatch(text) if len(text) <= LONGEST_TIME else None
        # With points the day comes first in every country; a year that comes first has the month behind it.
        if not match or match[2] == "." or len(match[1]) > 2:
            continue
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second:
            day_first += 1
            telling.setdefault(True, text)
        elif second > 12 >= first:
            month_first += 1
            telling.setdefault(False, text)
        elif first != second and first <= 12 and second <= 12:
            unclear, example = unclear + 1, example or text
    told = telling.get(day_first > month_first, "")
    return Tally(filled, day_first, month_first, unclear, serial, told, example, number)


# One cell


def _unix_time(text: str) -> datetime | None:
    """Seconds since 1970, or milliseconds (13 figures)."""
    match = _UNIX.fullmatch(text)
    if not match or (match[2] and len(match[1]) != 10):
        return None
    return datetime.fromtimestamp(int(match[1]), tz=UTC).replace(microsecond=int(match[2] or 0) * 1_000)


def _iso_time(text: str) -> datetime | None:
    if not _ISO_DATE.match(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _written_time(text: str, *, style: Style) -> datetime:
    if len(text) > LONGEST_TIME:
        raise Refusal("value.time", value=text[:40])
    if style.is_serial and (match := _SERIAL.fullmatch(text)):
        seconds = round(float(f"0.{match[2] or 0}") * 86_400)
        return _SERIAL_START + timedelta(days=int(match[1]), seconds=seconds)
    if text[:8].isdigit() and (match := _COMPACT.fullmatch(text)):
        day = _built(text, year=int(match[1]), month=int(match[2]), day=int(match[3]))
        clock = ":".join(part for part in match.group(4, 5, 6) if part)
        return _with_clock(day, clock=clock or None, text=text)
    if match := _FIGURES.fullmatch(text):
        return _with_clock(_day_in_figures(match, text=text, style=style), clock=match[5], text=text)
    for pattern in _NAMED:
        found = pattern.fullmatch(text)
        if found and (month := MONTHS.get(found["month"].lower())):
            year = _year(found["year"], text=text, style=style)
            day = _built(text, year=year, month=month, day=int(found["day"]))
            return _with_clock(day, clock=found["clock"], text=text)
    # Last, because "mar" is a month, and a Tuesday in three languages.
    if (match := _WEEKDAY.match(text)) and match[1].lower() in WEEKDAYS:
        return _written_time(text[match.end() :], style=style)
    raise Refusal("value.time", value=text[:40])


def _day_in_figures(match: re.Match[str], *, text: str, style: Style) -> datetime:
    first, mark, second, last = int(match[1]), match[2], int(match[3]), match[4]
    if len(match[1]) == 4:
        return _built(text, year=first, month=second, day=int(last))
    if len(match[1]) > 2 or (mark == "-" and len(last) != 4):
        # 26-11-23 may have its year at either end.
        raise Refusal("value.year", value=text[:40])
    year = _year(last, text=text, style=style)
    if mark == "." or first > 12:
        is_day_first: bool | None = True
    elif second > 12:
        is_day_first = False
    else:
        is_day_first = style.day_first if first != second else True
    if is_day_first is None:
        raise Refusal("value.date_ambiguous", value=text[:40])
    day, month = (first, second) if is_day_first else (second, first)
    return _built(text, year=year, month=month, day=day)


def _year(figures: str, *, text: str, style: Style) -> int:
    """Four figures, or two: then the latest such year up to `style.last_year`."""
    if len(figures) == 4:
        return int(figures)
    if len(figures) == 2 and style.last_year is not None:
        year = style.last_year - (style.last_year - int(figures)) % 100
        if style.is_past or year // 100 == style.last_year // 100:
            return year
    raise Refusal("value.year", value=text[:40])


def _built(text: str, *, year: int, month: int, day: int) -> datetime:
    try:
        return datetime(year, month, day)  # noqa: DTZ001 (as written: the caller knows the zone)
    except ValueError:
        raise Refusal("value.date", value=text[:40]) from None


def _with_clock(day: datetime, *, clock: str | None, text: str) -> datetime:
    """The day with the time of "18:31:20.12", "6:31 PM", "18.31 Uhr", "18:31 +0100" or "18:31 CET"."""
    if clock is None:
        return day
    match = _CLOCK.fullmatch(clock.strip())
    if not match or not (match["minute"] or match["half"] or match["word"]):
        raise Refusal("value.time", value=text[:40])
    hour, minute, second, part, half = match.group("hour", "minute", "second", "part", "half")
    hours = int(hour)
    try:
        if half:
            hours = _hour_of_half(hours, half=half.lower())
        moment = day.replace(
            hour=hours,
            minute=int(minute or 0),
            second=int(second or 0),
            microsecond=int(part.ljust(6, "0")[:6]) if part else 0,
        )
        zone = _zone(match)
    except (ValueError, KeyError):
        raise Refusal("value.time", value=text[:40]) from None
    return moment if zone is None else moment.replace(tzinfo=zone)


def _hour_of_half(hour: int, *, half: str) -> int:
    """The hour of the day from 1 to 12 in the morning ("a") or behind noon ("p"). Raises ValueError."""
    if not 1 <= hour <= 12:
        raise ValueError(f"no hour of half a day: {hour}")
    return hour % 12 + (12 if half == "p" else 0)


def _zone(match: re.Match[str]) -> tzinfo | None:
    """The zone behind a clock; None when there is none. Raises KeyError or ValueError for an unknown one."""
    hours = ZONES[match["zone"].upper()] if match["zone"] else 0
    if match["sign"]:
        if hours:
            raise ValueError("a zone twice")
        offset = timedelta(hours=int(match["off_hour"]), minutes=int(match["off_minute"] or 0))
        return timezone(-offset if match["sign"] == "-" else offset)
    if not match["zone"]:
        return None
    return UTC if hours == 0 else timezone(timedelta(hours=hours))
