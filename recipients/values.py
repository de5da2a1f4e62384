"""The values of a recipient as people and programs write them, and how each is kept.

Every parse function raises Refusal("value.…") for what it cannot read without guessing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from backupsvc.errors import Refusal

LONGEST_TEXT = 32_767  # what a spreadsheet's cell can hold

# Controls that no text needs: everything below the space but tab and line ends; and what cannot be
# stored (NUL, lone surrogates).
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def check_text(text: str) -> str:
    """The same text, exactly; refused when it is too long or holds control characters."""
    if len(text) > LONGEST_TEXT:
        raise Refusal("value.too_long", limit=LONGEST_TEXT)
    if _CONTROL.search(text):
        raise Refusal("value.control_characters")
    return text


# Times and dates

_EMPTY_TIMES = frozenset(("", "0", "0000-00-00", "0000-00-00 00:00:00"))
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_DATE = re.compile(r"(\d{1,4})([./-])\s?(\d{1,2})\2\s?(\d{1,4})(?:[T ,]+(.+))?", re.ASCII)
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s?([ap])\.?m\.?)?(?:\s?Uhr)?(\s?(?:UTC|GMT|Z))?",
    re.IGNORECASE | re.ASCII,
)
_UNIX_SECONDS = re.compile(r"\d{9,11}", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1900, 2200


def parse_time(text: str, *, day_first: bool | None = None, zone: str = "UTC") -> datetime | None:
    """A moment in UTC; None for an empty one ("", "0" and zero dates). Times without a zone are in `zone`.

    `day_first` says how 03/04/2026 is meant; None refuses it when it could be either.
    """
    text = text.strip()
    if text in _EMPTY_TIMES:
        return None
    moment = _iso_time(text) or _unix_time(text) or _written_time(text, day_first=day_first)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Refusal("value.time", value=text[:40])
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    return moment.astimezone(UTC)


def parse_date(text: str, *, day_first: bool | None = None) -> str:
    """A day of the calendar as YYYY-MM-DD. A time of day is accepted only when it is midnight."""
    text = text.strip()
    match = _ISO_DATE.fullmatch(text)
    if match:
        moment = _built(text, year=int(match[1]), month=int(match[2]), day=int(match[3]))
    else:
        try:
            moment = _iso_time(text) or _written_time(text, day_first=day_first)
        except Refusal as refusal:
            if refusal.code == "value.time":
                raise Refusal("value.date", value=text[:40]) from None
            raise
    if not FIRST_YEAR <= moment.year <= LAST_YEAR or (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        raise Refusal("value.date", value=text[:40])
    return moment.date().isoformat()


def column_day_first(samples: Iterable[str]) -> bool | None:
    """Whether the dates of a column have the day first: what most of the telling ones say, else None."""
    votes = 0
    for text in samples:
        match = _DATE.fullmatch(text.strip())
        if match and len(match[1]) <= 2:
            votes += (int(match[1]) > 12) - (int(match[3]) > 12)
    return None if votes == 0 else votes > 0


def _unix_time(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), tz=UTC) if _UNIX_SECONDS.fullmatch(text) else None


def _iso_time(text: str) -> datetime | None:
    if not _ISO_DATE.match(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _written_time(text: str, *, day_first: bool | None) -> datetime:
    match = _DATE.fullmatch(text)
    if not match:
        raise Refusal("value.time", value=text[:40])
    first, mark, second, last = int(match[1]), match[2], int(match[3]), int(match[4])
    if len(match[1]) == 4:
        year, month, day = first, second, last
    elif len(match[4]) != 4:
        # Two figures for a year may be this century's or the last's.
        raise Refusal("value.year", value=text[:40])
    else:
        year = last
        if mark == "." or first > 12:
            is_day_first: bool | None = True
        elif second > 12:
            is_day_first = False
        else:
            is_day_first = day_first if first != second else True
        if is_day_first is None:
            raise Refusal("value.date_ambiguous", value=text[:40])
        day, month = (first, second) if is_day_first else (second, first)
    return _with_clock(_built(text, year=year, month=month, day=day), clock=match[5], text=text)


def _built(text: str, *, year: int, month: int, day: int) -> datetime:
    try:
        return datetime(year, month, day)  # noqa: DTZ001 (as written: the caller knows the zone)
    except ValueError:
        raise Refusal("value.date", value=text[:40]) from None


def _with_clock(day: datetime, *, clock: str | None, text: str) -> datetime:
    """The day with the time of "18:31", "18:31:20.12", "6:31 PM" or "18:31 Uhr"."""
    if clock is None:
        return day
    match = _CLOCK.fullmatch(clock.strip())
    if not match:
        raise Refusal("value.time", value=text[:40])
    hour, half = int(match[1]), (match[5] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise Refusal("value.time", value=text[:40])
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        moment = day.replace(
            hour=hour,
            minute=int(match[2]),
            second=int(match[3] or 0),
            microsecond=int((match[4] or "").ljust(6, "0")[:6]),
        )
    except ValueError:
        raise Refusal("value.time", value=text[:40]) from None
    return moment.replace(tzinfo=UTC) if match[6] else moment


# Numbers

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,39})(?:\.\d{1,30})?", re.ASCII)
_GROUP_MARKS = re.compile("[ '\u00a0\u202f\u2019]")
_POINT_LAST = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?", re.ASCII)
_COMMA_LAST = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?", re.ASCII)
_POWER = re.compile(r"[+-]?\d(?:\.\d{1,20})?[eE][+-]?\d{1,2}", re.ASCII)


def parse_number(text: str, *, decimal: str | None = None) -> str:
    """A number as plain digits with a point, with every digit that was written ("1.234,50" is "1234.50").

    `decimal` is the mark before the fraction; None takes plain digits as they are and refuses what could
    be both ("1,234").
    """
    text = text.strip()
    if decimal != "," and _NUMBER.fullmatch(text):
        return text
    plain = _GROUP_MARKS.sub("", text)
    if len(plain) > 80:
        raise Refusal("value.number", value=text[:40])
    if _POWER.fullmatch(plain):
        return format(Decimal(plain), "f")
    point = None if decimal == "," else _POINT_LAST.fullmatch(plain)
    comma = None if decimal == "." else _COMMA_LAST.fullmatch(plain)
    if point and comma and point.groups() != comma.groups():
        raise Refusal("value.number_ambiguous", value=text[:40])
    match = point or comma
    if not match:
        raise Refusal("value.number", value=text[:40])
    whole = re.sub(r"\D", "", match[2]).lstrip("0") or "0"
    return ("-" if match[1] == "-" else "") + whole + (f".{match[3]}" if match[3] else "")


# Words

_GENDERS = {
    word: gender
    for gender, words in {
        "female": (
            "female|f|w|weiblich|frau|fr|femminile|femmina|donna|signora|sig.ra|mrs|ms|miss|woman|"
            "femme|feminin|féminin|madame|mme|mujer|femenino|señora|vrouw|mevrouw"
        ),
        "male": (
            "male|m|männlich|maennlich|herr|hr|herrn|maschile|maschio|uomo|signor|signore|sig.|mr|"
            "mister|man|homme|masculin|monsieur|hombre|masculino|señor|meneer|dhr"
        ),
        "diverse": ("diverse|divers|d|x|other|non-binary|nonbinary|nichtbinär|altro|autre|otro|anders"),
    }.items()
    for word in words.split("|")
}

STATUSES = ("active", "unconfirmed", "inactive", "bounced")
_STATUSES = {
    word: status
    for status, words in {
        "active": (
            "active|true|yes|ja|si|sì|oui|1|aktiv|attivo|attiva|actif|subscribed|subscriber|angemeldet|abonniert|"
            "confirmed|bestätigt|confermato|iscritto|iscritta|abonné|inscrit|activated|aktiviert|"
            "opted in|opt-in|optin"
        ),
        "unconfirmed": (
            "unconfirmed|unbestätigt|nicht bestätigt|pending|ausstehend|non confermato|in attesa|"
            "non confirmé|en attente|not confirmed|unaktiviert|not activated|nicht aktiviert"
        ),
        "inactive": (
            "inactive|false|no|nein|non|0|inaktiv|inattivo|inattiva|inactif|unsubscribed|abgemeldet|deactivated|"
            "deaktiviert|opted out|opt-out|optout|disiscritto|disiscritta|cancellato|annullato|"
            "désabonné|désinscrit|unsubscribe|suppressed|blocked|blocklisted|blacklisted|gesperrt|"
            "non-subscribed|nonsubscribed"
        ),
        "bounced": (
            "bounced|bounce|hard bounce|hardbounce|hard_bounce|cleaned|bereinigt|rimbalzato|respinto|"
            "zurückgekommen|rejeté|unzustellbar|undeliverable"
        ),
    }.items()
    for word in words.split("|")
}


def parse_gender(text: str) -> str:
    """female, male or diverse."""
    return _meaning(text, words=_GENDERS, code="value.gender")


@lru_cache(maxsize=1_000)
def parse_status(text: str) -> str:
    """active, unconfirmed, inactive or bounced."""
    return _meaning(text, words=_STATUSES, code="value.status")


def _meaning(text: str, *, words: dict[str, str], code: str) -> str:
    word = " ".join(unicodedata.normalize("NFC", text).lower().split())
    found = words.get(word) or words.get(word.rstrip("."))
    if not found:
        raise Refusal(code, value=text.strip()[:40])
    return found


@lru_cache(maxsize=10_000)
def _tags(text: str) -> tuple[str, ...]:
    parts = (re.sub(r"[^\w.-]", "_", part.strip()) for part in re.split(r"[,;|]", text))
    return tuple(sorted({part for part in parts if part}))


def parse_tags(text: str) -> list[str]:
    """The tags in a list parted by , ; or |, sorted, each once. Only letters, digits, _, - and . stay."""
    tags = list(_tags(check_text(text)))
    if any(len(tag) > LONGEST_TAG for tag in tags):
        raise Refusal("value.tag_too_long", limit=LONGEST_TAG)
    return tags


LONGEST_TAG = 100

# Cells that a spreadsheet would run as a formula

# The last column of our spreadsheet-safe files. It says that the cells are escaped; foreign files, whose
# apostrophes are data, have none.
SAFE_MARKER = "spreadsheet_safe"
_FORMULA = re.compile("'*[=+\\-@\t\r\n\0＝＋－＠]")


def escape_formula(value: str) -> str:
    """The value so that no spreadsheet takes it for a formula. `unescape_formula` gives it back exactly."""
    return f"'{value}" if _FORMULA.match(value) else value


def unescape_formula(value: str) -> str:
    """The value before `escape_formula`."""
    return value[1:] if value[:1] == "'" and _FORMULA.match(value) else value
