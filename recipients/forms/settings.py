"""What people fill in about a list: its settings, fields and blocklist."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.seen import compare_with_seen
from recipients.imports.mapping import LONGEST_NAME
from recipients.models import AttributeType, Group

NAME_LENGTH = 255
INFO_LENGTH = 2_000
LONGEST_PATTERN = 330
COMMENT_LENGTH = 255
THIS_LIST, ALL_LISTS = "list", "account"
SCOPES = [(THIS_LIST, _("This list")), (ALL_LISTS, _("All lists of the account"))]


class SettingsForm(forms.Form):
    """Name and description; for owners and admins also the lock and the backup switch."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)
    info = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=INFO_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For you and your colleagues. Recipients do not see it."),
    )
    auto_backup = forms.BooleanField(
        label=_("Automatic backups of this list"),
        required=False,
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
        help_text=_("Before every import into this list and before its deletion, the list is backed up."),
    )
    locked = forms.BooleanField(
        label=_("Locked"),
        required=False,
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
        help_text=_("A locked list can be neither deleted nor emptied."),
    )

    def __init__(self, group: Group, *, may_manage: bool, data: Any = None) -> None:
        initial = {name: getattr(group, name) for name in ("name", "info", "auto_backup", "locked")}
        super().__init__(data, initial=initial)
        if not may_manage:
            # Shown as they are; whatever is sent for them is not looked at.
            for name in ("auto_backup", "locked"):
                self.fields[name].disabled = True
        compare_with_seen(self)


class FieldForm(forms.Form):
    """A new field."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    type = forms.ChoiceField(label=_("Type"), choices=AttributeType.choices)
    scope = forms.ChoiceField(label=_("For"), choices=SCOPES)


class BlockForm(forms.Form):
    """Who may not come back."""

    pattern = forms.CharField(
        label=_("Address or domain"),
        max_length=LONGEST_PATTERN,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
        help_text=_("For example anna@example.com, or *@example.com for a whole domain."),
    )
    scope = forms.ChoiceField(label=_("For"), choices=SCOPES)
    comment = forms.CharField(label=_("Comment"), required=False, max_length=COMMENT_LENGTH)
