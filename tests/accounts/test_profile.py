"""A person's own page, the language, and the first page after signing in."""

from __future__ import annotations

import pytest
from django.test import Client

from backupsvc.accounts.models import Account, Member, Role, User
from tests.fixtures.cast import ClientOf, person


def test_a_person_changes_their_name_and_language(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    assert client.post("/profile/", {"name": "Olivia O.", "language": "de"}).status_code == 302
    olivia.refresh_from_db()
    assert (olivia.name, olivia.language) == ("Olivia O.", "de")
    assert '<html lang="de">' in client.get("/profile/").text


def test_a_language_that_is_not_spoken_is_refused(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    assert client_of(olivia).post("/profile/", {"name": "O", "language": "xx"}).status_code == 200
    olivia.refresh_from_db()
    assert (olivia.name, olivia.language) == ("Olivia", "")


def test_the_language_of_the_menu_is_kept_in_the_profile(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post("/language/", {"language": "it", "next": "/a/acme/log/"})
    assert answer.headers["Location"] == "/a/acme/log/"
    olivia.refresh_from_db()
    assert olivia.language == "it"
    assert '<html lang="it">' in client_of(olivia).get("/profile/").text


def test_a_visitors_language_is_kept_in_a_cookie(db: None) -> None:
    client = Client()
    client.post("/language/", {"language": "de"})
    assert '<html lang="de">' in client.get("/accounts/login/").text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)",
        "abc", "12", "", "accounts:support", "home", "..", "?page=2",
    ],
)  # fmt: skip
def test_the_choice_of_a_language_never_leads_elsewhere(target: str, db: None) -> None:
    answer = Client().post("/language/", {"language": "de", "next": target})
    assert answer.headers["Location"] == "/"


def test_the_language_of_a_page_that_a_form_was_sent_to_is_that_of_the_page_before(
    account: Account, victor: User, client_of: ClientOf
) -> None:
    client = client_of(victor)
    shown = "/a/acme/members/?page=2"
    refused = client.post("/a/acme/members/3/remove/", headers={"Referer": f"http://testserver{shown}"})
    assert f'name="next" value="{shown}"' in " ".join(refused.text.split())
    assert f'name="next" value="{shown}"' in " ".join(client.get(shown).text.split())


def test_looking_does_not_change_the_language(account: Account, olivia: User, client_of: ClientOf) -> None:
    assert client_of(olivia).get("/language/", {"language": "de"}).status_code == 405


def test_the_first_page_is_the_lists_of_the_account_one_was_in_last(
    account: Account, other_account: Account, olivia: User, client_of: ClientOf
) -> None:
    Member.objects.create(account=other_account, user=olivia, role=Role.VIEWER)
    client = client_of(olivia)
    assert client.get("/").headers["Location"] == "/a/acme/recipients/"
    client.get("/a/other/log/")
    assert client.get("/").headers["Location"] == "/a/other/recipients/"
    Member.objects.filter(account=other_account).delete()
    assert client.get("/").headers["Location"] == "/a/acme/recipients/"


def test_support_staff_without_an_account_start_on_their_page(sam: User, client_of: ClientOf) -> None:
    assert client_of(sam).get("/").headers["Location"] == "/support/"


def test_who_belongs_to_no_account_is_told_whom_to_ask(db: None, client_of: ClientOf) -> None:
    answer = client_of(person("Nina")).get("/")
    assert answer.status_code == 200
    assert "Ask its owner" in answer.text


def test_the_menu_switches_between_ones_own_accounts_only(
    account: Account, other_account: Account, olivia: User, client_of: ClientOf
) -> None:
    assert "Other Post" not in client_of(olivia).get("/profile/").text
    Member.objects.create(account=other_account, user=olivia, role=Role.VIEWER)
    assert "/a/other/recipients/" in client_of(olivia).get("/profile/").text
