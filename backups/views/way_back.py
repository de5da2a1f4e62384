"""Where a person goes after an action."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.urls import reverse

from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, back_path


def back(request: AccountRequest, account: Account) -> HttpResponseRedirect:
    """To the page of this account that the person came from, with its filters; else to the backups."""
    path = back_path(request)
    inside = f"/a/{account.slug}/"
    return HttpResponseRedirect(
        path if path.startswith(inside) else reverse("backups:list", args=[account.slug])
    )
