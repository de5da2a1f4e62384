"""Plain rows: what a check would say of an ordinary row of a file, said by the database for all at once.

The rows of a file lie in a raw table as text, one column for each of the file's (c0, c1, …), empty cells
as NULL. A cell is plain when SQL reads it beyond doubt exactly as the check does: an ordinary address, a
date in ISO form, a text, or a cell whose meaning the check was asked for once (`Cell.known`: the few
words of a status column, the thousands of dates of a birthday column). A row is plain when all its
mapped cells are. Every other row is odd and goes through the check by itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime

from recipients.bulk.base import Cell, Reading, Stage
from recipients.bulk.copytext import COLUMNS
from recipients.models import compact_json

# Of these kinds no cell is plain by itself, of the others at least some forms are.
WORDS = frozenset({"status", "tags", "gender"})
FIGURES = frozenset({"time", "date", "number", "signup_ip"})
# Of how many cells of a column of figures it is told whether most are plain by themselves.
SAMPLED = 1_000
# More different cells than this are not asked for: their rows are odd.
MOST_KNOWN = 20_000
LONGEST_KNOWN = 200

ROWS = tuple(Stage._fields)
TIMES = ("registered", "activated", "deactivated")


def literal(value: object) -> str:
    """The value as an SQL literal. Raise ValueError for a text with NUL, which no literal can hold."""
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else compact_json(value)
    if "\0" in text:
        raise ValueError("NUL in a literal")
    return "'" + text.replace("'", "''") + "'"


class PlainSql(ABC):
    """The statements about a raw table, in one database's words."""

    # An ordinary address: ASCII alone, and nothing that could be meant otherwise.
    longest_email = 64

    def key_of(self, reading: Reading) -> str:
        """The key that a row of the raw table has, if it is plain."""
        return self.key(self.email_of(reading))

    def email_of(self, reading: Reading) -> str:
        """The column of the raw table that has the address."""
        return next(cell.column for cell in reading.cells if cell.kind == "email")

    def key_if_plain(self, reading: Reading) -> str:
        """The key of a row of the raw table; NULL when the row is odd."""
        is_plain = " AND ".join(self.plain(cell, reading=reading) for cell in reading.cells)
        return self.typed("key", f"CASE WHEN {is_plain} THEN {self.key_of(reading)} END")

    def unasked(self, cell: Cell, *, reading: Reading) -> str:
        """The condition that a cell is one the check has to be asked for."""
        column = cell.column
        return f"{column} IS NOT NULL AND ({self.by_itself(cell, reading=reading)}) IS NOT TRUE"

    def plain(self, cell: Cell, *, reading: Reading) -> str:
        """The condition that a cell is plain."""
        if cell.kind == "email":
            return self.email_is_plain(cell.column, reading=reading)
        conditions = [f"{cell.column} IS NULL", self.by_itself(cell, reading=reading)]
        if cell.known:
            conditions.append(self.is_known(cell))
        return f"({' OR '.join(conditions)})"

    def by_itself(self, cell: Cell, *, reading: Reading) -> str:
        """The condition that a cell that is not empty is plain without anybody being asked."""
        match cell.kind:
            case "time":
                return self.time_is_plain(cell.column, reading=reading)
            case "date":
                return self.date_is_plain(cell.column)
            case "number":
                return self.number_is_plain(cell.column, decimal=cell.decimal)
            case "signup_ip":
                return self.ip_is_plain(cell.column)
            case "source":
                return f"length({cell.column}) <= 255"
            case "text":
                return "true"
            case _:
                return "false"

    def value(self, cell: Cell, *, reading: Reading) -> str:
        """What a plain cell means; NULL for nothing."""
        own = self.time(cell.column, reading=reading) if cell.kind == "time" else cell.column
        if cell.kind in WORDS:
            return self.known(cell) if cell.known else self.nothing(cell.kind)
        if cell.kind not in FIGURES or not cell.known:
            return own
        return f"CASE WHEN {self.is_known(cell)} THEN {self.known(cell)} ELSE {own} END"

    def keyed(self, reading: Reading, *, table: str, columns: int, where: str = "") -> str:
        """The SELECT of a raw table's rows by key, of each key the last line alone; odd rows come last.

        Columns: those of an archive's row, `says_status`, `line`, and the `cells` of an odd row, which has
        nothing else. Every value is computed here, once, on as many cores as the database takes. `where` is
        a condition that leaves rows out, whole addresses at a time.
        """
        given = self._given(reading)
        values = {name: self.typed(name, given[name]) for name in (*COLUMNS[1:], "says_status")}
        if_plain = "CASE WHEN key IS NOT NULL THEN"
        plain = ", ".join(f"{if_plain} {value} END AS {name}" for name, value in values.items())
        cells = ", ".join(f"c{index}" for index in range(columns))
        # Without something volatile the test would be made anew for each value. `OFFSET 0` would hold it
        # together as well, but keep the work on one core.
        tested = f"SELECT {self.key_if_plain(reading)} AS key, *, clock_timestamp() FROM {table}"
        tested += f" WHERE {where}" if where else ""
        return (
            f"SELECT DISTINCT ON (key, odd) key, {plain}, line,"
            f" CASE WHEN key IS NULL THEN ARRAY[{cells}] END AS cells"
            f" FROM (SELECT *, CASE WHEN key IS NULL THEN line END AS odd"
            f" FROM ({tested}) AS r) AS k"
            " ORDER BY key, odd, line DESC"
        )

    def out(self, reading: Reading, *, table: str, where: str) -> str:
        """The SELECT of the keys of those whom any plain row of a raw table says to be out.

        `where` is a condition on its rows `t`.
        """
        given = self._given(reading)
        says = f"({given['deactivated']}) IS NOT NULL OR ({given['bounced']}) IS NOT NULL"
        # Few rows may say so, and of the others not even the address is looked at.
        maybe = " OR ".join(["FALSE", *map(self._may_say_out, reading.cells)])
        few = f"SELECT * FROM {table} AS t WHERE ({maybe}) AND {where} OFFSET 0"
        tested = f"SELECT {self.key_if_plain(reading)} AS key, *, clock_timestamp() FROM ({few}) AS f"
        return f"SELECT key FROM ({tested}) AS r WHERE CASE WHEN key IS NOT NULL THEN {says} END"

    def _may_say_out(self, cell: Cell) -> str:
        """The condition that a cell may say so, as far as one sees without reading it."""
        words = [literal(text) for text, means in cell.known.items() if means in ("inactive", "bounced")]
        match cell.target:
            case "deactivated" if not cell.is_attribute:
                return f"{cell.column} IS NOT NULL"
            case "status" if words and not cell.is_attribute:
                return f"{cell.column} IN ({', '.join(words)})"
            case _:
                return "FALSE"

    def _given(self, reading: Reading) -> dict[str, str]:
        """What a plain row's cells say of each of a recipient's values."""
        fields = {
            cell.target: self.value(cell, reading=reading)
            for cell in reading.cells
            if not cell.is_attribute and cell.kind != "email"
        }
        fields |= {name: self.constant(name, value=value) for name, value in reading.fixed.items()}
        return {
            "email": self.email_of(reading),
            **self._settled(fields, reading=reading),
            "source": fields.get("source", self.nothing("source")),
            "signup_ip": fields.get("signup_ip", self.nothing("signup_ip")),
            "tags": fields.get("tags", self.nothing("tags")),
            "attributes": self._attributes(reading),
        }

    def _settled(self, fields: Mapping[str, str], *, reading: Reading) -> dict[str, str]:
        """Status and times together, as `imports.check` settles them: where they disagree, the safe one."""
        now, nothing = self.moment(reading.now), self.nothing("time")
        registered = fields.get("registered")
        activated, deactivated = fields.get("activated", nothing), fields.get("deactivated", nothing)
        untold = activated
        if "activated" not in reading.targets and reading.is_new_active:
            untold = f"CASE WHEN {deactivated} IS NULL THEN {now} END"
        settled = {
            "registered": now if registered is None else registered,
            "activated": untold,
            "deactivated": deactivated,
            "bounced": nothing,
            "says_status": self.false,
        }
        if status := fields.get("status"):
            active = ", ".join(part for part in (activated, registered, now) if part)
            settled |= {
                "activated": f"CASE {status} WHEN 'active' THEN coalesce({active})"
                f" WHEN 'unconfirmed' THEN NULL WHEN 'inactive' THEN {activated}"
                f" WHEN 'bounced' THEN {activated} ELSE {untold} END",
                "deactivated": f"CASE {status} WHEN 'inactive' THEN coalesce({deactivated}, {now})"
                f" ELSE {deactivated} END",
                "bounced": f"CASE {status} WHEN 'bounced' THEN {now} END",
                "says_status": f"{status} IS NOT NULL",
            }
        return settled

    def _attributes(self, reading: Reading) -> str:
        values = {name: literal(value) for name, value in reading.fixed_attributes.items()}
        values |= {
            cell.target: self.value(cell, reading=reading) for cell in reading.cells if cell.is_attribute
        }
        return self.attributes(values, clears=reading.clears, gaps=reading.usual.gaps)

    def constant(self, name: str, *, value: object) -> str:
        """A fixed value of a field."""
        if isinstance(value, datetime):
            return self.moment(value)
        return literal(value)

    false = "false"

    @abstractmethod
    def email_is_plain(self, column: str, *, reading: Reading) -> str: ...

    @abstractmethod
    def time_is_plain(self, column: str, *, reading: Reading) -> str: ...

    @abstractmethod
    def date_is_plain(self, column: str) -> str: ...

    @abstractmethod
    def number_is_plain(self, column: str, *, decimal: str | None) -> str: ...

    @abstractmethod
    def ip_is_plain(self, column: str) -> str: ...

    @abstractmethod
    def is_known(self, cell: Cell) -> str:
        """The condition that the check was asked for this cell."""

    @abstractmethod
    def known(self, cell: Cell) -> str:
        """What the check said of this cell, in its column's type."""

    @abstractmethod
    def nothing(self, name: str) -> str:
        """NULL in the type of that field or kind."""

    @abstractmethod
    def typed(self, name: str, expression: str) -> str:
        """The expression in the type of that staged column."""

    @abstractmethod
    def time(self, column: str, *, reading: Reading) -> str:
        """The moment that a plain time is; NULL for the spellings of none."""

    @abstractmethod
    def moment(self, value: datetime) -> str:
        """A moment as a literal."""

    @abstractmethod
    def key(self, column: str) -> str: ...

    @abstractmethod
    def digest(self, column: str, *, key: bytes | None) -> str:
        """HMAC-SHA256 of the address's key in hex; an empty text without a key."""

    @abstractmethod
    def attributes(
        self, values: Mapping[str, str], *, clears: bool, gaps: Sequence[frozenset[str]] = ()
    ) -> str:
        """The JSON object of attributes; with `clears` a missing value is in it as null.

        `gaps`: sets of those that are often missing together.
        """
