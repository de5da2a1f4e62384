"""What holds for every request: who acts, in which language, and what an answer depends on."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.middleware import get_user
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from backupsvc.accounts.actor import Actor, Origin
from backupsvc.accounts.models import User


class ActorMiddleware:
    """Sets `request.actor` (None for visitors) and speaks the language a person chose in the profile.

    Comes after the session, the locale and the authentication.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # `request.user` is a lazy stand-in for this; actions and the log want the user itself.
        user = get_user(request)
        actor = Actor(user, Origin.UI) if isinstance(user, User) else None
        request.actor = actor  # type: ignore[attr-defined]
        if actor and actor.user and actor.user.language:
            translation.activate(actor.user.language)
            request.LANGUAGE_CODE = translation.get_language() or ""
        try:
            return self.get_response(request)
        finally:
            # Views activate the zone of their account; the next request of this thread may have none.
            timezone.deactivate()


class NotAllowedMiddleware:
    """Puts words and a way on into the answer to a method that an address does not take: it is empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            page = render(request, "405.html", status=response.status_code)
            response.content = page.content
        return response


class BrowserCacheMiddleware:
    """Tells caches what they may keep of an answer that says nothing of it itself.

    A page and a part of it share an address: Back must not show the part. What somebody sees who is signed
    in holds people's addresses, and must not outlive the session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        patch_vary_headers(response, ("HX-Request",))
        if getattr(request, "actor", None) is not None and not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "private, no-store"
        return response
