"""manage.py fsck: a sound world passes, and each kind of damage is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from backups.actions.snapshots import request_snapshot
from backups.models import Snapshot
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import drain
from recipients.actions.deletion import delete_group
from recipients.bulk.engine import engine
from recipients.models import (
    Change,
    Recipient,
)
from tests.commands.conftest import Run
from tests.commands.damages import DAMAGES, World, flip_a_bit, past
from tests.fixtures.lists import Lists

ALL = [f"I{number}" for number in range(1, 17)]


@pytest.fixture
def world(lists: Lists, other_account: Account, stranger: object, archives: Path) -> World:
    news = lists.group("email,First name\nanna@x.com,Anna\nbob@x.com,Bob\nbad,x\n")
    loaded = lists.load("email,First name\nanna@x.com,Änna\ncarl@x.com,Carl\n", into=news)
    snapshot = Snapshot.objects.get()
    restored = lists.restore(snapshot)
    cancelled = lists.preview("email\ndora@x.com\n", into=news)
    Change.objects.filter(pk=cancelled.pk).update(state="cancelled", ended_at=timezone.now())
    engine().clear(cancelled.pk)
    gone = lists.group("email\nemil@x.com\n", name="Gone")
    deletion = delete_group(gone, actor=operator())
    for kind, subject in (("delete_group", deletion.pk), ("purge_group", gone.pk)):
        drain(Job.objects.get(kind=f"recipients.{kind}", subject_id=subject))
    hidden = lists.group("email\nfrida@x.com\n", name="Hidden")
    deletion = delete_group(hidden, actor=lists.actor)
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=deletion.pk))
    Snapshot.objects.update(leased_until=None)
    for group in (news, gone, hidden):
        group.refresh_from_db()
    return World(lists, other_account, archives, news, gone, hidden, loaded, restored, cancelled, snapshot)


@pytest.fixture(autouse=True)
def own_folder_for_cut_off_uploads(tmp_path: Path, settings: object) -> None:
    folder = tmp_path / "uploads-tmp"
    folder.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(folder)  # type: ignore[attr-defined]


def test_a_sound_world_passes(run: Run, world: World) -> None:
    done = run("fsck", "--json")
    assert (done.code, done.json) == (0, {"ok": True, "checked": ALL, "findings": []})
    assert run("fsck").out == "16 invariants were checked, all hold.\n"


def test_an_empty_installation_passes(run: Run) -> None:
    assert run("fsck", "--json").json["findings"] == []


@pytest.mark.parametrize(("name", "damage"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_damage_is_found(name: str, damage: Callable[[World], str], run: Run, world: World) -> None:
    where = damage(world)
    done = run("fsck", "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    found = [finding for finding in done.json["findings"] if finding["invariant"] == name]
    assert where in [finding["where"].split(" (")[0].split(" of ")[0] for finding in found]
    assert all(finding["what"] and finding["do"] for finding in found)
    people = run("fsck")
    assert people.code == 1
    assert found[0]["what"] in people.out


@pytest.mark.postgres
def test_an_address_that_is_there_twice_is_found(run: Run, world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE recipients_recipient DROP CONSTRAINT recipient_once_in_group")
    twin = Recipient.objects.get(key="anna@x.com")
    twin.pk = None
    twin.save()
    found = {finding["invariant"] for finding in run("fsck", "--json").json["findings"]}
    assert "I15" in found


def test_checking_changes_nothing(run: Run, world: World) -> None:
    flip_a_bit(world)
    before = list(Snapshot.objects.order_by("pk").values())
    log = AuditEntry.objects.count()
    run("fsck")
    assert list(Snapshot.objects.order_by("pk").values()) == before
    assert AuditEntry.objects.count() == log


def test_work_that_waits_for_its_turn_is_no_damage(run: Run, world: World) -> None:
    job = Job.objects.get(kind="recipients.purge_group", subject_id=world.hidden.pk)
    Job.objects.filter(pk=job.pk).update(created_at=past(days=1))
    first = request_snapshot(world.news, actor=world.lists.actor)[1]
    waiting = enqueue(
        "backups.take_snapshot",
        subject_id=10**6,
        account=None,
        queue=Queue.SNAPSHOT,
        after=[first],
    )
    Job.objects.filter(pk=waiting.pk).update(due_at=past(minutes=30))
    assert run("fsck", "--json").json["findings"] == []
