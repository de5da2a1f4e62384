"""The activity log of an account."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.accounts.selectors import audit_entries, has_entries, logged_lists
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.accounts.views.log_text import line_of

PAGE_SIZE = 50


@require_safe
@account_view()
def log(request: AccountRequest, account: Account) -> HttpResponseBase:
    """Newest first, by list if one is chosen, fifty a page."""
    group_id = row_number(request.GET.get("list"))
    entries = audit_entries(
        account,
        group_id=group_id,
        before_id=row_number(request.GET.get("before")),
        after_id=row_number(request.GET.get("after")),
        limit=PAGE_SIZE,
    )
    context = {
        "lines": [line_of(entry) for entry in entries],
        "lists": logged_lists(account),
        "group_id": group_id,
        **_pages(account, entries, group_id),
    }
    return render(request, "accounts/_log_lines.html" if request.htmx else "accounts/log.html", context)


def _pages(account: Account, entries: list[AuditEntry], group_id: int | None) -> dict[str, str]:
    if not entries:
        return {"previous_url": "", "next_url": ""}
    path = reverse("accounts:log", args=[account.slug])
    chosen = {"list": group_id} if group_id else {}
    newer = has_entries(account, group_id=group_id, after_id=entries[0].pk)
    older = has_entries(account, group_id=group_id, before_id=entries[-1].pk)
    return {
        "previous_url": f"{path}?{urlencode({**chosen, 'after': entries[0].pk})}" if newer else "",
        "next_url": f"{path}?{urlencode({**chosen, 'before': entries[-1].pk})}" if older else "",
    }
