"""A change that was previewed before an upgrade is applied after it, whatever its rows were staged in."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from backupsvc.jobs.runner import drain
from recipients.bulk.engine import engine
from recipients.models import Change, Group
from tests.fixtures.lists import Lists, table

LIST = "email,source\nanna@example.com,a\nbob@example.com,b\n"
CHANGED = "email,source\nanna@example.com,c\nanna@example.com,d\n<carl@example.com>,e\nno address,f\n"


def upgrade(name: str) -> None:
    """What migrating to the tables' present form does."""
    migration = importlib.import_module(f"recipients.migrations.{name}")
    editor = SimpleNamespace(connection=connection, quote_name=connection.ops.quote_name)
    migration.drop_tables(apps, editor)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["0007_staged_anew", "0008_judged_anew"])
def test_an_import_confirmed_before_an_upgrade_is_staged_anew_and_applied(lists: Lists, name: str) -> None:
    group = lists.group(LIST)
    change, job = lists.confirm(CHANGED, into=group)
    assert engine().judged(change.pk) == 2
    upgrade(name)
    assert engine().owners() == ([change.pk] if name == "0008_judged_anew" else [])
    assert engine().judged(change.pk) is None
    drain(job)
    applied(change, group=group)


@pytest.mark.django_db(transaction=True)
def test_rows_that_lie_apart_from_those_that_were_checked_are_staged_anew(lists: Lists) -> None:
    group = lists.group(LIST)
    change, job = lists.confirm(CHANGED, into=group)
    upgrade("0009_settled_anew")
    # SQLite never had them apart.
    assert engine().owners() == ([change.pk] if connection.vendor == "sqlite" else [])
    drain(job)
    applied(change, group=group)


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_preview_does_not_say_how_many_addresses_is_applied(lists: Lists) -> None:
    group = lists.group(LIST)
    change, job = lists.confirm(CHANGED, into=group)
    assert change.preview.pop("addresses") == 2
    change.save(update_fields=["preview"])
    drain(job)
    applied(change, group=group)


def applied(change: Change, *, group: Group) -> None:
    change.refresh_from_db()
    assert (change.rows, change.added, change.updated, change.rejected, change.duplicates) == (4, 1, 1, 1, 1)
    assert {key: row["source"] for key, row in table(group).items()} == {
        "anna@example.com": "d",
        "bob@example.com": "b",
        "carl@example.com": "e",
    }
