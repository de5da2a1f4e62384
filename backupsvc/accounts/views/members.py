"""Who belongs to the account: everybody sees it, the owner decides it."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actions.members import add_member, remove_member
from backupsvc.accounts.actions.members import change_role as change_members_role
from backupsvc.accounts.forms import MemberForm
from backupsvc.accounts.models import Account, Member, Role
from backupsvc.accounts.selectors import get_member, members_of
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, Refusal
from backupsvc.wording import say


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def members(request: AccountRequest, account: Account) -> HttpResponseBase:
    """The members, and for the owner a form to let somebody in."""
    form = MemberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require(request.actor, account=account, permission=Permission.MEMBERS)
        if form.is_valid():
            member = _added(form, request, account)
            if member is not None:
                messages.success(request, _("%(email)s has been invited.") % {"email": member.user.email})
                return redirect("accounts:members", account.slug)
    context = {"form": form, "tab": "members", "members": members_of(account), "roles": Role.choices}
    return render(request, "accounts/members.html", context)


@require_POST
@account_view(Permission.MEMBERS)
def change_role(request: AccountRequest, account: Account, member_id: int) -> HttpResponseBase:
    """Give a member another role."""
    member = get_member(account, member_id=member_id)
    try:
        changed = change_members_role(member, actor=request.actor, role=request.POST.get("role", ""))
    except Forbidden:
        raise
    except Refusal as refusal:
        messages.error(request, say(refusal))
    else:
        text = _("%(name)s is now: %(role)s.")
        messages.success(
            request, text % {"name": changed.user.get_full_name(), "role": changed.get_role_display()}
        )
    return redirect("accounts:members", account.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.MEMBERS)
def remove(request: AccountRequest, account: Account, member_id: int) -> HttpResponseBase:
    """Ask, then take a member out of the account."""
    member = get_member(account, member_id=member_id)
    if request.method != "POST":
        return render(request, "accounts/member_remove.html", {"member": member})
    try:
        remove_member(member, actor=request.actor)
    except Forbidden:
        raise
    except Refusal as refusal:
        messages.error(request, say(refusal))
    else:
        text = _("%(name)s no longer belongs to the account.")
        messages.success(request, text % {"name": member.user.get_full_name()})
        if member.user == request.user:  # the account's pages are no longer theirs
            return redirect("accounts:home")
    return redirect("accounts:members", account.slug)


def _added(form: MemberForm, request: AccountRequest, account: Account) -> Member | None:
    try:
        return add_member(account, actor=request.actor, **form.cleaned_data)
    except Forbidden:
        raise
    except Refusal as refusal:
        form.add_error("email", say(refusal))
        return None
