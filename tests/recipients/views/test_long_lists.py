"""A list of millions: a page looks at some rows and says so, and an index answers what it can."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from backupsvc.accounts.actor import operator
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account, User
from recipients import selectors
from recipients.models import Group, Recipient
from recipients.selectors import recipients_page
from recipients.views import groups
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

PEOPLE = 100
LOOKED_AT = 30


@pytest.fixture
def long_list(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A hundred people, p00@x.com to p99@x.com; every 25th is unsubscribed; thirty rows are looked at."""
    for module in (selectors, groups):
        monkeypatch.setattr(module, "MOST_LOOKED_AT", LOOKED_AT)
    status = {24: "unsubscribed"}
    people = "".join(f"p{number:02}@x.com,{status.get(number % 25, 'active')}\n" for number in range(PEOPLE))
    return lists.group(f"email,status\n{people}", name="Long")


def walk(group: Group, *, search: str) -> tuple[list[str], int]:
    """All that is found by going on to the end, and how many pages that took."""
    found, pages, after = [], 0, ""
    while True:
        page = recipients_page(group, search=search, after_key=after, limit=5)
        found += [recipient.key for recipient in page.items]
        pages += 1
        if not page.next_key:
            return found, pages
        assert page.next_key > after
        after = page.next_key


def test_going_on_finds_every_address_once(long_list: Group) -> None:
    found, pages = walk(long_list, search="7@")
    assert found == [f"p{tens}7@x.com" for tens in range(10)]
    # Thirty-one rows a page: nowhere was the whole list looked at.
    assert pages == 4


def test_a_page_that_stopped_before_the_end_says_so(long_list: Group) -> None:
    first = recipients_page(long_list, search="99@")
    assert (first.items, first.is_cut_off, first.next_key) == ([], True, "p30@x.com")
    last = recipients_page(long_list, search="99@", after_key="p92@x.com")
    assert ([person.key for person in last.items], last.is_cut_off) == (["p99@x.com"], False)


def test_leafing_back_stops_and_goes_on_too(long_list: Group) -> None:
    page = recipients_page(long_list, search="p05", before_key="p90@x.com")
    assert (page.items, page.is_cut_off, page.previous_key) == ([], True, "p59@x.com")
    page = recipients_page(long_list, search="p05", before_key="p25@x.com")
    assert ([person.key for person in page.items], page.is_cut_off) == (["p05@x.com"], False)


def test_those_without_mail_are_found_at_once_by_their_index(long_list: Group) -> None:
    page = recipients_page(long_list, status="inactive")
    assert [person.key for person in page.items] == [f"p{number}@x.com" for number in (24, 49, 74, 99)]
    assert not page.is_cut_off
    with CaptureQueriesContext(connection) as queries:
        assert recipients_page(long_list, status="bounced").items == []
    assert len(queries) == 0


def test_the_beginning_of_an_address_is_found_wherever_it_stands(
    long_list: Group, olivia: User, client_of: ClientOf
) -> None:
    html = client_of(olivia).get(f"/a/acme/recipients/{long_list.pk}/?q=P98").text
    assert "p98@x.com" in html
    assert "Look for it anywhere in an address" in html
    assert "only a part of it was looked through" not in html


def test_what_no_address_begins_with_is_looked_for_page_by_page(
    long_list: Group, olivia: User, client_of: ClientOf
) -> None:
    client, path = client_of(olivia), f"/a/acme/recipients/{long_list.pk}/?q=98@"
    pages = 1
    html = client.get(path).text
    while "p98@x.com" not in html:
        assert "Nobody so far." in html
        assert "only a part of it was looked through" in html
        following = re.search(r'rel="next"\s+href="([^"]+)"', html)
        assert following, html
        html = client.get(following[1].replace("&amp;", "&")).text
        pages += 1
    assert pages == 4


def test_a_short_list_is_looked_through_in_one_go(
    lists: Lists, olivia: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = "".join(f"p{number:02}@x.com,active\n" for number in range(20))
    group = lists.group(f"email,status\n{people}", name="Short")
    html = client_of(olivia).get(f"/a/acme/recipients/{group.pk}/?q=x.com").text
    assert html.count("@x.com</bdi>") == Recipient.objects.filter(group=group).count() == 20
    assert "anywhere in an address" not in html


def test_lists_come_page_by_page_by_name(
    account: Account, olivia: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "LISTS_SHOWN", 2)
    names = ["Äpfel", "Birnen & Co", "Citrus", "Datteln", "Erdbeeren"]
    Group.objects.bulk_create(Group(account=account, name=name) for name in names)
    # As the database sorts them: languages differ.
    names = list(Group.objects.order_by("name").values_list("name", flat=True))
    client = client_of(olivia)
    pages, html = [], client.get("/a/acme/recipients/").text
    while following := re.search(r'rel="next"\s+href="([^"]+)"', html):
        pages.append(shown(html, names))
        html = client.get(following[1].replace("&amp;", "&")).text
    pages.append(shown(html, names))
    assert pages == [names[:2], names[2:4], names[4:]]
    back = re.search(r'rel="prev"\s+href="([^"]+)"', html)
    assert back
    assert shown(client.get(back[1].replace("&amp;", "&")).text, names) == names[2:4]


def shown(html: str, names: list[str]) -> list[str]:
    return [name for name in names if f">{escape(name)}</bdi>" in html]


def test_changes_of_a_list_come_page_by_page(
    lists: Lists, olivia: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "CHANGES_SHOWN", 2)
    group = lists.group("email\na@x.com\n", name="News")
    for number in range(4):
        lists.load(f"email\nb{number}@x.com\n", into=group, file_name=f"file-{number}.csv")
    client, path = client_of(olivia), f"/a/acme/recipients/{group.pk}/changes/"
    first = client.get(path).text
    assert [f"file-{number}.csv" in first for number in range(4)] == [False, False, True, True]
    following = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert following
    second = client.get(following[1]).text
    assert [f"file-{number}.csv" in second for number in range(4)] == [True, True, False, False]
    assert "file-3.csv" in client.get(f"{path}?before=none").text


def test_pages_ask_as_many_queries_for_a_thousand_lists_and_entries_as_for_ten(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    paths = ("/a/acme/recipients/", "/a/acme/recipients/?q=list", "/a/acme/log/")
    numbers: dict[str, list[int]] = {path: [] for path in paths}
    for first, count in ((0, 10), (10, 990)):
        for number in range(first, first + count):
            group = Group.objects.create(account=account, name=f"List {number:04}")
            record("group.created", account=account, actor=operator(), group_id=group.pk, target=group.name)
        for path in paths:
            client.get(path)
            with CaptureQueriesContext(connection) as queries:
                assert "List 0003" in client.get(path).text or first
            numbers[path].append(len(queries))
    assert all(few == many for few, many in numbers.values()), numbers
