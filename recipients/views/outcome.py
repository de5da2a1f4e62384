"""The counts of a preview or a result as figures, with the sum that shows that no row got lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from recipients.models import Change, ChangeKind, ChangeState, Mode
from recipients.selectors import change_counts


@dataclass(frozen=True)
class Figure:
    """One count; `level` colours it."""

    value: int
    label: str | Promise
    level: str = ""


@dataclass(frozen=True)
class Outcome:
    """rows = the sum of `figures`."""

    rows: int
    figures: list[Figure]
    counts: Mapping[str, int]


UPDATED: dict[str, str | Promise] = {Mode.DEACTIVATE: _("unsubscribed"), Mode.DELETE: _("deleted")}
UNCHANGED: dict[str, str | Promise] = {
    Mode.ADD_ONLY: _("known, left alone"),
    Mode.UPDATE_ONLY: _("unchanged or not in the list"),
    Mode.DEACTIVATE: _("remembered as unsubscribed, or unsubscribed already"),
    Mode.DELETE: _("not in the list"),
}


def outcome(change: Change) -> Outcome:
    """What would happen, or what has happened."""
    is_preview = change.state in (ChangeState.PREVIEW, ChangeState.QUEUED, ChangeState.ACTIVE)
    found: Mapping[str, Any] = change.preview if is_preview else change_counts(change)
    counts = {name: found.get(name) or 0 for name in change_counts(change)}
    takes_away = change.mode in (Mode.DEACTIVATE, Mode.DELETE)
    figures = [
        *([] if takes_away else [Figure(counts["added"], _("added"), "success" if counts["added"] else "")]),
        Figure(
            counts["updated"],
            UPDATED.get(change.mode, _("updated")),
            "danger" if takes_away and counts["updated"] else "",
        ),
        Figure(counts["unchanged"], UNCHANGED.get(change.mode, _("unchanged"))),
        *(
            []
            if takes_away
            else [Figure(counts["kept_safe"], _("kept safe"), "warning" if counts["kept_safe"] else "")]
        ),
    ]
    if change.kind == ChangeKind.IMPORT:
        figures += [
            Figure(counts["rejected"], _("rejected"), "danger" if counts["rejected"] else ""),
            Figure(
                counts["duplicates"],
                ngettext_lazy("duplicate", "duplicates", counts["duplicates"]),
            ),
        ]
    return Outcome(rows=counts["rows"], figures=figures, counts=counts)
