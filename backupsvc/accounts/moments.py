"""Times as Django's date formats write them, for pages with hundreds of them.

`formats.date_format` takes a format apart for every time. Here what depends on the day alone is written
once for each day, language and format; hours and minutes are filled in.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from django.utils.dateformat import DateFormat, re_escaped, re_formatchars
from django.utils.formats import get_format

# The letters that mean the same all day long.
OF_THE_DAY = frozenset("bdDEFjlLmMnNoStwWyYz")
Piece = tuple[str, bool]


def written(local: dt.datetime, wanted: str, language: str) -> str:
    """As `formats.date_format(local, wanted)` does, for a time that is in its zone already."""
    pieces = _pieces(local.date(), wanted, language)
    return "".join(_letter(local, text) if is_open else text for text, is_open in pieces)


def _letter(local: dt.datetime, letter: str) -> str:
    if letter == "H":
        return f"{local.hour:02}"
    if letter == "i":
        return f"{local.minute:02}"
    return str(getattr(DateFormat(local), letter)())


@lru_cache(maxsize=4096)
def _pieces(day: dt.date, wanted: str, language: str) -> tuple[Piece, ...]:
    """The text between the letters of the time, and those letters: they stay open."""
    of_day = DateFormat(day)
    pieces: list[Piece] = []
    for number, part in enumerate(re_formatchars.split(get_format(wanted, lang=language or None))):
        if number % 2 == 0:
            text = re_escaped.sub(r"\1", part)
        elif part in OF_THE_DAY:
            text = str(getattr(of_day, part)())
        else:
            pieces.append((part, True))
            continue
        if pieces and not pieces[-1][1]:
            text = pieces.pop()[0] + text
        if text:
            pieces.append((text, False))
    return tuple(pieces)
