"""The broker and the clock of a run: messages arrive once or twice or never, and time passes at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F

from backupsvc.celery import app
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState

# Longer than a lease, than the pause before the sweep rings again, and than the pause after a failed try.
MOMENT = timedelta(minutes=3)
MOST_ROUNDS = 40


class Bell:
    """Takes the messages that are published here, and delivers each so many times."""

    def __init__(self, *, times: int) -> None:
        self.times = times
        self.messages: list[tuple[str, list[Any]]] = []

    def send_task(self, name: str, args: list[Any] | None = None, **_options: Any) -> None:
        """What `app.send_task` is for this run."""
        self.messages.append((name, args or []))

    def deliver(self) -> None:
        """Have all messages worked on, those too that come meanwhile."""
        while self.messages:
            name, arguments = self.messages.pop(0)
            self.call(name, *arguments)

    def call(self, name: str, *arguments: Any) -> None:
        """Run the task as often as its message is delivered."""
        for _ in range(self.times):
            app.tasks[name](*arguments)


def work_to_rest(bell: Bell, *, shortly: Callable[[], None] = lambda: None) -> None:
    """Let moments pass, sweep and work, until nothing is left that could run.

    What the dead process published is lost: the database alone knows what is to be done. `shortly` is
    called once, after the first moment.
    """
    for _ in range(MOST_ROUNDS):
        _let_a_moment_pass()
        shortly()
        bell.call("jobs.sweep")
        if not bell.messages and not Job.objects.filter(state=JobState.RUNNING).exists():
            return
        bell.deliver()
    left = [str(job) for job in Job.objects.exclude(state__in=ENDED)]
    raise AssertionError(f"the work does not come to rest: {left}")


def _let_a_moment_pass() -> None:
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=F("lease_until") - MOMENT)
    Job.objects.filter(rung_at__isnull=False).update(rung_at=F("rung_at") - MOMENT)
    # What is due much later (the rows of a deleted list) stays where it is.
    soon = database_now() + MOMENT
    Job.objects.filter(state=JobState.DUE, due_at__lt=soon).update(due_at=F("due_at") - MOMENT)
