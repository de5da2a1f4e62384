"""Several changes of one list: they are applied in the order in which they were confirmed."""

from __future__ import annotations

import pytest

from backupsvc.jobs.runner import drain
from recipients.actions.changes import cancel_change, confirm_change
from recipients.actions.groups import change_group
from recipients.actions.recipients import add_recipient
from recipients.models import Change, Group, Recipient, Status
from tests.fixtures.lists import Lists, table

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"
PETER = "email\npeter@example.com\n"


def test_a_third_change_still_waits_for_the_first_when_the_second_is_cancelled(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    _first, first_job = lists.confirm(PETER, into=group)
    second, _second_job = lists.confirm("email\nzoe@example.com\n", into=group)
    _third, third_job = lists.confirm(PETER, into=group, mode="deactivate")
    cancel_change(second, actor=lists.actor)
    drain(third_job)
    drain(first_job)
    assert Recipient.objects.get(key="peter@example.com").status == Status.INACTIVE
    assert "zoe@example.com" not in table(group)


def test_changes_wait_for_those_confirmed_before_them_however_old_they_are(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    drafted_first = lists.preview(PETER, into=group)
    _other, other_job = lists.confirm("email\nzoe@example.com\n", into=group)
    drafted_job = confirm_change(drafted_first, actor=lists.actor)
    _third, third_job = lists.confirm(PETER, into=group, mode="deactivate")
    drain(other_job)
    drain(third_job)
    drain(drafted_job)
    assert Recipient.objects.get(key="peter@example.com").status == Status.INACTIVE


def test_a_list_that_is_locked_after_the_confirmation_is_not_emptied(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\nanna@example.com\n", into=group, mode="delete")
    change_group(group, actor=lists.actor, locked=True)
    before = table(group)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.error_code) == ("failed", "group.locked")
    assert table(group) == before


@pytest.mark.parametrize("is_used", [False, True])
def test_a_cancelled_import_takes_its_new_list_with_it_unless_somebody_filled_it(
    lists: Lists, is_used: bool
) -> None:
    change, _job = lists.confirm(PEOPLE)
    group = Group.objects.get()
    if is_used:
        add_recipient(group, actor=lists.actor, email="zoe@example.com", status="active")
    cancel_change(change, actor=lists.actor)
    group.refresh_from_db()
    assert group.is_live == is_used
    assert set(table(group)) == ({"zoe@example.com"} if is_used else set())


def test_an_import_queued_into_a_new_list_survives_the_end_of_the_first(lists: Lists) -> None:
    first, _job = lists.confirm(PEOPLE)
    group = Group.objects.get()
    second, second_job = lists.confirm(PETER, into=group)
    cancel_change(first, actor=lists.actor)
    drain(second_job)
    assert Change.objects.get(pk=second.pk).state == "done"
    group.refresh_from_db()
    assert group.is_live
    assert set(table(group)) == {"peter@example.com"}
