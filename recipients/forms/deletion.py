"""What a person decides before a list is deleted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from recipients.models import Group

# From here on a slip of the hand would hurt too much: the name is typed.
BIG_LIST = 1_000


class DeletionForm(forms.Form):
    """With a backup or without; the name of a big list.

    While the switches are on, only those who may manage choose to go without. While they are off,
    everybody who may delete chooses, and making a backup is what is chosen already.
    """

    MAKE, WITHOUT = "make", "without"

    backup = forms.ChoiceField(choices=[(MAKE, MAKE), (WITHOUT, WITHOUT)], initial=MAKE, required=False)
    typed_name = forms.CharField(
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )

    def __init__(self, group: Group, *, may_skip: bool, data: Any = None) -> None:
        super().__init__(data)
        self.group = group
        self.is_on = group.account.auto_backup and group.auto_backup
        self.may_skip = may_skip
        self.is_big = group.recipients_count > BIG_LIST
        self.fields["typed_name"].label = _("Type the name of the list to delete it")
        self.fields["typed_name"].required = self.is_big

    @property
    def offers_without(self) -> bool:
        """Whether going without a backup is the person's to choose."""
        return self.may_skip or not self.is_on

    def clean(self) -> dict[str, Any]:
        """A big list's name is typed exactly, and so is any list's when its backup is left out."""
        wish = super().clean() or self.cleaned_data
        if wish.get("backup") == self.WITHOUT and not self.offers_without:
            self.add_error("backup", _now("This deletion always makes a backup first."))
        if self._needs_name(wish) and not self.has_error("typed_name"):
            typed = wish.get("typed_name", "").strip()
            if typed != self.group.name:
                self.add_error(
                    "typed_name", _now("Type the name exactly: %(name)s") % {"name": self.group.name}
                )
        return wish

    def _needs_name(self, wish: dict[str, Any]) -> bool:
        skips = wish.get("backup") == self.WITHOUT and self.may_skip
        return self.is_big or skips

    def wish(self) -> dict[str, Any]:
        """The arguments of `delete_group`."""
        without = self.cleaned_data["backup"] == self.WITHOUT
        if not without:
            return {"backup": None if self.is_on else True}
        # Without the right to manage, going on as the switches say is all that is asked for.
        return {
            "backup": False if self.may_skip else None,
            "typed_name": self.cleaned_data["typed_name"],
        }
