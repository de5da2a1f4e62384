"""Tags and filters of the design system. Load with `{% load ui %}`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.forms.boundfield import BoundWidget
from django.forms.widgets import FileInput
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext
from tablericons.templatetags.tablericons import icon as draw_icon

register = template.Library()


@register.simple_tag
def icon(name: str, *, css: str = "", label: str = "") -> str:
    """An icon of the Tabler set, drawn inline; silent for screen readers unless it has a label."""
    return _icon(str(name), str(css), str(label))


@lru_cache(maxsize=512)
def _icon(name: str, css: str, label: str) -> str:
    path = name if "/" in name else f"outline/{name}"
    attributes = {"class": f"icon {css}".strip(), "stroke_width": 1.75, "focusable": "false"}
    spoken = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    return mark_safe(draw_icon(path, size=24, **attributes, **spoken))  # noqa: S308  # our own drawing


class MenuItem(Protocol):
    """An entry of a row's menu; a post item is a button of a form of its own."""

    @property
    def url(self) -> str: ...
    @property
    def text(self) -> str | Promise: ...
    @property
    def icon(self) -> str: ...
    @property
    def danger(self) -> bool: ...
    @property
    def post(self) -> bool: ...
    @property
    def downloads(self) -> bool: ...
    @property
    def apart(self) -> bool: ...


@register.simple_tag(takes_context=True)
def menu_items(context: template.Context, items: Iterable[MenuItem]) -> SafeString:
    """The entries behind the three dots. Not a template: a page has hundreds, and that took half its time."""
    token = format_html(
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">', context.get("csrf_token", "")
    )
    return mark_safe("".join(_menu_item(item, token) for item in items))  # noqa: S308  # each is escaped


def _menu_item(item: MenuItem, token: str) -> str:
    line = mark_safe('<div class="dropdown-divider" role="separator"></div>') if item.apart else ""
    css = "dropdown-item text-danger" if item.danger else "dropdown-item"
    picture = _icon(item.icon, "dropdown-item-icon", "") if item.icon else ""
    if not item.post:
        return format_html('{}<a class="{}" href="{}">{}{}</a>', line, css, item.url, picture, item.text)
    return format_html(
        '{}<form method="post" action="{}"{}>{}<button type="submit" class="{}">{}{}</button></form>',
        line,
        item.url,
        mark_safe(" data-downloads") if item.downloads else "",
        token,
        css,
        picture,
        item.text,
    )


@register.filter
def number(value: Any) -> str:
    """A number with the grouping of the reader's language; "–" for what is not known."""
    if value is None or value == "":
        return "–"
    return str(formats.number_format(value, use_l10n=True, force_grouping=True))


@register.filter
def difference(value: int | None) -> str:
    """A change of a number with its sign: "+12", "−3", "±0"; "" for what is not known."""
    if value is None:
        return ""
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return sign + number(abs(value))


@register.simple_tag
def moment(value: dt.datetime | None, style: str = "long") -> str | SafeString:
    """A time in the account's zone: with the zone's name ("long"), without ("short"), or the day ("day")."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    zone = format_html(' <span class="zone">{}</span>', local.tzname() or "") if style == "long" else ""
    return format_html(
        '<time class="moment" datetime="{}" title="{}">{}{}</time>',
        value.isoformat(timespec="seconds"),
        formats.date_format(local, "DATETIME_FORMAT") + f" {local.tzname()}",
        spoken(value, style),
        zone,
    )


@register.filter
def spoken(value: dt.datetime, style: str = "short") -> str:
    """The words of a `moment` alone, for where there is room for text only."""
    written = {
        # Translators: how a date and time is written, in Django's date format letters.
        "long": pgettext("date format", "j M Y, H:i"),
        "short": pgettext("date format", "j M Y, H:i"),
        # Translators: how a date is written, in Django's date format letters.
        "day": pgettext("date format", "j M Y"),
    }[style]
    return str(formats.date_format(timezone.localtime(value), written))


@register.filter
def initials(name: object) -> str:
    """One or two letters that stand for a person or an account."""
    words = str(name).split("@", 1)[0].replace(".", " ").replace("-", " ").replace("_", " ").split()
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return letters.upper()


# --- Forms: used by templates/django/forms/field.html -------------------------------------------


@register.filter
def control(field: BoundField) -> SafeString:
    """The field's widget with the classes of the design system."""
    return field.as_widget(attrs={"class": _css(field)})


@register.filter
def options(field: BoundField) -> list[BoundWidget]:
    """The single boxes of a radio or checkbox group, ready to be drawn one by one."""
    boxes = list(field.subwidgets)
    for box in boxes:
        box.data["attrs"]["class"] = "form-check-input"
    return boxes


@register.filter
def kind(field: BoundField) -> str:
    """How the field is laid out: "boxes" (a group), "switch", "check", or "line"."""
    widget = field.field.widget
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "boxes"
    if isinstance(widget, CheckboxInput):
        return "switch" if widget.attrs.get("role") == "switch" else "check"
    return "line"


def _css(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, Select) and not isinstance(widget, RadioSelect):
        css = "form-select"
    elif isinstance(widget, FileInput):
        css = "form-control form-file"
    else:
        css = "form-control"
    own = widget.attrs.get("class", "")
    return " ".join(filter(None, [css, own, "is-invalid" if field.errors else ""]))
