"""A small list, and its addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from backupsvc.accounts.models import Account
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions.changes import DELETE_JOB
from recipients.models import Change, Group, Recipient
from tests.fixtures.lists import Lists

PEOPLE = (
    "email,First name,City,tags,status\n"
    "anna@example.com,Anna,Bozen,vip,active\n"
    "bob@example.com,Bob,Wien,,unconfirmed\n"
    "carla@example.com,Carla,,,inactive\n"
    "dora@example.com,Dora,Verona,,bounced\n"
)
Address = Callable[..., str]


@pytest.fixture
def news(lists: Lists) -> Group:
    """Anna is active, Bob unconfirmed, Carla unsubscribed, Dora bounced."""
    return lists.group(PEOPLE)


@pytest.fixture
def url(account: Account) -> Address:
    """The address of a page of the account, by its name."""

    def address(name: str, *args: int | str) -> str:
        return reverse(f"recipients:{name}", args=[account.slug, *args])

    return address


def person(group: Group, name: str) -> Recipient:
    """A recipient by the first part of the address."""
    return Recipient.objects.get(group=group, key=f"{name}@example.com")


def finish(change: Change) -> Change:
    """Let the jobs of a deletion run to their end."""
    drain(Job.objects.get(kind=DELETE_JOB, subject_id=change.pk))
    change.refresh_from_db()
    return change
