"""Who may make a user account over the web."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types for it
    """allauth's door, shut unless `ALLOW_SIGNUP` opens it."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People come by invitation or by `manage.py create_account`."""
        return settings.ALLOW_SIGNUP
