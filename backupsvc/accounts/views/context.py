"""What every template knows: the account, what one may do in it, and where in the menu one is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from backupsvc.accounts.views.door import shown_path, usual_account

# The menu entry that stands for a page, by the namespace or the name of its address.
MENU_OF = {"recipients": "recipients", "backups": "backups", "accounts:log": "log"}


def page(request: HttpRequest) -> dict[str, Any]:
    """The context processor of all pages. Pages outside an account show the one the person was in last."""
    context: dict[str, Any] = {
        "site_name": settings.SITE_NAME,
        "allow_signup": settings.ALLOW_SIGNUP,
        "account": getattr(request, "account", None),
        "permissions": getattr(request, "permissions", frozenset()),
        "is_support_visit": getattr(request, "is_support_visit", False),
        "my_accounts": getattr(request, "my_accounts", ()),
        "menu": menu_entry(request),
        "shown_path": shown_path(request),
    }
    actor = getattr(request, "actor", None)
    if actor is None:
        return context
    if context["account"] is None:
        found = usual_account(request)
        if found is not None:
            context["account"] = found.account
            context["permissions"] = found.permissions
            context["is_support_visit"] = found.is_support_visit
            context["my_accounts"] = found.mine
    return context


def menu_entry(request: HttpRequest) -> str:
    """The entry to mark as current; empty for pages of "My account" and outside."""
    match = request.resolver_match
    if match is None:
        return ""
    if match.view_name == "backups:extras":  # the same page, reached over My account
        return ""
    return MENU_OF.get(match.view_name) or MENU_OF.get(match.app_name, "")
