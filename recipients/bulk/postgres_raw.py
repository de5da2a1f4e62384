"""How PostgreSQL takes in the rows of a file: loaded as they are, then read and put into order at once."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

from django.db import DatabaseError, DataError, connection, transaction

from recipients.bulk import crowd
from recipients.bulk.base import AT_ONCE, Cell, Load, Overruled, Piece, RawLines, Reading, Usual
from recipients.bulk.copytext import COLUMNS, Readable
from recipients.bulk.merge import SetBasedEngine
from recipients.bulk.plain import FIGURES, LONGEST_KNOWN, ROWS, SAMPLED, literal
from recipients.bulk.plain_postgres import EMAIL, TYPES, PostgresPlainSql, sure_days
from recipients.bulk.second import Second, Shared
from recipients.bulk.staging import checked_of, half_of, tables_of
from recipients.bulk.verdict import HAS_LEFT

Told = TypeVar("Told", bound=Hashable)

BLOCK_BYTES = 256 * 1024

# The planner takes the staging table for tiny and would look up each row by itself (measured 3x slower).
# Compiling these long statements took longer than they save.
PLANNER = (
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL jit = off",
)
ONE_CORE = ("SET LOCAL max_parallel_workers_per_gather = 0", "SET LOCAL max_parallel_maintenance_workers = 0")
# Fewer rows are put into order and judged before a second connection is open, or what is usual is known.
HALVED_FROM = 20_000
# A domain that one sampled row in so many has is usual, and so is a gap: each costs the other rows a look.
USUAL_DOMAIN, USUAL_GAP = 100, 20
# What a row with a key has.
KEYED = (*COLUMNS, "says_status", "line")
# So many lines are numbered at once: to ask for each number by itself is a tenth of loading a line.
NUMBERED = 10_000
# How many of a table's pages tell where its middle is.
MIDDLE_PERCENT = 1


def in_order(table: str) -> str:
    """The name of the index by key."""
    return f"{table}_in_order"


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
        raw = tables_of(change_id).raw
        line = f"line bigint GENERATED ALWAYS AS IDENTITY (CACHE {NUMBERED})"
        cells = ", ".join(f'c{index} text COLLATE "C"' for index in range(columns))
        quiet = "WITH (autovacuum_enabled = off)"
        self.execute(f"CREATE UNLOGGED TABLE {raw} ({line}, {cells}) {quiet}", [])
        # Each numbers its rows by itself: two connections must not wait for each other.
        self.execute(f"CREATE UNLOGGED TABLE {half_of(raw)} ({line}) INHERITS ({raw}) {quiet}", [])

    @contextmanager
    def loading(self, change_id: int) -> Iterator[Load]:
        raw = tables_of(change_id).raw
        with Second(needed=raw) as second:

            def load(pieces: Iterator[Piece], lines_of: Callable[[Piece], RawLines], /) -> list[Piece]:
                if not second.is_there:
                    return self._load_all(raw, pieces, lines_of)
                shared = Shared(pieces)
                its_end = second.start(self._load_all, half_of(raw), shared, lines_of)
                return self._load_all(raw, shared, lines_of) + its_end.result()

            yield load

    def _load_all(
        self, raw: str, pieces: Iterator[Piece], lines_of: Callable[[Piece], RawLines]
    ) -> list[Piece]:
        """Load what there is to take; those that were not loaded."""
        return [piece for piece in pieces if not self._load(raw, lines_of(piece))]

    def _load(self, raw: str, lines: RawLines) -> bool:
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
                # All at once: Python's lock would be waited for at every further block.
                count = self._copy_in(
                    f"COPY {raw} ({columns}) FROM STDIN WITH ({options})",
                    io.BytesIO(lines.data),
                    block=len(lines.data) + 1,
                )
                if count != lines.count:
                    raise DataError(f"{count} rows in {lines.count} lines")
        except DataError:
            return False
        return True

    def usual(self, change_id: int, *, reading: Reading) -> Usual:
        raw, email = tables_of(change_id).raw, self.sql.email_of(reading)
        if not self._is_long(raw):
            return Usual()
        attributes = [cell for cell in reading.cells if cell.is_attribute]
        gaps = "".join(f", {cell.column} IS NULL" for cell in attributes)
        rows = self.execute(
            f"SELECT CASE WHEN {email} ~ {EMAIL} THEN {self.sql.domain(email)} END{gaps}"
            f" FROM (SELECT * FROM {raw} LIMIT {SAMPLED}) AS s",
            [],
        )
        has_times = any(cell.kind == "time" for cell in reading.cells)
        days = self.execute(sure_days(reading.zone), []) if has_times else []
        missing = [
            frozenset(cell.target for cell, is_missing in zip(attributes, row[1:], strict=True) if is_missing)
            for row in rows
        ]
        return Usual(
            domains=_common((str(row[0]) for row in rows if row[0]), one_in=USUAL_DOMAIN),
            gaps=_common(filter(None, missing), one_in=USUAL_GAP),
            days=[str(day) for (day,) in days],
        )

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
        rows = partial(self.sql.keyed, reading, table=raw, columns=columns)
        key = self.sql.key_of(reading)
        middle = self._middle(key, table=raw)
        with Second(needed=raw) as second:
            if middle and second.is_there:
                below = f"{key} < {literal(middle)}"
                # Those without an address are among them.
                others = rows(where=f"({below}) IS NOT TRUE")
                upper = second.start(self._put_into_order, half_of(keyed), others, is_half=True)
                kept = self._put_into_order(keyed, rows(where=below), is_half=True)
                kept += upper.result()
                self._join(keyed)
            else:
                kept = self._put_into_order(keyed, rows())
        self._show(change_id, says_status="says_status", digest_key=reading.digest_key)
        return kept

    def _put_into_order(self, keyed: str, rows: str, *, is_half: bool = False) -> int:
        """One pass over all rows for the tests, the values, and the order that all else reads them in.

        How many there are then.
        """
        with transaction.atomic():
            self._set_planner(is_half=is_half)
            kept = self._changed(
                f"CREATE UNLOGGED TABLE {keyed} WITH (autovacuum_enabled = off) AS {rows}", []
            )
            self.execute(f"CREATE INDEX ON {keyed} (line) WHERE key IS NULL", [])
        return kept

    def _middle(self, key: str, *, table: str) -> str:
        """A key that about half of a table's rows are below; "" where a second connection is not worth it."""
        if not self._is_long(table):
            return ""
        middle = f"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY {key}) FROM {table}"
        return str(self.execute(f"{middle} TABLESAMPLE SYSTEM ({MIDDLE_PERCENT})", [])[0][0] or "")

    def _is_long(self, table: str) -> bool:
        return self._count(f"(SELECT FROM {table} LIMIT {HALVED_FROM}) AS s") >= HALVED_FROM

    def _join(self, table: str) -> None:
        """Let what a second connection wrote of a table be read with it."""
        self.execute(f"ALTER TABLE {half_of(table)} INHERIT {table}", [])

    def _drop(self, *tables: str) -> None:
        self.execute(f"DROP TABLE IF EXISTS {', '.join(tables)}", [])

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
        for table in filter(self._has_table, (keyed, half_of(keyed), checked_of(keyed))):
            self._index_by_key(table)

    def _index_by_key(self, table: str) -> None:
        index = f"CREATE INDEX IF NOT EXISTS {in_order(table)} ON {table}"
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

    def _lines(self, change_id: int) -> str:
        plain, columns = tables_of(change_id).plain, ", ".join(ROWS)
        staged = f"SELECT {columns} FROM recipients_stagedrow WHERE change_id = %(change)s"
        return f"SELECT {columns} FROM {plain} UNION ALL {staged}" if self._has_table(plain) else staged

    def _out(self, change_id: int, *, reading: Reading | None) -> str:
        if reading is None:
            return super()._out(change_id, reading=reading)
        raw, keyed, plain, _ = tables_of(change_id)
        # Who is out by the last of their plain rows can only be overruled by one that was checked.
        last = f"SELECT FROM {keyed} AS k WHERE k.line = t.line AND k.key IS NOT NULL AND {HAS_LEFT}"
        earlier = self.sql.out(reading, table=raw, where=f"NOT EXISTS ({last})").replace("%", "%%")
        checked = "recipients_stagedrow WHERE change_id = %(change)s"
        return (
            f"{earlier} UNION ALL SELECT key FROM {checked} AND {HAS_LEFT}"
            f" UNION ALL SELECT key FROM {plain} WHERE {HAS_LEFT} AND key IN (SELECT key FROM {checked})"
        )

    def overruled(self, change_id: int, *, most: int, reading: Reading | None = None) -> Overruled:
        self._set_planner()
        return super().overruled(change_id, most=most, reading=reading)

    def settle(self, change_id: int) -> int:
        raw, keyed, *_ = tables_of(change_id)
        self._drop(half_of(raw), raw)
        checked, columns = checked_of(keyed), ", ".join(KEYED)
        if not self._count(f"(SELECT FROM recipients_stagedrow WHERE change_id = {change_id} LIMIT 1) AS s"):
            return 0
        self._set_planner()
        self.execute(f"CREATE UNLOGGED TABLE {checked} (LIKE {keyed}) WITH (autovacuum_enabled = off)", [])
        kept = self._changed(
            f"INSERT INTO {checked} ({columns}) SELECT DISTINCT ON (key) {columns} FROM recipients_stagedrow"
            " WHERE change_id = %s ORDER BY key, line DESC",
            [change_id],
        )
        moved = self._changed("DELETE FROM recipients_stagedrow WHERE change_id = %s", [change_id])
        repeated = self._drop_repeated(keyed, checked)
        self.execute(f"ALTER TABLE {checked} INHERIT {keyed}", [])
        return moved - kept + repeated

    def _drop_repeated(self, plain: str, checked: str) -> int:
        """Keep the later line of each address that both tables have; how many lines went."""
        both = f"{checked}_both"
        found = self._changed(
            f"CREATE UNLOGGED TABLE {both} AS SELECT p.tableoid AS lies_in, p.ctid AS place, c.key,"
            f" p.line < c.line AS is_older FROM {plain} AS p JOIN {checked} AS c ON c.key = p.key",
            [],
        )
        if found:
            with self._one_by_one():
                self.execute(
                    f"DELETE FROM {plain} AS p USING {both} AS b"
                    " WHERE b.is_older AND p.tableoid = b.lies_in AND p.ctid = b.place",
                    [],
                )
            later = f"SELECT key FROM {both} WHERE NOT is_older"
            self.execute(f"DELETE FROM {checked} WHERE key IN ({later})", [])
        self._drop(both)
        return found

    def _changed(self, statement: str, parameters: Sequence[Any]) -> int:
        """Run a statement; how many rows it wrote or removed."""
        with connection.cursor() as cursor:
            cursor.execute(statement, list(parameters) or None)
            return int(cursor.rowcount)

    @contextmanager
    def _one_by_one(self) -> Iterator[None]:
        """Rows are looked up by where they are."""
        with self._without("hashjoin", "mergejoin"):
            self.execute("SET LOCAL enable_nestloop = on", [])
            yield
            self.execute("SET LOCAL enable_nestloop = off", [])

    def _has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT to_regclass(%s) IS NOT NULL", [name])[0][0])

    def _set_planner(self, *, is_half: bool = False) -> None:
        """`is_half`: for a half of a pass over all rows, whose other half runs on the second connection."""
        # With a core for each there is none left to help it, and helpers hand their rows over one by one.
        has_one_core = crowd.is_crowded() or (is_half and crowd.CORES <= AT_ONCE)
        for setting in (*PLANNER, *(ONE_CORE if has_one_core else ())):
            self.execute(setting, [])

    @contextmanager
    def _without(self, *ways: str) -> Iterator[None]:
        for way in ways:
            self.execute(f"SET LOCAL enable_{way} = off", [])
        yield
        for way in ways:
            self.execute(f"SET LOCAL enable_{way} = on", [])

    def _copy_in(self, statement: str, stream: Readable, *, block: int = BLOCK_BYTES) -> int:
        """How many rows came in. What reading the stream raises is raised."""
        source = _Source(stream)
        try:
            with connection.cursor() as cursor, connection.wrap_database_errors:
                cursor.copy_expert(statement, source, block)
                return int(cursor.rowcount)
        except DatabaseError:
            if source.problem is not None:
                raise source.problem from None
            raise


def _common(told: Iterable[Told], *, one_in: int) -> list[Told]:
    """What so many of the sampled rows have, the most frequent first."""
    return [one for one, count in Counter(told).most_common() if count * one_in >= SAMPLED]


class _Source:
    """A stream for the driver, which makes an error of its own of whatever a read raises."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.problem: Exception | None = None

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as problem:
            self.problem = problem
            raise
