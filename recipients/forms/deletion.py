"""What a person decides before a list is deleted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from recipients.models import Group

# From here on a slip of the hand would hurt too much: the name is typed.
BIG_LIST = 1_000


class DeletionForm(forms.Form):
    """With a backup or without; the name of a big list.

    Only those who may manage can go without; everybody else's deletion makes a backup, also while the
    switches are off.
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

    def clean(self) -> dict[str, Any]:
        """A big list's name is typed exactly, and so is any list's when its backup is left out."""
        wish = super().clean() or self.cleaned_data
        if wish.get("backup") == self.WITHOUT and not self.may_skip:
            self.add_error("backup", gettext("This deletion always makes a backup first."))
        if self._needs_name(wish) and not self.has_error("typed_name"):
            typed = wish.get("typed_name", "").strip()
            if typed != self.group.name:
                self.add_error(
                    "typed_name", gettext("Type the name exactly: %(name)s") % {"name": self.group.name}
                )
        return wish

    def _needs_name(self, wish: dict[str, Any]) -> bool:
        return self.is_big or wish.get("backup") == self.WITHOUT

    def wish(self) -> dict[str, Any]:
        """The arguments of `delete_group`."""
        if self.cleaned_data["backup"] == self.WITHOUT:
            return {"backup": False, "typed_name": self.cleaned_data["typed_name"]}
        return {"promised": True}
