"""Whose address it is: the mail decides, and nobody is taken for its owner before."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.apps import apps
from django.core import mail
from django.core.cache import cache
from django.test import Client

from backupsvc.accounts.actions.members import add_member
from backupsvc.accounts.actor import Actor, Origin
from backupsvc.accounts.models import Account, User
from tests.fixtures.cast import ClientOf

PASSWORD = "staple battery 9"


@pytest.fixture(autouse=True)
def _forget_attempts() -> None:
    cache.clear()


@pytest.fixture
def invite(account: Account, olivia: User, django_capture_on_commit_callbacks: Any) -> Any:
    """Olivia lets an address in; what the mail to it says."""

    def sent(email: str) -> str:
        with django_capture_on_commit_callbacks(execute=True):
            add_member(account, actor=Actor(olivia, Origin.UI), email=email, role="editor")
        assert mail.outbox[-1].to == [email]
        return str(mail.outbox[-1].body)

    return sent


def link_in(text: str) -> str:
    found = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", text)
    assert found, text
    return found[1]


def choose_password(text: str) -> Client:
    """Follow the link of a mail; the browser in which the person then signed in."""
    browser = Client()
    form = browser.get(link_in(text), follow=True)
    browser.post(form.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD})
    return browser


def test_an_unproven_address_lets_nobody_into_another_account(
    invite: Any, stranger: User, client_of: ClientOf
) -> None:
    hers = client_of(stranger)
    for action in ("action_add", "action_primary"):
        assert hers.post("/accounts/email/", {"email": "nina@example.com", action: ""}).status_code == 404
    assert hers.get("/accounts/email/").status_code == 404
    assert not User.objects.filter(email="nina@example.com").exists()

    # However she came by the address: not before she has read the mail to it.
    User.objects.filter(pk=stranger.pk).update(email="nina@example.com")
    EmailAddress.objects.create(user=stranger, email="nina@example.com", primary=True)
    text = invite("nina@example.com")
    assert hers.get("/a/acme/recipients/").status_code == 302
    again = Client()
    again.post("/accounts/login/", {"login": "nina@example.com", "password": "correct horse"})
    assert again.get("/a/acme/recipients/").status_code == 302

    nina = choose_password(text)
    nina.post("/accounts/login/", {"login": "nina@example.com", "password": PASSWORD})
    assert nina.get("/a/acme/recipients/").status_code == 200


def test_an_operator_who_is_invited_keeps_the_password(invite: Any) -> None:
    User.objects.create_superuser("root@example.com", PASSWORD)
    assert "/password/reset/key/" not in invite("root@example.com")
    assert User.objects.get(email="root@example.com").check_password(PASSWORD)


def test_who_was_invited_can_turn_on_two_factor_sign_in(invite: Any) -> None:
    browser = choose_password(invite("nina@example.com"))
    assert EmailAddress.objects.get(email="nina@example.com").verified
    browser.post("/accounts/login/", {"login": "nina@example.com", "password": PASSWORD})
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert browser.get("/accounts/2fa/totp/activate/").status_code == 200
    counter = next(yield_hotp_counters_from_time())
    code = format_hotp_value(hotp_value(browser.session["mfa.totp.secret"], counter))
    browser.post("/accounts/2fa/totp/activate/", {"code": code})
    assert Authenticator.objects.filter(user__email="nina@example.com", type="totp").exists()


def test_choosing_a_new_password_by_mail_proves_the_address_of_who_was_made_by_command(db: None) -> None:
    User.objects.create_superuser("root@example.com", "another one 5")
    Client().post("/accounts/password/reset/", {"email": "root@example.com"})
    choose_password(str(mail.outbox[-1].body))
    address = EmailAddress.objects.get()
    assert (address.email, address.verified, address.primary) == ("root@example.com", True, True)


def test_an_upgrade_proves_the_address_of_who_was_invited_and_no_other(invite: Any, stranger: User) -> None:
    for email in ("nina@example.com", "ben@example.com"):
        invite(email)
    nina = User.objects.get(email="nina@example.com")
    nina.set_password(PASSWORD)  # Ben has not come yet
    nina.save()
    # Stranger called herself Vera; then Vera was invited.
    yesterday = stranger.date_joined - timedelta(days=1)
    User.objects.filter(pk=stranger.pk).update(email="vera@example.com", date_joined=yesterday)
    EmailAddress.objects.create(user=stranger, email="stranger@example.com")
    EmailAddress.objects.create(user=stranger, email="vera@example.com", primary=True)
    invite("vera@example.com")
    User.objects.filter(pk=stranger.pk).update(password=stranger.password)

    migration = importlib.import_module("backupsvc.accounts.migrations.0004_proven_addresses")
    migration.prove_addresses(apps, None)
    assert dict(EmailAddress.objects.values_list("email", "verified")) == {
        "nina@example.com": True,
        "ben@example.com": False,
        "vera@example.com": False,
    }
