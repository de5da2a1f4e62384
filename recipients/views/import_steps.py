"""The steps of an import as people see them, and the page on which a change stands now."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account
from recipients.models import Change, ChangeKind, ChangeState

STEPS: tuple[tuple[str, str | Promise], ...] = (
    ("import-new", _("Upload")),
    ("import-read", _("Check")),
    ("import-map", _("Columns")),
    ("import-mode", _("Mode")),
    ("change-preview", _("Preview")),
)


@dataclass(frozen=True)
class Step:
    """One step: done, current, or to come; `url` leads back to one that is done."""

    number: int
    title: str | Promise
    is_done: bool
    is_current: bool
    url: str


def steps(current: str, *, account: Account, change: Change | None = None) -> list[Step]:
    """All steps, from the page where one is. What was uploaded is not uploaded again by going back."""
    names = [name for name, _title in STEPS]
    at = names.index(current)
    return [
        Step(
            number=number + 1,
            title=title,
            is_done=number < at,
            is_current=number == at,
            url=reverse(f"recipients:{name}", args=[account.slug, change.pk])
            if change and 0 < number < at
            else "",
        )
        for number, (name, title) in enumerate(STEPS)
    ]


def page_of(change: Change) -> str:
    """The name of the page where the change stands."""
    if change.has_ended:
        return "recipients:change-result"
    if change.is_under_way:
        return "recipients:change-progress"
    if change.kind == ChangeKind.IMPORT and change.state == ChangeState.DRAFT and not change.error_code:
        return "recipients:import-read"
    return "recipients:change-preview"
