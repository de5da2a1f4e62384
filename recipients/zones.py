"""The time zone that the name of a column says in brackets: registered (UTC+2), Anmeldung [Europe/Berlin]."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recipients.words import ZONES

_LONGEST_HEADER = 200
_REMARK = re.compile(r"[(\[]\s*([^()\[\]]{1,40}?)\s*[)\]]\s*$")
_FROM_UTC = re.compile(r"(?:UTC|GMT)\s?(?:([+\u2212-])\s?0?(\d{1,2})(?::?00)?)?", re.IGNORECASE | re.ASCII)
_REGION = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){1,2}")
_ODD_OFFSET = re.compile(r"(?:UTC|GMT)\b.*|[+-]\d{1,2}(?::?\d{2})?", re.IGNORECASE)


def zone_in(header: str) -> str:
    """The zone, as the time zone database calls it; "" for none.

    (CET) and (EST) are none: some mean all of the year by it, some the winter.
    """
    remark = _remark(header)
    if offset := _FROM_UTC.fullmatch(remark):
        # There the sign says which way it is to Greenwich.
        sign, hours = "-" if offset[1] == "+" else "+", int(offset[2] or 0)
        return _known(f"Etc/GMT{sign}{hours}") if hours else "UTC"
    return _known(remark) if _REGION.fullmatch(remark) else ""


def unclear_zone(header: str, *, zone: str) -> str:
    """What the name says, where it is a zone that `zone_in` does not take, nor what clocks show in `zone`."""
    remark = _remark(header)
    hours = ZONES.get(remark.upper())
    is_zone = (hours is not None and not _is_time_in(zone, hours=hours)) or _ODD_OFFSET.fullmatch(remark)
    return remark if is_zone and not zone_in(header) else ""


def _remark(header: str) -> str:
    found = _REMARK.search(header[:_LONGEST_HEADER])
    return found[1] if found else ""


def _is_time_in(zone: str, *, hours: int) -> bool:
    """Whether clocks there are so many hours before Greenwich in winter or in summer."""
    clock = ZoneInfo(zone)
    return timedelta(hours=hours) in {clock.utcoffset(datetime(2026, month, 1)) for month in (1, 7)}  # noqa: DTZ001


def _known(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""
