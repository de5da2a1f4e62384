"""Where a change that was confirmed stands: its backup, what it waits for, and its own work."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backupsvc.jobs.models import Job, JobState, JobWait, Queue
from backupsvc.jobs.selectors import job_of
from recipients.actions.changes import APPLY_JOB, DELETE_JOB
from recipients.models import Change, ChangeKind

# What people call the work that a change does last.
WORK: dict[str, str | Promise] = {
    ChangeKind.IMPORT: _("Write to the list"),
    ChangeKind.RESTORE: _("Bring the recipients back"),
    ChangeKind.DELETION: _("Delete the list"),
    ChangeKind.UNDO: _("Take the import back"),
}


@dataclass(frozen=True)
class Part:
    """One piece of work: `state` is done, running, waiting or failed."""

    title: str | Promise
    state: str
    percent: int | None = None


@dataclass(frozen=True)
class Standing:
    """All of it. `waits_for` are changes of the same list that come first."""

    parts: list[Part]
    waits_for: list[Change]


def standing(change: Change) -> Standing:
    """Where the change stands now."""
    kind = DELETE_JOB if change.kind == ChangeKind.DELETION else APPLY_JOB
    job = job_of(kind, subject_id=change.pk)
    awaited = _awaited(job) if job else []
    parts = []
    if change.backup_wanted:
        backups = [other for other in awaited if other.queue == Queue.SNAPSHOT]
        parts.append(_backup(change, backups[-1] if backups else None))
    parts.append(_part(WORK[change.kind], job))
    return Standing(parts=parts, waits_for=_others(change, awaited))


def _awaited(job: Job) -> list[Job]:
    waits = JobWait.objects.filter(job=job).select_related("awaited").order_by("awaited_id")
    return [wait.awaited for wait in waits]


def _others(change: Change, awaited: list[Job]) -> list[Change]:
    before = [job for job in awaited if job.kind in (APPLY_JOB, DELETE_JOB) and not job.has_ended]
    ids = [job.subject_id for job in before]
    return list(Change.objects.filter(account_id=change.account_id, pk__in=ids).order_by("pk"))


def _backup(change: Change, job: Job | None) -> Part:
    title = _("Make a backup and read it back")
    if job is None:
        return Part(title, "done" if change.snapshot_id else "waiting")
    return _part(title, job)


def _part(title: str | Promise, job: Job | None) -> Part:
    if job is None or job.state == JobState.DUE:
        return Part(title, "waiting")
    if job.state == JobState.RUNNING:
        # One long transaction moves no number: a bar without one is more honest than 0 %.
        return Part(title, "running", job.percent or None)
    return Part(title, "done" if job.state == JobState.DONE else "failed")
