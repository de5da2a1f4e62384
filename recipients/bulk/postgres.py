"""The bulk engine on PostgreSQL: COPY in, COPY out, one statement for each step of a merge."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO

from django.db import connection, transaction

from recipients.bulk.base import KeptSafe, Plan, Reject, Sink, Stage, Verdicts
from recipients.bulk.copytext import COLUMNS, encode_row
from recipients.bulk.merge import SetBasedEngine
from recipients.bulk.verdict import Dialect
from recipients.models import compact_json

STAGED = ", ".join(("change_id", *Stage._fields))
REJECTED = '"change_id", "line", "column", "code", "params", "cells"'
# The planner takes the staging table for tiny and would look up each row by itself (measured 3x slower).
PLANNER = ("SET LOCAL enable_nestloop = off", "SET LOCAL work_mem = '64MB'")

DIALECT = Dialect(
    differs="IS DISTINCT FROM",
    winners="""SELECT DISTINCT ON (key) * FROM recipients_stagedrow
                WHERE change_id = %(change)s ORDER BY key, line DESC""",
    empty_list="'[]'::jsonb",
    empty_object="'{}'::jsonb",
    without_nulls="jsonb_strip_nulls({value})",
    cleared_and_merged="jsonb_strip_nulls(({old} - %(cleared)s::text[]) || {new})",
    merged="jsonb_strip_nulls({old} || {new})",
    spelled="{value}",
)


class PostgresEngine(SetBasedEngine):
    dialect = DIALECT

    def execute(
        self, statement: str, parameters: Iterable[object] | Mapping[str, object]
    ) -> list[tuple[object, ...]]:
        given: Any = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        with connection.cursor() as cursor:
            cursor.execute(statement, given or None)
            return list(cursor.fetchall()) if cursor.description else []

    def preview(self, plan: Plan, *, most_kept_safe: int) -> tuple[Verdicts, list[KeptSafe]]:
        # The planner's settings last as long as a transaction.
        with transaction.atomic():
            return super().preview(plan, most_kept_safe=most_kept_safe)

    def _judge(self, plan: Plan) -> None:
        for setting in PLANNER:
            self.execute(setting, [])
        super()._judge(plan)

    def cleared_parameter(self, cleared: dict[str, None]) -> object:
        return list(cleared)

    def stage(self, change_id: int, *, rows: Sequence[Stage]) -> None:
        head = str(change_id)
        lines = b"".join(
            encode_row([head, *_texts(row[:-2]), _json(row.tags), compact_json(row.attributes)])
            for row in rows
        )
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

    def stage_copytext(self, change_id: int, *, stream: BinaryIO) -> int:
        columns = ", ".join(COLUMNS)
        with transaction.atomic():
            self.execute("DROP TABLE IF EXISTS loaded", [])
            self.execute(
                f"CREATE TEMPORARY TABLE loaded ON COMMIT DROP AS SELECT {columns} FROM recipients_recipient"
                " WITH NO DATA",
                [],
            )
            self.execute("ALTER TABLE loaded ADD line bigint GENERATED ALWAYS AS IDENTITY", [])
            self._copy_in(f"COPY loaded ({columns}) FROM STDIN", stream)
            self.execute(
                f"INSERT INTO recipients_stagedrow (change_id, line, {columns}, domain, digest, says_status)"
                f" SELECT %s, line, {columns}, split_part(key, '@', -1), '', true FROM loaded",
                [change_id],
            )
            rows = self.execute("SELECT count(*) FROM loaded", [])
        return int(str(rows[0][0]))

    def dump(self, group_id: int, *, sink: Sink) -> None:
        with connection.cursor() as cursor:
            copy = cursor.mogrify(
                f"COPY (SELECT {', '.join(COLUMNS)} FROM recipients_recipient WHERE group_id = %s"
                " ORDER BY key) TO STDOUT",
                [group_id],
            )
            with connection.wrap_database_errors:
                cursor.copy_expert(copy.decode(), sink, 256 * 1024)

    @contextmanager
    def consistent_read(self) -> Iterator[None]:
        if connection.in_atomic_block:
            yield
            return
        with transaction.atomic():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", [])
            yield

    def _copy_in(self, statement: str, stream: BinaryIO) -> None:
        with connection.cursor() as cursor, connection.wrap_database_errors:
            cursor.copy_expert(statement, stream, 256 * 1024)


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
