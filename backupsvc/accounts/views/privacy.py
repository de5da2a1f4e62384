"""Settings > Privacy: when backups are made and how long they stay."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actions.accounts import change_settings
from backupsvc.accounts.forms import PrivacyForm
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, Refusal
from backupsvc.wording import say


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def privacy(request: AccountRequest, account: Account) -> HttpResponseBase:
    """Shows the switches to everybody in the account; who may not change them reads them."""
    is_owner = Permission.MEMBERS in request.permissions
    if request.method == "POST":
        require(request.actor, account=account, permission=Permission.MANAGE)
        form = PrivacyForm(account, is_owner=is_owner, data=request.POST)
        if form.is_valid() and _saved(form, request, account):
            messages.success(request, _("The settings are saved."))
            return redirect("accounts:privacy", account.slug)
    else:
        form = PrivacyForm(account, is_owner=is_owner)
    return render(request, "accounts/privacy.html", {"form": form, "tab": "privacy"})


def _saved(form: PrivacyForm, request: AccountRequest, account: Account) -> bool:
    try:
        change_settings(account, actor=request.actor, **form.wish())
    except Forbidden:
        raise
    except Refusal as refusal:
        form.add_error(None, say(refusal))
        return False
    return True
