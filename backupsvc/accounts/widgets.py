"""What Django's own controls are too slow for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe


class LongSelect(forms.Select):
    """A choice among very many: drawn here, because Django's template takes 0.1 ms for every option."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """As `Select` does, for plain choices without groups."""
        chosen = "" if value is None else str(value)
        options = [
            f'<option value="{escape(key)}"{" selected" if str(key) == chosen else ""}>{escape(text)}'
            for key, text in self.choices
        ]
        given = self.build_attrs(self.attrs, {"name": name, **(attrs or {})})
        closed = mark_safe("</option>".join([*options, ""]))  # noqa: S308  # every part is escaped
        return format_html("<select{}>{}</select>", flatatt(given), closed)
