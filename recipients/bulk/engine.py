"""The bulk engine for the database at hand."""

from __future__ import annotations

from django.db import connection

from recipients.bulk.base import BulkEngine
from recipients.bulk.postgres import PostgresEngine
from recipients.bulk.sqlite import SqliteEngine


def engine() -> BulkEngine:
    """PostgreSQL's family has COPY; SQLite is served by prepared statements."""
    return PostgresEngine() if connection.features.has_native_uuid_field else SqliteEngine()
