"""How PostgreSQL takes in the rows of a file: loaded as they are, then read and put into order at once."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from django.db import DataError, connection, transaction

from recipients.bulk.base import Cell, RawLines, Reading
from recipients.bulk.merge import SetBasedEngine
from recipients.bulk.plain import FIGURES, LONGEST_KNOWN, ROWS, SAMPLED, literal
from recipients.bulk.plain_postgres import TYPES, PostgresPlainSql
from recipients.bulk.staging import tables_of

BLOCK_BYTES = 256 * 1024

# The planner takes the staging table for tiny and would look up each row by itself (measured 3x slower).
# Compiling these long statements took longer than they save.
PLANNER = (
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL jit = off",
)


class RawEngine(SetBasedEngine):
    """The statements about raw tables and what becomes of them."""

    reads_raw = True
    sql = PostgresPlainSql()

    def execute(
        self, statement: str, parameters: Iterable[object] | Mapping[str, object]
    ) -> list[tuple[object, ...]]:
        given: Any = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        with connection.cursor() as cursor:
            cursor.execute(statement, given or None)
            return list(cursor.fetchall()) if cursor.description else []

    def open_raw(self, change_id: int, *, columns: int) -> None:
        cells = ", ".join(f'c{index} text COLLATE "C"' for index in range(columns))
        self.execute(
            f"CREATE UNLOGGED TABLE {tables_of(change_id).raw}"
            f" (line bigint GENERATED ALWAYS AS IDENTITY, {cells}) WITH (autovacuum_enabled = off)",
            [],
        )

    def load_raw(self, change_id: int, *, lines: RawLines) -> bool:
        raw = tables_of(change_id).raw
        columns = ", ".join(f"c{index}" for index in range(lines.columns))
        # Without quotes there has to be one nevertheless: a character that these lines do not hold.
        options = (
            f"FORMAT csv, ENCODING 'UTF8', DELIMITER {literal(lines.delimiter)},"
            f" QUOTE {literal(lines.quote or chr(1))}, FORCE_NULL ({columns})"
        )
        try:
            with transaction.atomic():
                # The number of each row is then its line in the file.
                self.execute(f"ALTER TABLE {raw} ALTER COLUMN line RESTART WITH {int(lines.first)}", [])
                count = self._copy_in(
                    f"COPY {raw} ({columns}) FROM STDIN WITH ({options})", io.BytesIO(lines.data)
                )
                if count != lines.count:
                    raise DataError(f"{count} rows in {lines.count} lines")
        except DataError:
            return False
        return True

    def unasked(self, change_id: int, *, cell: Cell, reading: Reading, most: int) -> list[str]:
        column, raw = cell.column, tables_of(change_id).raw
        unasked = self.sql.unasked(cell, reading=reading)
        if cell.kind in FIGURES:
            sampled = self.execute(
                f"SELECT count(*), count(*) FILTER (WHERE {unasked}) FROM"
                f" (SELECT {column} FROM {raw} WHERE {column} IS NOT NULL LIMIT {SAMPLED}) AS s",
                [],
            )
            filled, odd = (int(str(number)) for number in sampled[0])
            # A few that are written otherwise are checked with their rows: cheaper than another look at all.
            if odd * 10 <= filled:
                return []
        rows = self.execute(
            f"SELECT DISTINCT {column} FROM {raw}"
            f" WHERE {unasked} AND length({column}) <= {LONGEST_KNOWN} LIMIT {most + 1}",
            [],
        )
        return [str(row[0]) for row in rows] if len(rows) <= most else []

    def part(self, change_id: int, *, reading: Reading, columns: int) -> int:
        raw, keyed, *_ = tables_of(change_id)
        self._set_planner()
        loaded = self._count(raw)
        # One pass over all rows for the tests, the values, and the order that all else reads them in.
        self.execute(
            f"CREATE UNLOGGED TABLE {keyed} WITH (autovacuum_enabled = off)"
            f" AS {self.sql.keyed(reading, table=raw, columns=columns)}",
            [],
        )
        self.execute(f"DROP TABLE {raw}", [])
        self.execute(f"CREATE INDEX ON {keyed} (line) WHERE key IS NULL", [])
        self._show(change_id, says_status="says_status", digest_key=reading.digest_key)
        return loaded - self._count(keyed)

    def _show(self, change_id: int, *, says_status: str, digest_key: bytes | None) -> None:
        """Make the view of the rows with a key as staged rows."""
        _raw, keyed, plain, _judged = tables_of(change_id)
        told = {
            **{name: name for name in ROWS},
            "domain": "split_part(key, '@', -1)::varchar(255)",
            "digest": f"({self.sql.digest('key', key=digest_key)})::{TYPES['digest']}",
            "says_status": says_status,
        }
        columns = ", ".join(f"{told[name]} AS {name}" for name in ROWS)
        self.execute(f"CREATE VIEW {plain} AS SELECT {columns} FROM {keyed} WHERE key IS NOT NULL", [])

    def _index_keys(self, change_id: int) -> None:
        """Make rows that are to be read beside others findable in the order in which they lie."""
        keyed = tables_of(change_id).keyed
        if self._has_table(keyed):
            index = f"CREATE INDEX IF NOT EXISTS {keyed}_in_order ON {keyed}"
            self.execute(f"{index} (key, line DESC) WHERE key IS NOT NULL", [])

    def odd_rows(self, change_id: int, *, after: int, most: int) -> list[tuple[int, list[str]]]:
        rows = self.execute(
            f"SELECT line, cells FROM {tables_of(change_id).keyed} WHERE key IS NULL AND line > %s"
            " ORDER BY line LIMIT %s",
            [after, most],
        )
        return [
            (int(str(line)), ["" if cell is None else str(cell) for cell in cast("list[object]", cells)])
            for line, cells in rows
        ]

    def _has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT to_regclass(%s) IS NOT NULL", [name])[0][0])

    def _set_planner(self) -> None:
        for setting in PLANNER:
            self.execute(setting, [])

    @contextmanager
    def _without(self, *ways: str) -> Iterator[None]:
        for way in ways:
            self.execute(f"SET LOCAL enable_{way} = off", [])
        yield
        for way in ways:
            self.execute(f"SET LOCAL enable_{way} = on", [])

    def _copy_in(self, statement: str, stream: BinaryIO) -> int:
        """How many rows came in."""
        with connection.cursor() as cursor, connection.wrap_database_errors:
            cursor.copy_expert(statement, stream, BLOCK_BYTES)
            return int(cursor.rowcount)
