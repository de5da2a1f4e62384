"""Ringing again for work that nobody took: lost messages, dead workers, a broker that was down."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from backupsvc.errors import Refusal
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState, JobWait
from backupsvc.jobs.queue import ring
from backupsvc.jobs.runner import close

# A message rung more recently may still be on its way.
RING_AGAIN_AFTER = timedelta(seconds=20)
MOST_RUNG_AT_ONCE = 500


def sweep() -> int:
    """Ring for every job that could run and was not rung for lately; how many.

    Harmless at any time and from several places at once: a second message finds nothing to claim.
    """
    _fail_orphaned_waiters()
    now = database_now()
    waiting = JobWait.objects.filter(job=OuterRef("pk")).exclude(awaited__state__in=ENDED)
    free = Q(state=JobState.DUE, due_at__lte=now) | Q(state=JobState.RUNNING, lease_until__lt=now)
    quiet = Q(rung_at__isnull=True) | Q(rung_at__lt=now - RING_AGAIN_AFTER) | Q(rung_at__lt=F("due_at"))
    jobs = list(
        Job.objects.filter(free, quiet, ~Exists(waiting)).order_by("due_at", "pk")[:MOST_RUNG_AT_ONCE]
    )
    for job in jobs:
        ring(job)
    return len(jobs)


def _fail_orphaned_waiters() -> None:
    """A job whose needed job ended badly while nobody told it (a crash in between) fails now."""
    broken = JobWait.objects.filter(
        must_succeed=True,
        job__state=JobState.DUE,
        awaited__state__in=[state for state in ENDED if state != JobState.DONE],
    ).select_related("job", "awaited")
    for wait in broken:
        with transaction.atomic():
            job = Job.objects.select_for_update().get(pk=wait.job_id)
            if job.state != JobState.DUE:
                continue
            awaited = wait.awaited
            refusal = Refusal(awaited.error_code or "job.awaited_cancelled", **awaited.error_params)
            close(job, state=JobState.FAILED, refusal=refusal)
