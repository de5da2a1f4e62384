"""Bringing a backup back: where to, and how. What it would change is shown before anything is written."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from backups.access import get_snapshot
from backups.actions.restore import MODES, plan_restore
from backups.forms import RestoreForm
from backups.models import Restore, Snapshot
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Refusal
from recipients.models import Mode
from recipients.views.told import told_on

LINES: dict[str, str | Promise] = {
    Mode.REFORM_AND_ADD: _("Updates recipients that are already in the list, adds those that are missing."),
    Mode.ADD_ONLY: _("Adds those that are missing. Recipients that are already in the list stay untouched."),
    Mode.UPDATE_ONLY: _("Updates recipients that are already in the list. Adds nobody."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.RESTORE)
def restore(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """Ask where to and how, then go on to the preview."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    _check(snapshot)
    form = RestoreForm(snapshot, modes=MODES, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        planned = _planned(form, request, snapshot)
        if planned is not None:
            return redirect("recipients:change-preview", account.slug, planned.pk)
    context = {
        "snapshot": snapshot,
        "group": snapshot.group,
        "form": form,
        "modes": [(mode.value, mode.label, LINES[mode]) for mode in MODES],
        "has_others": form.fields["into"].queryset.exists(),  # type: ignore[attr-defined]
    }
    return render(request, "backups/restore.html", context)


def _check(snapshot: Snapshot) -> None:
    """Raise Refusal before anybody fills in a form for a backup that cannot come back."""
    if snapshot.damaged_code:
        raise Refusal("snapshot.damaged", reason=snapshot.damaged_code)
    if not snapshot.is_restorable:
        raise Refusal("snapshot.not_complete", state=snapshot.state)


def _planned(form: RestoreForm, request: AccountRequest, snapshot: Snapshot) -> Restore | None:
    with told_on(form, {"group.name_": "new_name"}):
        planned, _job = plan_restore(snapshot, actor=request.actor, **form.wish())
        return planned
    return None
