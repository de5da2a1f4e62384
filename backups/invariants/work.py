"""Jobs and changes: that they end, once, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone

from backups.invariants.finding import LATE, VERY_LATE, Broken
from backups.invariants.logged import logged
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState, JobWait
from recipients.actions import leftovers
from recipients.actions.changes import APPLY_JOB, DELETE_JOB, STAGE_JOBS
from recipients.models import (
    OVER,
    UNDER_WAY,
    Change,
    ChangeKind,
    ChangeState,
    Import,
    Recipient,
    RejectedRow,
    StagedRow,
)

FINAL_JOBS = (APPLY_JOB, DELETE_JOB)
START = "See that a worker and the scheduler are running; they take it up by themselves."
REPORT = "Tell those who make this program."


def stopped_changes_touched_nothing() -> Iterator[Broken]:
    """No recipient carries the mark of a change that failed or was cancelled."""
    stopped = Change.objects.filter(state__in=[ChangeState.FAILED, ChangeState.CANCELLED])
    marked = Recipient.objects.filter(change_id__in=stopped.values("pk")).order_by()
    for found in marked.values("change_id").annotate(count=Count("pk")).order_by("change_id"):
        yield Broken(
            f"change {found['change_id']}",
            f"It changed {found['count']} recipients although it says that it changed nothing.",
            f"Compare the list with its last backup. {REPORT}",
        )


def jobs_come_to_an_end() -> Iterator[Broken]:
    """What could run is run soon; who works on something says so."""
    before = database_now() - LATE
    waiting = JobWait.objects.filter(job=OuterRef("pk")).exclude(awaited__state__in=ENDED)
    ignored = Job.objects.filter(~Exists(waiting), state=JobState.DUE, due_at__lt=before)
    for job in ignored.iterator():
        yield Broken(_place(job), f"Nobody has taken it since {job.due_at:%Y-%m-%d %H:%M} UTC.", START)
    for job in Job.objects.filter(state=JobState.RUNNING, lease_until__lt=before).iterator():
        yield Broken(_place(job), "Whoever worked on it has died, and nobody has taken it over.", START)
    for job in Job.objects.filter(state=JobState.RUNNING, lease_until=None).iterator():
        yield Broken(_place(job), "It runs without a lease, so nobody can take it over.", REPORT)
    for job in Job.objects.filter(state__in=ENDED, ended_at=None).iterator():
        yield Broken(_place(job), "It has ended, but not at any time.", REPORT)


def waits_come_to_an_end() -> Iterator[Broken]:
    """What waits for work that failed fails too, and nothing waits for itself."""
    failed = [state for state in ENDED if state != JobState.DONE]
    hopeless = JobWait.objects.filter(
        must_succeed=True,
        job__state=JobState.DUE,
        awaited__state__in=failed,
        awaited__ended_at__lt=database_now() - LATE,
    ).select_related("job")
    for wait in hopeless.iterator():
        yield Broken(_place(wait.job), f"It waits for job {wait.awaited_id}, which has failed.", START)
    open_waits = JobWait.objects.exclude(job__state__in=ENDED).exclude(awaited__state__in=ENDED)
    for job_id in _in_circles(list(open_waits.values_list("job_id", "awaited_id"))):
        yield Broken(f"job {job_id}", "It waits for itself, by way of others.", REPORT)


def changes_have_their_job() -> Iterator[Broken]:
    """A change that is under way has work that will end it; no list has two active ones."""
    enders = Job.objects.filter(kind__in=FINAL_JOBS, subject_id=OuterRef("pk")).exclude(state__in=ENDED)
    stuck = Change.objects.filter(~Exists(enders), state__in=UNDER_WAY)
    readers = Job.objects.filter(kind__in=STAGE_JOBS.values(), subject_id=OuterRef("pk"))
    unread = Change.objects.filter(~Exists(readers.exclude(state__in=ENDED)), state=ChangeState.STAGING)
    for change in (*stuck.iterator(), *unread.iterator()):
        yield Broken(
            _change(change),
            "It is under way, but there is no work that would end it.",
            f"Its list can have no other change until it is mended. {REPORT}",
        )
    active = Change.objects.filter(state=ChangeState.ACTIVE, group__isnull=False).order_by()
    for found in active.values("group").annotate(count=Count("pk")).filter(count__gt=1):
        yield Broken(f"list {found['group']}", f"It has {found['count']} active changes at once.", REPORT)


def work_is_done_once() -> Iterator[Broken]:
    """A change is applied once, and the same work is not waiting twice."""
    done = Job.objects.filter(kind__in=FINAL_JOBS, state=JobState.DONE).order_by()
    still_open = Job.objects.exclude(state__in=ENDED).order_by()
    for jobs, what in ((done, "It was done {} times."), (still_open, "It is waiting {} times.")):
        twice = jobs.values("kind", "subject_id").annotate(count=Count("pk")).filter(count__gt=1)
        for found in twice:
            yield Broken(f"{found['kind']} {found['subject_id']}", what.format(found["count"]), REPORT)


def rows_add_up() -> Iterator[Broken]:
    """rows = added + updated + unchanged + kept safe + rejected + duplicates, for whatever is done."""
    counted = sum(
        (F(name) for name in ("updated", "unchanged", "kept_safe", "rejected", "duplicates")), F("added")
    )
    done = Change.objects.filter(state=ChangeState.DONE)
    for change in done.exclude(rows=counted).iterator():
        yield Broken(
            _change(change),
            f"Of {change.rows} rows not all are accounted for.",
            f"Compare the list with its last backup. {REPORT}",
        )


def nothing_temporary_stays() -> Iterator[Broken]:
    """Staged rows are of open changes; what was begun and not gone on with ends after a week."""
    recent = Change.objects.filter(
        Q(ended_at=None) | Q(ended_at__gte=timezone.now() - LATE), pk=OuterRef("change_id")
    )
    staged = StagedRow.objects.filter(~Exists(recent)).order_by()
    for found in staged.values("change_id").annotate(count=Count("pk")).order_by("change_id"):
        yield Broken(
            f"change {found['change_id']}",
            f"It has ended, but {found['count']} of its staged rows are still there.",
            f"They hold personal data. {REPORT}",
        )
    for change_id in leftovers.unowned_tables():
        if not Change.objects.filter(pk=change_id, ended_at__gte=timezone.now() - VERY_LATE).exists():
            yield Broken(
                f"change {change_id}",
                "It has ended, but tables of its own are still there.",
                f"They hold personal data; the hourly sweep should have dropped them. {START}",
            )
    before = timezone.now() - leftovers.KEPT - VERY_LATE
    begun = [ChangeState.DRAFT, ChangeState.STAGING, ChangeState.PREVIEW]
    for change in Change.objects.filter(state__in=begun, created_at__lt=before).iterator():
        yield Broken(_change(change), "Nobody has gone on with it for more than a week.", START)
    for change in leftovers.naming_people(ended_before=before).iterator():
        yield Broken(_change(change), "It ended over a week ago, and still names people.", START)
    old = RejectedRow.objects.filter(change__ended_at__lt=before).order_by()
    for found in old.values("change_id").annotate(count=Count("pk")).order_by("change_id"):
        yield Broken(
            f"change {found['change_id']}", f"{found['count']} rejected rows are still there.", START
        )
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        if path.is_file() and _moment(path) < timezone.now() - leftovers.UPLOAD_TIME - VERY_LATE / 4:
            yield Broken(f"file {path.name}", "It is left of an upload that was cut off.", START)


def no_upload_stays() -> Iterator[Broken]:
    """An upload is there as long as its import is open, or stopped and can be tried again."""
    late = timezone.now() - VERY_LATE
    stopped = Q(state=ChangeState.FAILED, ended_at__gte=late - leftovers.KEPT)
    over = Change.objects.filter(~stopped, state__in=OVER, ended_at__lt=late)
    for run in Import.objects.filter(change__in=over).exclude(upload="").iterator():
        yield Broken(f"change {run.pk}", "It has ended, but its uploaded file is still there.", REPORT)
    before = timezone.now() - VERY_LATE
    for key in _files(storages["uploads"], before=before):
        if not Import.objects.filter(upload=key).exists():
            yield Broken(
                f"upload {key}",
                "It belongs to no import.",
                "It holds personal data: remove the file from the storage of uploads.",
            )


def changes_are_in_the_log() -> Iterator[Broken]:
    """Each change that is done has its entry."""
    events = {kind.value: f"{kind.value}.done" for kind in ChangeKind}
    events[ChangeKind.DELETION] = "group.deleted"
    noted = logged(*events.values(), of="change")
    for change in Change.objects.filter(state=ChangeState.DONE).iterator():
        if change.pk not in noted:
            yield Broken(
                _change(change),
                "The activity log does not have it.",
                "Somebody has removed log entries: find out who can write to the database.",
            )


def _in_circles(waits: list[tuple[int, int]]) -> list[int]:
    """The jobs that are left when all that wait for nothing open have gone, again and again."""
    left = waits
    while left:
        waiting = {job for job, _awaited in left}
        shorter = [(job, awaited) for job, awaited in left if awaited in waiting]
        if len(shorter) == len(left):
            return sorted(waiting)
        left = shorter
    return []


def _files(storage: Storage, *, before: datetime) -> Iterator[str]:
    """The names of all files in the storage that were last written before that time."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            below, files = storage.listdir(folder)
        except FileNotFoundError:
            continue
        folders += [f"{folder}{name}/" for name in below]
        for name in filter(None, files):
            try:
                if storage.get_modified_time(f"{folder}{name}") < before:
                    yield f"{folder}{name}"
            except FileNotFoundError:
                continue


def _moment(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _place(job: Job) -> str:
    return f"job {job.pk} ({job.kind} {job.subject_id})"


def _change(change: Change) -> str:
    return f"change {change.pk} ({change.kind}, {change.state})"
