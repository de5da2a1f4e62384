"""Forms that are compared with what the person saw, not with what has come to be since."""

from __future__ import annotations

from typing import Any

from django import forms


def compare_with_seen(form: forms.Form) -> None:
    """Let `form.changed_data` be what the person touched, and nothing that others changed meanwhile.

    What was seen travels with the page, in Django's hidden initial inputs. A page that has none of them, as
    an older version drew it, is compared with what is there now. Call when the form has all its fields.
    """
    for field in form.fields.values():
        field.show_hidden_initial = True
    if form.is_bound:
        data: Any = form.data
        data = data.copy()
        for name, field in form.fields.items():
            now = form.get_initial_for_field(field, name)
            data.setdefault(form.add_initial_prefix(name), "" if now is None else str(now))
        form.data = data
