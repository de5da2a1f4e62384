"""What Django's own controls are too slow for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.choices import BaseChoiceIterator
from django.utils.safestring import SafeString, mark_safe


class ManyChoices(BaseChoiceIterator):
    """Pairs of value and text that a field takes as they are: Django would look at each of them twice."""

    def __init__(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self.pairs)


class LongSelect(forms.Select):
    """A choice among very many: drawn here, because Django's template takes 0.1 ms for every option."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """As `Select` does, for plain choices without groups."""
        given = self.build_attrs(self.attrs, {"name": name, **(attrs or {})})
        return draw_select(self.choices, chosen=value, attributes=given)


def draw_select(choices: Iterable[Any], *, chosen: object, attributes: dict[str, Any]) -> SafeString:
    """A select box of (value, text) pairs."""
    wanted = "" if chosen is None else escape(str(chosen))
    options = [
        # Mostly numbers, which have nothing to escape.
        (str(value) if type(value) is int else escape(str(value)), escape(str(text)))
        for value, text in choices
    ]
    drawn = "".join(
        f'<option value="{value}" selected>{text}</option>'
        if value == wanted
        else f'<option value="{value}">{text}</option>'
        for value, text in options
    )
    return mark_safe(f"<select{flatatt(attributes)}>{drawn}</select>")  # noqa: S308  # each part is escaped
