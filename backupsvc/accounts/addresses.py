"""The numbers of rows in the addresses of pages: put in, for pages with many links, and read out."""

from __future__ import annotations

from functools import lru_cache

from django.urls import get_script_prefix, reverse

# Stand for a row's numbers; so high that no row and nothing else in an address has them.
PLACE = 2**63 - 1


def address(name: str, slug: str, *parts: int | str) -> str:
    """As `reverse(name, args=[slug, *parts])`, for row after row: only the numbers change."""
    shape = tuple(part if isinstance(part, str) else None for part in parts)
    numbers = tuple(part for part in parts if not isinstance(part, str))
    return _pattern(name, slug, shape, get_script_prefix()) % numbers


@lru_cache(maxsize=4096)
def _pattern(name: str, slug: str, shape: tuple[str | None, ...], prefix: str) -> str:
    """The address with %d for each number."""
    places = [PLACE - position for position, part in enumerate(shape) if part is None]
    parts = [PLACE - position if part is None else part for position, part in enumerate(shape)]
    found = reverse(name, args=[slug, *parts]).replace("%", "%%")
    for place in reversed(places):
        # From the end: the account's name, which comes first, may look like a number too.
        start, _place, end = found.rpartition(str(place))
        found = f"{start}%d{end}"
    return found


def row_number(text: str | None) -> int | None:
    """A row's number out of an address or a command; None for anything else, and for what is too long."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
