"""What people fill in on the pages of accounts."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.actions.accounts import most_retention_days
from backupsvc.accounts.models import NAME_LENGTH, Account, Role, User
from backupsvc.accounts.seen import compare_with_seen


class Switch(forms.BooleanField):
    """On or off, drawn as a switch."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.CheckboxInput(attrs={"role": "switch"}), **kwargs)


class ProfileForm(forms.Form):
    """A person's own name and language."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("Shown in the activity log and beside the backups you make."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)


class PrivacyForm(forms.Form):
    """The switches that hold for the whole account."""

    auto_backup = Switch(
        label=_("Automatic backups"),
        help_text=_(
            "Every import into a list and every deletion of a list makes a backup first. "
            "Each list has a switch of its own as well: a list is backed up when both are on."
        ),
    )
    backup_api_changes = Switch(
        label=_("Also back up changes made through the API"),
        help_text=_(
            "Shops and other connected programs change lists often; each change then makes a backup."
        ),
    )
    retention_days = forms.IntegerField(
        label=_("Days a backup is kept"),
        min_value=1,
        help_text=_(
            "After that it is deleted by itself. Backups that you keep for good stay. Holds for new backups."
        ),
    )
    support_may_download = Switch(
        label=_("Support staff may download personal data"),
        help_text=_(
            "Support staff can always look into the account and restore for you, and every step is in the "
            "activity log. Only with this switch they can also download lists and backups. "
            "Only an owner can change it."
        ),
    )
    name = forms.CharField(label=_("Name of the account"), max_length=NAME_LENGTH)
    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("All times in this account are shown in it.")
    )

    def __init__(self, account: Account, *, is_owner: bool, data: Any = None) -> None:
        names = (
            "auto_backup",
            "backup_api_changes",
            "retention_days",
            "support_may_download",
            "name",
            "time_zone",
        )
        super().__init__(data, initial={name: getattr(account, name) for name in names})
        zones = [
            zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith("Etc/")
        ]
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            (zone, zone.replace("_", " ")) for zone in sorted({*zones, "UTC", account.time_zone})
        ]
        retention = self.fields["retention_days"]
        retention.widget.attrs["max"] = most_retention_days()
        self.fields["support_may_download"].disabled = not is_owner
        compare_with_seen(self)

    def wish(self) -> dict[str, Any]:
        """The arguments of `change_settings`: what was not touched is left alone."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class MemberForm(forms.Form):
    """Somebody to let in."""

    email = forms.EmailField(
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "placeholder": "name@example.com"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.EDITOR)


def profile_initial(user: User, *, language: str) -> dict[str, str]:
    """The profile as it stands; who has chosen no language sees the one that is spoken now."""
    return {"name": user.name, "language": user.language or language.split("-", maxsplit=1)[0]}
