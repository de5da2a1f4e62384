"""Support staff look into accounts, and each account sees that they did."""

from __future__ import annotations

import pytest

from backupsvc.accounts.actor import Origin
from backupsvc.accounts.models import Account, AuditEntry, Member, Role, User
from tests.fixtures.cast import ClientOf


@pytest.mark.parametrize("text", ["acme", "Letters", "OLIVIA@example.com", " acme "])
def test_an_account_is_found_by_name_short_name_or_a_members_address(
    text: str,
    account: Account,
    other_account: Account,
    olivia: User,
    adam: User,
    sam: User,
    client_of: ClientOf,
) -> None:
    answer = client_of(sam).get("/support/", {"q": text})
    assert answer.context["accounts"] == [account]


def test_what_does_not_exist_is_not_found(account: Account, sam: User, client_of: ClientOf) -> None:
    assert "No account found" in client_of(sam).get("/support/", {"q": "zzz"}).text


@pytest.mark.parametrize("name", ["olivia", "victor", "stranger"])
def test_nobody_else_learns_that_the_page_exists(
    name: str, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(name))
    assert client.get("/support/").status_code == 404
    assert "/support/" not in client.get("/profile/").text


def test_coming_in_is_logged_once_a_visit(account: Account, sam: User, client_of: ClientOf) -> None:
    client = client_of(sam)
    for _time in range(3):
        client.get("/a/acme/log/")
    client.get("/a/acme/members/")
    entry = AuditEntry.objects.get(event="support.opened")
    assert (entry.user, entry.origin, entry.account) == (sam, Origin.SUPPORT, account)
    client_of(sam).get("/a/acme/log/")
    assert AuditEntry.objects.filter(event="support.opened").count() == 2


def test_the_account_sees_the_steps_of_support_staff_marked(
    account: Account, sam: User, olivia: User, client_of: ClientOf
) -> None:
    client_of(sam).get("/a/acme/log/")
    text = client_of(olivia).get("/a/acme/log/").text
    assert "log-support" in text
    assert "Support staff opened the account" in text


def test_support_staff_see_a_banner_while_they_are_in_an_account(
    account: Account, sam: User, olivia: User, client_of: ClientOf
) -> None:
    assert "banner-support" in client_of(sam).get("/a/acme/log/").text
    assert "banner-support" not in client_of(olivia).get("/a/acme/log/").text


def test_support_staff_who_are_members_come_in_as_members(
    account: Account, sam: User, client_of: ClientOf
) -> None:
    Member.objects.create(account=account, user=sam, role=Role.ADMIN)
    answer = client_of(sam).get("/a/acme/log/")
    assert "banner-support" not in answer.text
    assert not AuditEntry.objects.exists()


def test_a_support_user_who_cannot_sign_in_any_more_stays_out(
    account: Account, sam: User, client_of: ClientOf
) -> None:
    client = client_of(sam)
    User.objects.filter(pk=sam.pk).update(is_active=False)
    assert client.get("/a/acme/log/").status_code == 302


def test_every_page_support_staff_look_at_is_in_the_accounts_log(
    account: Account, sam: User, olivia: User, client_of: ClientOf
) -> None:
    client_of(olivia).get("/a/acme/log/")
    client_of(sam).get("/a/acme/settings/privacy/")
    entry = AuditEntry.objects.get(event="support.viewed")
    assert (entry.user, entry.origin, entry.target) == (sam, "support", "/a/acme/settings/privacy/")
