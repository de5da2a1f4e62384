"""Support staff look into accounts, and each account sees that they did."""

from __future__ import annotations

import pytest

from backups.actions.snapshots import request_snapshot
from backupsvc.accounts.actor import Origin
from backupsvc.accounts.models import Account, AuditEntry, Member, Role, User
from backupsvc.jobs.runner import drain
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists


@pytest.mark.parametrize("text", ["acme", "Letters", "OLIVIA@example.com", " acme ", "ac\0me"])
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


def test_a_search_that_no_text_of_a_database_can_hold_is_answered(sam: User, client_of: ClientOf) -> None:
    answer = client_of(sam).get("/support/?q=%00")
    assert answer.status_code == 200
    assert answer.context["q"] == ""


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


def test_support_leafing_by_htmx_is_in_the_log(lists: Lists, sam: User, client_of: ClientOf) -> None:
    people = "".join(f"person{number:02}@example.com\n" for number in range(60))
    group = lists.group(f"email\n{people}")
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    client = client_of(sam)
    pages = f"/a/acme/recipients/{group.pk}/", f"/a/acme/backups/{snapshot.pk}/"
    asked = {"q": "person", "after": "person07@example.com"}, {"q": "person", "skip": "50"}
    for page, question in zip(pages, asked, strict=True):
        assert "person55@example.com" in client.get(page, question, headers={"HX-Request": "true"}).text
    seen = AuditEntry.objects.filter(event="support.viewed").order_by("pk").values_list("target", flat=True)
    assert list(seen) == [f"{pages[0]}?after=…", f"{pages[1]}?skip=50"]


def test_what_pages_ask_for_by_themselves_fills_no_log(lists: Lists, sam: User, client_of: ClientOf) -> None:
    group = lists.group("email\nanna@example.com\n")
    change, _job = lists.confirm("email\nbob@example.com\n", into=group)
    snapshot, _job = request_snapshot(group, actor=lists.actor)
    polled = [f"/a/acme/backups/{snapshot.pk}/row/"]
    polled += [f"/a/acme/recipients/changes/{change.pk}/{part}/" for part in ("preview", "progress")]
    client = client_of(sam)
    for path in polled:
        assert "example.com" not in client.get(path, headers={"HX-Request": "true"}).text
    assert not AuditEntry.objects.filter(event="support.viewed").exists()
    # As a page of its own, one is looked at.
    client.get(polled[-1])
    assert AuditEntry.objects.get(event="support.viewed").target == polled[-1]
