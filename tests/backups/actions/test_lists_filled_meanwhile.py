"""A list that is made for an import, and that others fill before the import's turn comes."""

from __future__ import annotations

import pytest

from backups.models import Snapshot, SnapshotState
from backupsvc.jobs.runner import drain
from recipients.actions.recipients import add_recipient
from recipients.models import Group, Status
from tests.fixtures.lists import Lists, table

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_list_made_for_an_import_and_filled_before_it_is_backed_up_first(lists: Lists) -> None:
    change, job = lists.confirm("email,source\nanna@x.com,file\n", name="Fresh")
    assert (change.backup_wanted, change.backup_why) == (False, "new_list")
    group = Group.objects.get(name="Fresh")
    add_recipient(group, actor=lists.actor, email="anna@x.com", status=Status.ACTIVE, source="by hand")
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.updated, change.backup_why) == ("done", 1, "on")
    snapshot = Snapshot.objects.get(change=change)
    assert (snapshot.state, snapshot.recipients) == (SnapshotState.COMPLETE, 1)
    lists.restore(snapshot)
    assert table(group)["anna@x.com"]["source"] == "by hand"


def test_a_list_filled_before_its_import_has_no_backup_where_none_is_wanted(lists: Lists) -> None:
    type(lists.account).objects.filter(pk=lists.account.pk).update(auto_backup=False)
    change, job = lists.confirm("email\nanna@x.com\n", name="Fresh")
    add_recipient(Group.objects.get(name="Fresh"), actor=lists.actor, email="bob@x.com", status=Status.ACTIVE)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.added, change.backup_why) == ("done", 1, "account_off")
    assert not Snapshot.objects.exists()
