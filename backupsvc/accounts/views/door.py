"""The decorators every page stands behind: who is it, whose data, may they, and what if not."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from backupsvc.accounts.access import Permission, Visit, check, usual_visit, visit
from backupsvc.accounts.actions import support
from backupsvc.accounts.actor import Actor, Origin
from backupsvc.accounts.models import Account, Role, User
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.wording import say

P = ParamSpec("P")
# Where a session remembers the account a person was in, and those support staff have opened.
LAST_ACCOUNT = "account"
SUPPORT_VISITS = "support_visits"
# What pages ask for by themselves, every second: these parts tell how far work is, and nobody's address.
POLLED = frozenset({"backups:row", "recipients:change-preview", "recipients:change-progress"})
# How an address says how far one has leafed.
PLACES = ("after", "before", "skip")


class SignedInRequest(HttpRequest):
    """What a view behind `signed_in_view` gets."""

    user: User
    actor: Actor
    htmx: HtmxDetails


class AccountRequest(SignedInRequest):
    """What a view behind `account_view` gets."""

    account: Account
    permissions: frozenset[Permission]
    is_support_visit: bool
    my_accounts: Sequence[Account]


def signed_in_view(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """A page for everybody who is signed in, outside of any account."""

    @wraps(view)
    def opened(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(cast("SignedInRequest", request), *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)

    return _to_sign_in_first(opened)


def account_view(
    permission: Permission = Permission.VIEW,
) -> Callable[
    [Callable[Concatenate[AccountRequest, Account, P], HttpResponseBase]], Callable[..., HttpResponseBase]
]:
    """A page inside an account for those who hold `permission` in it; the view gets (request, account, …)."""

    def decorate(
        view: Callable[Concatenate[AccountRequest, Account, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def opened(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            inside = cast("AccountRequest", request)
            try:
                found = visit(inside.actor, slug=slug)
                account = found.account
                enter(inside, found)
                check(found.permissions, permission)
                if inside.is_support_visit and request.method == "GET" and not _is_poll(inside):
                    support.view_page(account, actor=inside.actor, path=_seen_path(request))
                return view(inside, account, *args, **kwargs)
            except Refusal as refusal:
                return refused(request, refusal)

        return _to_sign_in_first(opened)

    return decorate


def _to_sign_in_first(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Lead visitors to the sign-in, and from there to the page they were on."""

    @wraps(view)
    def opened(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        answer = redirect_to_login(shown_path(request))
        if cast("SignedInRequest", request).htmx:
            # Or the sign-in would stand within a part of the page.
            return HttpResponseClientRedirect(answer.url)
        if request.method == "POST":
            messages.warning(request, _("You were signed out. What you sent was not saved."))
        return answer

    return opened


def enter(request: AccountRequest, found: Visit) -> None:
    """Put the account and its rights on the request; note the first step of support staff into it."""
    account = found.account
    request.account = account
    request.permissions = found.permissions
    request.is_support_visit = found.is_support_visit
    request.my_accounts = found.mine
    timezone.activate(zoneinfo.ZoneInfo(account.time_zone))
    if request.is_support_visit:
        request.actor = Actor(request.actor.user, Origin.SUPPORT)
        visits: list[int] = request.session.get(SUPPORT_VISITS, [])
        if account.pk not in visits:
            support.open_account(account, actor=request.actor)
            request.session[SUPPORT_VISITS] = [*visits, account.pk]
    if request.session.get(LAST_ACCOUNT) != account.slug:
        request.session[LAST_ACCOUNT] = account.slug


def _is_poll(request: AccountRequest) -> bool:
    # Whoever only says that htmx asks gets the part that polls get, too.
    match = request.resolver_match
    return bool(request.htmx) and match is not None and match.view_name in POLLED


def _seen_path(request: HttpRequest) -> str:
    """The page's address for the log: with how far one has leafed, without what one searched for."""
    places = {name: request.GET[name] for name in PLACES if request.GET.get(name)}
    # In a list of recipients, the place to go on from is somebody's address.
    shown = [f"{name}={place if place.isdecimal() else '…'}" for name, place in places.items()]
    return "?".join(filter(None, (request.path, "&".join(shown))))


def usual_account(request: HttpRequest) -> Visit | None:
    """The account a person was in last, else their first; None when they have none."""
    actor = cast("SignedInRequest", request).actor
    slug = request.session.get(LAST_ACCOUNT)
    if slug:
        try:
            return visit(actor, slug=slug)
        except Refusal:
            pass  # they were removed from it since: fall through to one they do have
    return usual_visit(actor)


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The answer to a refusal: a page, or for htmx a message in the page that is there (base.html)."""
    if isinstance(refusal, NotFound):
        raise Http404(refusal.code) from refusal
    status = 403 if isinstance(refusal, Forbidden) else 400
    context = {"text": say(refusal), "status": status, "back": back_path(request)}
    if getattr(request, "htmx", None):
        return render(request, "components/_problem.html", context, status=status)
    if status == 403:
        context["owners"] = owners_of(request)
        return render(request, "accounts/forbidden.html", context, status=status)
    return render(request, "accounts/refused.html", context, status=status)


def owners_of(request: HttpRequest) -> list[User]:
    """Whom to ask for a right one lacks."""
    account: Account | None = getattr(request, "account", None)
    if account is None:
        return []
    return list(
        User.objects.filter(memberships__account=account, memberships__role=Role.OWNER).order_by("email")
    )


def shown_path(request: HttpRequest) -> str:
    """The page a person has before them: what was asked for, or where a form or a part was asked from."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if not htmx:
        return request.get_full_path() if request.method in ("GET", "HEAD") else back_path(request)
    path = htmx.current_url_abs_path or "/"
    is_ours = url_has_allowed_host_and_scheme(path, {request.get_host()}, require_https=request.is_secure())
    return path if is_ours else "/"


def back_path(request: HttpRequest) -> str:
    """Where the person came from, if that is a page of ours; "/" otherwise."""
    came_from = request.headers.get("Referer", "")
    ours = request.build_absolute_uri("/")
    if not came_from.startswith(ours):
        return "/"
    # "//name" would be an address on another host.
    return "/" + came_from.removeprefix(ours).lstrip("/")
