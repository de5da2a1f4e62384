"""The values of a recipient as people and programs write them, and how each is kept.

Every parse function raises Refusal("value.…") for what it cannot read without guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

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


def are_texts(texts: Sequence[str]) -> bool:
    """Whether `check_text` takes all of them."""
    return max(map(len, texts)) <= LONGEST_TEXT and not _CONTROL.search("".join(texts))


# Numbers

_PLAIN_NUMBERS = re.compile(r"(?:(?:0|[1-9][0-9]{0,8})?\n)*+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,39})(?:\.\d{1,30})?", re.ASCII)
_GROUP_MARKS = re.compile("[ '\u00a0\u202f\u2009\u2019]")
_POINT_LAST = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?", re.ASCII)
_COMMA_LAST = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?", re.ASCII)
_POWER = re.compile(r"[+-]?\d(?:\.\d{1,20})?[eE][+-]?\d{1,2}", re.ASCII)
# A sum of money says its currency, before or behind.
_CURRENCY = re.compile(r"(?:EUR|USD|CHF|GBP|[€$£])\s?|\s?(?:EUR|USD|CHF|GBP|Euro|[€$£])", re.IGNORECASE)
LONGEST_NUMBER = 80


def parse_number(text: str, *, decimal: str | None = None) -> str:
    """A number as plain digits with a point, with every digit that was written ("1.234,50" is "1234.50").

    `decimal` is the mark before the fraction; None takes plain digits as they are and refuses what could
    be both ("1,234").
    """
    text = text.strip()
    if decimal != "," and _NUMBER.fullmatch(text):
        return text
    plain = _bare(text)
    if len(plain) > LONGEST_NUMBER:
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


def are_plain_numbers(texts: Sequence[str]) -> bool:
    """Whether all of them are empty or plain whole numbers, which are kept as they are."""
    return bool(_PLAIN_NUMBERS.fullmatch("\n".join((*texts, ""))))


def _bare(text: str) -> str:
    """A number without currency and without the marks that can only be between groups of three."""
    if len(text) > 2 * LONGEST_NUMBER:
        return text
    if match := _CURRENCY.match(text):
        text = text[match.end() :]
    elif (match := _CURRENCY.search(text)) and match.end() == len(text):
        text = text[: match.start()]
    return _GROUP_MARKS.sub("", text.replace("\u2212", "-"))


def decimal_votes(cells: Iterable[str]) -> DecimalVotes:
    """What the cells of a column say about the mark before a fraction."""
    point = comma = unclear = 0
    telling: dict[str, str] = {}
    example = ""
    for cell in cells:
        if "," not in cell and "." not in cell:
            continue
        plain = _bare(cell.strip())
        if len(plain) > LONGEST_NUMBER or not ("," in plain or "." in plain):
            continue
        is_point, is_comma = _POINT_LAST.fullmatch(plain), _COMMA_LAST.fullmatch(plain)
        if is_point and is_comma:
            unclear, example = unclear + 1, example or cell.strip()
        elif is_point:
            point += 1
            telling.setdefault(".", cell.strip())
        elif is_comma:
            comma += 1
            telling.setdefault(",", cell.strip())
    return DecimalVotes(point, comma, unclear, telling.get("," if comma > point else ".", ""), example)


@dataclass(frozen=True)
class DecimalVotes:
    """How many cells have a decimal point for sure, a decimal comma, or could have either; one of each."""

    point: int
    comma: int
    unclear: int
    telling: str
    example: str

    @property
    def decimal(self) -> str | None:
        """What most say; None when none says or they draw."""
        if self.point == self.comma:
            return None
        return "." if self.point > self.comma else ","


# Tags


@lru_cache(maxsize=10_000)
def _tags(text: str) -> tuple[str, ...]:
    # Mailchimp puts each tag in quotation marks, Google a star before those that it made itself.
    plain = (part.strip(" \t\r\n\"'").removeprefix("* ") for part in re.split(r"[,;|]|:::", text))
    parts = (re.sub(r"[^\w.-]", "_", part) for part in plain)
    return tuple(sorted({part for part in parts if part}))


def parse_tags(text: str) -> list[str]:
    """The tags in a list parted by , ; | or :::, sorted, each once. Only letters, digits, _, - and . stay."""
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
