"""The addresses of pages that many rows lead to."""

from __future__ import annotations

from functools import lru_cache

from django.urls import get_script_prefix, reverse

# Stands for a row's number; so high that no row and nothing else in an address has it.
PLACE = 2**63 - 1


def address(name: str, slug: str, number: int, *after: str) -> str:
    """As `reverse(name, args=[slug, number, *after])`, for row after row: only the number changes."""
    start, end = _around(name, slug, after, get_script_prefix())
    return f"{start}{number}{end}"


@lru_cache(maxsize=4096)
def _around(name: str, slug: str, after: tuple[str, ...], prefix: str) -> tuple[str, str]:
    start, end = reverse(name, args=[slug, PLACE, *after]).rsplit(str(PLACE), 1)
    return start, end
