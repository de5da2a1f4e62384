"""What people fill in to make a list that is still empty."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from recipients.forms.settings import INFO_LENGTH, NAME_LENGTH


class NewGroupForm(forms.Form):
    """A name, and for colleagues what the list is for."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    info = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=INFO_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For you and your colleagues. Recipients do not see it."),
    )
