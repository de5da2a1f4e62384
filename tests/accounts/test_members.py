"""Owners decide who belongs to the account; everybody else only reads who does."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from backupsvc.accounts.models import Account, AuditEntry, Member, Role, User
from tests.fixtures.cast import ClientOf

MEMBERS = "/a/acme/members/"


def invite(client: Client, email: str = "nina@example.com", role: str = "editor") -> int:
    return client.post(MEMBERS, {"email": email, "role": role}).status_code


def test_an_owner_invites_somebody_who_then_chooses_a_password_and_signs_in(
    account: Account,
    olivia: User,
    client_of: ClientOf,
    django_capture_on_commit_callbacks: object,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert invite(client_of(olivia)) == 302
    member = Member.objects.get(account=account, user__email="nina@example.com")
    assert member.role == Role.EDITOR
    entry = AuditEntry.objects.get(event="member.added")
    assert (entry.target, entry.data, entry.user) == ("nina@example.com", {"role": "editor"}, olivia)

    assert [message.to for message in mail.outbox] == [["nina@example.com"]]
    path = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
    assert path
    browser = Client()
    form = browser.get(path[1], follow=True)
    where = form.redirect_chain[-1][0]
    browser.post(where, {"password1": "staple battery 9", "password2": "staple battery 9"})
    browser.post("/accounts/login/", {"login": "nina@example.com", "password": "staple battery 9"})
    assert browser.get(MEMBERS).status_code == 200


def test_somebody_who_has_a_password_is_told_to_sign_in_as_usual(
    account: Account,
    olivia: User,
    stranger: User,
    client_of: ClientOf,
    django_capture_on_commit_callbacks: object,
) -> None:
    EmailAddress.objects.create(user=stranger, email=stranger.email, primary=True, verified=True)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        invite(client_of(olivia), "STRANGER@example.com")
    assert Member.objects.filter(account=account, user=stranger).exists()
    assert "/password/reset/key/" not in mail.outbox[0].body


@pytest.mark.parametrize("name", ["adam", "edith", "victor", "sam"])
def test_nobody_but_an_owner_invites(
    name: str, request: pytest.FixtureRequest, account: Account, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(name))
    assert invite(client) == 403
    assert not User.objects.filter(email="nina@example.com").exists()
    assert 'name="email"' not in client.get(MEMBERS).text


def test_the_page_of_a_refusal_says_what_is_missing_and_whom_to_ask(
    account: Account, olivia: User, victor: User, client_of: ClientOf
) -> None:
    answer = client_of(victor).post(MEMBERS, {"email": "nina@example.com", "role": "editor"})
    assert "decide who belongs to the account" in answer.text
    assert "olivia@example.com" in answer.text


@pytest.mark.parametrize(
    ("email", "role", "text"),
    [
        ("victor@example.com", "editor", "belongs to the account already"),
        ("nobody", "editor", "Enter a valid email address"),
        ("nina@example.com", "emperor", "Select a valid choice"),
    ],
)
def test_an_invitation_that_cannot_be_meant_is_refused_on_the_form(
    email: str, role: str, text: str, account: Account, olivia: User, victor: User, client_of: ClientOf
) -> None:
    before = Member.objects.count()
    answer = client_of(olivia).post(MEMBERS, {"email": email, "role": role})
    assert answer.status_code == 200
    assert text in answer.text
    assert Member.objects.count() == before


@pytest.mark.parametrize(
    ("name", "status"), [("olivia", 302), ("adam", 403), ("victor", 403), ("stranger", 404)]
)
def test_only_an_owner_changes_roles(
    name: str,
    status: int,
    request: pytest.FixtureRequest,
    account: Account,
    edith: User,
    client_of: ClientOf,
) -> None:
    member = Member.objects.get(user=edith)
    client = client_of(request.getfixturevalue(name))
    answer = client.post(f"{MEMBERS}{member.pk}/role/", {"role": "admin"})
    assert answer.status_code == status
    member.refresh_from_db()
    assert member.role == ("admin" if status == 302 else "editor")
    logged = AuditEntry.objects.filter(event="member.role_changed")
    assert [entry.data for entry in logged] == (
        [{"old": {"role": "editor"}, "new": {"role": "admin"}}] if status == 302 else []
    )


@pytest.mark.parametrize(
    ("name", "status"), [("olivia", 302), ("adam", 403), ("victor", 403), ("stranger", 404)]
)
def test_only_an_owner_removes_members(
    name: str,
    status: int,
    request: pytest.FixtureRequest,
    account: Account,
    edith: User,
    client_of: ClientOf,
) -> None:
    member = Member.objects.get(user=edith)
    client = client_of(request.getfixturevalue(name))
    assert client.post(f"{MEMBERS}{member.pk}/remove/").status_code == status
    assert Member.objects.filter(pk=member.pk).exists() is (status != 302)
    assert AuditEntry.objects.filter(event="member.removed").exists() is (status == 302)
    assert User.objects.filter(pk=edith.pk).exists()


def test_looking_at_the_question_removes_nobody(
    account: Account, olivia: User, edith: User, client_of: ClientOf
) -> None:
    member = Member.objects.get(user=edith)
    assert client_of(olivia).get(f"{MEMBERS}{member.pk}/remove/").status_code == 200
    assert Member.objects.filter(pk=member.pk).exists()


@pytest.mark.parametrize(("path", "data"), [("role/", {"role": "viewer"}), ("remove/", {})])
def test_the_last_owner_stays_owner(
    path: str, data: dict[str, str], account: Account, olivia: User, client_of: ClientOf
) -> None:
    member = Member.objects.get(user=olivia)
    answer = client_of(olivia).post(f"{MEMBERS}{member.pk}/{path}", data, follow=True)
    assert "is the only owner" in answer.text
    member.refresh_from_db()
    assert member.role == Role.OWNER


@pytest.mark.parametrize(("path", "data"), [("role/", {"role": "viewer"}), ("remove/", {})])
def test_one_of_two_owners_can_go(
    path: str, data: dict[str, str], account: Account, olivia: User, adam: User, client_of: ClientOf
) -> None:
    Member.objects.filter(user=adam).update(role=Role.OWNER)
    member = Member.objects.get(user=olivia)
    client_of(olivia).post(f"{MEMBERS}{member.pk}/{path}", data)
    assert not Member.objects.filter(pk=member.pk, role=Role.OWNER).exists()


def test_who_leaves_an_account_lands_on_their_first_page(
    account: Account, other_account: Account, olivia: User, adam: User, client_of: ClientOf
) -> None:
    Member.objects.filter(user=adam).update(role=Role.OWNER)
    Member.objects.create(account=other_account, user=olivia, role=Role.VIEWER)
    browser = client_of(olivia)
    member = Member.objects.get(account=account, user=olivia)
    answer = browser.post(f"{MEMBERS}{member.pk}/remove/", follow=True)
    assert answer.redirect_chain == [("/", 302), ("/a/other/recipients/", 302)]
    assert "Olivia no longer belongs to the account." in answer.text
    # Their last account too.
    Member.objects.create(account=account, user=olivia, role=Role.OWNER)
    Member.objects.filter(account=other_account).delete()
    member = Member.objects.get(account=account, user=olivia)
    answer = browser.post(f"{MEMBERS}{member.pk}/remove/", follow=True)
    assert answer.redirect_chain == [("/", 302)]
    assert "Ask its owner to invite this address." in answer.text


def test_a_member_of_another_account_is_not_found_under_this_one(
    account: Account, olivia: User, stranger: User, client_of: ClientOf
) -> None:
    member = Member.objects.get(user=stranger)
    assert client_of(olivia).post(f"{MEMBERS}{member.pk}/remove/").status_code == 404
    assert Member.objects.filter(pk=member.pk).exists()
