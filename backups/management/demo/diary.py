"""Doing things with lists through the product's own actions, as if on another day."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Model
from django.utils import timezone

from backups.actions.restore import plan_restore
from backups.actions.snapshots import request_snapshot
from backups.management.demo.people import Person, list_file
from backups.models import Snapshot
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import dated_back
from backupsvc.accounts.models import Account
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from backupsvc.jobs.selectors import job_of
from recipients.actions import imports
from recipients.actions.changes import DELETE_JOB, confirm_change
from recipients.actions.deletion import delete_group
from recipients.actions.groups import PURGE_JOB
from recipients.models import Change, Group, Mode

# Rows that belong to an account, and their times. An archive keeps the time it was really written.
TIMES: dict[type[Model], tuple[str, ...]] = {
    Change: ("created_at", "confirmed_at", "ended_at"),
    Snapshot: ("created_at", "completed_at", "expires_at"),
    Job: ("created_at", "due_at", "started_at", "ended_at", "rung_at"),
}


@dataclass
class Diary:
    """The work of an account, oldest first, so that numbers and times go the same way."""

    account: Account

    @contextmanager
    def day(self, ago: timedelta) -> Iterator[None]:
        """What is done inside is dated back by `ago`: the log at once, since it never changes, rows after."""
        began = timezone.now()
        models: list[type[Model]] = [*TIMES, Group]
        newest = {model: self._newest(model) for model in models}
        with dated_back(ago):
            yield
        self._date_back(ago, newest=newest, began=began)

    def date_back(self, ago: timedelta) -> None:
        """All rows that there are so far, and the account itself, are that old."""
        models: list[type[Model]] = [*TIMES, Group]
        self._date_back(ago, newest=dict.fromkeys(models, 0), began=self.account.created_at)
        Account.objects.filter(pk=self.account.pk).update(created_at=F("created_at") - ago)

    def _date_back(self, ago: timedelta, *, newest: dict[type[Model], int], began: datetime) -> None:
        for model, names in TIMES.items():
            rows = model._base_manager.filter(account=self.account, pk__gt=newest[model])
            rows.update(**{name: F(name) - ago for name in names})
        groups = Group.objects.filter(account=self.account)
        groups.filter(pk__gt=newest[Group]).update(created_at=F("created_at") - ago)
        for name in ("changed_at", "hidden_at", "deleted_at"):
            groups.filter(**{f"{name}__gte": began}).update(**{name: F(name) - ago})

    def load(
        self,
        people: Iterable[Person],
        *,
        actor: Actor,
        file_name: str,
        into: Group | None = None,
        new: str = "",
        mode: str = Mode.REFORM_AND_ADD,
        broken: int = 0,
    ) -> Group:
        """An import from upload to its end; the list it went into."""
        file = io.BytesIO(list_file(people, broken=broken))
        run = imports.start_import(
            self.account, actor=actor, file=file, file_name=file_name, group=into, new_group_name=new
        )
        mapping = imports.suggestion(run, create_missing=True)
        run = imports.set_mapping(run, actor=actor, mapping=mapping.to_json())
        run = imports.set_mode(run, actor=actor, mode=mode, blank=run.change.blank)
        drain(imports.stage(run, actor=actor))
        change = Change.objects.get(pk=run.pk)
        drain(confirm_change(change, actor=actor))
        return self._group_of(change)

    def back_up(self, group: Group, *, actor: Actor, **options: Any) -> Snapshot:
        """A backup by hand."""
        snapshot, job = request_snapshot(group, actor=actor, **options)
        drain(job)
        return Snapshot.objects.get(pk=snapshot.pk)

    def restore(self, snapshot: Snapshot, *, actor: Actor) -> None:
        """A restore into its own list."""
        restore, job = plan_restore(snapshot, actor=actor)
        drain(job)
        drain(confirm_change(Change.objects.get(pk=restore.pk), actor=actor))

    def delete(self, group: Group, *, actor: Actor) -> None:
        """A deletion that can still be undone."""
        change = delete_group(group, actor=actor)
        if job := job_of(DELETE_JOB, subject_id=change.pk):
            drain(job)

    def let_go(self, group: Group) -> None:
        """The time to undo is over: the rows go."""
        if purge := job_of(PURGE_JOB, subject_id=group.pk):
            Job.objects.filter(pk=purge.pk).update(due_at=timezone.now())
            drain(purge)

    def last_snapshot(self, group: Group) -> Snapshot:
        """The newest backup of the list."""
        return Snapshot.objects.filter(group=group).latest("pk")

    def _newest(self, model: type[Model]) -> int:
        newest = model._base_manager.order_by("-pk").values_list("pk", flat=True).first()
        return newest or 0

    def _group_of(self, change: Change) -> Group:
        change.refresh_from_db()
        if change.group is None:
            raise AssertionError(f"{change} has no list: {change.error_code}")
        return Group.objects.get(pk=change.group.pk)


def ago(now: datetime, *, days: float = 0, hour: int | None = None) -> timedelta:
    """How far back: so many days, on a full hour of that day when one is named."""
    moment = now - timedelta(days=days)
    if hour is not None:
        moment = moment.replace(hour=hour, minute=(7 * hour) % 60, second=13)
    return max(now - moment, timedelta(0))
