"""What Celery Beat calls for the log."""

from __future__ import annotations

from celery import shared_task

from backupsvc.accounts.actions.sealing import anchor_log, seal_log


@shared_task(name="accounts.seal")
def seal() -> None:
    """Give the newest log entries their places in the chain."""
    seal_log()


@shared_task(name="accounts.anchor")
def anchor() -> None:
    """Write the end of the chain down outside the database."""
    anchor_log()
