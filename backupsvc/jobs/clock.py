"""The one clock that leases are measured by."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """The database's time, UTC: workers on several machines must not argue about a lease.

    SQLite has no clock of its own; its workers share one machine.
    """
    if not connection.features.has_native_uuid_field:
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


@dataclass(frozen=True)
class Uptime:
    """Seconds since the machine started, sleep included: a clock that nobody can set. "" = not known."""

    boot: str
    seconds: float


def uptime() -> Uptime:
    """This machine's uptime, and which start it counts from. Linux alone has both."""
    with suppress(OSError, AttributeError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return Uptime(boot=boot, seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
    return Uptime(boot="", seconds=0.0)
