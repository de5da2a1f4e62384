"""Every long piece of work is a row here; Celery only rings."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account


class JobState(models.TextChoices):
    DUE = "due", _("waiting for its turn")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    PARKED = "parked", _("stopped after several tries")
    CANCELLED = "cancelled", _("cancelled")


ENDED = (JobState.DONE, JobState.FAILED, JobState.PARKED, JobState.CANCELLED)


class Queue(models.TextChoices):
    SNAPSHOT = "snapshot"
    CHANGE = "change"
    MAINTENANCE = "maintenance"


class Job(models.Model):
    """A piece of background work and where it stands.

    due ──claim──▶ running ──▶ done | failed (an expected refusal) | due again (a bug or a lost worker)
     └──────────── cancelled          after `runner.MOST_ATTEMPTS` tries: parked

    A job is claimed by compare-and-set: `fence` goes up with every claim, and every transaction of the
    work checks that its fence is still the newest. A claim holds until `lease_until`.
    """

    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    queue = models.CharField(max_length=20, choices=Queue.choices)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.DUE)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=30, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_params = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    waits: models.Manager[JobWait]

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=[JobState.DUE, JobState.RUNNING]),
                name="job_open_by_due",
            ),
            models.Index(fields=["kind", "subject_id"], name="job_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id} ({self.state})"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def percent(self) -> int | None:
        """0 to 100, or None while the total is not known."""
        return min(100, self.done * 100 // self.total) if self.total else None


class JobWait(models.Model):
    """`job` may not start before `awaited` has ended; with `must_succeed` it fails when that one failed."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="waits")
    awaited = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="waiters")
    must_succeed = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "awaited"], name="job_waits_once")]

    def __str__(self) -> str:
        return f"{self.job_id} waits for {self.awaited_id}"


class Heartbeat(models.Model):
    """When a kind of periodic work last came to a good end. Shown by /readyz."""

    name = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"
