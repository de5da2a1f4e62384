"""A row of a file → a row for the staging table, or the reason why it cannot be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar

from backupsvc.errors import Refusal
from recipients.addresses import exact_address, parse_address
from recipients.imports import mapping as maps
from recipients.imports.columns import idea_of, numbered
from recipients.imports.fields import Parser, field_parser, safest
from recipients.imports.records import Row, has_address
from recipients.imports.spreadsheet_cells import UNCALCULATED
from recipients.times import Style, is_no_time, parse_date
from recipients.values import check_text, parse_number, unescape_formula
from recipients.words import is_no_gender, is_nothing, parse_gender
from recipients.zones import zone_in


@dataclass(frozen=True)
class Rules:
    """How the rows of one file become recipients.

    `day_first` tells for a column's index how its dates are written; `serial` are the columns whose numbers
    are a spreadsheet's days; `decimal` tells the mark before a fraction. `digest` gives the hash of a key
    by which erased people are known. `headers` name the column of a bad cell, and which way a yes is meant.
    `is_own`: we wrote the file.
    """

    attributes: tuple[maps.AttributeSpec, ...]
    mapping: maps.Mapping
    blank: Literal["keep", "clear"]
    new_status: Literal["active", "unconfirmed"] | None
    now: datetime
    unescape: bool = False
    day_first: Mapping[int, bool | None] = field(default_factory=dict)
    digest: Callable[[str], str] | None = None
    headers: tuple[str, ...] = ()
    zone: str = "UTC"
    decimal: Mapping[int, str | None] = field(default_factory=dict)
    serial: frozenset[int] = frozenset()
    is_own: bool = False

    def zone_of(self, index: int) -> str:
        """The zone of a column's times that say none: the one in the column's name, or that of all."""
        return (zone_in(self.headers[index]) if index < len(self.headers) else "") or self.zone


class StagedRow(NamedTuple):
    """A row that can be merged. What is not mapped, or empty, is None.

    `mended` is the cell that the address was in, where more than the address was in it, else "".
    """

    line: int
    key: str
    email: str
    domain: str
    digest: str
    registered: datetime | None
    activated: datetime | None
    deactivated: datetime | None
    bounced: bool | None
    source: str | None
    signup_ip: str | None
    tags: list[str] | None
    attributes: dict[str, str | None]
    mended: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot: its line, the header of the bad cell ("" for the whole row), why, and all cells.

    `is_out`: the row says that its person is out. The address is good, or the row is damaged and has one.
    """

    line: int
    column: str
    problem: Refusal
    cells: list[str]
    is_out: bool = False


def check_row(row: Row, *, rules: Rules) -> StagedRow | Rejected:
    """One row checked. For many, make a `RowCheck` once."""
    return RowCheck(rules)(row)


class RowCheck:
    """Checks rows by these rules. Raises Refusal when a fixed value is itself bad."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._headers = rules, rules.headers
        self._email_at = rules.mapping.columns.index("email")
        self._fields, self._attributes = parsers(rules)
        self._fixed_fields, self._fixed_attributes = fixed_values(rules)
        self._settle = settler(rules, now=rules.now)
        self._parse_email = exact_address if rules.is_own else parse_address

    def __call__(self, row: Row) -> StagedRow | Rejected:
        if row.problem is not None:
            return self._rejected(row, None, row.problem, is_out=self._may_say_out(row.cells))
        rules, digest = self._rules, self._rules.digest
        cells = [unescape_formula(cell) for cell in row.cells] if rules.unescape else row.cells
        index, clear = self._email_at, rules.blank == "clear"
        try:
            cell = cells[index]
            address = self._parse_email(cell)
            mended = "" if address.email == cell else cell
            values = self._fixed_fields.copy()
            for index, name, parse in self._fields:
                if cell := cells[index]:
                    values[name] = parse(cell)
            extra = self._fixed_attributes.copy()
            for index, name, parse in self._attributes:
                cell = cells[index]
                value = parse(cell) if cell else None
                if clear or value is not None:
                    extra[name] = value
        except Refusal as refusal:
            problem = Refusal("value.uncalculated") if cell == UNCALCULATED else refusal
            is_out = index != self._email_at and self._says_out(cells)
            return self._rejected(row, index, problem, is_out=is_out)
        except IndexError:
            return self._too_short(row)
        registered, activated, deactivated, bounced = self._settle(values)
        return StagedRow(
            row.line, address.key, address.email, address.domain, digest(address.key) if digest else "",
            registered, activated, deactivated, bounced,
            values.get("source"), values.get("signup_ip"), values.get("tags"), extra, mended,
        )  # fmt: skip

    def _too_short(self, row: Row) -> Rejected:
        problem = Refusal("row.too_few_fields", found=len(row.cells), expected=len(self._headers))
        return self._rejected(row, None, problem, is_out=self._may_say_out(row.cells))

    def _rejected(self, row: Row, index: int | None, problem: Refusal, *, is_out: bool) -> Rejected:
        column = "" if index is None else (*self._headers[index : index + 1], numbered(index))[0]
        return Rejected(row.line, column, problem, row.cells, is_out)

    def _says_out(self, cells: list[str]) -> bool:
        values = self._fixed_fields | _readable(cells, self._fields)
        _registered, _activated, deactivated, bounced = self._settle(values)
        return deactivated is not None or bool(bounced)

    def _may_say_out(self, cells: list[str]) -> bool:
        """Whether a damaged row says of an address that it is out, by any of its cells that may say so."""
        return any(
            self._says_out(placed)
            for line in _damaged_lines(cells)
            if any(map(has_address, line))
            for placed in _placements(line, columns=len(self._headers))
        )


def _damaged_lines(cells: list[str]) -> list[list[str]]:
    """The cells of a damaged row, which are its raw text cut at the delimiters, line by line and unquoted."""
    lines: list[list[str]] = [[]]
    for cell in cells:
        first, *further = cell.split("\n")
        lines[-1].append(first)
        lines.extend([part] for part in further)
    return [[cell.strip(" \r\"'") for cell in line] for line in lines]


def _placements(cells: list[str], *, columns: int) -> list[list[str]]:
    """The cells where they stand, and where they belong if what is missing or too much is before them."""
    missing = columns - len(cells)
    if missing == 0:
        return [cells]
    return [cells, [""] * missing + cells if missing > 0 else cells[-missing:]]


def _readable(cells: list[str], fields: list[tuple[int, str, Parser]]) -> dict[str, Any]:
    """The fields of a row whose cells can be read; it may be too short."""
    values = {}
    for index, name, parse in fields:
        with suppress(Refusal):
            if cell := "".join(cells[index : index + 1]):
                values[name] = parse(cell)
    return values


def column_parsers(rules: Rules) -> dict[int, Parser]:
    """What reads the filled cells of each mapped column but the address, by the column's index."""
    fields, attributes = parsers(rules)
    return {index: parse for index, _name, parse in (*fields, *attributes)}


def parsers(rules: Rules) -> tuple[list[tuple[int, str, Parser]], list[tuple[int, str, Parser]]]:
    """Column index, name and parser for each mapped field, and for each mapped attribute.

    The second column of a field that may have several is called "status:7", for `_gathered`.
    """
    fields: list[tuple[int, str, Parser]] = []
    attributes: list[tuple[int, str, Parser]] = []
    for index, target in enumerate(rules.mapping.columns):
        if target.startswith(maps.ATTRIBUTE):
            name = target[len(maps.ATTRIBUTE) :]
            attributes.append((index, name, _attribute_parser(name, rules=rules, index=index)))
        elif target and target != "email":
            name = f"{target}:{index}" if any(known == target for _, known, _ in fields) else target
            header = rules.headers[index] if index < len(rules.headers) else ""
            style = _style(rules, index=index)
            fields.append((index, name, field_parser(target, header=header, style=style)))
    return fields, attributes


def _style(rules: Rules, *, index: int | None, is_past: bool = False) -> Style:
    """How the times of a column are written; a value for all rows has to say so itself."""
    if index is None:
        return Style(zone=rules.zone)
    return Style(
        day_first=rules.day_first.get(index),
        zone=rules.zone_of(index),
        is_serial=index in rules.serial,
        last_year=rules.now.year,
        is_past=is_past,
    )


def _attribute_parser(name: str, *, rules: Rules, index: int | None) -> Parser:
    """Texts are kept with every blank; a number, date or gender that says "none" is empty."""
    specs = {spec.name: spec for spec in (*rules.attributes, *rules.mapping.new)}
    match specs[name].type:
        case "number":
            decimal = None if index is None else rules.decimal.get(index)
            # Nothing that stands for nothing begins with a figure: most cells are spared the look.
            return lambda cell: (
                parse_number(cell, decimal=decimal) if cell[:1].isdigit() or not is_nothing(cell) else None
            )
        case "gender":
            return lambda cell: None if is_no_gender(cell) else parse_gender(cell)
        case "date":
            style = _style(rules, index=index, is_past=idea_of(name) == "birthday")
            return lambda cell: None if is_no_time(cell) else parse_date(cell, style)
        case _:
            return check_text


def fixed_values(rules: Rules) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The values that all rows get: of fields, and of attributes. Raises Refusal when one is bad.

    An attribute's value that stands for nothing is None where empty cells clear, left out where they keep.
    """
    fields: dict[str, Any] = {}
    attributes: dict[str, str | None] = {}
    for target, value in rules.mapping.fixed:
        if target.startswith(maps.ATTRIBUTE):
            name = target[len(maps.ATTRIBUTE) :]
            meant = _attribute_parser(name, rules=rules, index=None)(value)
            if meant is not None or rules.blank == "clear":
                attributes[name] = meant
        else:
            fields[target] = field_parser(target, style=_style(rules, index=None))(value)
    return fields, attributes


Time = TypeVar("Time", datetime, str)


def settler(
    rules: Rules, *, now: Time
) -> Callable[[dict[str, Any]], tuple[Time | None, Time | None, Time | None, bool | None]]:
    """Status and times together: where they disagree, the safe state wins.

    The function takes a row's values and gives registered, activated, deactivated and whether it bounced.
    Times are as `now` is: moments, or texts in the order of time.

    Left without any word on being active, a row gets what was chosen for new recipients. An `activated`
    column that is empty is such a word: it says unconfirmed.
    """
    targets = rules.mapping.targets
    is_activated_mapped = "activated" in targets
    default_activated = now if rules.new_status == "active" else None
    # Mapped and empty says nothing: an old recipient keeps its date, and what a new one gets is the merge's.
    default_registered = None if "registered" in targets else now
    has_several = len(set(rules.mapping.columns) - {""}) < sum(map(bool, rules.mapping.columns))

    def settle(values: dict[str, Any]) -> tuple[Time | None, Time | None, Time | None, bool | None]:
        if has_several:
            _gather(values)
        registered = values.get("registered") or default_registered
        activated, deactivated = values.get("activated"), values.get("deactivated")
        # A yes without a time.
        if activated is True:
            activated = values.get("registered") or now
        if deactivated is True:
            deactivated = now
        match values.get("status"):
            case None:
                if not is_activated_mapped and deactivated is None:
                    activated = default_activated
                return registered, activated, deactivated, None
            case "inactive":
                return registered, activated, deactivated or now, False
            case "active":
                return registered, activated or values.get("registered") or now, deactivated, False
            case "unconfirmed":
                return registered, None, deactivated, False
        return registered, activated, deactivated, True

    return settle


def _gather(values: dict[str, Any]) -> None:
    """Several columns of one field become one value: whoever is out by one of them is out."""
    found: dict[str, list[Any]] = defaultdict(list)
    for name, value in values.items():
        if value is not None:
            found[name.partition(":")[0]].append(value)
    if statuses := found.get("status"):
        values["status"] = safest(statuses)
    if times := found.get("deactivated"):
        # The later of two opt-outs is the one to remember; a yes without a time is less than any.
        values["deactivated"] = max((time for time in times if time is not True), default=True)
