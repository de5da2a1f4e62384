"""The cells of our own fields: what a word, a flag or a time in such a column says.

Consent is read on the safe side: what can only mean that somebody is out makes them so, and a column
that says who is out never says that somebody is in.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from backupsvc.errors import Refusal
from recipients.imports.columns import names_status, says_bounced, says_out
from recipients.times import PLAIN, Style, is_no_time, parse_time
from recipients.values import check_text, parse_tags
from recipients.words import is_cross, is_nothing, is_reached, parse_flag, parse_status, status_word

LONGEST_SOURCE = 255
# Rank of a status: 0 gets no mail, 2 does.
RANKS = {"bounced": 0, "inactive": 0, "unconfirmed": 1, "active": 2}

# A count or a rate of none.
_NOUGHT = re.compile(r"0+(?:[.,]0+)?\s?%?", re.ASCII)

Parser = Callable[[str], Any]


def field_parser(target: str, *, header: str = "", style: Style = PLAIN) -> Parser:
    """What reads the filled cells of a field's column. `header` tells which way a yes is meant.

    The parser gives None for "says nothing"; `activated` and `deactivated` give a time, or True for a yes
    without one. It raises Refusal.
    """
    match target:
        case "status":
            if says_bounced(header):
                return _bounced
            return partial(_left, style=style) if says_out(header) else partial(_status, header=header)
        case "registered":
            return partial(parse_time, style=style)
        case "activated":
            return partial(_activated, style=style)
        case "deactivated":
            return partial(_deactivated, style=style)
        case "source":
            return _source
        case "signup_ip":
            return _signup_ip
        case "tags":
            return parse_tags
    raise ValueError(f"no field: {target}")


def safest(statuses: list[str]) -> str:
    """Of several statuses of one person the one with the lowest rank; bounced before unsubscribed."""
    return min(statuses, key=lambda status: (RANKS[status], status))


def _status(cell: str, *, header: str) -> str | None:
    # A cross says yes to what a header asks. Of a status it could say that somebody was crossed out.
    if is_cross(cell) and names_status(header):
        raise Refusal("value.status", value=cell.strip()[:40])
    return None if is_nothing(cell) else parse_status(cell)


def _bounced(cell: str) -> str | None:
    """Bounced for a yes, a time, a reason: for all but a no, a zero, or a word for mail that arrives."""
    is_none = is_no_time(cell) or _NOUGHT.fullmatch(cell.strip()) or is_reached(cell)
    return None if is_none or parse_flag(check_text(cell)) is False else "bounced"


def _left(cell: str, *, style: Style) -> str | None:
    """A column that says who is out, mapped to the status."""
    return None if _deactivated(cell, style=style) is None else "inactive"


def _activated(cell: str, *, style: Style) -> datetime | bool | None:
    if _begins_a_time(cell):
        return parse_time(cell, style)
    flag = parse_flag(cell)
    if flag is None and (word := status_word(cell)):
        if word in ("inactive", "bounced"):
            # Somebody who is out, in a column that cannot say so.
            raise Refusal("value.time", value=cell.strip()[:40])
        flag = word == "active"
    if flag is None:
        return parse_time(cell, style)
    return flag or None


def _deactivated(cell: str, *, style: Style) -> datetime | bool | None:
    if _begins_a_time(cell):
        return parse_time(cell, style)
    flag = parse_flag(cell)
    if flag is None and (word := status_word(cell)):
        flag = RANKS[word] == 0
    if flag is None:
        return parse_time(cell, style)
    return flag or None


def _begins_a_time(cell: str) -> bool:
    """More than one figure at its start: no flag, which spares most cells a look into the words."""
    return cell[:2].isdigit() and len(cell) > 1


def _source(cell: str) -> str:
    if len(cell) > LONGEST_SOURCE:
        raise Refusal("value.too_long", limit=LONGEST_SOURCE)
    return check_text(cell)


@lru_cache(maxsize=100_000)
def _signup_ip(cell: str) -> str | None:
    text = cell.strip()
    if is_nothing(text):
        return None
    try:
        # A scope ("%eth0") has a meaning on one machine only, and no column type that takes it.
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        raise Refusal("value.ip", value=text[:45]) from None
