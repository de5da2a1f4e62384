"""What Celery may call: run a job, sweep."""

from __future__ import annotations

from celery import shared_task

from backupsvc.jobs import runner
from backupsvc.jobs.heartbeat import beat
from backupsvc.jobs.queue import RUN_TASK
from backupsvc.jobs.sweep import sweep


@shared_task(name=RUN_TASK)
def run(job_id: int) -> None:
    """Do the job, if it is still to be done."""
    runner.run(job_id)


@shared_task(name="jobs.sweep")
def sweep_jobs() -> None:
    """Ring for the work that nobody took."""
    sweep()
    beat("sweep")
