"""The backups app's kinds of work, and what Celery Beat calls."""

from __future__ import annotations

from celery import shared_task

from backups.actions.preparing import PREPARE_JOB, prepare_archive
from backups.actions.purge import drop_prepared, purge_due, sweep_orphans
from backups.actions.restore import restore_staging_failed, stage_restore
from backups.actions.snapshots import TAKE_JOB, snapshot_failed, take_snapshot
from backups.actions.verification import verify_due
from backupsvc.accounts.actor import Origin, operator
from backupsvc.errors import Refusal
from backupsvc.jobs.heartbeat import beat
from backupsvc.jobs.runner import handles
from recipients.actions.changes import STAGE_JOBS
from recipients.models import ChangeKind

handles(PREPARE_JOB)(prepare_archive)
handles(TAKE_JOB, failed=snapshot_failed)(take_snapshot)
handles(STAGE_JOBS[ChangeKind.RESTORE], failed=restore_staging_failed)(stage_restore)


@shared_task(name="backups.purge")
def purge() -> None:
    """Expire and remove what is due, and files that nobody refers to. Safe to run at any time, twice too."""
    try:
        purge_due(actor=operator(Origin.SCHEDULE))
    except Refusal:
        # Held, and told so in log and ledger. What tells old files from new ones is the same clock.
        return
    sweep_orphans()
    drop_prepared()
    beat("purge")


@shared_task(name="backups.verify")
def verify() -> None:
    """Read back the archives that were not read for a week."""
    verify_due()
    beat("verify")
