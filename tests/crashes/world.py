"""Keeping the state of everything that lasts, and bringing it back for the next run."""

from __future__ import annotations

import gc
import io
import shutil
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection, connections
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
            let_go_of_database()  # the last one writes the journal into the file
            shutil.copyfile(_file(), self.copy / "database")
        else:
            self._keep_tables()

    def bring_back(self) -> None:
        """Make everything what it was."""
        let_leases_end()
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy / "files", self.folder)
        if connection.vendor == "sqlite":
            let_go_of_database()
            for suffix in ("-wal", "-shm"):
                Path(f"{_file()}{suffix}").unlink(missing_ok=True)
            shutil.copyfile(self.copy / "database", _file())
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

    One that had a connection of its own would hold on to the database's files while they are put in place,
    and a process is forked with one thread only.
    """
    end = time.monotonic() + LONGEST_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith("lease-"):
            thread.join(max(0.0, end - time.monotonic()))


def let_go_of_database() -> None:
    """Close what this process has open of the database. Raises AssertionError if somebody holds on to it.

    SQLite keeps one picture of a file for all connections of a process: one that outlasts its file leaves
    later ones with the picture of what is no longer there, and each of them, failing, with the next. A
    connection whose cursor is part of a cycle of garbage is open until that is collected.
    """
    connections.close_all()
    end = time.monotonic() + LONGEST_SECONDS
    while connection.vendor == "sqlite" and (held := _held()):
        gc.collect()
        threads = [thread.name for thread in threading.enumerate()]
        assert time.monotonic() < end, f"{held} are open in one of {threads}"
        time.sleep(0.01)


def _held() -> list[str]:
    """The database's files that this process has open, as far as the system tells."""
    folder, held = Path("/proc/self/fd"), []
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # gone meanwhile
            held.append(str(path.readlink()))
    return [name for name in held if name.startswith(_file())]


def _file() -> str:
    return str(connection.settings_dict["NAME"])
