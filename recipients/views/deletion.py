"""Deleting a list, and the click that brings it back."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.access import get_change, get_group
from recipients.actions.deletion import delete_group, undo_deletion
from recipients.forms.deletion import DeletionForm
from recipients.models import Group
from recipients.selectors import open_changes
from recipients.views.change_lines import lines_of
from recipients.views.told import told_next, told_on


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def delete(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """Say what goes, what is kept and until when; ask; hide the list."""
    group = get_group(request.actor, account=account, group_id=group_id, permission=Permission.EDIT)
    may_skip = Permission.MANAGE in request.permissions
    form = DeletionForm(group, may_skip=may_skip, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _deleted(form, request, group):
        messages.success(request, _told_after(group))
        return redirect("recipients:groups", account.slug)
    context = {
        "form": form,
        "group": group,
        "running": lines_of(open_changes(account, group=group), account=account),
        "kept_until": timezone.now() + timedelta(days=account.retention_days),
        "undo_hours": settings.UNDO_DELETION_HOURS,
    }
    return render(request, "recipients/group_delete.html", context)


@require_POST
@account_view(Permission.EDIT)
def undo(request: AccountRequest, account: Account, deletion_id: int) -> HttpResponseBase:
    """Show a deleted list again, just as it was."""
    change = get_change(request.actor, account=account, change_id=deletion_id, permission=Permission.EDIT)
    with told_next(request):
        group = undo_deletion(change, actor=request.actor)
        text = _("“%(name)s” is back, with all its recipients.")
        messages.success(request, text % {"name": group.name})
        return redirect("recipients:group-show", account.slug, group.pk)
    return redirect("recipients:groups", account.slug)


def _deleted(form: DeletionForm, request: AccountRequest, group: Group) -> bool:
    with told_on(form, {"change.name_not_typed": "typed_name"}):
        delete_group(group, actor=request.actor, **form.wish())
    return form.is_valid()


def _told_after(group: Group) -> str:
    hours = settings.UNDO_DELETION_HOURS
    text = ngettext(
        "“%(name)s” is deleted. For %(hours)s hour one click below brings it back.",
        "“%(name)s” is deleted. For %(hours)s hours one click below brings it back.",
        hours,
    )
    return text % {"name": group.name, "hours": hours}
