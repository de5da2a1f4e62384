"""The bulk engine on SQLite: executemany in, a cursor out, the same statements for a merge."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO

from django.db import connection

from recipients.addresses import digest_of
from recipients.bulk.base import Plan, Reject, Stage, Verdicts
from recipients.bulk.copytext import COLUMNS, Sink, columns, encode_columns, lines, parse_time
from recipients.bulk.merge import TRACES, SetBasedEngine
from recipients.bulk.plain import ROWS, literal
from recipients.bulk.staging import PREFIX, Tables, change_of, tables_of
from recipients.bulk.verdict import VALUES, Dialect
from recipients.models import compact_json
from recipients.times import PlainTimes

TIMES = ("registered", "activated", "deactivated", "bounced")
JSON_COLUMNS = ("tags", "attributes")
LINES_AT_ONCE = 2_000
UTC_TIMES = PlainTimes("UTC")

REJECT = (
    'INSERT INTO recipients_rejectedrow (change_id, line, "column", code, params, cells)'
    " VALUES (%s, %s, %s, %s, %s, %s)"
)

# One staged row in so many is looked up to see whether the list knows many.
SAMPLED_ONE_IN = 1_000
# The conditions that the list holds the person of a staged row `s`, or may know them in any way.
HELD = "EXISTS (SELECT 1 FROM recipients_recipient WHERE group_id = %(group)s AND key = s.key)"
KNOWN = f"""({HELD} OR key IN ({TRACES}) OR '*@' || domain IN ({TRACES})
             OR (digest <> '' AND digest IN ({TRACES})))"""

# Attributes of the same text: those of most rows of most files. Nulls would be taken away.
IS_SAME = "{old} = {new} AND NOT instr({new}, ':null')"
DIALECT = Dialect(
    differs="IS NOT",
    # With max() SQLite takes all other columns from the row that has it (lang_select.html, 2.5).
    winners=f"SELECT {', '.join(name for name in ROWS if name != 'line')}, max(line) AS line"
    " FROM ({staged}) AS s GROUP BY key",
    fence="LIMIT -1",
    listed="{table}",
    nulls=dict.fromkeys((*VALUES, "id", "email"), "NULL"),
    empty_list="'[]'",
    empty_object="'{}'",
    # Few objects have any null, and looking is a tenth of the work.
    without_nulls="CASE WHEN instr({value}, ':null') THEN json_patch('{{}}', {value}) ELSE {value} END",
    cleared_and_merged="json_patch(json_patch({old}, %(cleared)s), {new})",
    merged="json_patch({old}, {new})",
    is_merged=IS_SAME,
    is_cleared_and_merged=IS_SAME,
    spelled="json({value})",
)


class SqliteEngine(SetBasedEngine):
    dialect = DIALECT
    create_staging = "CREATE TABLE"
    # Whoever wants to write anything waits for all of it, some 100 ms.
    removes_at_once = 20_000

    def execute(
        self, statement: str, parameters: Iterable[object] | Mapping[str, object]
    ) -> list[tuple[object, ...]]:
        given: Any = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            return list(cursor.fetchall()) if cursor.description else []

    def _all_added(self, plan: Plan) -> Verdicts:
        # Only what tells the status is carried through the sorting.
        told = {"line", "key", *TIMES, "says_status"}
        columns = ", ".join(name if name in told else f"NULL AS {name}" for name in ROWS)
        staged = f"SELECT {columns} FROM ({self._staged(plan.change_id)}) AS a"
        return self._added(plan, winners=self.dialect.winners.format(staged=staged))

    def make_ready(self, plan: Plan) -> None:
        """Nothing: there is no second connection that would have to see it."""

    def _sample(self, plan: Plan) -> tuple[int, int]:
        plain = tables_of(plan.change_id).plain
        if not self._has_table(plain):
            return 0, 0
        found = self.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {HELD}) FROM {plain} AS s"
            f" WHERE line %% {SAMPLED_ONE_IN} = 0",
            {"group": plan.group_id},
        )
        sampled, known = (int(str(count)) for count in found[0])
        return sampled, known

    def _judge(self, plan: Plan, *, leaves_new: bool, is_alone: bool) -> int:
        judged = tables_of(plan.change_id).judged
        self.execute(f"DROP TABLE IF EXISTS {judged}", [])
        staged = self._staged(plan.change_id)
        if leaves_new:
            # All lines of an address are alike in this: those of strangers need not even be put in order.
            staged = f"SELECT * FROM ({staged}) AS s WHERE {KNOWN}"
        winners = self.dialect.winners.format(staged=staged)
        select = self._judged(plan, winners=winners, leaves_new=leaves_new)
        self.execute(f"{self.create_staging} {judged} AS {select}", self._parameters(plan))
        if leaves_new:
            # Every row is looked for among the judged ones; without it all of them were read for each.
            self.execute(f"CREATE INDEX {judged}_by_key ON {judged} (key)", [])
        return self._addresses(plan.change_id)

    def _finding(self, addresses: int, plan: Plan, *, staged: int) -> AbstractContextManager[Dialect]:
        # It looks them up one by one.
        return nullcontext(self.dialect)

    def _parameters(self, plan: Plan) -> dict[str, object]:
        return {**super()._parameters(plan), "now": _stored(plan.now)}

    def stage(self, change_id: int, *, rows: Sequence[Stage]) -> None:
        self.stage_ready(change_id, rows=[ready(row) for row in rows])

    def stage_ready(self, change_id: int, *, rows: Sequence[tuple[object, ...]]) -> None:
        self._open(change_id)
        marks = ", ".join(["%s"] * len(ROWS))
        plain = tables_of(change_id).plain
        self.execute_many(f"INSERT INTO {plain} ({', '.join(ROWS)}) VALUES ({marks})", rows)

    def stage_columns(
        self, change_id: int, *, given: Mapping[str, Sequence[object]], same: Mapping[str, object]
    ) -> None:
        # What all rows have in common is no parameter: to bind an empty value takes the driver longer than
        # a filled one, and five empty ones a row doubled the time.
        self._open(change_id)
        plain, values = tables_of(change_id).plain, [*["%s"] * len(given), *map(_literal, same.values())]
        self.execute_many(
            f"INSERT INTO {plain} ({', '.join((*given, *same))}) VALUES ({', '.join(values)})",
            zip(*given.values(), strict=True),
        )

    def _open(self, change_id: int) -> None:
        """Make the change's own table: one that all share would need an index, and is slow to empty."""
        columns = ", ".join(name for name in ROWS if name != "line")
        plain = tables_of(change_id).plain
        self.execute(f"CREATE TABLE IF NOT EXISTS {plain} (line INTEGER PRIMARY KEY, {columns})", [])

    def stage_rejects(self, change_id: int, *, rejects: Sequence[Reject]) -> None:
        self.execute_many(
            REJECT,
            (
                (
                    change_id,
                    reject.line,
                    reject.column[:255],
                    reject.code,
                    compact_json(reject.params),
                    compact_json(reject.cells),
                )
                for reject in rejects
            ),
        )

    def open_copytext(self, change_id: int) -> None:
        """Nothing: the table is made with its first rows."""

    def stage_copytext(
        self, change_id: int, *, stream: BinaryIO, rows: int, digest_key: bytes | None = None
    ) -> int:
        count = 0
        found = lines(stream)
        while chunk := list(itertools.islice(found, LINES_AT_ONCE)):
            given = _loaded(columns(chunk, number=count + 1))
            given["line"] = range(count + 1, count + 1 + len(chunk))
            given["domain"] = [str(key).rpartition("@")[2] for key in given["key"]]
            same: dict[str, object] = {"says_status": True, "digest": ""}
            if digest_key is not None:
                del same["digest"]
                given["digest"] = [digest_of(str(key), digest_key=digest_key) for key in given["key"]]
            for name in [name for name, column in given.items() if column.count(None) == len(column)]:
                del given[name]
                same[name] = None
            self.stage_columns(change_id, given=given, same=same)
            count += len(chunk)
        return count

    def owners(self) -> list[int]:
        rows = self.execute("SELECT name FROM sqlite_master WHERE instr(name, %s) = 1", [PREFIX])
        return sorted({owner for row in rows if (owner := change_of(str(row[0]))) is not None})

    def _has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT 1 FROM sqlite_master WHERE name = %s", [name]))

    def _drop_tables(self, tables: Tables) -> None:
        for table in (tables.plain, tables.judged):
            self.execute(f"DROP TABLE IF EXISTS {table}", [])

    def dump(self, group_id: int, *, sink: Sink) -> None:
        dumped = [f"{name} || '+00'" if name in TIMES else name for name in COLUMNS]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(dumped)} FROM recipients_recipient WHERE group_id = %s ORDER BY key",
                [group_id],
            )
            while chunk := cursor.fetchmany(LINES_AT_ONCE):
                sink.write(encode_columns(list(zip(*chunk, strict=True))))

    @contextmanager
    def consistent_read(self) -> Iterator[None]:
        if connection.in_atomic_block:
            yield
            return
        # Not atomic(): that would be IMMEDIATE and keep every writer out while an archive is written.
        self.execute("BEGIN DEFERRED", [])
        try:
            yield
        finally:
            self.execute("ROLLBACK", [])


def _literal(value: object) -> str:
    """A value in a statement with parameters, in which a percent sign is doubled."""
    return str(int(value)) if isinstance(value, bool) else literal(value).replace("%", "%%")


def _stored(value: object) -> object:
    """A time as Django stores it in SQLite; everything else as it is."""
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None))
    return value


def ready(row: Stage) -> tuple[object, ...]:
    """A row in SQLite's spelling, as `stage_ready` takes it."""
    tags = None if row.tags is None else compact_json(list(row.tags))
    return (*map(_stored, row[:-2]), tags, compact_json(row.attributes))


def _loaded(named: Mapping[str, Sequence[str | None]]) -> dict[str, Sequence[object]]:
    """An archive's columns in SQLite's spelling."""
    times = {name: _loaded_times(named[name]) for name in TIMES}
    return {**named, **times, **{name: _loaded_json(named[name]) for name in JSON_COLUMNS}}


def _loaded_times(column: Sequence[str | None]) -> Sequence[object]:
    filled = [text for text in column if text is not None]
    if all(text.endswith("+00") for text in filled):
        plain = UTC_TIMES.in_utc(["" if text is None else text[:-3] for text in column])
        if plain is not None:
            return plain
    return [None if text is None else _loaded_time(text) for text in column]


@lru_cache(maxsize=1_000)
def _loaded_time(text: str) -> object:
    """One that has more than seconds; those of one change are the same in all of its rows."""
    return _stored(parse_time(text))


def _loaded_json(column: Sequence[str | None]) -> Sequence[object]:
    """An archive written by PostgreSQL has blanks between the parts of its JSON; ours has not."""
    text = "\n".join(filter(None, column))
    if '": ' not in text and '", ' not in text:
        return column
    return [None if value is None else compact_json(json.loads(value)) for value in column]
