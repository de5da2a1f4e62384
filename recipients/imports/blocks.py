"""Rows checked many at once, column by column: what `check` says of each, in a fraction of its time.

What a cell means is asked of the check's own parser, once however often the cell comes, and kept as the
text that a database takes. A row with a cell that is refused, or that means another thing in each row, is
odd: it has to go through the check by itself. So the rules stand in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import compress, repeat
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from backupsvc.errors import Refusal
from recipients.addresses import plain_address
from recipients.imports.check import Rules, fixed_values, parsers, settler
from recipients.imports.fields import Parser
from recipients.imports.records import Row
from recipients.times import PlainTimes
from recipients.values import are_plain_numbers, are_texts, unescape_formula

# Of each column so many different cells are kept at most, and none that is longer.
MOST_KEPT = 20_000
LONGEST_KEPT = 100
# A column with more different cells is first looked at as a whole.
VARIED = 1_000
# Stands for the meaning of an odd cell: no text holds NUL.
ODD = "\0"
NO_ADDRESS = (ODD, ODD)
TOLD = ("source", "signup_ip", "tags")
TIMES = ("registered", "activated", "deactivated")
WORDS = {"status", "activated", "deactivated"}

CONSENT = ("registered", "activated", "deactivated", "bounced", "says_status")

Column = Sequence[Any]
Columns = dict[str, Column]


class Block(NamedTuple):
    """The rows of a block: those that can be merged, as columns, and the odd ones by line.

    The columns are those of staged rows: `given` have a value for each row, `same` one for all of them.
    Times are texts in UTC without a zone, `bounced` is one of them; tags and attributes are JSON.
    """

    given: Columns
    same: dict[str, Any]
    odd: list[Row]


class BlockCheck:
    """Checks rows by these rules, a block at a time. Raises Refusal when a fixed value is itself bad."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.email_at = rules.mapping.columns.index("email")
        self.width = 1 + max(index for index, target in enumerate(rules.mapping.columns) if target)
        clears = rules.blank == "clear"
        fields, attributes = parsers(rules)
        types = {spec.name: spec.type for spec in (*rules.attributes, *rules.mapping.new)}
        self.fields = {
            name: (index, _field(name, parse, zone=rules.zone_of(index))) for index, name, parse in fields
        }
        self.attributes = [
            (index, _attribute(name, parse, spec=types[name], clears=clears))
            for index, name, parse in attributes
        ]
        fixed, fixed_attributes = fixed_values(rules)
        self.fixed = {name: _text(value) for name, value in fixed.items()}
        self.fixed_pairs = [_pair(name, value) for name, value in fixed_attributes.items()]
        self.now = _time(rules.now)
        self.settle = settler(rules, now=self.now)

    def __call__(self, rows: Sequence[Row]) -> Block:
        """Each row of the block either ready or odd."""
        whole = [row for row in rows if row.problem is None and len(row.cells) >= self.width]
        if not whole:
            return Block({}, {}, list(rows))
        cells: list[Sequence[str]] = list(zip(*[row.cells for row in whole], strict=False))
        given, same, odd = self._told_apart([row.line for row in whole], cells)
        left = [row for row in rows if row.problem is not None or len(row.cells) < self.width]
        return Block(given, same, sorted([*left, *(whole[at] for at in odd)], key=lambda row: row.line))

    def columns(self, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> Block:
        """The same for rows that are given as columns, all of them whole."""
        given, same, odd = self._told_apart(lines, cells)
        return Block(given, same, [Row(lines[at], [column[at] for column in cells]) for at in sorted(odd)])

    def _told_apart(
        self, lines: Sequence[int], cells: Sequence[Sequence[str]]
    ) -> tuple[Columns, dict[str, Any], set[int]]:
        """The columns of the rows that are ready, and the places of those that are odd."""
        if self.rules.unescape:
            cells = [list(map(unescape_formula, column)) for column in cells]
        emails = cells[self.email_at]
        keys, domains = zip(*[plain_address(email) or NO_ADDRESS for email in emails], strict=True)
        fields = [meanings.of(cells[index]) for index, meanings in self.fields.values()]
        members = [meanings.of(cells[index]) for index, meanings in self.attributes]
        columns: list[Column] = [lines, keys, emails, domains, *fields, *members]
        odd = {at for column in (keys, *fields, *members) for at in _odd(column)}
        if odd:
            is_plain = [at not in odd for at in range(len(lines))]
            columns = [list(compress(column, is_plain)) for column in columns]
        return *self._ready(columns), odd

    def _ready(self, columns: Sequence[Column]) -> tuple[Columns, dict[str, Any]]:
        """The same as staged rows have them, of columns without odd cells: line, key, email, domain, fields,
        attributes."""
        given: Columns = dict(zip(("line", "key", "email", "domain"), columns, strict=False))
        if not given["line"]:
            return {}, {}
        same: dict[str, Any] = {"digest": "", **{name: self.fixed.get(name) for name in TOLD}}
        if self.rules.digest:
            given["digest"] = list(map(self.rules.digest, given["key"]))
        fields = dict(zip(self.fields, columns[4:], strict=False))
        given |= {name: fields[name] for name in TOLD if name in fields}
        told = {name: column for name, column in fields.items() if name not in TOLD}
        if set(told) <= {"registered"} and not self.fixed.keys() & WORDS:
            # Nothing in a row says more than since when: all else is the same in each.
            *times, _ = self.settle(dict(self.fixed))
            same |= dict(zip(CONSENT, (*times, None, False), strict=True))
            given |= told
        else:
            given |= self._consent(told, count=len(given["line"]))
        if members := columns[4 + len(fields) :]:
            given["attributes"] = self._objects(members)
        else:
            same["attributes"] = f"{{{','.join(self.fixed_pairs)}}}"
        return given, {name: value for name, value in same.items() if name not in given}

    def _consent(self, told: Columns, *, count: int) -> Columns:
        """The columns from `registered` to `says_status`."""
        rows = zip(*told.values(), strict=True) if told else repeat((), count)
        settled = [self.settle({**self.fixed, **dict(zip(told, row, strict=True))}) for row in rows]
        *times, bounced = zip(*settled, strict=True)
        gone = [self.now if has_bounced else None for has_bounced in bounced]
        says = [has_bounced is not None for has_bounced in bounced]
        return dict(zip(CONSENT, (*times, gone, says), strict=True))

    def _objects(self, columns: Sequence[Column]) -> list[str]:
        """The attributes of each row, from columns of their names with their values."""
        constant = [repeat(pair) for pair in self.fixed_pairs]
        return [f"{{{','.join(filter(None, row))}}}" for row in zip(*constant, *columns, strict=False)]


class _Meanings(dict[str, Any]):
    """What the cells of one column mean, by the cell.

    `plain` reads a whole column of cells that mean what they say; None when one of them may not.
    """

    def __init__(
        self, mean: Callable[[str], Any], *, plain: Callable[[Sequence[str]], list[Any] | None]
    ) -> None:
        super().__init__()
        self.mean, self.plain = mean, plain

    def __missing__(self, cell: str) -> Any:
        meaning = self.mean(cell)
        if len(self) < MOST_KEPT and len(cell) <= LONGEST_KEPT:
            self[cell] = meaning
        return meaning

    def of(self, cells: Sequence[str]) -> list[Any]:
        """What each of the cells means."""
        if len(self) >= VARIED and (meanings := self.plain(cells)) is not None:
            return meanings
        return list(map(self.__getitem__, cells))


def _field(name: str, parse: Parser, *, zone: str) -> _Meanings:
    def mean(cell: str) -> str | None:
        if not cell:
            return None
        try:
            value = parse(cell)
        except Refusal:
            return ODD
        # A yes without a time means another time in each row.
        return ODD if value is True else _text(value)

    plain = PlainTimes(zone).in_utc if name in TIMES else _never
    return _Meanings(mean, plain=plain)


def _attribute(name: str, parse: Parser, *, spec: str, clears: bool) -> _Meanings:
    nothing, start = _pair(name, None) if clears else "", f"{quoted(name)}:"

    def mean(cell: str) -> str:
        try:
            value = parse(cell) if cell else None
        except Refusal:
            return ODD
        return nothing if value is None else _pair(name, value)

    def plain(cells: Sequence[str]) -> list[str] | None:
        if (spec == "text" and are_texts(cells)) or (spec == "number" and are_plain_numbers(cells)):
            return [start + quoted(cell) if cell else nothing for cell in cells]
        return None

    return _Meanings(mean, plain=plain)


def _never(_cells: Sequence[str]) -> None:
    return None


def _pair(name: str, value: str | None) -> str:
    """An attribute with its value as it stands in an object of JSON."""
    return f"{quoted(name)}:{'null' if value is None else quoted(value)}"


def _text(value: Any) -> Any:
    """A field's value as a database takes it; a yes without a time as it is."""
    if isinstance(value, datetime):
        return _time(value)
    return f"[{','.join(map(quoted, value))}]" if isinstance(value, list) else value


def _time(value: datetime) -> str:
    return str(value.astimezone(UTC).replace(tzinfo=None))


def _odd(column: Column) -> Iterator[int]:
    """Where in a column the odd cells are."""
    at = -1
    for _ in range(column.count(ODD)):
        at = column.index(ODD, at + 1)
        yield at
