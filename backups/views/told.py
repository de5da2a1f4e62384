"""Where a person goes after an action, and how they learn that it was refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.urls import reverse

from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, back_path
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.wording import say


def concerns_the_door(refusal: Refusal) -> bool:
    """Whether the answer is 403 or 404. A backup that is there, but whose file is not, is no 404."""
    return isinstance(refusal, Forbidden | NotFound) and refusal.code != "archive.missing"


@contextmanager
def told(request: AccountRequest) -> Iterator[None]:
    """Say a refusal on the page that comes next, instead of on one of its own."""
    try:
        yield
    except Refusal as refusal:
        if concerns_the_door(refusal):
            raise
        messages.error(request, say(refusal))


def back(request: AccountRequest, account: Account) -> HttpResponseRedirect:
    """To the page of this account that the person came from, with its filters; else to the backups."""
    path = back_path(request)
    inside = f"/a/{account.slug}/"
    return HttpResponseRedirect(
        path if path.startswith(inside) else reverse("backups:list", args=[account.slug])
    )
