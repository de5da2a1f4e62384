"""Who gets through which door, and what those read who do not."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backupsvc.accounts.models import Account, User
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists


def without_token(html: str) -> str:
    """The page without its CSRF tokens, which differ each time."""
    return re.sub(r"[A-Za-z0-9]{64}", "", html)


PAGES = ["/a/acme/log/", "/a/acme/settings/privacy/", "/a/acme/members/"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["olivia", "adam", "edith", "victor", "sam"])
def test_everybody_in_the_account_and_support_staff_read_its_pages(
    path: str, name: str, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    user: User = request.getfixturevalue(name)
    answer = client_of(user).get(path)
    assert answer.status_code == 200
    assert "Acme Letters" in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_finds_nothing_at_the_addresses_of_an_account(
    path: str, account: Account, stranger: User, client_of: ClientOf
) -> None:
    answer = client_of(stranger).get(path)
    assert answer.status_code == 404
    assert "Acme Letters" not in answer.text


def test_an_account_that_does_not_exist_answers_like_one_of_somebody_else(
    account: Account, stranger: User, client_of: ClientOf
) -> None:
    there = client_of(stranger).get("/a/acme/log/")
    not_there = client_of(stranger).get("/a/nobody/log/")
    assert there.status_code == not_there.status_code == 404
    assert without_token(there.text).replace("acme", "nobody") == without_token(not_there.text)


@pytest.mark.parametrize("path", [*PAGES, "/", "/profile/", "/support/"])
def test_visitors_are_asked_to_sign_in(path: str, account: Account) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("method", "clicked_on", "comes_back_to"),
    [
        ("get", "", "/a/acme/members/?page=2"),
        ("get", "http://testserver/a/acme/log/", "/a/acme/members/?page=2"),
        ("post", "http://testserver/a/acme/log/?list=3", "/a/acme/log/?list=3"),
        ("post", "https://evil.example/a/acme/log/", "/"),
        ("post", "", "/"),
    ],
)
def test_after_signing_in_one_is_where_one_clicked(
    method: str, clicked_on: str, comes_back_to: str, account: Account
) -> None:
    answer = getattr(Client(), method)("/a/acme/members/?page=2", headers={"Referer": clicked_on})
    address = urlsplit(answer.headers["Location"])
    assert address.path == "/accounts/login/"
    assert parse_qs(address.query)["next"] == [comes_back_to]


@pytest.mark.parametrize(("method", "is_told"), [("post", True), ("get", False)])
def test_whose_session_ended_is_told_that_what_they_sent_is_not_saved(
    method: str, is_told: bool, account: Account
) -> None:
    client, form = Client(), "http://testserver/a/acme/settings/privacy/"
    answer = getattr(client, method)("/a/acme/settings/privacy/", headers={"Referer": form})
    page = client.get(answer.headers["Location"]).text
    assert ("You were signed out. What you sent was not saved." in page) == is_told
    assert "You were signed out" not in client.get("/accounts/login/").text


@pytest.mark.parametrize(
    ("shown", "comes_back_to"),
    [
        ("http://testserver/a/acme/recipients/7/?q=anna", "/a/acme/recipients/7/?q=anna"),
        ("https://evil.example/a/acme/", "/"),
        ("http://testserver//evil.example/", "/"),
        ("http://testserver////evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_without_a_session_is_led_to_the_sign_in(
    method: str, shown: str, comes_back_to: str, account: Account
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": shown, "Referer": "http://testserver/a/acme/log/"}
    answer = getattr(Client(), method)("/a/acme/members/?page=2", headers=headers)
    assert answer.content == b""
    address = urlsplit(answer.headers["HX-Redirect"])
    assert address.path == "/accounts/login/"
    assert parse_qs(address.query)["next"] == [comes_back_to]


def test_pages_with_people_are_kept_by_no_cache(lists: Lists, olivia: User, client_of: ClientOf) -> None:
    group = lists.group("email\nanna@example.com\n")
    people = f"/a/acme/recipients/{group.pk}/"
    browser = client_of(olivia)
    for path in (people, "/a/acme/recipients/99/", "/profile/", "/"):
        answers = [browser.get(path), browser.get(path, headers={"HX-Request": "true"})]
        assert {answer.headers["Cache-Control"] for answer in answers} == {"private, no-store"}
    assert browser.post(f"{people}download/csv/").headers["Cache-Control"] == "no-store"
    # allauth says more than we would.
    assert "no-cache" in Client().get("/accounts/login/").headers["Cache-Control"]


@pytest.mark.parametrize("name", ["olivia", "victor"])
def test_a_page_asks_once_who_comes_into_which_account_as_what(
    name: str, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    browser = client_of(request.getfixturevalue(name))
    browser.get("/a/acme/log/")
    with CaptureQueriesContext(connection) as queries:
        browser.get("/a/acme/log/")
    asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len([sql for sql in asked if 'FROM "accounts_user"' in sql]) == 1, asked
    # The membership brings its account along, and the menu's other accounts too.
    assert len([sql for sql in asked if 'FROM "accounts_member"' in sql]) == 1, asked
    assert not [sql for sql in asked if 'FROM "accounts_account"' in sql], asked
