"""Keeping the state of everything that lasts, and bringing it back for the next run."""

from __future__ import annotations

import io
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg2 import sql

from recipients.bulk.staging import change_of

# Where the forms of tables are kept that changes make for themselves.
FORMS = "kept_forms"
LONGEST_SECONDS = 60.0


@dataclass
class Kept:
    """The database's rows and the folder's files at one moment."""

    folder: Path  # holds archives and uploads
    copy: Path  # where copies lie
    tables: dict[str, bytes] = field(default_factory=dict)
    sequences: list[tuple[str, int]] = field(default_factory=list)
    views: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """Remember what is there now."""
        let_leases_end()
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.folder, self.copy / "files")
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(self.copy / "database")) as kept:
                _database().backup(kept)
        else:
            self._keep_tables()

    def bring_back(self) -> None:
        """Make everything what it was."""
        let_leases_end()
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy / "files", self.folder)
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(self.copy / "database")) as kept:
                kept.backup(_database())
        else:
            self._bring_back_tables()

    def _keep_tables(self) -> None:
        connection.ensure_connection()
        with closing(connection.connection.cursor()) as cursor:
            # Tables that a change has made for itself may be gone, and others there, when it is over.
            cursor.execute(f"DROP SCHEMA IF EXISTS {FORMS} CASCADE; CREATE SCHEMA {FORMS}")
            for table in filter(change_of, connection.introspection.table_names()):
                cursor.execute(f"CREATE TABLE {FORMS}.{table} (LIKE {table} INCLUDING ALL)")
            cursor.execute("SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema()")
            self.views = {name: definition for name, definition in cursor.fetchall() if change_of(name)}
            for table in connection.introspection.table_names():
                kept = io.BytesIO()
                cursor.copy_expert(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table)), kept)
                self.tables[table] = kept.getvalue()
            cursor.execute("SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences")
            self.sequences = cursor.fetchall()

    def _bring_back_tables(self) -> None:
        connection.ensure_connection()
        with closing(connection.connection.cursor()) as cursor:
            self._bring_back_forms(cursor)
            # In any order: no foreign key is looked at. One round trip: there are many tables.
            cursor.execute("BEGIN; SET LOCAL session_replication_role = replica")
            cursor.execute(
                sql.SQL("; ").join(
                    sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in self.tables
                )
            )
            for table, rows in self.tables.items():
                if rows:
                    cursor.copy_expert(
                        sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table)), io.BytesIO(rows)
                    )
            for name, value in self.sequences:
                cursor.execute("SELECT setval(%s, %s, %s)", [f'"{name}"', max(value, 1), value > 0])
            cursor.execute("COMMIT")

    def _bring_back_forms(self, cursor: Any) -> None:
        for table in filter(change_of, connection.introspection.table_names()):
            # One that inherits from another goes with it.
            cursor.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        for table in filter(change_of, self.tables):
            cursor.execute(f"CREATE UNLOGGED TABLE {table} (LIKE {FORMS}.{table} INCLUDING ALL)")
        for name, definition in self.views.items():
            cursor.execute(f"CREATE VIEW {name} AS {definition}")


def let_leases_end() -> None:
    """Wait for the threads that renew leases, which end by themselves.

    One that had a connection of its own would write while the rows are put in place, and a process is forked
    with one thread only.
    """
    end = time.monotonic() + LONGEST_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith("lease-"):
            thread.join(max(0.0, end - time.monotonic()))


def _database() -> sqlite3.Connection:
    """The connection itself. Its file is written through it and never replaced: SQLite keeps one picture of a
    file for all connections of a process, and one of the browser's server may be open for long.
    """
    connection.ensure_connection()
    database: sqlite3.Connection = connection.connection
    return database
