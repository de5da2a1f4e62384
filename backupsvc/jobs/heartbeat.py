"""When each kind of periodic work last came to a good end."""

from __future__ import annotations

from datetime import datetime, timedelta

from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Heartbeat

# The sweep comes every few seconds; nobody needs to know it as exactly, and every note is a write.
NOTED_EVERY = timedelta(seconds=30)


def beat(name: str) -> None:
    """Note that this work has just come to a good end."""
    now = database_now()
    known = Heartbeat.objects.filter(name=name)
    if known.filter(at__gt=now - NOTED_EVERY, at__lte=now).exists():
        return
    if not known.update(at=now):
        Heartbeat.objects.get_or_create(name=name, defaults={"at": now})


def last_beats() -> dict[str, datetime]:
    """When each was last noted."""
    return dict(Heartbeat.objects.values_list("name", "at"))
