"""Fields that come and go while an import or a restore waits: nothing fails for it, and no value is lost."""

from __future__ import annotations

import csv
import html
import io
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from backups.actions.downloads import download
from backups.actions.restore import plan_restore
from backups.models import Snapshot
from backupsvc.accounts.models import AuditEntry
from backupsvc.errors import Refusal
from backupsvc.jobs.runner import drain
from recipients.actions import attributes, imports
from recipients.actions.attributes import create_attribute, delete_attribute
from recipients.actions.changes import confirm_change
from recipients.actions.exports import export_group
from recipients.actions.groups import lock_group
from recipients.exports import KINDS
from recipients.models import Attribute, Change, Group, Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists, snapshot_of

OLD = "email,fld\nanna@example.com,1\n"
NEW = "email,fld\nanna@example.com,2\n"


def with_field(lists: Lists, *, of_list: bool) -> Group:
    """A list with a person and a field `fld` of numbers, of this list or of all."""
    group = lists.group("email\nanna@example.com\n")
    owner = group if of_list else None
    create_attribute(lists.account, actor=lists.actor, name="fld", type="number", group=owner)
    lists.load(OLD, into=group)
    return Group.objects.get(pk=group.pk)


def fields(name: str = "fld") -> list[tuple[str, str, int | None]]:
    """Name, type and list of each field of this name, whatever the case."""
    found = Attribute.objects.filter(name__iexact=name).order_by("pk")
    return [(one.name, one.type, one.group_id) for one in found]


def values(group: Group) -> dict[str, Any]:
    return {one.key: one.attributes for one in Recipient.objects.filter(group=group)}


def live_rows(lists: Lists, group: Group) -> list[dict[str, str]]:
    text = b"".join(export_group(group, actor=lists.actor).chunks).decode()
    return list(csv.DictReader(io.StringIO(text)))


def forget(name: str = "fld") -> None:
    """Remove the field, but not its values: what an older version left behind."""
    Attribute.objects.filter(name=name).delete()


def confirmed_in_turn(lists: Lists, *changes: Change) -> None:
    """Each is confirmed and goes through, the last of them too."""
    for change in changes:
        drain(confirm_change(change, actor=lists.actor))
        change.refresh_from_db()
        assert (change.state, change.error_code) == ("done", "")


@pytest.mark.parametrize("of_list", [True, False])
@pytest.mark.parametrize("is_confirmed", [True, False])
def test_a_field_deleted_while_an_import_waits_is_made_again_with_its_type(
    lists: Lists, of_list: bool, is_confirmed: bool
) -> None:
    group = with_field(lists, of_list=of_list)
    change = lists.preview(NEW, into=group)
    job = confirm_change(change, actor=lists.actor) if is_confirmed else None
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    drain(job or confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert (change.state, change.updated) == ("done", 1)
    assert values(group) == {"anna@example.com": {"fld": "2"}}
    assert fields() == [("fld", "number", group.pk)]
    assert [row["fld"] for row in live_rows(lists, group)] == ["2"]
    snapshot = snapshot_of(lists, group)
    assert all(b"".join(download(snapshot, actor=lists.actor, kind=kind).chunks) for kind in KINDS)


@pytest.mark.parametrize("of_list", [True, False])
def test_a_field_deleted_while_a_restore_waits_is_made_again_with_its_type(
    lists: Lists, of_list: bool
) -> None:
    group = with_field(lists, of_list=of_list)
    snapshot = snapshot_of(lists, group)
    lists.load(NEW, into=group)
    restore, job = plan_restore(snapshot, actor=lists.actor)
    drain(job)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    change = Change.objects.get(pk=restore.pk)
    drain(confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert change.state == "done"
    assert values(group) == {"anna@example.com": {"fld": "1"}}
    assert fields() == [("fld", "number", group.pk)]
    assert [row["fld"] for row in live_rows(lists, group)] == ["1"]


def made_anew(lists: Lists, *, type_then: str, type_now: str, of_list: bool) -> tuple[Group, Snapshot]:
    """A list whose field was deleted and made anew with this type, and a backup from before."""
    group = lists.group("email\nanna@example.com\n")
    owner = group if of_list else None
    create_attribute(lists.account, actor=lists.actor, name="fld", type=type_then, group=owner)
    lists.load("email,fld\nanna@example.com,2001-01-02\n", into=group)
    snapshot = snapshot_of(lists, group)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    create_attribute(lists.account, actor=lists.actor, name="fld", type=type_now, group=owner)
    return group, snapshot


@pytest.mark.parametrize("target", ["own", "new", "other"])
@pytest.mark.parametrize(
    ("type_then", "type_now"), [("text", "number"), ("text", "date"), ("text", "gender"), ("date", "number")]
)
def test_no_restore_puts_values_into_a_field_of_another_type(
    lists: Lists, client_of: ClientOf, type_then: str, type_now: str, target: str
) -> None:
    group, snapshot = made_anew(lists, type_then=type_then, type_now=type_now, of_list=False)
    other = lists.group("email\nbob@example.com\n", name="Other")
    wish = {"target": target, "mode": "reform_and_add", "new_name": "Copy", "into": other.pk}
    path = reverse("backups:restore", args=["acme", snapshot.pk])
    page = html.unescape(client_of(lists.owner).post(path, wish).text)
    names = {name: name.capitalize() for name in (type_then, type_now)}
    assert f"the field “fld” is of the type {names[type_then]}" in page
    assert f"now is of the type {names[type_now]}" in page
    assert not Change.objects.filter(kind="restore").exists()
    assert values(group) == {"anna@example.com": {}}
    assert not AuditEntry.objects.filter(event="restore.confirmed").exists()
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    client_of(lists.owner).post(path, wish)
    assert Change.objects.get(kind="restore").state == "staging"


@pytest.mark.parametrize(("type_then", "type_now"), [("date", "text"), ("date", "date")])
def test_a_field_that_can_hold_the_values_takes_them_back(
    lists: Lists, type_then: str, type_now: str
) -> None:
    group, snapshot = made_anew(lists, type_then=type_then, type_now=type_now, of_list=False)
    assert lists.restore(snapshot).state == "done"
    assert values(group) == {"anna@example.com": {"fld": "2001-01-02"}}


def test_a_field_of_one_list_alone_is_in_no_new_lists_way(lists: Lists) -> None:
    group, snapshot = made_anew(lists, type_then="text", type_now="number", of_list=True)
    with pytest.raises(Refusal, match=r"restore\.other_type"):
        lists.restore(snapshot)
    change = lists.restore(snapshot, new_name="Copy")
    assert change.group is not None
    assert values(change.group) == {"anna@example.com": {"fld": "2001-01-02"}}
    assert values(group) == {"anna@example.com": {}}


def delete_from_view(group: Group) -> None:
    """The list is deleted, without the time and the backup that this takes."""
    Group.objects.filter(pk=group.pk).update(hidden_at=timezone.now(), deleted_at=timezone.now())


def test_deleting_a_field_waits_for_a_restore_that_brings_a_list_back(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = with_field(lists, of_list=False)
    snapshot = snapshot_of(lists, group)
    delete_from_view(group)
    restore, staging = plan_restore(snapshot, actor=lists.actor)
    drain(staging)
    change = Change.objects.get(pk=restore.pk)
    job = confirm_change(change, actor=lists.actor)
    locked = list[int]()

    def lock(group_id: int) -> Group:
        locked.append(group_id)
        return lock_group(group_id)

    monkeypatch.setattr(attributes, "lock_group", lock)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    assert locked == [group.pk]
    drain(job)
    change.refresh_from_db()
    assert change.state == "done"
    assert (values(group), fields()) == ({"anna@example.com": {"fld": "1"}}, [("fld", "number", group.pk)])


def test_a_field_goes_from_a_list_too_that_was_brought_back_while_it_was_deleted(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = with_field(lists, of_list=False)
    delete_from_view(back)
    lists.group("email\nbob@example.com\n", name="Slow")

    def lock(group_id: int) -> Group:
        Group.objects.filter(pk=back.pk).update(hidden_at=None, deleted_at=None)
        return lock_group(group_id)

    monkeypatch.setattr(attributes, "lock_group", lock)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    assert values(back) == {"anna@example.com": {}}


def test_a_field_whose_type_nobody_knows_any_more_comes_back_as_text(lists: Lists) -> None:
    group = with_field(lists, of_list=True)
    change = lists.preview(NEW, into=group)
    forget()
    drain(confirm_change(change, actor=lists.actor))
    assert fields() == [("fld", "text", group.pk)]


@pytest.mark.parametrize("mode", ["deactivate", "delete"])
def test_taking_people_out_brings_no_deleted_field_back(lists: Lists, mode: str) -> None:
    group = with_field(lists, of_list=True)
    change = lists.preview(NEW, into=group, mode=mode)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    drain(confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert (change.state, fields()) == ("done", [])


def test_values_without_a_field_have_columns_of_their_own_in_every_download(lists: Lists) -> None:
    group = lists.group("email,b,a,known\nanna@example.com,2,1,0\nbob@example.com,,,\n")
    forget("a")
    forget("b")
    assert [list(row.items())[8:] for row in live_rows(lists, group)] == [
        [("known", "0"), ("a", "1"), ("b", "2")],
        [("known", ""), ("a", ""), ("b", "")],
    ]
    snapshot = snapshot_of(lists, group)
    file = b"".join(download(snapshot, actor=lists.actor, kind="csv").chunks).decode()
    assert list(csv.DictReader(io.StringIO(file))) == live_rows(lists, group)
    assert all(b"".join(download(snapshot, actor=lists.actor, kind=kind).chunks) for kind in KINDS)


def test_a_new_field_has_the_name_that_its_values_go_by_blanks_included(lists: Lists) -> None:
    group = lists.group("email, fld \nanna@example.com,1\n")
    assert fields(" fld ") == [(" fld ", "text", None)]
    assert values(group) == {"anna@example.com": {" fld ": "1"}}
    assert [row[" fld "] for row in live_rows(lists, group)] == ["1"]


def test_two_imports_that_bring_the_same_new_field_share_it(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\n")
    first = lists.preview("email,fld\nanna@example.com,1\n", into=group)
    second = lists.preview("email,fld\nbob@example.com,2\n", into=group)
    confirmed_in_turn(lists, first, second)
    assert fields() == [("fld", "text", None)]
    assert values(group) == {"anna@example.com": {"fld": "1"}, "bob@example.com": {"fld": "2"}}


def test_two_imports_whose_new_fields_differ_by_case_get_one_each(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\n")
    first = lists.preview("email,fld\nanna@example.com,1\n", into=group)
    second = lists.preview("email,Fld\nanna@example.com,2\n", into=group)
    confirmed_in_turn(lists, first, second)
    assert fields() == [("fld", "text", None), ("Fld", "text", group.pk)]
    assert values(group) == {"anna@example.com": {"fld": "1", "Fld": "2"}}
    assert [(row["fld"], row["Fld"]) for row in live_rows(lists, group)] == [("1", "2")]


def test_a_new_field_that_another_list_has_is_made_for_this_list_alone(lists: Lists) -> None:
    other = with_field(lists, of_list=True)
    group = lists.group("email,fld\nbob@example.com,2\n", name="Second")
    assert fields() == [("fld", "number", other.pk), ("fld", "text", group.pk)]
    assert values(group) == {"bob@example.com": {"fld": "2"}}
    assert values(other) == {"anna@example.com": {"fld": "1"}}


@pytest.mark.parametrize("into", ["its own list", "a new list"])
@pytest.mark.parametrize("of_list", [True, False])
def test_a_backup_comes_back_although_a_field_was_made_anew_in_another_case(
    lists: Lists, into: str, of_list: bool
) -> None:
    group = lists.group("email,City\nanna@example.com,Rome\n")
    snapshot = snapshot_of(lists, group)
    delete_attribute(Attribute.objects.get(), actor=lists.actor)
    create_attribute(lists.account, actor=lists.actor, name="city", group=group if of_list else None)
    lists.load("email,city\nanna@example.com,Oslo\nbob@example.com,Bonn\n", into=group)
    change = lists.restore(snapshot, **({} if into == "its own list" else {"new_name": "Copy"}))
    assert (change.state, change.error_code) == ("done", "")
    assert change.group is not None
    assert values(change.group)["anna@example.com"]["City"] == "Rome"
    assert fields("city") == [
        ("city", "text", group.pk if of_list else None),
        ("City", "text", change.group.pk),
    ]
    assert values(group)["bob@example.com"] == {"city": "Bonn"}
    assert live_rows(lists, change.group)[0]["City"] == "Rome"


def replaced_by_another(lists: Lists, *, type_: str) -> None:
    for field in Attribute.objects.filter(name="fld"):
        delete_attribute(field, actor=lists.actor)
    create_attribute(lists.account, actor=lists.actor, name="fld", type=type_)


@pytest.mark.parametrize(
    ("then", "now", "is_fine"),
    [("text", "number", False), ("number", "date", False), ("number", "text", True), ("date", "date", True)],
)
def test_values_checked_for_one_type_come_into_no_field_of_another(
    lists: Lists, then: str, now: str, is_fine: bool
) -> None:
    group = lists.group("email\nanna@example.com\n")
    create_attribute(lists.account, actor=lists.actor, name="fld", type=then)
    cell = "2026-05-01" if then == "date" else "7"
    change = lists.preview(f"email,fld\nanna@example.com,{cell}\n", into=group)
    job = confirm_change(change, actor=lists.actor)
    replaced_by_another(lists, type_=now)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.error_code) == (
        ("done", "") if is_fine else ("failed", "change.type_changed")
    )
    assert values(group) == {"anna@example.com": {"fld": cell} if is_fine else {}}


def test_a_new_field_that_others_made_of_another_type_meanwhile_gets_no_unchecked_values(
    lists: Lists,
) -> None:
    group = lists.group("email\nanna@example.com\n")
    run = lists.draft("email,fld\nanna@example.com,seven\n", into=group)
    mapping = {**run.mapping, "columns": ["email", "attribute:fld"], "new": [{"name": "fld", "type": "text"}]}
    run = imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    drain(imports.stage(run, actor=lists.actor))
    change = Change.objects.get(pk=run.pk)
    job = confirm_change(change, actor=lists.actor)
    create_attribute(lists.account, actor=lists.actor, name="fld", type="number")
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.error_code) == ("failed", "change.type_changed")
    assert values(group) == {"anna@example.com": {}}
