"""People who asked for no more mail stay without it, though they are not in the list when they are named."""

from __future__ import annotations

import pytest

from backups.models import Snapshot
from backupsvc.jobs.runner import drain
from recipients.actions.changes import confirm_change
from recipients.actions.recipients import (
    add_recipient,
    change_recipient,
    reactivate,
    remove_recipient,
    unsubscribe,
)
from recipients.addresses import digest_of
from recipients.models import BlocklistEntry, Change, Group, OptOut, Recipient, Status
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


@pytest.fixture
def moved(lists: Lists) -> Group:
    """A list with its backup; since then the address of one person was changed, and changed once more."""
    group = lists.group(PEOPLE)
    snapshot_of(lists, group)
    for email in ("anna.b@example.com", NEW):
        change_recipient(anna_of(group), actor=lists.actor, email=email)
    return group


NEW = "anna.new@example.com"


def anna_of(group: Group) -> Recipient:
    return Recipient.objects.get(group=group, key__startswith="anna")


def restored(lists: Lists, group: Group) -> set[str]:
    """Who gets mail after the oldest backup of the list was restored."""
    lists.restore(Snapshot.objects.filter(group=group).earliest("pk"))
    return set(table(group)) - left(group)


def test_a_changed_address_alone_makes_nobody_unsubscribed(lists: Lists, moved: Group) -> None:
    assert restored(lists, moved) == {ANNA, NEW, "bob@example.com"}


def test_who_unsubscribes_after_the_address_was_changed_is_not_restored_under_the_old_one(
    lists: Lists, moved: Group
) -> None:
    unsubscribe(anna_of(moved), actor=lists.actor)
    assert restored(lists, moved) == {"bob@example.com"}
    assert set(table(moved)) == {ANNA, NEW, "bob@example.com"}


@pytest.mark.parametrize("is_there", [True, False], ids=["in the list", "removed since"])
def test_who_is_unsubscribed_by_a_file_is_not_restored_under_an_old_address(
    lists: Lists, moved: Group, is_there: bool
) -> None:
    if not is_there:
        remove_recipient(anna_of(moved), actor=lists.actor)
    lists.load(f"email\n{NEW}\n", into=moved, mode="deactivate")
    assert restored(lists, moved) == {"bob@example.com"}


def test_whom_an_import_unsubscribes_is_not_restored_under_an_old_address(lists: Lists, moved: Group) -> None:
    lists.load(f"email,status\n{NEW},inactive\n", into=moved)
    assert restored(lists, moved) == {"bob@example.com"}


def test_who_is_made_active_again_is_so_under_old_addresses_too(lists: Lists, moved: Group) -> None:
    unsubscribe(anna_of(moved), actor=lists.actor)
    reactivate(anna_of(moved), actor=lists.actor, reason="She asked for it.")
    change_recipient(anna_of(moved), actor=lists.actor, email=ANNA)
    assert anna_of(moved).status == Status.ACTIVE


def test_whom_an_import_makes_active_again_is_so_under_old_addresses_too(lists: Lists, moved: Group) -> None:
    unsubscribe(anna_of(moved), actor=lists.actor)
    lists.load(f"email,status\n{NEW},active\n", into=moved, reactivate=True, reason="She asked for it.")
    assert restored(lists, moved) == {ANNA, NEW, "bob@example.com"}


def test_who_goes_back_to_an_old_address_is_followed_from_the_one_between(lists: Lists, moved: Group) -> None:
    change_recipient(anna_of(moved), actor=lists.actor, email=ANNA)
    unsubscribe(anna_of(moved), actor=lists.actor)
    lists.load(f"email\n{NEW}\nanna.b@example.com\nbob@example.com\n", into=moved)
    assert set(table(moved)) - left(moved) == {"bob@example.com"}


def removed_under_the_old_address(lists: Lists, group: Group) -> None:
    """Somebody else came into the list with the address that Anna had, unsubscribed, and was removed."""
    add_recipient(group, actor=lists.actor, email=ANNA, status=Status.ACTIVE)
    other = Recipient.objects.get(group=group, key=ANNA)
    unsubscribe(other, actor=lists.actor)
    remove_recipient(other, actor=lists.actor)


def test_who_is_made_active_again_is_not_so_for_another_person_with_the_old_address(
    lists: Lists, moved: Group
) -> None:
    removed_under_the_old_address(lists, moved)
    unsubscribe(anna_of(moved), actor=lists.actor)
    reactivate(anna_of(moved), actor=lists.actor, reason="She asked for it.")
    assert restored(lists, moved) == {NEW, "bob@example.com"}


def test_whom_an_import_makes_active_again_is_not_so_for_another_person_with_the_old_address(
    lists: Lists, moved: Group
) -> None:
    removed_under_the_old_address(lists, moved)
    unsubscribe(anna_of(moved), actor=lists.actor)
    lists.load(f"email,status\n{NEW},active\n", into=moved, reactivate=True, reason="She asked for it.")
    assert restored(lists, moved) == {NEW, "bob@example.com"}


def test_a_reactivation_forgets_nothing_of_who_was_active_before(lists: Lists, moved: Group) -> None:
    lists.load(f"email\n{ANNA}\n", into=moved, mode="deactivate")
    bob = Recipient.objects.get(group=moved, key="bob@example.com")
    unsubscribe(bob, actor=lists.actor)
    rows = f"email,status,source\n{NEW},active,fair\nbob@example.com,active,fair\n"
    change = lists.load(rows, into=moved, reactivate=True, reason="Bob asked for it.")
    assert (change.state, change.updated) == ("done", 2)
    assert OptOut.objects.get(group=moved, key=ANNA).deactivated is not None
    assert restored(lists, moved) == {NEW, "bob@example.com"}


def test_whoever_stays_out_of_a_reactivation_keeps_since_when(lists: Lists, moved: Group) -> None:
    unsubscribe(anna_of(moved), actor=lists.actor)
    since = anna_of(moved).deactivated
    rows = f"email,status\n{NEW},bounced\nbob@example.com,active\n"
    lists.load(rows, into=moved, reactivate=True, reason="Bob asked for it.")
    anna = anna_of(moved)
    assert (anna.deactivated, anna.bounced is not None) == (since, True)


def told_of_moved(change: Change) -> list[tuple[int, str]]:
    doubts = change.preview["doubts"]
    return [(params["count"], params["examples"]) for code, params in doubts if code == "doubt.moved"]


@pytest.mark.parametrize(
    ("header", "cell", "mode"),
    [
        ("email", "", "deactivate"),
        ("email", "", "delete"),
        ("email,status", ",inactive", "reform_and_add"),
        ("email,unsubscribed", ",2026-05-01", "update_only"),
    ],
)
def test_who_is_taken_out_under_an_old_address_and_stays_is_named_before_it_is_confirmed(
    lists: Lists, moved: Group, header: str, cell: str, mode: str
) -> None:
    text = f"{header}\nAnna@example.com{cell}\nzoe@example.com{cell}\n"
    change = lists.preview(text, into=moved, mode=mode)
    assert told_of_moved(change) == [(1, f"Anna@example.com → {NEW}")]
    drain(confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert (change.state, told_of_moved(change)) == ("done", [])
    assert Recipient.objects.get(group=moved, key=NEW).status == Status.ACTIVE


@pytest.mark.parametrize("both", [True, False], ids=["both addresses", "nobody is out"])
def test_nothing_is_said_where_nobody_stays_who_is_taken_out(lists: Lists, moved: Group, both: bool) -> None:
    text = f"email,status\n{ANNA},inactive\n{NEW},inactive\n" if both else f"email,status\n{ANNA},active\n"
    assert told_of_moved(lists.preview(text, into=moved)) == []
    unsubscribe(anna_of(moved), actor=lists.actor)
    assert told_of_moved(lists.preview(f"email\n{ANNA}\n", into=moved, mode="deactivate")) == []
