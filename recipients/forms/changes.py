"""What people decide when they confirm a change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REASON_LENGTH = 500


class ConfirmForm(forms.Form):
    """With a backup or without, and whether unsubscribed people become active again."""

    MAKE, WITHOUT = "make", "without"

    # Which preview is confirmed: another may have been made since.
    shown = forms.IntegerField(required=False, widget=forms.HiddenInput)
    # Asked while the switches are off.
    backup = forms.ChoiceField(choices=[(MAKE, MAKE), (WITHOUT, WITHOUT)], required=False)
    # Said while they are on: it holds though somebody switches them off meanwhile.
    promised = forms.BooleanField(required=False, widget=forms.HiddenInput)
    # Asked while they are on.
    skip_backup = forms.BooleanField(label=_("Go on without a backup"), required=False)
    typed_name = forms.CharField(
        label=_("Name of the list"),
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reactivate = forms.BooleanField(label=_("Make them active again"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the activity log, with your name."),
    )

    # Asked while something looks wrong.
    seen = forms.BooleanField(
        label=_("I have looked at this, and it is meant so."),
        required=False,
        error_messages={"required": _("Tick this to go on, or go back and mend it.")},
    )

    def __init__(self, *, is_doubtful: bool = False, **given: Any) -> None:
        super().__init__(**given)
        self.fields["seen"].required = is_doubtful

    def clean(self) -> dict[str, Any]:
        """A reactivation has a reason."""
        wish = super().clean() or self.cleaned_data
        if wish.get("reactivate") and not wish.get("reason", "").strip() and "reason" not in self.errors:
            self.add_error("reason", gettext("Say why these people may become active again."))
        return wish

    def wish(self) -> dict[str, Any]:
        """The arguments of `confirm_change`."""
        wish = self.cleaned_data
        backup = False if wish["skip_backup"] else True if wish["backup"] == self.MAKE else None
        return {
            "backup": backup,
            "promised": wish["promised"],
            "shown": wish["shown"],
            "reactivate": wish["reactivate"],
            "reason": wish["reason"] if wish["reactivate"] else "",
            "typed_name": wish["typed_name"] if backup is False else "",
        }
