"""Putting work on record, and ringing the bell for it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from datetime import datetime

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from backupsvc.accounts.models import Account
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Job, JobWait, Queue

log = logging.getLogger(__name__)

RUN_TASK = "jobs.run"


def enqueue(
    kind: str,
    *,
    subject_id: int,
    account: Account | None,
    queue: Queue,
    after: Iterable[Job] = (),
    needs: Iterable[Job] = (),
    due_at: datetime | None = None,
) -> Job:
    """Record a job in the caller's transaction; a worker hears of it after the commit.

    It starts when all jobs in `after` have ended and all in `needs` have succeeded; it fails when one of
    `needs` fails; never before `due_at` (now).
    """
    job = Job.objects.create(
        kind=kind, subject_id=subject_id, account=account, queue=queue, due_at=due_at or database_now()
    )
    for awaited in after:
        wait_for(job, awaited=awaited, must_succeed=False)
    for awaited in needs:
        wait_for(job, awaited=awaited, must_succeed=True)
    if due_at is None:
        ring(job)
    return job


def wait_for(job: Job, *, awaited: Job, must_succeed: bool) -> None:
    """Make a job that has not started yet wait for another."""
    JobWait.objects.update_or_create(job=job, awaited=awaited, defaults={"must_succeed": must_succeed})


def ring(job: Job) -> None:
    """Tell the workers about a job once the transaction has committed.

    The message is only a doorbell: when it is lost, or the broker is down, the sweep rings again. So a
    failure to publish is logged and forgotten; it must never stop what has just been committed.
    """
    transaction.on_commit(functools.partial(_publish, job.pk, job.queue), robust=True)


def _publish(job_id: int, queue: str) -> None:
    try:
        current_app.send_task(RUN_TASK, args=[job_id], queue=queue, retry=False, ignore_result=True)
    except (OperationalError, OSError) as problem:
        log.warning("broker unreachable, job %s waits for the sweep: %s", job_id, problem)
        return
    Job.objects.filter(pk=job_id).update(rung_at=database_now())
