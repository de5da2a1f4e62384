"""The front door: e-mail and password, no sign-up unless it is wanted."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _forget_attempts() -> None:
    cache.clear()


@pytest.mark.django_db
def test_people_sign_in_with_their_address(client: Client) -> None:
    get_user_model().objects.create_user("anna@example.com", PASSWORD)
    client.post("/accounts/login/", {"login": "Anna@Example.com", "password": PASSWORD})
    assert "_auth_user_id" in client.session


@pytest.mark.django_db
def test_after_five_wrong_passwords_the_right_one_is_refused_too(client: Client) -> None:
    get_user_model().objects.create_user("anna@example.com", PASSWORD)
    for _ in range(5):
        client.post("/accounts/login/", {"login": "anna@example.com", "password": "wrong"})
    client.post("/accounts/login/", {"login": "anna@example.com", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
@pytest.mark.parametrize("is_open", [False, True])
def test_only_an_open_door_lets_strangers_sign_up(client: Client, settings: Settings, is_open: bool) -> None:
    settings.ALLOW_SIGNUP = is_open
    answer = client.post(
        "/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert get_user_model().objects.filter(email="new@example.com").exists() is is_open
    assert answer.status_code == (302 if is_open else 200)


@pytest.mark.django_db
def test_a_link_that_no_longer_confirms_an_address_leads_to_a_new_one(
    client: Client, settings: Settings
) -> None:
    settings.ALLOW_SIGNUP = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client.post(
        "/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    )
    page = client.get("/accounts/confirm-email/too-old/").text
    assert "This link no longer works" in page
    assert 'href="/accounts/login/"' in page
    assert "/accounts/email/" not in page
    cache.clear()  # as if some minutes had gone by
    client.post("/accounts/login/", {"login": "new@example.com", "password": PASSWORD})
    newest = re.search(r"/accounts/confirm-email/[^/\s]+/", str(mail.outbox[-1].body))
    assert len(mail.outbox) == 2
    assert newest
    assert "Confirm" in client.get(newest[0]).text
    client.post(newest[0])
    client.post("/accounts/login/", {"login": "new@example.com", "password": PASSWORD})
    assert "_auth_user_id" in client.session


@pytest.mark.django_db
def test_pages_carry_the_content_policy(client: Client) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    for rule in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe-eval" not in policy
