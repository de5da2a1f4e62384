"""The one clock that leases are measured by."""

from __future__ import annotations

from datetime import datetime

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
