"""Where nearly everybody is new, only those whom the list knows are judged, and nobody is lost."""

from __future__ import annotations

import pytest

from backupsvc.jobs.runner import drain
from recipients.actions.blocklist import block
from recipients.actions.recipients import unsubscribe
from recipients.bulk import postgres_judge, sqlite, staged
from recipients.bulk.engine import engine
from recipients.models import Group, OptOut, Recipient
from tests.fixtures.lists import Lists, table

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = range(200)
# Two lines of one person, the later of them in capitals, and one that the check has to look at.
LIST = "\n".join(
    [
        "email,city,status",
        *(f"p{n:03}@example.com,Rome,{'unconfirmed' if n % 10 == 3 else 'active'}" for n in NUMBERS),
        "P007@example.com,Oslo,active",
        "zoë@exämple.de,Bern,active",
    ]
)
KNOWN = ("p011@example.com", "p150@example.com", "p199@example.com")
EVERYBODY = {f"p{n:03}@example.com" for n in NUMBERS} | {"zoë@xn--exmple-cua.de"}
SHIFT = {"active": 181, "unconfirmed": 20}


@pytest.fixture(params=["in one piece", "in halves"], autouse=True)
def size(request: pytest.FixtureRequest) -> None:
    """What PostgreSQL does with small files and with large ones."""
    if request.param == "in halves":
        request.getfixturevalue("halved")


@pytest.fixture
def emptied(lists: Lists) -> Group:
    """A list that everybody has been deleted from, a few of them after they had unsubscribed."""
    group = lists.group(LIST)
    for key in KNOWN:
        unsubscribe(Recipient.objects.get(group=group, key=key), actor=lists.actor)
    change = lists.load(LIST, into=group, mode="delete", backup=False, typed_name=group.name)
    assert (change.state, change.deleted, table(group)) == ("done", len(EVERYBODY), {})
    assert OptOut.objects.filter(group=group).count() == len(KNOWN)
    return group


def counts(group: Group) -> dict[str, int]:
    group.refresh_from_db()
    return {"active": group.active_count, "unconfirmed": group.unconfirmed_count}


def test_who_had_unsubscribed_stays_so_and_all_others_are_added(lists: Lists, emptied: Group) -> None:
    change, job = lists.confirm(LIST, into=emptied)
    assert engine().judged(change.pk) == len(KNOWN)
    assert (change.preview["added"], change.preview["kept_safe"]) == (len(EVERYBODY) - 3, 3)
    assert {row["email"] for row in change.preview["kept_safe_rows"]} == set(KNOWN)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.added, change.kept_safe) == ("done", len(EVERYBODY) - 3, 3)
    assert (change.rows, change.unchanged, change.duplicates) == (202, 0, 1)
    found = table(emptied)
    assert set(found) == EVERYBODY
    assert {key for key, row in found.items() if row["deactivated"]} == set(KNOWN)
    assert found["p007@example.com"]["attributes"]["city"] == "Oslo"
    assert counts(emptied) == {"active": 178, "unconfirmed": 20}


def test_who_is_blocked_stays_out_and_all_others_are_added(lists: Lists) -> None:
    block(lists.account, actor=lists.actor, pattern="p100@example.com")
    block(lists.account, actor=lists.actor, pattern="*@xn--exmple-cua.de")
    change, job = lists.confirm(LIST)
    assert engine().judged(change.pk) == 2
    drain(job)
    change.refresh_from_db()
    assert change.group is not None
    assert (change.state, change.added, change.kept_safe) == ("done", 199, 2)
    assert set(table(change.group)) == EVERYBODY - {"p100@example.com", "zoë@xn--exmple-cua.de"}
    assert counts(change.group) == {"active": 179, "unconfirmed": 20}


def test_nobody_is_lost_when_the_list_is_no_longer_empty(lists: Lists, emptied: Group) -> None:
    _change, job = lists.confirm(LIST, into=emptied)
    # Past every door: its revision stays the same.
    Recipient.objects.create(
        account=lists.account, group=emptied, key="new@example.com", email="new@example.com"
    )
    drain(job)
    assert set(table(emptied)) == {*EVERYBODY, "new@example.com"}


def test_nobody_is_lost_when_the_list_has_become_empty(lists: Lists) -> None:
    group = lists.group("email\np001@example.com\np002@example.com\n")
    # Otherwise there would be nothing to look at, and everybody would be added anyway.
    block(lists.account, actor=lists.actor, pattern="somebody@example.com")
    _change, job = lists.confirm(LIST, into=group)
    Recipient.objects.filter(group=group).delete()
    drain(job)
    assert set(table(group)) == EVERYBODY


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of few rows are looked up, as some of many are."""
    monkeypatch.setattr(postgres_judge, "SAMPLED_PERCENT", 100)
    monkeypatch.setattr(sqlite, "SAMPLED_ONE_IN", 1)
    monkeypatch.setattr(staged, "FEWEST_SAMPLED", 1)


def test_new_people_are_added_to_a_list_that_knows_few_of_them(lists: Lists, sampled: None) -> None:
    group = lists.group(
        "email,city,status\n"
        "p001@example.com,Rome,active\n"
        "p002@example.com,Oslo,active\n"
        "p004@example.com,Rome,inactive\n"
        "other@example.com,Bonn,active\n"
    )
    left = lists.load("email\np005@example.com\nstays@example.com\n", into=group)
    unsubscribe(Recipient.objects.get(group=group, key="p005@example.com"), actor=lists.actor)
    lists.load("email\np005@example.com\n", into=group, mode="delete")
    block(lists.account, actor=lists.actor, pattern="p006@example.com")
    change, job = lists.confirm(LIST, into=group)
    # Who stays as they are among them: whoever is not is a stranger, and will be added.
    assert (left.state, engine().judged(change.pk)) == ("done", 5)
    told = (change.preview["added"], change.preview["updated"], change.preview["unchanged"])
    assert (*told, change.preview["kept_safe"]) == (len(EVERYBODY) - 5, 1, 1, 3)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.added, change.updated) == ("done", len(EVERYBODY) - 5, 1)
    assert (change.unchanged, change.kept_safe, change.rows) == (1, 3, 202)
    found = table(group)
    assert set(found) == {*EVERYBODY, "other@example.com", "stays@example.com"} - {"p006@example.com"}
    assert {key for key, row in found.items() if row["deactivated"]} == {
        "p004@example.com",
        "p005@example.com",
    }
    assert found["p002@example.com"]["attributes"]["city"] == "Rome"
    assert found["p007@example.com"]["attributes"]["city"] == "Oslo"
    active = sum(not row["deactivated"] and bool(row["activated"]) for row in found.values())
    assert counts(group) == {"active": active, "unconfirmed": len(found) - active - 2}


def test_who_is_known_is_judged_beside_the_others_where_many_are(lists: Lists, sampled: None) -> None:
    group = lists.group("\n".join(LIST.splitlines()[:50]))
    change, job = lists.confirm(LIST, into=group)
    # p007 moves to Oslo; of those who stay as they are nothing is noted.
    assert engine().judged(change.pk) == len(EVERYBODY) - 49 + 1
    drain(job)
    change.refresh_from_db()
    assert (change.added, change.updated, change.unchanged) == (len(EVERYBODY) - 49, 1, 48)
    assert set(table(group)) == EVERYBODY


def test_a_preview_that_does_not_say_whom_it_left_out_is_made_again(lists: Lists, emptied: Group) -> None:
    change, job = lists.confirm(LIST, into=emptied)
    del change.preview["leaves_new"]
    change.save(update_fields=["preview"])
    drain(job)
    assert set(table(emptied)) == EVERYBODY
    assert {key for key, row in table(emptied).items() if row["deactivated"]} == set(KNOWN)


def test_nobody_is_lost_by_reactivating(lists: Lists, emptied: Group) -> None:
    change = lists.load(LIST, into=emptied, reactivate=True, reason="They asked for it.")
    assert (change.state, change.added, change.kept_safe) == ("done", len(EVERYBODY), 0)
    assert not [row for row in table(emptied).values() if row["deactivated"]]
    assert counts(emptied) == SHIFT
