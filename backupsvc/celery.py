"""The Celery application, its queues and its clock.

Start one worker per machine and one beat for all:

    celery -A backupsvc worker -Q snapshot,change,maintenance
    celery -A backupsvc beat
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from celery.app.utils import Settings
from kombu import Queue

from backupsvc.memory import share_one_arena

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backupsvc.settings")

app = Celery("backupsvc")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A periodic task only asks the database what is due, so one that is late, lost or doubled does no
# harm. It expires before its successor comes: after a long stop nobody works off a heap of sweeps.
EVERY_SECONDS = {
    "jobs.sweep": 5,
    "accounts.seal": 10,
    "accounts.anchor": 3600,
    "recipients.sweep": 3600,
    "backups.purge": 3600,
    "backups.verify": 3600,
}
app.conf.beat_schedule = {
    task: {"task": task, "schedule": float(seconds), "options": {"expire_seconds": seconds}}
    for task, seconds in EVERY_SECONDS.items()
}


@app.on_after_configure.connect
def declare_queues(sender: Celery, **_kwargs: Any) -> None:
    """The queues that settings name, and no others: a misspelt one fails instead of filling unread."""
    from django.conf import settings  # noqa: PLC0415  # settings may be read once the app is configured

    sender.conf.task_queues = [Queue(name, routing_key=name) for name in settings.CELERY_QUEUES]


@signals.celeryd_init.connect
def stay_small(**_kwargs: Any) -> None:
    """The processes that do the work are forked from this one, and have no threads yet."""
    share_one_arena()


@signals.celeryd_init.connect
def let_workers_wait(conf: Settings, **_kwargs: Any) -> None:
    """Workers hold their connection open and wait; whoever publishes in a request must not."""
    options = dict(conf.broker_transport_options)
    if "socket_timeout" in options:
        conf.broker_transport_options = options | {"socket_timeout": 10, "socket_connect_timeout": 2}
