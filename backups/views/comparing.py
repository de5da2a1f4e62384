"""What differs between a backup and the list now, or another backup of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from backups.access import get_snapshot
from backups.actions import compare as actions
from backups.difference import Difference
from backups.models import Snapshot
from backups.selectors import others_of
from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account
from backupsvc.accounts.templatetags.ui import number
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.wording import say


@dataclass(frozen=True)
class Kind:
    """One kind of difference, with its share of the bar and its first addresses."""

    name: str
    label: str
    icon: str
    count: int
    width: str
    samples: Sequence[str]

    @property
    def others(self) -> int:
        return self.count - len(self.samples)


@require_safe
@account_view()
def compare(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """The difference, always from the earlier state to the later one."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    others = [other for other in others_of(snapshot) if not other.damaged_code]
    other = _chosen(request, account, snapshot, others)
    context: dict[str, object] = {
        "snapshot": snapshot,
        "group": snapshot.group,
        "others": others,
        "other": other,
        "is_possible": other is not None or snapshot.group.is_live,
    }
    if context["is_possible"]:
        try:
            context |= _difference(request, snapshot, other)
        except (Forbidden, NotFound):
            raise
        except Refusal as refusal:
            context["problem"] = say(refusal)
    return render(request, "backups/_difference.html" if request.htmx else "backups/compare.html", context)


def _chosen(
    request: AccountRequest, account: Account, snapshot: Snapshot, others: Sequence[Snapshot]
) -> Snapshot | None:
    """The backup to compare with; None for the list as it is now."""
    wanted = row_number(request.GET.get("with"))
    if wanted is not None:
        other = get_snapshot(request.actor, account=account, snapshot_id=wanted)
        if other.group_id == snapshot.group_id and other.pk != snapshot.pk:
            return other
    # A deleted list has no "now".
    return None if snapshot.group.is_live else next(iter(others), None)


def _difference(request: AccountRequest, snapshot: Snapshot, other: Snapshot | None) -> dict[str, object]:
    earlier, later = snapshot, other
    if other is not None and other.pk < snapshot.pk:
        earlier, later = other, snapshot
    found = actions.compare(earlier, actor=request.actor, other=later)
    return {
        "earlier": earlier,
        "later": later,
        "found": found,
        "kinds": _kinds(found),
        "sentence": sentence(found),
    }


def sentence(found: Difference) -> str:
    """What happened, in words: "12 people came, 3 left and 5 changed"."""
    counts = [
        (found.added, ngettext("%(count)s person came", "%(count)s people came", found.added)),
        (found.removed, ngettext("%(count)s left", "%(count)s left", found.removed)),
        (found.changed, ngettext("%(count)s changed", "%(count)s changed", found.changed)),
    ]
    parts = [text % {"count": number(count)} for count, text in counts if count]
    return str(get_text_list(parts, _("and"))) if parts else ""


def _kinds(found: Difference) -> list[Kind]:
    total = found.added + found.removed + found.changed + found.unchanged
    named = [
        ("added", _("came"), "user-plus"),
        ("removed", _("left"), "user-minus"),
        ("changed", _("changed"), "user-edit"),
        ("unchanged", _("unchanged"), "user-check"),
    ]
    return [
        Kind(
            name,
            label,
            icon,
            count=getattr(found, name),
            width=f"{100 * getattr(found, name) / total:.3f}" if total else "0",
            samples=found.samples.get(name, []),
        )
        for name, label, icon in named
    ]
