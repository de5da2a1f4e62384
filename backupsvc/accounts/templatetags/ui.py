"""Tags and filters of the design system. Load with `{% load ui %}`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Any, Protocol

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.forms.boundfield import BoundWidget
from django.forms.widgets import FileInput
from django.template import engines
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, pgettext
from tablericons.templatetags.tablericons import icon as draw_icon

from backupsvc.accounts.moments import written
from backupsvc.accounts.widgets import draw_select

register = template.Library()

# Free of what cuts a table off, and on a phone not stuck to its edge.
_MENU_PLACE = escape(
    '{"strategy":"fixed","modifiers":[{"name":"preventOverflow","options":{"padding":8}},'
    '{"name":"offset","options":{"offset":[0,2]}}]}'
)


@register.simple_tag(takes_context=True)
def drawn(context: template.Context, name: str) -> SafeString:
    """One of Jinja's templates in this place: rows, with all that is known here."""
    known: dict[str, Any] = {str(key): value for key, value in context.flatten().items()}
    # The language stays the same, and rows say the same words.
    known["_"] = lru_cache(maxsize=None)(gettext)
    return mark_safe(engines["rows"].get_template(name).render(known))  # noqa: S308  # it escapes


@register.simple_tag
def icon(name: str, *, css: str = "", label: str = "") -> str:
    """An icon of the Tabler set, drawn inline; silent for screen readers unless it has a label."""
    drawn = _icon(str(name), str(css))
    if not label:
        return drawn
    spoken = f'role="img" aria-label="{escape(str(label))}"'
    return mark_safe(drawn.replace('aria-hidden="true"', spoken, 1))  # noqa: S308  # both parts are safe


@lru_cache(maxsize=512)
def _icon(name: str, css: str) -> str:
    """Drawn once, whatever labels it gets: every row's menu has another."""
    path = name if "/" in name else f"outline/{name}"
    attributes = {"class": f"icon {css}".strip(), "stroke_width": 1.75, "focusable": "false"}
    return mark_safe(draw_icon(path, size=24, **attributes, aria_hidden="true"))  # noqa: S308  # our own drawing


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
def row_menu(context: template.Context, label: str, items: Iterable[MenuItem]) -> SafeString:
    """The three dots of a row; `label` says whose menu it is ("Newsletter")."""
    return draw_menu(label, items, token=context.get("csrf_token", ""))


def draw_menu(label: str, items: Iterable[MenuItem], *, token: object) -> SafeString:
    """Not a template: a page has hundreds of entries, and that took half its time."""
    spoken = gettext("Actions for %(label)s") % {"label": label}
    hidden = f'<input type="hidden" name="csrfmiddlewaretoken" value="{escape(str(token))}">'
    entries = "".join(_menu_item(item, hidden) for item in items)
    return mark_safe(  # noqa: S308  # every part is escaped
        '<div class="dropdown row-menu"><button class="btn btn-icon btn-ghost-secondary" type="button"'
        f' data-bs-toggle="dropdown" data-bs-popper-config="{_MENU_PLACE}"'
        f' aria-expanded="false">{icon("dots-vertical", label=spoken)}</button>'
        f'<div class="dropdown-menu">{entries}</div></div>'
    )


def _menu_item(item: MenuItem, hidden: str) -> str:
    line = '<div class="dropdown-divider" role="separator"></div>' if item.apart else ""
    css = "dropdown-item text-danger" if item.danger else "dropdown-item"
    picture = _icon(item.icon, "dropdown-item-icon") if item.icon else ""
    url, text = escape(item.url), escape(str(item.text))
    if not item.post:
        return f'{line}<a class="{css}" href="{url}">{picture}{text}</a>'
    downloads = " data-downloads" if item.downloads else ""
    return (
        f'{line}<form method="post" action="{url}"{downloads}>{hidden}'
        f'<button type="submit" class="{css}">{picture}{text}</button></form>'
    )


@register.filter
def number(value: Any) -> str:
    """A number with the grouping of the reader's language; "–" for what is not known."""
    if value is None or value == "":
        return "–"
    return _number(value, get_language())


@lru_cache(maxsize=4096, typed=True)
def _number(value: Any, language: str | None) -> str:
    """Written in the active language, which `language` names."""
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
    local, language = timezone.localtime(value), get_language() or ""
    zone = escape(local.tzname() or "")
    title = escape(written(local, _format("short", language), language))
    text = escape(written(local, _format(style, language), language))
    ending = f' <span class="zone">{zone}</span>' if style == "long" else ""
    iso = value.isoformat(timespec="seconds")
    return mark_safe(  # noqa: S308  # every part is escaped
        f'<time class="moment" datetime="{iso}" title="{title} {zone}">{text}{ending}</time>'
    )


@register.filter
def spoken(value: dt.datetime, style: str = "short") -> str:
    """The words of a `moment` alone, for where there is room for text only."""
    language = get_language() or ""
    return written(timezone.localtime(value), _format(style, language), language)


@lru_cache(maxsize=64)
def _format(style: str, language: str) -> str:
    """Looked up in the active language, which `language` names."""
    if style == "day":
        # Translators: how a date is written, in Django's date format letters.
        return pgettext("date format", "j M Y")
    # Translators: how a date and time is written, in Django's date format letters.
    return pgettext("date format", "j M Y, H:i")


# An address up to this length has room in a line of its own, on every page that shows many.
SHORT_ADDRESS = 24


@register.filter
def breakable(email: str) -> str:
    """An address that goes on in a second line after its "@" where it is too long for one."""
    name, at, domain = email.rpartition("@")
    if len(email) <= SHORT_ADDRESS or not at:
        return email
    return mark_safe(f"{escape(name)}@<wbr>{escape(domain)}")  # noqa: S308  # both parts are escaped


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
    """The widget with the classes of the design system; beside it what was seen, where that counts."""
    drawn = field.as_widget(attrs={"class": _css(field)})
    return drawn + field.as_hidden(only_initial=True) if field.field.show_hidden_initial else drawn


@register.simple_tag
def long_select(
    choices: Iterable[tuple[object, object]], chosen: object, none_chosen: str, **attributes: str
) -> SafeString:
    """A choice among very many that belongs to no form class; the first, `none_chosen`, chooses none."""
    pairs = [("", none_chosen), *choices]
    return draw_select(pairs, chosen=chosen, attributes={"class": "form-select", **attributes})


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
