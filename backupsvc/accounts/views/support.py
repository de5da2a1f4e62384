"""The page on which support staff find a customer's account."""

from __future__ import annotations

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backupsvc.accounts.selectors import find_accounts
from backupsvc.accounts.views.door import SignedInRequest, signed_in_view

MOST_SHOWN = 50


@require_safe
@signed_in_view
def find(request: SignedInRequest) -> HttpResponseBase:
    """Accounts by name, short name or a member's address. Nobody else learns that the page exists."""
    if not request.user.is_support:
        raise Http404
    # Without the one character that PostgreSQL refuses.
    text = request.GET.get("q", "").replace("\0", "").strip()
    found = find_accounts(text, limit=MOST_SHOWN + 1)
    context = {"q": text, "accounts": found[:MOST_SHOWN], "has_more": len(found) > MOST_SHOWN}
    return render(
        request, "accounts/_support_found.html" if request.htmx else "accounts/support.html", context
    )
