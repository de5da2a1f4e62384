"""People who asked for no more mail stay without it, though they are not in the list when they are named."""

from __future__ import annotations

import pytest

from backups.models import Snapshot
from recipients.actions.recipients import add_recipient, remove_recipient
from recipients.addresses import digest_of
from recipients.models import BlocklistEntry, Group, OptOut, Recipient, Status
from tests.fixtures.lists import Lists, snapshot_of, table

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = "email\nanna@example.com\nbob@example.com\n"
ANNA = "anna@example.com"


def left(group: Group) -> set[str]:
    return {key for key, row in table(group).items() if row["deactivated"]}


@pytest.fixture
def group(lists: Lists) -> Group:
    """A list of two active people with its backup; one of them was removed since."""
    group = lists.group(PEOPLE)
    snapshot_of(lists, group)
    remove_recipient(Recipient.objects.get(group=group, key=ANNA), actor=lists.actor)
    return group


def test_who_is_unsubscribed_while_not_in_the_list_is_not_restored_as_active(
    lists: Lists, group: Group
) -> None:
    change = lists.load("email\nANNA@example.com\n", into=group, mode="deactivate")
    assert (change.state, change.deactivated, change.unchanged) == ("done", 0, 1)
    told = OptOut.objects.get(group=group)
    assert (told.key, told.deactivated, told.bounced) == (ANNA, change.confirmed_at, None)
    restored = lists.restore(Snapshot.objects.filter(group=group).earliest("pk"))
    assert (restored.state, restored.kept_safe) == ("done", 1)
    assert left(group) == {ANNA}


def test_who_is_unsubscribed_while_not_in_the_list_comes_into_it_unsubscribed(
    lists: Lists, group: Group
) -> None:
    lists.load("email\nanna@example.com\ncarl@example.com\n", into=group, mode="deactivate")
    lists.load("email\nanna@example.com\ndora@example.com\n", into=group)
    assert left(group) == {ANNA}
    by_hand = add_recipient(group, actor=lists.actor, email="carl@example.com", status=Status.ACTIVE)
    assert by_hand.status == Status.INACTIVE


def test_a_later_file_does_not_change_when_somebody_unsubscribed(lists: Lists, group: Group) -> None:
    first = lists.load("email\nanna@example.com\n", into=group, mode="deactivate")
    lists.load("email\nanna@example.com\n", into=group, mode="deactivate")
    assert OptOut.objects.get(group=group).deactivated == first.confirmed_at


def test_nothing_is_remembered_of_people_who_are_to_be_deleted(lists: Lists, group: Group) -> None:
    lists.load("email\nanna@example.com\n", into=group, mode="delete")
    assert not OptOut.objects.exists()


def test_nothing_is_remembered_of_an_erased_person(lists: Lists, group: Group) -> None:
    digest = digest_of(ANNA, digest_key=bytes.fromhex(lists.account.digest_key))
    BlocklistEntry.objects.create(account=lists.account, kind=BlocklistEntry.Kind.ERASED, pattern=digest)
    lists.load("email\nanna@example.com\ncarl@example.com\n", into=group, mode="deactivate")
    assert [told.key for told in OptOut.objects.filter(group=group)] == ["carl@example.com"]
