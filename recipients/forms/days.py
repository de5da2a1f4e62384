"""Days as people read them."""

from __future__ import annotations

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import pgettext


def in_full(day: str) -> str:
    """A day in ISO form with its month's name, so that nobody takes the one for the other.

    In the language that is spoken now. Raises ValueError for what is no day.
    """
    # Translators: how a date is written in full, in Django's date format letters.
    return date_format(date.fromisoformat(day), pgettext("date format", "j F Y"))
