"""What people fill in on the pages of backups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backups.models import Cause, Snapshot
from backups.selectors import Filters
from backupsvc.accounts.widgets import LongSelect, ManyChoices
from recipients.models import Group, Mode
from recipients.selectors import groups_of

NAME_LENGTH = 255


class FilterForm(forms.Form):
    """Which backups to show. What cannot be understood is said, and counts as not asked for."""

    q = forms.CharField(label=_("Name of the list"), max_length=255, required=False)
    list = forms.TypedChoiceField(
        label=_("List"), coerce=int, empty_value=None, required=False, widget=LongSelect
    )
    cause = forms.ChoiceField(label=_("Cause"), required=False)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    before = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any], *, groups: Iterable[tuple[int, str, bool]]) -> None:
        super().__init__(data, auto_id="filter-%s")
        names = [(pk, _listed_name(name, is_live=is_live)) for pk, name, is_live in groups]
        self.fields["list"].choices = ManyChoices([("", _("All lists")), *names])  # type: ignore[attr-defined]
        self.fields["cause"].choices = [("", _("All causes")), *Cause.choices]  # type: ignore[attr-defined]
        self.is_valid()

    def clean(self) -> dict[str, Any]:
        """No day is after the last and before the first: nothing is found, and why is said."""
        asked = super().clean() or self.cleaned_data
        since, until = asked.get("since"), asked.get("until")
        if since and until and since > until:
            self.add_error(None, gettext("The day under “From” is after the one under “To”."))
        return asked

    def filters(self) -> Filters:
        """What is asked for, in the account's time zone: from the first day's start to the last one's end."""
        asked = self.cleaned_data
        return Filters(
            group_id=asked.get("list"),
            cause=asked.get("cause") or "",
            since=_start_of(asked.get("since")),
            until=_start_of(asked.get("until"), days_later=1),
            search=(asked.get("q") or "").strip(),
        )

    def before_id(self) -> int | None:
        """Where this page goes on."""
        before: int | None = self.cleaned_data.get("before")
        return before

    def kept(self) -> dict[str, str]:
        """The filters for a link to another page of the same."""
        kept = {name: value for name, value in self.cleaned_data.items() if value and name != "before"}
        return {name: str(value) for name, value in kept.items()}


class RestoreForm(forms.Form):
    """Where a backup's rows go, and how."""

    OWN, NEW, OTHER = "own", "new", "other"

    target = forms.ChoiceField(
        choices=[(OWN, _("Its list")), (NEW, _("A new list")), (OTHER, _("Another list"))], initial=OWN
    )
    new_name = forms.CharField(label=_("Name of the new list"), max_length=NAME_LENGTH, required=False)
    into = forms.ModelChoiceField(
        label=_("List"),
        queryset=Group.objects.none(),
        required=False,
        empty_label=_("Choose a list"),
        widget=LongSelect,
    )
    mode = forms.ChoiceField(choices=Mode.choices, initial=Mode.REFORM_AND_ADD)

    def __init__(self, snapshot: Snapshot, *, modes: Iterable[Mode], data: Any = None) -> None:
        super().__init__(data, initial={"new_name": name_for_copy(snapshot)})
        others = groups_of(snapshot.account).exclude(pk=snapshot.group_id)
        self.fields["into"].queryset = others  # type: ignore[attr-defined]
        self.fields["mode"].choices = [(mode.value, mode.label) for mode in modes]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The target needs its name or its list."""
        wish = super().clean() or self.cleaned_data
        if wish.get("target") == self.OTHER and "into" not in self.errors and wish.get("into") is None:
            self.add_error("into", gettext("Choose the list."))
        if (
            wish.get("target") == self.NEW
            and "new_name" not in self.errors
            and not wish.get("new_name", "").strip()
        ):
            self.add_error("new_name", gettext("Give the new list a name."))
        return wish

    def wish(self) -> dict[str, Any]:
        """The arguments of `plan_restore`."""
        wish = self.cleaned_data
        is_new = wish["target"] == self.NEW
        return {
            "mode": wish["mode"],
            "into": wish["into"] if wish["target"] == self.OTHER else None,
            "new_name": wish["new_name"] if is_new else None,
        }


def name_for_copy(snapshot: Snapshot) -> str:
    """A name for a new list made of the backup: "Newsletter (backup of 2026-11-23)"."""
    day = timezone.localtime(snapshot.created_at).date().isoformat()
    ending = " " + gettext("(backup of %(day)s)") % {"day": day}
    return snapshot.group_name[: NAME_LENGTH - len(ending)] + ending


def _listed_name(name: str, *, is_live: bool) -> str:
    return name if is_live else gettext("%(name)s (deleted)") % {"name": name}


def _start_of(day: date | None, *, days_later: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        start = timezone.make_aware(datetime.combine(day + timedelta(days=days_later), time.min))
        return start.astimezone(UTC)
    except OverflowError:
        # The last day of the calendar has no tomorrow, and the first may begin before it in UTC.
        return None
