"""The rawest ways: what the database alone does with rows that need no check."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

from benchmarks.scene import COLUMNS, RAW, Scene
from recipients.models import Group

BUFFER_BYTES = 1024 * 1024


Tuples = list[tuple[object, ...]]
Ready = Path | Tuples


def ready(scene: Scene, group: Group, *, order: str, newest_only: bool = False) -> Ready:
    """The list's rows as the database takes them: a file for COPY, or tuples for SQLite's driver.

    `order` is "key" or "file" (none at all); `newest_only`: those that the last import added.
    """
    newest = f"= (SELECT max(change_id) FROM recipients_recipient WHERE group_id = {group.pk})"
    where = f"group_id = {group.pk}" + (f" AND change_id {newest}" if newest_only else "")
    if not scene.is_postgres:
        # The addresses begin with scattered numbers: their ends are in no order.
        by = "substr(key, 9)" if order == "file" else "key"
        return scene.execute(f"SELECT {COLUMNS} FROM recipients_recipient WHERE {where} ORDER BY {by}")
    path = Path(settings.DATA_DIR, f"ready-{order}.tsv")
    by = "md5(key)" if order == "file" else "key"
    select = f"SELECT {COLUMNS} FROM recipients_recipient WHERE {where} ORDER BY {by}"
    with path.open("wb") as file, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({select}) TO STDOUT", file, BUFFER_BYTES)
    return path


def copy_in(rows: Ready) -> dict[str, float]:
    """One COPY of ready rows into the yardstick's table, committed."""
    assert isinstance(rows, Path)
    started = time.perf_counter()
    with rows.open("rb") as file, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {RAW} ({COLUMNS}) FROM STDIN", file, BUFFER_BYTES)
    return {"copy": time.perf_counter() - started}


def copy_out(path: Path) -> dict[str, float]:
    """`COPY … TO STDOUT` of the yardstick's table by psql, through `zstd -3` into a file."""
    return _piped(f"psql {_database()} -qc 'COPY {RAW} TO STDOUT' | zstd -3 -q -f -o '{path}'")


def copy_back(path: Path) -> dict[str, float]:
    """`zstd -dc` of such a file into the empty table of the yardsticks, by psql."""
    return _piped(f"zstd -dcq '{path}' | psql {_database()} -qc 'COPY {RAW} FROM STDIN'")


def copy_csv() -> dict[str, float]:
    """The yardstick's table as CSV by psql, to nowhere."""
    return _piped(f"psql {_database()} -qc 'COPY {RAW} TO STDOUT (FORMAT csv, HEADER)' > /dev/null")


def delete_all() -> dict[str, float]:
    """One DELETE of every row of the yardstick's table."""
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {RAW}")
    return {"delete": time.perf_counter() - started}


def execute_many(rows: Ready) -> dict[str, float]:
    """One `executemany` of ready rows, committed; the driver alone, without Django around it."""
    assert isinstance(rows, list)
    connection.ensure_connection()
    raw = connection.connection
    marks = ", ".join("?" * len(rows[0]))
    started = time.perf_counter()
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(f"INSERT INTO {RAW} ({COLUMNS}) VALUES ({marks})", rows)
    raw.execute("COMMIT")
    return {"executemany": time.perf_counter() - started}


def _piped(command: str) -> dict[str, float]:
    started = time.perf_counter()
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True)
    return {"pipe": time.perf_counter() - started}


def _database() -> str:
    return f"'{settings.DATABASE_URL}'"
