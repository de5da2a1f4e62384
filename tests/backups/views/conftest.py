"""A list with a history, as the pages of backups show it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from backups.models import Snapshot
from recipients.models import Group
from tests.fixtures.lists import Lists

PEOPLE = "email,First name,tags\nanna@example.com,Anna,vip\nbob@example.com,Bob,\n"
MORE = "email,First name\ncarla@example.com,Carla\ndora@example.com,Dora\nbob@example.com,Robert\n"


@pytest.fixture
def news(lists: Lists) -> Group:
    """A list of four, with one backup: of the two it had before an import."""
    group = lists.group(PEOPLE)
    lists.load(MORE, into=group, file_name="spring.csv")
    group.refresh_from_db()
    return group


@pytest.fixture
def backup(news: Group) -> Snapshot:
    """The backup made before the import into the list."""
    return Snapshot.objects.get(group=news)


def aged(snapshot: Snapshot, *, days: float) -> Snapshot:
    """The backup as if it had been made so many days ago, to be kept for 30."""
    made = timezone.now() - timedelta(days=days)
    Snapshot.objects.filter(pk=snapshot.pk).update(created_at=made, expires_at=made + timedelta(days=30))
    snapshot.refresh_from_db()
    return snapshot
