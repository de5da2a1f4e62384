"""What surrounds the recipients of a list: the search beside the statuses, and what is going on."""

from __future__ import annotations

import re

from backupsvc.accounts.models import User
from recipients.models import Group
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists
from tests.recipients.views.conftest import PEOPLE, Address


def test_a_search_stays_within_the_status_that_is_chosen(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    page = client_of(olivia).get(url("group-show", news.pk), {"status": "inactive"}).text
    assert '<input type="hidden" form="people-search" name="status" value="inactive">' in page
    assert re.search(r'<form[^>]*id="people-search"', page)
    found = client_of(olivia).get(url("group-show", news.pk), {"status": "inactive", "q": "anna"}).text
    assert "Nobody with this status has this in the address." in found


def test_who_cannot_see_a_search_is_told_how_many_recipients_it_found(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    for asked, told in (
        ({"q": "anna"}, "1 recipient found"),
        ({"q": "example"}, "4 recipients found"),
        ({"q": "none"}, "Nobody in this list has this in the address."),
    ):
        answer = client_of(olivia).get(url("group-show", news.pk), asked, headers={"HX-Request": "true"})
        assert f'<p hx-swap-oob="innerHTML:#found-count">{told}</p>' in answer.text


def test_who_may_not_go_on_with_an_import_sees_it_without_a_button(
    news: Group, lists: Lists, edith: User, victor: User, client_of: ClientOf, url: Address
) -> None:
    draft = lists.draft(PEOPLE, into=news, file_name="leads.csv")
    preview = lists.preview(PEOPLE, into=news, file_name="more.csv")
    for name, arguments in (("groups", []), ("group-show", [news.pk])):
        edited = client_of(edith).get(url(name, *arguments)).text
        viewed = client_of(victor).get(url(name, *arguments)).text
        for page in (edited, viewed):
            assert "Import of leads.csv" in page
            assert "Import of more.csv" in page
        links = [url("import-read", draft.pk), url("change-preview", preview.pk)]
        assert [link in edited for link in links] == [True, True]
        assert [link in viewed for link in links] == [False, False]


def test_an_address_with_a_character_no_database_takes_finds_nobody(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(olivia)
    for asked in ({"q": "a\0nna\0"}, {"after": "\0"}, {"before": "\0"}, {"status": "\0"}, {"q": "x" * 9_000}):
        assert client.get(url("group-show", news.pk), asked).status_code == 200
        assert client.get(url("groups"), asked).status_code == 200
        assert client.get(url("group-blocklist", news.pk), asked).status_code == 200


def test_a_preview_that_changes_nothing_says_why(
    news: Group, lists: Lists, edith: User, client_of: ClientOf, url: Address
) -> None:
    reasons = {
        "reform_and_add": ("email\nanna@example.com\n", "the list already holds all of it"),
        "add_only": ("email\nanna@example.com\n", "everybody in the file is in the list already"),
        "update_only": ("email\nzoe@example.com\n", "or not in the list"),
        "delete": ("email\nzoe@example.com\n", "nobody in the file is in the list"),
        "deactivate": ("email\nbroken\n", "none of the rows can be used"),
    }
    for mode, (text, reason) in reasons.items():
        change = lists.preview(text, into=news, mode=mode)
        page = client_of(edith).get(url("change-preview", change.pk)).text
        assert "Nothing would change" in page, mode
        assert reason in page, mode


def test_the_first_button_of_a_preview_that_changes_nothing_is_the_way_out(
    news: Group, lists: Lists, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    texts = {"delete": "email\nzoe@example.com\n", "reform_and_add": "email\nanna@example.com\n"}
    for mode, text in texts.items():
        change = lists.preview(text, into=news, mode=mode)
        assert primary_buttons(client.get(url("change-preview", change.pk)).text) == ["Cancel"], mode
    assert client.post(url("change-confirm", change.pk)).headers["Location"] == url(
        "change-progress", change.pk
    )


def test_people_to_unsubscribe_whom_the_list_does_not_know_are_remembered_and_the_button_says_so(
    news: Group, lists: Lists, edith: User, client_of: ClientOf, url: Address
) -> None:
    strangers = lists.preview("email\nzoe@example.com\n", into=news, mode="deactivate")
    page = client_of(edith).get(url("change-preview", strangers.pk)).text
    assert "Whoever is not in it is remembered as unsubscribed" in page
    assert primary_buttons(page) == ["Remember as unsubscribed"]
    mixed = lists.preview("email\nzoe@example.com\nanna@example.com\n", into=news, mode="deactivate")
    page = client_of(edith).get(url("change-preview", mixed.pk)).text
    assert "is remembered as unsubscribed" not in page
    assert "Unsubscribe 1 recipient" in page


def test_a_file_that_takes_nobody_out_says_what_it_was_for(
    news: Group, lists: Lists, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    for mode, title, line in (
        ("delete", "Removed from the list", "nothing to change"),
        ("deactivate", "Unsubscribed", "nobody in the list to unsubscribe"),
    ):
        change = lists.load("email\nzoe@example.com\n", into=news, mode=mode)
        result = client.get(url("change-result", change.pk)).text
        assert f'<h2 class="result-title">{title}</h2>' in result
        assert ("remembered as unsubscribed" in result) == (mode == "deactivate")
        assert line in client.get(url("group-changes", news.pk)).text


def primary_buttons(page: str) -> list[str]:
    return re.findall(r'<button class="btn btn-primary"[^>]*>\s*([^<]*?)\s*</button>', page)


def test_the_upload_says_how_large_a_file_can_be(edith: User, client_of: ClientOf, url: Address) -> None:
    assert "up to 1.0\xa0GB" in client_of(edith).get(url("import-new")).text
