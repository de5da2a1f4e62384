"""Plain rows in PostgreSQL's words. The raw table's columns are `text COLLATE "C"`."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from recipients.bulk.base import Cell, Reading
from recipients.bulk.plain import PlainSql, literal

_MARKS = "A-Za-z0-9!#$%&*+/=?^_`{|}~-"
# An apostrophe at the start is most often none of the address.
_LOCAL = rf"[{_MARKS}][''{_MARKS}]*(?:\.[''{_MARKS}]+)*"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = rf"'^{_LOCAL}@(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$'"
LOCAL_PART = f"'^{_LOCAL}@'"


def _any(*values: str) -> str:
    return f"({', '.join(map(literal, values))})"


# Looked up in lists, which PostgreSQL hashes: a third of the time of a regular expression that says the same.
_YEARS = range(1900, 2201)
YEARS = _any(*map(str, _YEARS))
LEAP_YEARS = _any(*(str(year) for year in _YEARS if isleap(year)))
DAYS = _any(*((date(2023, 1, 1) + timedelta(days=day)).strftime("%m-%d") for day in range(365)))
MINUTES = _any(*(f"{mark}{at // 60:02}:{at % 60:02}" for mark in " T" for at in range(24 * 60)))
SECONDS = _any(*(f":{second:02}" for second in range(60)))
FRACTIONS = r"'^(?:\.[0-9]{3}(?:[0-9]{3})?)?(?:Z|\+00:00)?$'"
UNIX = "'^[1-6]?[0-9]{9}$'"
NO_TIMES = "('0', '0000-00-00', '0000-00-00 00:00:00')"
# Without counts of digits: they made these expressions four times as slow.
NUMBER = r"'^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$'"
WHOLE = "'^(?:0|[1-9][0-9]*)$'"
LONGEST_NUMBER = 30
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IP = rf"'^(?:{_BYTE}\.){{3}}{_BYTE}$'"
# Clocks are changed within the hours around a moment; before 1975 and after 2037 the tables of time
# zones may tell different stories.
SURE_YEARS = ("1975", "2037")
AROUND = ("- interval '3 hours'", "+ interval '3 hours'")

TYPES = {
    "key": "varchar(320)",
    "email": 'varchar(320) COLLATE "default"',
    "domain": "varchar(255)",
    "digest": 'varchar(64) COLLATE "C"',
    "source": 'varchar(255) COLLATE "default"',
    "signup_ip": 'varchar(45) COLLATE "default"',
}
KIND_TYPES = {"time": "timestamptz", "tags": "jsonb"}


class PostgresPlainSql(PlainSql):
    def email_is_plain(self, column: str, *, reading: Reading) -> str:
        roles = ", ".join(map(literal, sorted(reading.roles)))
        form = f"{column} ~ {EMAIL}"
        if domains := reading.usual.domains:
            # Only what stands before it is gone through letter by letter: half of the rules are for domains.
            begins = f"{column} ~ {LOCAL_PART} AND {column} NOT LIKE '%@%@%'"
            form = f"CASE WHEN {self.domain(column)} IN {_any(*domains)} THEN {begins} ELSE {form} END"
        return (
            f"(octet_length({column}) <= {self.longest_email} AND {form}"
            f" AND {column} NOT LIKE '%--%'"
            f" AND split_part(split_part(lower({column}), '@', 1), '+', 1) NOT IN ({roles}))"
        )

    def domain(self, column: str) -> str:
        return f"split_part({column}, '@', 2)"

    def time_is_plain(self, column: str, *, reading: Reading) -> str:
        # What is looked up below is ASCII: so many bytes are so many characters.
        clock = (
            f"(octet_length({column}) = 10 OR (substr({column}, 11, 6) IN {MINUTES}"
            f" AND substr({column}, 17, 3) IN {SECONDS}"
            f" AND (octet_length({column}) = 19 OR substr({column}, 20) ~ {FRACTIONS})))"
        )
        days = reading.usual.days
        # Most days are sure at every hour, and looking them up is a fifth of the work of the rest.
        sure = f" WHEN left({column}, 10) IN {_any(*days)} THEN true" if days else ""
        written = (
            f"CASE WHEN NOT {clock} THEN false{sure}"
            f" WHEN {_is_day(column)} THEN {self._is_sure(column, zone=reading.zone)} ELSE false END"
        )
        return f"({written} OR {column} IN {NO_TIMES} OR {column} ~ {UNIX})"

    def _is_sure(self, column: str, *, zone: str) -> str:
        """Whether no clock was changed around the time, so that it is one moment and no other."""
        if zone == "UTC":
            return "true"
        first, last = map(literal, SURE_YEARS)
        at = f"{column}::timestamp"
        same = " AND ".join(f"{_offset(at, zone)} = {_offset(f'{at} {by}', zone)}" for by in AROUND)
        return f"({_has_zone(column)} OR (substr({column}, 1, 4) BETWEEN {first} AND {last} AND {same}))"

    def date_is_plain(self, column: str) -> str:
        return f"({column} LIKE '____-__-__' AND {_is_day(column)})"

    def number_is_plain(self, column: str, *, decimal: str | None) -> str:
        form = WHOLE if decimal == "," else NUMBER
        return f"(length({column}) <= {LONGEST_NUMBER} AND {column} ~ {form})"

    def ip_is_plain(self, column: str) -> str:
        return f"{column} ~ {IP}"

    def is_known(self, cell: Cell) -> str:
        return f"{literal(cell.known)}::jsonb ? {cell.column}"

    def known(self, cell: Cell) -> str:
        arrow = "->" if cell.kind == "tags" else "->>"
        value = f"({literal(cell.known)}::jsonb {arrow} {cell.column})"
        if cell.kind == "tags":
            return f"nullif({value}, 'null'::jsonb)"
        return f"{value}::timestamptz" if cell.kind == "time" else value

    def nothing(self, name: str) -> str:
        return f"NULL::{KIND_TYPES.get(name, 'text')}"

    def typed(self, name: str, expression: str) -> str:
        return f"({expression})::{TYPES[name]}" if name in TYPES else expression

    def time(self, column: str, *, reading: Reading) -> str:
        written = usual = f"{column}::timestamp AT TIME ZONE {literal(reading.zone)}"
        if reading.zone != "UTC":
            written = f"CASE WHEN {_has_zone(column)} THEN {column}::timestamptz ELSE {written} END"
        return (
            f"CASE WHEN octet_length({column}) = 19 AND {column} NOT LIKE '0%' THEN {usual}"
            f" WHEN {column} IN {NO_TIMES} THEN NULL"
            f" WHEN length({column}) <= 10 AND {column} NOT LIKE '%-%' THEN to_timestamp({column}::bigint)"
            f" ELSE {written} END"
        )

    def moment(self, value: datetime) -> str:
        return f"{literal(value.astimezone(UTC).isoformat())}::timestamptz"

    def constant(self, name: str, *, value: object) -> str:
        return f"{literal(value)}::jsonb" if name == "tags" else super().constant(name, value=value)

    def key(self, column: str) -> str:
        return f"lower({column})"

    def digest(self, column: str, *, key: bytes | None) -> str:
        if key is None:
            return "''"
        # HMAC of RFC 2104; the key is shorter than a block of SHA-256.
        inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
        hashed = f"sha256('\\x{inner.hex()}'::bytea || convert_to(lower({column}), 'UTF8'))"
        return f"encode(sha256('\\x{outer.hex()}'::bytea || {hashed}), 'hex')"

    def attributes(
        self, values: Mapping[str, str], *, clears: bool, gaps: Sequence[frozenset[str]] = ()
    ) -> str:
        if clears or not values:
            return _object(values)
        # To take nulls out again takes as long as half of what it takes to make the object.
        arms = []
        for gap in (frozenset[str](), *gaps):
            missing = {name: value for name, value in values.items() if name in gap}
            filled = {name: value for name, value in values.items() if name not in gap}
            told = [f"num_nulls({', '.join(filled.values())}) = 0"] if filled else []
            told += [f"num_nonnulls({', '.join(missing.values())}) = 0"] if missing else []
            arms.append(f"WHEN {' AND '.join(told)} THEN {_object(filled)}")
        return f"CASE {' '.join(arms)} ELSE jsonb_strip_nulls({_object(values)}) END"


def _object(values: Mapping[str, str]) -> str:
    if not values:
        return "'{}'::jsonb"
    # In the order that jsonb keeps them in they need no sorting: two thirds of the time.
    told = sorted(values.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
    names, cells = ", ".join(literal(name) for name, _ in told), ", ".join(cell for _, cell in told)
    return f"jsonb_object(ARRAY[{names}]::text[], ARRAY[{cells}]::text[])"


def _has_zone(column: str) -> str:
    return f"({column} LIKE '%Z' OR {column} LIKE '%+00:00')"


def _offset(at: str, zone: str) -> str:
    return f"((({at}) AT TIME ZONE {literal(zone)}) - (({at}) AT TIME ZONE 'UTC'))"


def sure_days(zone: str) -> str:
    """A SELECT of the days on which no clock was changed around any of their times, as 2026-11-23."""
    first, last = SURE_YEARS
    before, after = _offset(f"day {AROUND[0]}", zone), _offset(f"day + interval '1 day' {AROUND[1]}", zone)
    days = f"generate_series(timestamp '{first}-01-02', '{last}-12-30', '1 day')"
    return f"SELECT to_char(day, 'YYYY-MM-DD') FROM {days} AS day WHERE {before} = {after}"


def _is_day(column: str) -> str:
    """The condition that a text begins with a day of the calendar: 2026-11-23."""
    year, day = f"substr({column}, 1, 4)", f"substr({column}, 6, 5)"
    return (
        f"({column} LIKE '____-__-__%' AND {year} IN {YEARS}"
        f" AND ({day} IN {DAYS} OR ({day} = '02-29' AND {year} IN {LEAP_YEARS})))"
    )
