"""Deleting a field: which lists lose values, what backups they have, and the button that makes the rest."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.models import Account, AuditEntry, User
from recipients.actions.attributes import create_attribute
from recipients.actions.groups import change_group
from recipients.models import Attribute, Group, Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists, snapshot_of
from tests.fixtures.wizard import work
from tests.recipients.views.conftest import Address

BACK_UP = "Back up"


@pytest.fixture
def city(lists: Lists) -> Attribute:
    """A field of all lists that no list has a value in yet."""
    return create_attribute(lists.account, actor=lists.actor, name="City")


def filled_list(lists: Lists, name: str) -> Group:
    """A list with a city, which no backup has."""
    return lists.group("email,City\nanna@example.com,Bozen\n", name=name)


def said(page: str) -> dict[str, str]:
    """What the page says about each list."""
    lines = re.findall(r"<li class=.list-group-item without-list[^>]*>(.*?)</li>", page, re.DOTALL)
    words = [re.sub(r"<[^>]+>", " ", line).split() for line in lines]
    return {line[0]: " ".join(line[1:]) for line in words}


def button_of(attribute: Attribute) -> str:
    return reverse("backups:make-before", args=["acme", attribute.pk])


def test_lists_that_lose_values_are_named_with_their_last_backup(
    lists: Lists, city: Attribute, adam: User, client_of: ClientOf, url: Address
) -> None:
    never, changed, kept = (filled_list(lists, name) for name in ("Never", "Changed", "Kept"))
    lists.group("email\nbob@example.com\n", name="Empty")
    snapshot_of(lists, changed)
    change_group(changed, actor=lists.actor, info="Monthly")
    snapshot_of(lists, kept)
    page = client_of(adam).get(url("field-delete", never.pk, city.pk)).text
    found = said(page)
    assert list(found) == ["Changed", "Never", "Kept"]
    assert found["Never"] == "no backup"
    assert re.fullmatch(r"last backup \d+ \w+ \d+, \d+:\d+ · changed since", found["Changed"])
    assert found["Kept"].endswith("· unchanged since")
    assert "3 lists have values in it" in page
    assert "Back up 2 lists now" in page


def test_one_button_backs_up_all_that_are_in_no_backup(
    lists: Lists, city: Attribute, adam: User, client_of: ClientOf, url: Address
) -> None:
    new, kept = filled_list(lists, "New"), filled_list(lists, "Kept")
    bare = lists.group("email\nbob@example.com\n", name="Bare")
    snapshot_of(lists, kept)
    client, path = client_of(adam), url("field-delete", new.pk, city.pk)
    answer = client.post(button_of(city), headers={"referer": f"http://testserver{path}"})
    assert answer.headers["Location"] == path
    page = client.get(path).text
    assert "A backup of 1 list is being made." in page
    assert said(page)["New"] == "no backup · a backup is being made"
    assert "Delete the field and its values" not in page
    assert "Look again" in page
    # Pressed again it makes no second one.
    client.post(button_of(city))
    work()
    made = Snapshot.objects.get(group=new)
    assert (made.state, made.user, made.revision) == (SnapshotState.COMPLETE, adam, new.revision)
    assert AuditEntry.objects.get(event="backup.made", group_id=new.pk).user == adam
    assert Snapshot.objects.filter(group=kept).count() == 1
    assert not Snapshot.objects.filter(group=bare).exists()
    page = client.get(path).text
    assert "the present state of all these lists is in a backup" in page
    assert button_of(city) not in page
    client.post(path)
    assert not Attribute.objects.filter(pk=city.pk).exists()
    lists.restore(made)
    assert Recipient.objects.get(group=new).attributes == {"City": "Bozen"}


@pytest.mark.parametrize(
    "spoil", [{"damaged_code": "archive.missing"}, {"group_name": "Old"}, {"state": "expired"}]
)
def test_a_backup_that_would_not_bring_it_back_does_not_count(
    spoil: dict[str, str], lists: Lists, city: Attribute, adam: User, client_of: ClientOf, url: Address
) -> None:
    news = filled_list(lists, "News")
    snapshot = snapshot_of(lists, news)
    client, path = client_of(adam), url("field-delete", news.pk, city.pk)
    assert BACK_UP not in client.get(path).text
    Snapshot.objects.filter(pk=snapshot.pk).update(**spoil)
    assert "Back up 1 list now" in client.get(path).text
    client.post(button_of(city))
    assert Snapshot.objects.filter(group=news).count() == 2


def test_who_may_not_make_backups_makes_none(
    lists: Lists, city: Attribute, adam: User, victor: User, stranger: User, client_of: ClientOf
) -> None:
    filled_list(lists, "News")
    assert client_of(victor).post(button_of(city)).status_code == 403
    assert client_of(stranger).post(button_of(city)).status_code == 404
    assert not Snapshot.objects.exists()
    assert client_of(adam).post(button_of(city)).status_code == 302
    assert Snapshot.objects.exists()


def test_the_field_of_one_list_concerns_that_list_alone(
    lists: Lists, adam: User, client_of: ClientOf, url: Address
) -> None:
    news = lists.group("email\nanna@example.com\n", name="News")
    other = lists.group("email\nanna@example.com\n", name="Other")
    sizes = [
        create_attribute(lists.account, actor=lists.actor, name="Size", group=each) for each in (news, other)
    ]
    client, path = client_of(adam), url("field-delete", news.pk, sizes[0].pk)
    Recipient.objects.filter(group=other).update(attributes={"Size": "38"})
    assert "Nobody has a value in it." in client.get(path).text
    Recipient.objects.filter(group=news).update(attributes={"Size": "38"})
    assert list(said(client.get(path).text)) == ["News"]
    client.post(button_of(sizes[0]))
    assert [each.group for each in Snapshot.objects.all()] == [news]


@pytest.mark.parametrize("name", ['Say "hi"', "2024", "a.b", "$[0]", "Größe", "it's", "50 %"])
def test_a_value_is_found_whatever_the_field_is_called(
    name: str, lists: Lists, adam: User, client_of: ClientOf, url: Address
) -> None:
    news = lists.group("email\nanna@example.com\n", name="News")
    attribute = create_attribute(lists.account, actor=lists.actor, name=name)
    path, client = url("field-delete", news.pk, attribute.pk), client_of(adam)
    assert not said(client.get(path).text)
    Recipient.objects.filter(group=news).update(attributes={name: ""})
    assert list(said(client.get(path).text)) == ["News"]


def test_among_too_many_recipients_nobody_looks_and_the_page_says_so(
    lists: Lists,
    city: Attribute,
    adam: User,
    client_of: ClientOf,
    url: Address,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    news = filled_list(lists, "News")
    lists.group("email\nbob@example.com\n", name="Bare")
    client, path = client_of(adam), url("field-delete", news.pk, city.pk)
    assert list(said(client.get(path).text)) == ["News"]
    monkeypatch.setattr("recipients.selectors.MOST_SEARCHED", 1)
    page = client.get(path).text
    assert list(said(page)) == ["Bare", "News"]
    assert "2 lists may have values in it" in page


def test_an_account_of_many_lists_costs_no_more_queries_and_names_twenty(
    account: Account, lists: Lists, city: Attribute, adam: User, client_of: ClientOf, url: Address
) -> None:
    news = filled_list(lists, "News")
    client, path = client_of(adam), url("field-delete", news.pk, city.pk)
    client.get(path)
    few = queries_of(client, path)
    more = Group.objects.bulk_create(
        Group(account=account, name=f"List-{number}", active_count=1) for number in range(30)
    )
    Recipient.objects.bulk_create(
        Recipient(account=account, group=group, key="a@x.com", email="a@x.com", attributes={"City": "Graz"})
        for group in more
    )
    assert queries_of(client, path) == few
    page = client.get(path).text
    assert len(said(page)) == 21
    assert said(page)["and"] == "11 more lists"


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return len(queries)
