"""A row of a file → a row for the staging table, or the reason why it cannot be used."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from backupsvc.errors import Refusal
from recipients.addresses import parse_address
from recipients.imports import mapping as maps
from recipients.imports.records import Row
from recipients.values import (
    check_text,
    parse_date,
    parse_gender,
    parse_number,
    parse_status,
    parse_tags,
    parse_time,
    unescape_formula,
)

LONGEST_SOURCE = 255


@dataclass(frozen=True)
class Rules:
    """How the rows of one file become recipients.

    `day_first` tells for a column's index how its dates are written; `decimal` likewise the mark before a
    fraction. `digest` gives the hash of a key by which erased people are known. `headers` name the column
    of a bad cell.
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


class StagedRow(NamedTuple):
    """A row that can be merged. What is not mapped, or empty, is None."""

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


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot: its line, the header of the bad cell ("" for the whole row), why, and all cells."""

    line: int
    column: str
    problem: Refusal
    cells: list[str]


Parser = Callable[[str], Any]


def check_row(row: Row, *, rules: Rules) -> StagedRow | Rejected:
    """One row checked. For many, make a `checker` once."""
    return checker(rules)(row)


def checker(rules: Rules) -> Callable[[Row], StagedRow | Rejected]:
    """The function that checks a row by these rules. Raises Refusal when a fixed value is itself bad."""
    mapping = rules.mapping
    email_at = mapping.columns.index("email")
    fields, attributes = _parsers(rules)
    fixed_fields, fixed_attributes = _fixed(rules)
    settle = _settler(rules)
    unescape, digest, clear = rules.unescape, rules.digest, rules.blank == "clear"
    headers = rules.headers

    def rejected(row: Row, index: int | None, problem: Refusal) -> Rejected:
        column = "" if index is None else headers[index] if index < len(headers) else f"Column {index + 1}"
        return Rejected(row.line, column, problem, row.cells)

    def check(row: Row) -> StagedRow | Rejected:
        if row.problem is not None:
            return rejected(row, None, row.problem)
        cells = [unescape_formula(cell) for cell in row.cells] if unescape else row.cells
        index = email_at
        try:
            address = parse_address(cells[index])
            values = fixed_fields.copy()
            for index, name, parse in fields:
                if cell := cells[index]:
                    values[name] = parse(cell)
            extra = fixed_attributes.copy()
            for index, name, parse in attributes:
                cell = cells[index]
                value = parse(cell) if cell else None
                if clear or value is not None:
                    extra[name] = value
        except Refusal as problem:
            return rejected(row, index, problem)
        except IndexError:
            return rejected(row, None, Refusal("row.too_few_fields", found=len(cells), expected=len(headers)))
        registered, activated, deactivated, bounced = settle(values)
        return StagedRow(
            row.line, address.key, address.email, address.domain, digest(address.key) if digest else "",
            registered, activated, deactivated, bounced,
            values.get("source"), values.get("signup_ip"), values.get("tags"), extra,
        )  # fmt: skip

    return check


def _parsers(rules: Rules) -> tuple[list[tuple[int, str, Parser]], list[tuple[int, str, Parser]]]:
    """Column index, name and parser for each mapped field, and for each mapped attribute."""
    fields: list[tuple[int, str, Parser]] = []
    attributes: list[tuple[int, str, Parser]] = []
    for index, target in enumerate(rules.mapping.columns):
        if target.startswith(maps.ATTRIBUTE):
            name = target[len(maps.ATTRIBUTE) :]
            attributes.append((index, name, _attribute_parser(name, rules=rules, index=index)))
        elif target and target != "email":
            fields.append((index, target, _field_parser(target, rules=rules, index=index)))
    return fields, attributes


def _field_parser(target: str, *, rules: Rules, index: int | None) -> Parser:
    if target in ("registered", "activated", "deactivated"):
        day_first = None if index is None else rules.day_first.get(index)
        zone = rules.zone
        return lambda cell: parse_time(cell, day_first=day_first, zone=zone)
    parsers: dict[str, Parser] = {
        "status": _status, "source": _source, "signup_ip": _signup_ip, "tags": parse_tags
    }  # fmt: skip
    return parsers[target]


def _attribute_parser(name: str, *, rules: Rules, index: int | None) -> Parser:
    """Texts are kept with every blank; a number, date or gender of blanks alone is empty."""
    specs = {spec.name: spec for spec in (*rules.attributes, *rules.mapping.new)}
    match specs[name].type:
        case "number":
            decimal = None if index is None else rules.decimal.get(index)
            return lambda cell: parse_number(cell, decimal=decimal) if cell.strip() else None
        case "gender":
            return lambda cell: parse_gender(cell) if cell.strip() else None
        case "date":
            day_first = None if index is None else rules.day_first.get(index)
            return lambda cell: parse_date(cell, day_first=day_first) if cell.strip() else None
        case _:
            return check_text


def _fixed(rules: Rules) -> tuple[dict[str, Any], dict[str, str | None]]:
    fields: dict[str, Any] = {}
    attributes: dict[str, str | None] = {}
    for target, value in rules.mapping.fixed:
        if target.startswith(maps.ATTRIBUTE):
            name = target[len(maps.ATTRIBUTE) :]
            attributes[name] = _attribute_parser(name, rules=rules, index=None)(value)
        else:
            fields[target] = _field_parser(target, rules=rules, index=None)(value)
    return fields, attributes


Consent = tuple[datetime | None, datetime | None, datetime | None, bool | None]


def _settler(rules: Rules) -> Callable[[dict[str, Any]], Consent]:
    """Status and times together: where they disagree, the safe state wins.

    Left without any word on being active, a row gets what was chosen for new recipients. An `activated`
    column that is empty is such a word: it says unconfirmed.
    """
    targets, now = rules.mapping.targets, rules.now
    is_activated_mapped = "activated" in targets
    default_activated = now if rules.new_status == "active" else None
    # Mapped and empty says nothing: an old recipient keeps its date, and what a new one gets is the merge's.
    default_registered = None if "registered" in targets else now

    def settle(values: dict[str, Any]) -> Consent:
        registered = values.get("registered") or default_registered
        activated, deactivated = values.get("activated"), values.get("deactivated")
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


def _status(cell: str) -> str | None:
    return parse_status(cell) if cell.strip() else None


def _source(cell: str) -> str:
    if len(cell) > LONGEST_SOURCE:
        raise Refusal("value.too_long", limit=LONGEST_SOURCE)
    return check_text(cell)


@lru_cache(maxsize=100_000)
def _signup_ip(cell: str) -> str | None:
    text = cell.strip()
    if not text:
        return None
    try:
        # A scope ("%eth0") has a meaning on one machine only, and no column type that takes it.
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        raise Refusal("value.ip", value=text[:45]) from None
