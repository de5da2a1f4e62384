"""What templates of rows know: the same names as `{% load ui %}` brings into Django's.

A page has a handful of parts and hundreds of rows. Django's templates walk through a tree for every row,
Jinja compiles them: a row takes a tenth. So pages are Django's templates, and what they have many of is
drawn by `{% drawn "….jinja" %}` with all that the page knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.template.defaultfilters import capfirst, filesizeformat, truncatechars
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from jinja2 import Environment, StrictUndefined, pass_context
from jinja2.runtime import Context

from backupsvc.accounts.addresses import address
from backupsvc.accounts.templatetags.ui import (
    MenuItem,
    breakable,
    difference,
    draw_menu,
    icon,
    moment,
    number,
    spoken,
)


def environment(**options: Any) -> Environment:
    """What settings name as the environment of Jinja's templates."""
    # A name that is not there is a mistake, not an empty text.
    options |= {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    made = Environment(**options)  # noqa: S701  # Django's backend asks for escaping
    made.globals |= {
        "address": address,
        "component": component,
        "icon": icon,
        "moment": moment,
        "row_menu": row_menu,
    }
    made.filters |= {
        "breakable": breakable,
        "capfirst": capfirst,
        "difference": difference,
        "filesizeformat": filesizeformat,
        "number": number,
        "spoken": spoken,
        "truncatechars": truncatechars,
    }
    return made


def component(name: str, **context: object) -> SafeString:
    """A component that is one of Django's templates, for what is rare among rows."""
    return render_to_string(f"components/{name}.html", context)


@pass_context
def row_menu(context: Context, label: str, items: Iterable[MenuItem]) -> SafeString:
    """The three dots of a row; `label` says whose menu it is."""
    return draw_menu(label, items, token=context.get("csrf_token", ""))
