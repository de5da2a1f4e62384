"""Who waits for whom: a list's changes for each other, and nobody else for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from backupsvc.accounts.models import AuditEntry
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain, run
from recipients.actions.attributes import create_attribute, delete_attribute
from recipients.actions.groups import lock_group
from recipients.actions.recipients import change_recipient, unsubscribe
from recipients.models import Attribute, Group, Recipient, Status
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PEOPLE = "email,city\nanna@example.com,Rome\n"


@pytest.fixture
def group(lists: Lists) -> Group:
    return lists.group(PEOPLE)


@pytest.fixture
def other(lists: Lists) -> Group:
    return lists.group(PEOPLE, name="Other")


def elsewhere(work: Callable[[], object]) -> None:
    """Do it on another connection, which waits for no lock longer than a second."""

    def worked() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(worked).result()


def anna(group: Group) -> Recipient:
    return Recipient.objects.get(group=group, key="anna@example.com")


def test_other_lists_do_not_wait_for_a_list_that_is_being_changed(
    lists: Lists, group: Group, other: Group
) -> None:
    with transaction.atomic():
        lock_group(group.pk)
        elsewhere(lambda: unsubscribe(anna(other), actor=lists.actor))
        elsewhere(
            lambda: lists.load("email\nbob@example.com\n", into=other, backup=False, typed_name="Other")
        )
    assert anna(other).status == Status.INACTIVE
    assert other.recipients.count() == 2


def test_a_file_can_be_prepared_for_a_list_that_is_being_changed(lists: Lists, group: Group) -> None:
    with transaction.atomic():
        lock_group(group.pk)
        elsewhere(lambda: lists.draft("email\nbob@example.com\n", into=group))
    assert group.changes.filter(state="draft").exists()


def test_changes_of_one_list_wait_for_each_other(lists: Lists, group: Group) -> None:
    with transaction.atomic():
        lock_group(group.pk)
        with pytest.raises(OperationalError, match="lock timeout"):
            elsewhere(lambda: unsubscribe(anna(group), actor=lists.actor))
    elsewhere(lambda: unsubscribe(anna(group), actor=lists.actor))
    assert anna(group).status == Status.INACTIVE


def test_a_field_is_neither_made_nor_deleted_while_a_list_is_being_changed(
    lists: Lists, group: Group, other: Group
) -> None:
    city = Attribute.objects.get(name="city", group=None)
    with transaction.atomic():
        lock_group(group.pk)
        for work in (
            lambda: create_attribute(lists.account, actor=lists.actor, name="Age"),
            lambda: create_attribute(lists.account, actor=lists.actor, name="Age", group=other),
            lambda: delete_attribute(city, actor=lists.actor),
        ):
            with pytest.raises(OperationalError, match="lock timeout"):
                elsewhere(work)
    elsewhere(lambda: create_attribute(lists.account, actor=lists.actor, name="Age"))
    assert AuditEntry.objects.filter(event="attribute.created").count() == 1


def test_an_import_that_makes_a_field_waits_for_other_lists(lists: Lists, group: Group, other: Group) -> None:
    text = "email,Age\nbob@example.com,7\n"
    change, job = lists.confirm(text, into=other, backup=False, typed_name="Other")
    with transaction.atomic():
        lock_group(group.pk)
        elsewhere(lambda: run(job.pk))
    change.refresh_from_db()
    assert (change.state, Attribute.objects.filter(name="Age").exists()) == ("active", False)
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
    drain(job)
    change.refresh_from_db()
    assert (change.state, Attribute.objects.filter(name="Age").exists()) == ("done", True)


def test_no_list_is_changed_while_a_field_is_being_made(lists: Lists, group: Group) -> None:
    def edit() -> object:
        return change_recipient(anna(group), actor=lists.actor, attributes={"city": "Oslo"})

    with transaction.atomic():
        create_attribute(lists.account, actor=lists.actor, name="Age")
        with pytest.raises(OperationalError, match="lock timeout"):
            elsewhere(edit)
    elsewhere(edit)
    assert anna(group).attributes == {"city": "Oslo"}
