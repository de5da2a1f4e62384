"""A list's settings: General, Fields, Blocklist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from backupsvc.accounts.models import Account, AuditEntry, User
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.models import Attribute, BlocklistEntry, Group
from tests.fixtures.cast import ClientOf
from tests.fixtures.filled import filled
from tests.fixtures.lists import Lists
from tests.recipients.views.conftest import Address, person


def test_an_admin_changes_all_of_the_settings(
    news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    wish = {"name": "Letters", "info": "Monthly", "locked": "on"}
    answer = client_of(adam).post(url("group-settings", news.pk), wish)
    assert answer.headers["Location"] == url("group-settings", news.pk)
    news.refresh_from_db()
    assert (news.name, news.info, news.locked, news.auto_backup) == ("Letters", "Monthly", True, False)
    entry = AuditEntry.objects.get(event="group.settings_changed")
    assert entry.user == adam
    assert entry.data["new"] == {"name": "Letters", "info": "Monthly", "locked": True, "auto_backup": False}


def test_an_editor_changes_the_name_but_not_the_lock_and_the_switch(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client_of(edith).post(url("group-settings", news.pk), {"name": "Letters", "info": "", "locked": "on"})
    news.refresh_from_db()
    assert (news.name, news.locked, news.auto_backup) == ("Letters", False, True)


def test_saving_the_settings_as_they_are_writes_nothing(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    news.refresh_from_db()
    client_of(olivia).post(url("group-settings", news.pk), {"name": "News", "auto_backup": "on"})
    assert Group.objects.get(pk=news.pk).revision == news.revision
    assert not AuditEntry.objects.filter(event="group.settings_changed").exists()


def test_saving_an_old_form_changes_only_what_was_touched(
    news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    Group.objects.filter(pk=news.pk).update(auto_backup=False, info="For\nall")
    client, path = client_of(adam), url("group-settings", news.pk)
    old = filled(client.get(path).text, with_field="info")
    # Meanwhile a colleague locks the list and switches its backups on.
    Group.objects.filter(pk=news.pk).update(auto_backup=True, locked=True, name="Letters")
    # What is refused at first is still compared with what was seen.
    refused = client.post(path, old | {"name": ""})
    again = filled(refused.text, with_field="info") | {"name": "News", "info": "For all"}
    assert client.post(path, again).status_code == 302
    news.refresh_from_db()
    assert (news.auto_backup, news.locked, news.name, news.info) == (True, True, "Letters", "For all")
    (entry,) = AuditEntry.objects.filter(event="group.settings_changed")
    assert list(entry.data["new"]) == ["info"]


def test_a_switch_can_be_switched_back_at_once(
    news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    client, path = client_of(adam), url("group-settings", news.pk)
    for is_on in (False, True):
        page = filled(client.get(path).text, with_field="info")
        page.pop("auto_backup", None)
        client.post(path, page | ({"auto_backup": "on"} if is_on else {}))
        news.refresh_from_db()
        assert news.auto_backup is is_on


def test_a_name_that_another_list_has_is_refused(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    lists.group("email\nzoe@example.com\n", name="Letters")
    page = client_of(olivia).post(url("group-settings", news.pk), {"name": "Letters", "auto_backup": "on"})
    assert "already a list called" in str(page.context["form"].errors["name"])
    assert "auto_backup" not in page.context["form"].errors
    news.refresh_from_db()
    assert news.name == "News"


@pytest.mark.parametrize(
    ("of_account", "of_list", "said"),
    [
        (True, True, "are both on"),
        (True, False, "this list&#x27;s switch is off"),
        (False, True, "the account&#x27;s switch is off"),
        (False, False, "are both off"),
    ],
)
def test_both_switches_are_said_in_words(
    of_account: bool,
    of_list: bool,
    said: str,
    account: Account,
    news: Group,
    victor: User,
    client_of: ClientOf,
    url: Address,
) -> None:
    Account.objects.filter(pk=account.pk).update(auto_backup=of_account)
    Group.objects.filter(pk=news.pk).update(auto_backup=of_list)
    page = client_of(victor).get(url("group-settings", news.pk)).text
    assert said in page.replace("'", "&#x27;")


@pytest.mark.parametrize("scope", ["list", "account"])
def test_an_editor_adds_a_field_to_this_list_or_to_all(
    scope: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    client.post(url("group-fields", news.pk), {"name": "Age", "type": "number", "scope": scope})
    made = Attribute.objects.get(name="Age")
    assert (made.type, made.group_id) == ("number", news.pk if scope == "list" else None)
    assert AuditEntry.objects.get(event="attribute.created", target="Age").user == edith


@pytest.mark.parametrize("name", ["", "City", "city", "email", "x" * 101])
def test_a_field_that_cannot_be_is_refused(
    name: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    before = Attribute.objects.count()
    page = client_of(edith).post(
        url("group-fields", news.pk), {"name": name, "type": "text", "scope": "list"}
    )
    assert page.context["form"].errors["name"]
    assert Attribute.objects.count() == before


def test_an_admin_deletes_a_field_with_its_values_after_reading_so(
    news: Group, adam: User, edith: User, client_of: ClientOf, url: Address
) -> None:
    city = Attribute.objects.get(name="City")
    path = url("field-delete", news.pk, city.pk)
    assert client_of(edith).post(path).status_code == 403
    assert path not in client_of(edith).get(url("group-fields", news.pk)).text
    client = client_of(adam)
    assert path in client.get(url("group-fields", news.pk)).text
    assert "loses the value" in client.get(path).text
    assert Attribute.objects.filter(pk=city.pk).exists()
    client.post(path)
    assert not Attribute.objects.filter(pk=city.pk).exists()
    assert person(news, "anna").attributes == {"First name": "Anna"}
    assert AuditEntry.objects.get(event="attribute.deleted").user == adam


def test_the_field_of_another_list_is_not_there(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    other = lists.group("email\nzoe@example.com\n", name="Other")
    foreign = create_attribute(lists.account, actor=lists.actor, name="Size", group=other)
    client = client_of(olivia)
    assert client.post(url("field-delete", news.pk, foreign.pk)).status_code == 404
    assert client.post(url("field-delete", other.pk, foreign.pk)).status_code == 302


@pytest.mark.parametrize(
    ("pattern", "scope", "kept"),
    [
        ("Zoe@Example.com", "list", "zoe@example.com"),
        ("*@Spam.example", "account", "*@spam.example"),
    ],
)
def test_an_editor_blocks_an_address_or_a_domain(
    pattern: str, scope: str, kept: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    wish = {"pattern": pattern, "scope": scope, "comment": "asked <b>twice</b>"}
    page = client.post(url("group-blocklist", news.pk), wish, follow=True)
    entry = BlocklistEntry.objects.get()
    assert (entry.pattern, entry.group_id) == (kept, news.pk if scope == "list" else None)
    assert kept in page.text
    assert "<b>twice" not in page.text
    assert AuditEntry.objects.get(event="blocklist.added").user == edith


@pytest.mark.parametrize("pattern", ["", "nonsense", "*@", "*@spam example"])
def test_what_is_neither_address_nor_domain_is_refused(
    pattern: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    page = client_of(edith).post(url("group-blocklist", news.pk), {"pattern": pattern, "scope": "list"})
    assert page.context["form"].errors["pattern"]
    assert not BlocklistEntry.objects.exists()


def test_only_owner_and_admin_take_somebody_off_the_blocklist(
    lists: Lists, news: Group, adam: User, edith: User, client_of: ClientOf, url: Address
) -> None:
    entry = block(lists.account, actor=lists.actor, pattern="zoe@example.com", group=news)
    path = url("blocklist-remove", news.pk, entry.pk)
    assert client_of(edith).post(path).status_code == 403
    assert path not in client_of(edith).get(url("group-blocklist", news.pk)).text
    client = client_of(adam)
    assert path in client.get(url("group-blocklist", news.pk)).text
    client.post(path)
    assert not BlocklistEntry.objects.exists()
    assert AuditEntry.objects.get(event="blocklist.removed").user == adam


def test_an_erased_person_stays_on_the_blocklist_without_a_button(
    account: Account, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    entry = BlocklistEntry.objects.create(account=account, kind="erased", pattern="0badc0de" * 8)
    client = client_of(olivia)
    page = client.get(url("group-blocklist", news.pk)).text
    assert "an erased person" in page
    assert entry.pattern not in page
    assert url("blocklist-remove", news.pk, entry.pk) not in page
    answer = client.post(url("blocklist-remove", news.pk, entry.pk), follow=True)
    assert "cannot be unblocked" in answer.text
    assert BlocklistEntry.objects.filter(pk=entry.pk).exists()


def test_the_entry_of_another_list_is_not_there(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    other = lists.group("email\nzoe@example.com\n", name="Other")
    entry = block(lists.account, actor=lists.actor, pattern="zoe@example.com", group=other)
    client = client_of(olivia)
    assert client.post(url("blocklist-remove", news.pk, entry.pk)).status_code == 404
    assert "zoe@example.com" not in client.get(url("group-blocklist", news.pk)).text
    assert "zoe@example.com" in client.get(url("group-blocklist", other.pk)).text


@pytest.mark.parametrize("of_list", [True, False])
@pytest.mark.parametrize("pattern", ["zoe@example.com", "*@spam.example"])
def test_undo_puts_an_entry_back_exactly_as_it_was(
    pattern: str, of_list: bool, lists: Lists, news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    group = news if of_list else None
    entry = block(lists.account, actor=lists.actor, pattern=pattern, comment="asked twice", group=group)
    BlocklistEntry.objects.filter(pk=entry.pk).update(
        created_at=datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
    )
    (before,) = BlocklistEntry.objects.values()
    client, undo = client_of(adam), url("blocklist-put-back", news.pk, entry.pk)
    page = client.post(url("blocklist-remove", news.pk, entry.pk), follow=True).text
    assert not BlocklistEntry.objects.exists()
    assert f'action="{undo}"' in page
    page = client.post(undo, follow=True).text
    (after,) = BlocklistEntry.objects.values()
    assert after == before
    assert undo not in page
    added = AuditEntry.objects.filter(event="blocklist.added", user=adam).get()
    assert (added.group_id, added.target) == (entry.group_id, entry.kind)


def test_several_entries_are_put_back_one_by_one(
    lists: Lists, news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(adam)
    entries = [block(lists.account, actor=lists.actor, pattern=f"{name}@example.com") for name in "abc"]
    for entry in entries:
        client.post(url("blocklist-remove", news.pk, entry.pk))
    client.post(url("blocklist-put-back", news.pk, entries[1].pk))
    assert [entry.pattern for entry in BlocklistEntry.objects.all()] == ["b@example.com"]
    page = client.get(url("group-blocklist", news.pk)).text
    undos = [url("blocklist-put-back", news.pk, entry.pk) in page for entry in entries]
    assert undos == [True, False, True]


def test_what_was_blocked_again_meanwhile_stays_as_it_is(
    lists: Lists, news: Group, adam: User, client_of: ClientOf, url: Address
) -> None:
    entry = block(lists.account, actor=lists.actor, pattern="zoe@example.com", comment="old")
    client = client_of(adam)
    client.post(url("blocklist-remove", news.pk, entry.pk))
    again = block(lists.account, actor=lists.actor, pattern="zoe@example.com", comment="new")
    client.post(url("blocklist-put-back", news.pk, entry.pk))
    (kept,) = BlocklistEntry.objects.all()
    assert (kept.pk, kept.comment) == (again.pk, "new")


def test_a_removal_is_undone_only_by_who_did_it_in_its_place_and_for_an_hour(
    lists: Lists,
    news: Group,
    adam: User,
    olivia: User,
    client_of: ClientOf,
    url: Address,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = lists.group("email\nzoe@example.com\n", name="Other")
    entry = block(lists.account, actor=lists.actor, pattern="zoe@example.com", group=news)
    client, path = client_of(adam), url("blocklist-put-back", news.pk, entry.pk)
    client.post(url("blocklist-remove", news.pk, entry.pk))

    def refused(who: Client, address: str) -> bool:
        answer = who.post(address, follow=True).text
        return "cannot be undone any more" in answer and not BlocklistEntry.objects.exists()

    assert refused(client_of(olivia), path)
    assert refused(client, url("blocklist-put-back", other.pk, entry.pk))
    assert path not in client.get(url("group-blocklist", other.pk)).text
    with monkeypatch.context() as patched:
        patched.setattr("recipients.views.unblocked.KEPT", timedelta(0))
        assert refused(client, path)
    client.post(path)
    assert BlocklistEntry.objects.get().pattern == "zoe@example.com"
