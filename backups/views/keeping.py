"""Making, keeping, verifying and deleting backups: one button each."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from backups.access import get_snapshot
from backups.actions import snapshots, verification
from backups.actions.purge import delete_snapshot
from backups.selectors import others_of
from backups.views.way_back import back
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.templatetags.ui import number, spoken
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.access import get_attribute, get_group
from recipients.selectors import holders_of
from recipients.views.told import told_next


@require_POST
@account_view(Permission.RESTORE)
def make(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """Back up a list now, in the background."""
    group = get_group(request.actor, account=account, group_id=group_id)
    with told_next(request):
        snapshots.request_snapshot(group, actor=request.actor)
        messages.success(request, _("A backup of %(name)s is being made.") % {"name": group.name})
    return back(request, account)


@require_POST
@account_view(Permission.RESTORE)
def make_before(request: AccountRequest, account: Account, attribute_id: int) -> HttpResponseBase:
    """Back up all lists that have values in a field, before it is deleted."""
    attribute = get_attribute(request.actor, account=account, attribute_id=attribute_id)
    with told_next(request):
        groups = holders_of(attribute).groups
        count = snapshots.request_missing(account, groups, actor=request.actor)
        text = ngettext(
            "A backup of %(count)s list is being made.", "Backups of %(count)s lists are being made.", count
        )
        messages.success(request, text % {"count": number(count)})
    return back(request, account)


@require_POST
@account_view(Permission.RESTORE)
def pin(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """Keep a backup until somebody lets it go."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told_next(request):
        snapshots.pin(snapshot, actor=request.actor, pinned=True)
        messages.success(request, _("This backup is kept until somebody lets it go."))
    return back(request, account)


@require_POST
@account_view(Permission.RESTORE)
def unpin(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """Let a backup go when its time is over."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told_next(request):
        snapshot = snapshots.pin(snapshot, actor=request.actor, pinned=False)
        day = spoken(snapshot.expires_at, "day")
        messages.success(request, _("This backup is deleted by itself on %(day)s.") % {"day": day})
    return back(request, account)


@require_POST
@account_view(Permission.RESTORE)
def verify(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """Read a backup back and count it, now."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told_next(request):
        verification.verify_snapshot(snapshot, actor=request.actor)
        messages.success(request, _("The backup was read back to its end: it is whole."))
    return back(request, account)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.MANAGE)
def delete(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """Say what is lost, ask, and delete."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    if request.method == "POST":
        with told_next(request):
            delete_snapshot(snapshot, actor=request.actor)
            messages.success(request, _("The backup is deleted."))
        return redirect("backups:list", account.slug)
    others = [other for other in others_of(snapshot) if not other.damaged_code]
    context = {"snapshot": snapshot, "group": snapshot.group, "others": len(others)}
    return render(request, "backups/delete.html", context)
