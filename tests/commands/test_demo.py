"""manage.py demo"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import Model
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups.management.demo.story import Story
from backups.models import Snapshot
from backupsvc.accounts.models import Account, AuditEntry, Member, User
from backupsvc.jobs.models import Job
from recipients.models import Activity, Change, Group, Recipient
from recipients.selectors import undoable_deletions
from tests.commands.conftest import Run

COUNTED: list[type[Model]] = [
    User, Member, Account, AuditEntry, Group, Recipient, Activity, Change, Snapshot, Job,
]  # fmt: skip


def counts() -> list[int]:
    return [model._base_manager.count() for model in COUNTED]


def test_the_demo_is_a_month_of_work_and_a_second_run_changes_nothing(run: Run) -> None:
    done = run("demo")
    assert done.code == 0
    account = Account.objects.get(slug="demo")
    now = timezone.now()

    people = {line.split()[0]: line.split()[1:3] for line in done.out.splitlines() if "@" in line}
    assert people["owner@demo.example"] == ["demo", "Owner"]
    assert people["support@demo.example"] == ["demo", "Support"]
    assert len(people) == 5
    assert User.objects.get(email="owner@demo.example").check_password("demo")
    assert mail.outbox == []

    sizes = [group.recipients_count for group in Group.objects.filter(hidden_at=None)]
    assert min(sizes) == 50
    assert max(sizes) > 5_000
    statuses = {recipient.status for recipient in Recipient.objects.all()[:2_000]}
    assert statuses == {"active", "unconfirmed", "inactive", "bounced"}
    assert Activity.objects.exists()

    snapshots = list(Snapshot.objects.order_by("pk"))
    assert all(snapshot.is_restorable for snapshot in snapshots)
    moments = [snapshot.created_at for snapshot in snapshots]
    assert moments == sorted(moments)
    assert now - timedelta(days=26) < moments[0] < now - timedelta(days=18)
    kept = {snapshot.expires_at - (snapshot.completed_at or now) for snapshot in snapshots}
    assert kept == {timedelta(days=30)}
    assert [snapshot.group_name for snapshot in snapshots if snapshot.pinned] == ["Newsletter"]
    assert {"import", "deletion", "restore", "manual"} == {snapshot.cause for snapshot in snapshots}

    assert [change.group and change.group.name for change in undoable_deletions(account)] == [
        "Spring campaign"
    ]
    gone = Group.objects.get(name="Old web shop")
    assert gone.deleted_at is not None
    assert not Recipient.objects.filter(group=gone).exists()
    log = list(AuditEntry.objects.order_by("pk").values_list("at", flat=True))
    assert log == sorted(log)
    assert Job.objects.exclude(state="done").get().kind == "recipients.purge_group"

    assert run("fsck", "--json").json["findings"] == []

    before = counts()
    assert run("demo").out == done.out
    assert counts() == before

    backup = Snapshot.objects.get(group=gone)
    assert run("backups", "restore", backup.pk, "--wait", "--json").json["added"] == 640


def test_where_others_can_reach_the_site_the_password_is_a_secret(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SITE_IS_SECURE = True
    monkeypatch.setattr(Story, "tell", lambda _story: None)
    done = run("demo")
    password = next(line.split()[1] for line in done.out.splitlines() if line.startswith("owner@"))
    assert len(password) >= 12
    assert User.objects.get(email="owner@demo.example").check_password(password)
    again = run("demo")
    assert password not in again.out
    assert "owner@demo.example    (changed)" in again.out
