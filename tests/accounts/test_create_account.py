"""manage.py create_account"""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from backupsvc.accounts.models import Account, AuditEntry, Member, User

OWNER = ("--owner", "Olivia@Example.com", "--password", "correct horse")


def test_it_makes_an_account_whose_owner_can_sign_in(db: None) -> None:
    call_command("create_account", "acme", *OWNER, "--name", "Acme Letters")
    account = Account.objects.get(slug="acme")
    assert account.name == "Acme Letters"
    assert [(m.user.email, m.role) for m in Member.objects.filter(account=account)] == [
        ("olivia@example.com", "owner")
    ]
    assert AuditEntry.objects.get().event == "account.created"
    client = Client()
    answer = client.post(
        "/accounts/login/", {"login": "olivia@example.com", "password": "correct horse"}, follow=True
    )
    assert answer.redirect_chain[0][0] == "/"


def test_a_short_name_that_is_taken_ends_with_a_reason(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_account", "acme", *OWNER)
    with pytest.raises(SystemExit) as ended:
        call_command("create_account", "acme", "--owner", "adam@example.com", "--password", "x")
    assert ended.value.code == 1
    assert "already an account" in capsys.readouterr().err
    assert not User.objects.filter(email="adam@example.com").exists()


@pytest.mark.parametrize("slug", ["", "Ä", "a b", "-a", "a--b", "A", "a" * 51, "../x"])
def test_a_short_name_that_no_address_can_hold_is_refused(slug: str, db: None) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("create_account", f"{slug}", *OWNER) if not slug.startswith("-") else call_command(
            "create_account", *OWNER, "--", slug
        )
    assert ended.value.code == 1
    assert not Account.objects.exists()


def test_a_known_owner_keeps_their_password(db: None) -> None:
    call_command("create_account", "acme", *OWNER)
    call_command("create_account", "bakery", "--owner", "olivia@example.com", "--password", "something else")
    assert User.objects.get().check_password("correct horse")


def test_with_json_it_prints_one_document(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_account", "acme", *OWNER, "--json")
    assert json.loads(capsys.readouterr().out)["slug"] == "acme"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("Acme", *OWNER), "account.slug_invalid"),
        (("acme", *OWNER, "--name", "A" * 201), "account.name_too_long"),
        (("acme", *OWNER[2:], "--owner", "olivia"), "user.email_invalid"),
        (("acme", *OWNER[2:], "--owner", f"olivia@{'example.' * 32}com"), "user.email_invalid"),
        (("acme", *OWNER[2:], "--owner", ""), "user.email_invalid"),
    ],
)
def test_a_refused_account_is_one_json_document(
    words: tuple[str, ...], code: str, db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("create_account", *words, "--json")
    assert ended.value.code == 1
    said = capsys.readouterr()
    refusal = json.loads(said.out)["error"]
    assert refusal["code"] == code
    assert refusal["message"] in said.err
    assert not Account.objects.exists()
    assert not User.objects.exists()


def test_wrong_usage_is_told_apart(db: None) -> None:
    with pytest.raises(CommandError):
        call_command("create_account", "acme")
