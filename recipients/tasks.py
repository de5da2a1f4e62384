"""The recipients app's kinds of work under their stable names, and what Celery Beat calls."""

from __future__ import annotations

from celery import shared_task

from backupsvc.jobs.runner import handles
from recipients.actions.changes import APPLY_JOB, DELETE_JOB, STAGE_JOBS, apply_change, change_failed
from recipients.actions.deletion import deletion_failed, finish_deletion, purge_failed, purge_group
from recipients.actions.groups import PURGE_JOB
from recipients.actions.leftovers import sweep_leftovers
from recipients.actions.staging import stage_import, staging_failed
from recipients.models import ChangeKind

handles(STAGE_JOBS[ChangeKind.IMPORT], failed=staging_failed)(stage_import)
handles(APPLY_JOB, failed=change_failed)(apply_change)
handles(DELETE_JOB, failed=deletion_failed)(finish_deletion)
handles(PURGE_JOB, failed=purge_failed)(purge_group)


@shared_task(name="recipients.sweep")
def sweep() -> None:
    """Remove what abandoned and ended changes left behind."""
    sweep_leftovers()
