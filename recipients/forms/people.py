"""What people fill in about one recipient."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.seen import compare_with_seen
from backupsvc.errors import Refusal
from backupsvc.wording import say
from recipients.actions.recipients import PARSERS, REASON_LENGTH
from recipients.addresses import parse_address
from recipients.forms.days import in_full
from recipients.models import Attribute, AttributeType, Recipient, Status
from recipients.values import parse_tags

LONGEST_ADDRESS = 320
LONGEST_VALUE = 10_000
GENDERS: list[tuple[str, str | Promise]] = [
    ("", "–"),
    ("female", _("female")),
    ("male", _("male")),
    ("diverse", _("diverse")),
]
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class RecipientForm(forms.Form):
    """Address, fields, tags and source of a recipient; for a new one also the status.

    The fields are called `field-ID`: their names may hold anything.
    """

    email = forms.CharField(
        label=_("E-mail address"),
        max_length=LONGEST_ADDRESS,
        widget=forms.TextInput(attrs={"inputmode": "email", "autocomplete": "off", "spellcheck": "false"}),
    )
    status = forms.ChoiceField(
        label=_("Status"),
        choices=[
            (Status.ACTIVE.value, _("Active: this person has agreed to get mail")),
            (Status.UNCONFIRMED.value, _("Unconfirmed: no mail until this person has agreed")),
        ],
        widget=forms.RadioSelect,
    )
    tags = forms.CharField(
        label=_("Tags"), required=False, help_text=_("Separated by commas. A space becomes _.")
    )
    source = forms.CharField(
        label=_("Source"), required=False, max_length=255, help_text=_("Where the address comes from.")
    )

    def __init__(
        self, attributes: Sequence[Attribute], *, recipient: Recipient | None = None, data: Any = None
    ) -> None:
        self.attributes = list(attributes)
        super().__init__(data, initial=_initial(recipient, self.attributes) if recipient else None)
        if recipient is not None:
            del self.fields["status"]
        for attribute in self.attributes:
            value = recipient.attributes.get(attribute.name, "") if recipient else ""
            self.fields[_field_name(attribute)] = _field(attribute, value=value)
        if recipient is not None:
            compare_with_seen(self)

    def attribute_fields(self) -> list[forms.BoundField]:
        """The list's own fields, as the page draws them."""
        return [self[_field_name(attribute)] for attribute in self.attributes]

    def clean(self) -> dict[str, Any]:
        """All that is wrong is said at once, each reason beside its field."""
        wish = super().clean() or self.cleaned_data
        parsers: dict[str, Callable[[str], object]] = {"email": parse_address, "tags": parse_tags}
        parsers |= {_field_name(attribute): PARSERS[attribute.type] for attribute in self.attributes}
        for name, parse in parsers.items():
            if name not in self.changed_data or not wish.get(name, "").strip():
                continue
            try:
                parse(wish[name])
            except Refusal as refusal:
                self.add_error(name, say(refusal))
        return wish

    def wish(self) -> dict[str, Any]:
        """The arguments of `add_recipient` and `change_recipient`: what was not touched is left alone."""
        wish, changed = self.cleaned_data, set(self.changed_data)
        values = {
            attribute.name: wish[_field_name(attribute)]
            for attribute in self.attributes
            if _field_name(attribute) in changed
        }
        plain = {name: wish[name] for name in ("email", "status", "tags", "source") if name in changed}
        return plain | ({"attributes": values} if values else {})


class ReasonForm(forms.Form):
    """Why somebody who is not active becomes so."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example: asked for it by phone on 3 May. Kept in the activity log, with your name."),
    )


def shown_value(value: str, *, type_: str) -> str:
    """A value of a field of that type as it is read: a gender in the reader's words, a date in full, all else
    as it is."""
    if type_ == AttributeType.GENDER:
        return str(dict(GENDERS).get(value, value))
    if type_ == AttributeType.DATE and _DAY.fullmatch(value):
        with suppress(ValueError):
            return in_full(value)
    return value


def _initial(recipient: Recipient, attributes: Sequence[Attribute]) -> dict[str, str]:
    values = {
        _field_name(attribute): recipient.attributes.get(attribute.name, "") for attribute in attributes
    }
    return {
        **values,
        "email": recipient.email,
        "tags": ", ".join(recipient.tags),
        "source": recipient.source,
    }


def _field_name(attribute: Attribute) -> str:
    return f"field-{attribute.pk}"


def _field(attribute: Attribute, *, value: str) -> forms.Field:
    """The control that fits the type; plain text for a value the fitting control would not show."""
    label = attribute.name
    if attribute.type == AttributeType.GENDER and value in dict(GENDERS):
        return forms.ChoiceField(label=label, required=False, choices=GENDERS)
    widget = forms.TextInput()
    if attribute.type == AttributeType.DATE and (not value or _DAY.fullmatch(value)):
        widget = forms.TextInput(attrs={"type": "date"})
    elif attribute.type == AttributeType.NUMBER:
        widget = forms.TextInput(attrs={"inputmode": "decimal"})
    elif "\n" in value:
        return forms.CharField(
            label=label,
            required=False,
            strip=False,
            max_length=LONGEST_VALUE,
            widget=forms.Textarea(attrs={"rows": 3}),
        )
    return forms.CharField(label=label, required=False, strip=False, max_length=LONGEST_VALUE, widget=widget)
