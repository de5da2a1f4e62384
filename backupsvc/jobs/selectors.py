"""Reading jobs."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState, JobWait


def job_of(kind: str, *, subject_id: int) -> Job | None:
    """The newest job of that kind for that subject."""
    return Job.objects.filter(kind=kind, subject_id=subject_id).order_by("-pk").first()


def newest_jobs(kind: str, *, subject_ids: Iterable[int]) -> dict[int, Job]:
    """The newest job of that kind for each of the subjects, by the subject's id."""
    jobs = Job.objects.filter(kind=kind, subject_id__in=list(subject_ids)).order_by("pk")
    return {job.subject_id: job for job in jobs}


def oldest_due_seconds() -> float | None:
    """For how long the oldest job that could run has been waiting; None when there is none."""
    now = database_now()
    waiting = JobWait.objects.filter(job=OuterRef("pk")).exclude(awaited__state__in=ENDED)
    due = Job.objects.filter(~Exists(waiting), state=JobState.DUE, due_at__lte=now)
    oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
