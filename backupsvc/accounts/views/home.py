"""The first page after signing in, and the choice of a language."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from backupsvc.accounts.actions.users import change_profile
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import (
    AccountRequest,
    SignedInRequest,
    account_view,
    signed_in_view,
    usual_account,
)


@require_safe
@signed_in_view
def home(request: SignedInRequest) -> HttpResponseBase:
    """The account the person was in last; support staff without one find accounts; else a friendly page."""
    found = usual_account(request)
    if found is not None:
        return redirect("recipients:groups", found.account.slug)
    if request.user.is_support:
        return redirect("accounts:support")
    return render(request, "accounts/no_account.html")


@require_safe
@account_view()
def account(request: AccountRequest, account: Account) -> HttpResponseBase:
    """An account's address without more leads to its lists."""
    return redirect("recipients:groups", account.slug)


@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Remember the language: in the profile of those who are signed in, in a cookie for this browser."""
    target = request.POST.get("next", "/")
    is_safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    # A path alone: `redirect` would look for a page that has any other text for its name.
    response = HttpResponseRedirect(target if is_safe and target.startswith("/") else "/")
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 3600,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            samesite="Lax",
        )
        actor = getattr(request, "actor", None)
        if actor is not None:
            change_profile(actor.user, actor=actor, language=language)
    return response
