"""The bulk engine on PostgreSQL: COPY in, COPY out, one statement for each step of a merge."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

from django.conf import settings
from django.db import OperationalError, connection, transaction

from recipients.bulk.base import Reject, Stage
from recipients.bulk.copytext import COLUMNS, Readable, Rest, Sink, encode_row, move_lines
from recipients.bulk.postgres_judge import JudgingEngine
from recipients.bulk.postgres_raw import BLOCK_BYTES, HALVED_FROM
from recipients.bulk.second import Second, Spool
from recipients.bulk.staging import PREFIX, Tables, change_of, checked_of, half_of, tables_of
from recipients.models import compact_json

log = logging.getLogger(__name__)

STAGED = ", ".join(("change_id", *Stage._fields))
REJECTED = '"change_id", "line", "column", "code", "params", "cells"'
# The first half of an archive is loaded while the second is still waited for: it is the larger one.
LOWER_SHARE = 0.55
# A person's click must not wait for a worker that is loading a table; the sweep drops it later.
LOCK_WAIT = "SET LOCAL lock_timeout = '500ms'"


class PostgresEngine(JudgingEngine):
    def staged(self, change_id: int, *, addresses: int | None = None) -> int:
        if addresses is not None and self._is_settled(change_id):
            return addresses
        return super().staged(change_id)

    def owners(self) -> list[int]:
        rows = self.execute(
            "SELECT relname FROM pg_class WHERE starts_with(relname, %s) AND pg_table_is_visible(oid)",
            [PREFIX],
        )
        return sorted({owner for row in rows if (owner := change_of(str(row[0]))) is not None})

    def _drop_tables(self, tables: Tables) -> None:
        own = (tables.raw, tables.keyed, tables.judged)
        names = [checked_of(tables.keyed), *map(half_of, own), *own]
        if not any(map(self._has_table, names)):
            return
        try:
            with transaction.atomic():
                self.execute(LOCK_WAIT, [])
                self.execute(f"DROP VIEW IF EXISTS {tables.plain}", [])
                self._drop(*names)
                self.execute("SET LOCAL lock_timeout = 0", [])
        except OperationalError as problem:
            log.info("%s is in use: %s", tables.keyed, problem)

    def stage(self, change_id: int, *, rows: Sequence[Stage]) -> None:
        self.stage_ready(
            change_id, rows=[(*row[:-2], _json(row.tags), compact_json(row.attributes)) for row in rows]
        )

    def stage_ready(self, change_id: int, *, rows: Sequence[tuple[object, ...]]) -> None:
        lines = b"".join(encode_row(_texts((change_id, *row))) for row in rows)
        self._copy_in(f"COPY recipients_stagedrow ({STAGED}) FROM STDIN", io.BytesIO(lines))

    def stage_rejects(self, change_id: int, *, rejects: Sequence[Reject]) -> None:
        lines = b"".join(
            encode_row(
                [
                    str(change_id),
                    str(reject.line),
                    reject.column[:255],
                    reject.code,
                    compact_json(reject.params).replace("\\u0000", "\\ufffd"),
                    # PostgreSQL's JSON cannot hold NUL: shown as the replacement character.
                    compact_json(reject.cells).replace("\\u0000", "\\ufffd"),
                ]
            )
            for reject in rejects
        )
        self._copy_in(f"COPY recipients_rejectedrow ({REJECTED}) FROM STDIN", io.BytesIO(lines))

    def open_copytext(self, change_id: int) -> None:
        keyed = tables_of(change_id).keyed
        quiet, line = "WITH (autovacuum_enabled = off)", "line bigint GENERATED ALWAYS AS IDENTITY"
        rows = f"SELECT {', '.join(COLUMNS)} FROM recipients_recipient"
        self.execute(f"CREATE UNLOGGED TABLE {keyed} {quiet} AS {rows} WITH NO DATA", [])
        self.execute(f"ALTER TABLE {keyed} ADD {line}", [])
        self.execute(f"CREATE UNLOGGED TABLE {half_of(keyed)} ({line}) INHERITS ({keyed}) {quiet}", [])

    def stage_copytext(
        self, change_id: int, *, stream: BinaryIO, rows: int, digest_key: bytes | None = None
    ) -> int:
        keyed = tables_of(change_id).keyed
        with transaction.atomic(), Second(needed=keyed) as second:
            if rows >= HALVED_FROM and second.is_there:
                count = self._load_halves(keyed, stream=stream, rows=rows, second=second)
            else:
                count = self._load_lines(keyed, stream=stream)
            self._show(change_id, says_status="true", digest_key=digest_key)
        return count

    def _load_halves(self, keyed: str, *, stream: BinaryIO, rows: int, second: Second) -> int:
        """Each half of the rows on a connection of its own, so that all still lie in the order of their keys.

        To read them takes a tenth of what it takes to load them: the second connection, which has to wait
        for its half, reads the first half too, and leaves it in a file.
        """
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
            lower = Spool(file)
            upper = second.start(
                self._load_upper, half_of(keyed), stream=stream, lower=lower, most=int(rows * LOWER_SHARE)
            )
            return self._load_lines(keyed, stream=lower) + upper.result()

    def _load_upper(self, table: str, *, stream: BinaryIO, lower: Spool, most: int) -> int:
        """Hand the first of the rows over, then load the others; how many these are."""
        try:
            count, begun = move_lines(stream, into=lower, most=most)
        finally:
            lower.close()
        return self._load_lines(table, stream=Rest(begun, stream), first=count + 1)

    def _load_lines(self, table: str, *, stream: Readable, first: int = 1) -> int:
        """Rows numbered from `first` on; how many."""
        with transaction.atomic():
            self.execute(f"ALTER TABLE {table} ALTER COLUMN line RESTART WITH {int(first)}", [])
            return self._copy_in(f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN", stream)

    def dump(self, group_id: int, *, sink: Sink) -> None:
        with connection.cursor() as cursor:
            copy = cursor.mogrify(
                f"COPY (SELECT {', '.join(COLUMNS)} FROM recipients_recipient WHERE group_id = %s"
                " ORDER BY key) TO STDOUT",
                [group_id],
            )
            with connection.wrap_database_errors:
                cursor.copy_expert(copy.decode(), sink, BLOCK_BYTES)

    @contextmanager
    def consistent_read(self) -> Iterator[None]:
        if connection.in_atomic_block:
            yield
            return
        with transaction.atomic():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", [])
            yield


def _texts(values: Iterable[object]) -> list[str | None]:
    return [_text(value) for value in values]


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case datetime():
            return value.astimezone(UTC).isoformat(sep=" ")
        case _:
            return str(value)


def _json(value: Sequence[str] | None) -> str | None:
    return None if value is None else compact_json(list(value))
