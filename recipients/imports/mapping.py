"""Which column of a file goes where."""

from __future__ import annotations

import itertools
from collections import Counter, abc
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from backupsvc.errors import Refusal
from recipients.imports.columns import (
    FIELDS,
    REJECT_COLUMNS,
    field_of,
    idea_of,
    is_own_header,
    meaning_of,
    normalized,
    numbered,
    says_bounced,
    says_out,
    type_of_new,
)
from recipients.imports.fields import field_parser
from recipients.imports.records import has_address
from recipients.times import Style, is_no_time, parse_date
from recipients.values import SAFE_MARKER, check_text
from recipients.words import is_no_gender, is_nothing, is_out_of_mail, parse_gender, status_word

MOST_ATTRIBUTES = 45
LONGEST_NAME = 100
ATTRIBUTE = "attribute:"
MOSTLY = 0.5
# Fields that several columns may say something about: whoever is out by one of them is out.
SEVERAL = frozenset(("status", "deactivated"))
# Fields whose columns are known by what is in them too: a column "Status" may be about something else.
_TOLD_BY_CELLS = frozenset(("status", "registered", "activated", "deactivated", "signup_ip"))
# Problems of a cell that is what it should be, in a spelling that its column explains.
_SPELLINGS = frozenset(("value.date_ambiguous", "value.year"))
LOOSE = Style(is_serial=True)

AttributeType = Literal["text", "number", "gender", "date"]


@dataclass(frozen=True)
class AttributeSpec:
    """An attribute's name and the type of its values."""

    name: str
    type: AttributeType


@dataclass(frozen=True)
class Mapping:
    """`columns` has a target for each column of the file: "" (ignored), a field, or "attribute:NAME".

    `fixed` are targets that get one value for all rows; `new` are the attributes to be made.
    """

    columns: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...] = ()
    new: tuple[AttributeSpec, ...] = ()

    @property
    def targets(self) -> frozenset[str]:
        """Everything this mapping writes to."""
        return frozenset(target for target in (*self.columns, *(name for name, _ in self.fixed)) if target)

    def to_json(self) -> dict[str, Any]:
        """The mapping as a plain dict, to be stored."""
        return {
            "columns": list(self.columns),
            "fixed": [list(pair) for pair in self.fixed],
            "new": [asdict(spec) for spec in self.new],
        }

    @classmethod
    def from_json(cls, stored: abc.Mapping[str, Any]) -> Mapping:
        """The mapping that `to_json` stored."""
        return cls(
            columns=tuple(stored["columns"]),
            fixed=tuple((target, value) for target, value in stored.get("fixed", ())),
            new=tuple(AttributeSpec(**spec) for spec in stored.get("new", ())),
        )


def suggest(
    headers: Sequence[str],
    *,
    samples: Sequence[Sequence[str]],
    attributes: Sequence[AttributeSpec],
    create_missing: bool = False,
) -> Mapping:
    """The mapping the headers speak for; a column of addresses is the email when no header says so.

    With `create_missing` each header that means nothing we know becomes a new text attribute.
    """
    columns = [""] * len(headers)
    is_own = is_own_header(headers)

    def take(index: int | None, target: str) -> None:
        if index is None or columns[index] or (target in columns and target not in SEVERAL):
            return
        # Our own names for the fields are taken by their word.
        if (
            is_own
            or headers[index] in FIELDS
            or _holds(target, header=headers[index], cells=_cells(index, samples=samples))
        ):
            columns[index] = target

    take(0 if is_own else _email_column(headers, samples=samples), "email")
    for index, header in enumerate(headers):
        # In another's file a column "email" may hold yes and no: the cells decided about that above.
        if header in FIELDS and header != "email":
            take(index, header)
    exact = {spec.name: spec.name for spec in attributes}
    names = {normalized(spec.name): spec.name for spec in attributes}
    for index, header in enumerate(headers):
        if name := exact.get(header.strip()):
            take(index, ATTRIBUTE + name)
    for index, header in enumerate(headers):
        if name := names.get(normalized(header)):
            take(index, ATTRIBUTE + name)
    if not is_own:
        _take_by_meaning(headers, attributes=attributes, take=take)
        for index in range(len(headers)):
            if says_status(_cells(index, samples=samples)):
                take(index, "status")
    new = {}
    if create_missing:
        new = _new_attributes(headers, columns=columns, samples=samples, attributes=attributes)
    for index, spec in new.items():
        columns[index] = ATTRIBUTE + spec.name
    return Mapping(columns=tuple(columns), new=tuple(new.values()))


def _take_by_meaning(
    headers: Sequence[str],
    *,
    attributes: Sequence[AttributeSpec],
    take: abc.Callable[[int, str], None],
) -> None:
    """Take columns for what their headers usually mean, the better names first."""
    found = [(index, meaning_of(header)) for index, header in enumerate(headers)]
    for _, index, field in sorted((field[1], index, field[0]) for index, field in found if field):
        if field != "email":
            take(index, field)
    ideas = {idea: spec.name for spec in reversed(attributes) if (idea := idea_of(spec.name))}
    for index, header in enumerate(headers):
        if name := ideas.get(idea_of(header) or ""):
            take(index, ATTRIBUTE + name)


def says_who_is_in(mapping: Mapping, *, headers: Sequence[str], samples: Sequence[Sequence[str]]) -> bool:
    """Whether a file leaves nobody's status open. A column of bounces says only who is out, so it has to say
    it of everybody."""
    if "activated" in mapping.targets or any(name == "status" for name, _ in mapping.fixed):
        return True
    columns = [index for index, target in enumerate(mapping.columns) if target == "status"]
    return any(
        not (says_bounced(headers[index]) or says_out(headers[index]))
        or _are_all_out(index, header=headers[index], samples=samples)
        for index in columns
    )


def _are_all_out(index: int, *, header: str, samples: Sequence[Sequence[str]]) -> bool:
    parse = field_parser("status", header=header, style=LOOSE)
    cells = _cells(index, samples=samples)
    with suppress(Refusal):
        return bool(cells) and len(cells) == len(samples) and None not in map(parse, cells)
    return False


def says_status(cells: Sequence[str]) -> bool:
    """Whether filled cells can be nothing but who gets mail and who does not, whatever stands above them."""
    return any(map(is_out_of_mail, cells)) and all(status_word(cell) or is_nothing(cell) for cell in cells)


def _email_column(headers: Sequence[str], *, samples: Sequence[Sequence[str]]) -> int | None:
    """The column with the best name for it that holds addresses, or whichever holds most, or is named so."""
    named = sorted(
        (field[1], index) for index, header in enumerate(headers) if (field := _email_name(header))
    )
    shares = [_address_share(index, samples=samples) for index in range(len(headers))]
    for _, index in named:
        if shares[index] >= MOSTLY:
            return index
    if shares and max(shares) >= MOSTLY:
        return shares.index(max(shares))
    return named[0][1] if named else None


def _email_name(header: str) -> tuple[str, int] | None:
    field = field_of(header)
    return field if field and field[0] == "email" else None


def fitting_type(header: str, *, cells: Sequence[str]) -> AttributeType:
    """The type that a new attribute of this name should have: text, unless all of some cells fit another."""
    wanted = cast("AttributeType", type_of_new(header))
    fits = {"date": _is_date, "gender": _is_gender}.get(wanted)
    return wanted if fits is None or all(map(fits, cells)) else "text"


def column_cells(headers: Sequence[str], name: str, *, sample: Sequence[Sequence[str]]) -> list[str]:
    """The filled cells of the column of this name."""
    return _cells(list(headers).index(name), samples=sample) if name in headers else []


def _is_date(cell: str) -> bool:
    try:
        return is_no_time(cell) or bool(parse_date(cell, LOOSE))
    except Refusal as refusal:
        return refusal.code in _SPELLINGS


def _is_gender(cell: str) -> bool:
    try:
        return is_no_gender(cell) or bool(parse_gender(cell))
    except Refusal:
        return False


def _cells(index: int, *, samples: Sequence[Sequence[str]]) -> list[str]:
    """The filled cells of a column."""
    return [row[index] for row in samples if index < len(row) and row[index].strip()]


def _holds(target: str, *, header: str, cells: Sequence[str]) -> bool:
    """Whether most of these cells can be what the header says they are; none say nothing against it."""
    if target not in _TOLD_BY_CELLS:
        return True
    return sum(fits(target, header=header, cell=cell) for cell in cells) >= MOSTLY * len(cells)


def fits(target: str, *, header: str, cell: str) -> bool:
    """Whether a cell can be what the header of its column says it is."""
    try:
        field_parser(target, header=header, style=LOOSE)(cell)
    except Refusal as refusal:
        return refusal.code in _SPELLINGS
    return True


def _address_share(index: int, *, samples: Sequence[Sequence[str]]) -> float:
    cells = _cells(index, samples=samples)
    return sum(map(has_address, cells)) / len(cells) if cells else 0.0


def _new_attributes(
    headers: Sequence[str],
    *,
    columns: Sequence[str],
    samples: Sequence[Sequence[str]],
    attributes: Sequence[AttributeSpec],
) -> dict[int, AttributeSpec]:
    taken = {*FIELDS, *(spec.name.casefold() for spec in attributes)}
    new = {}
    for index, header in enumerate(headers):
        is_ours = header in (SAFE_MARKER, *REJECT_COLUMNS)
        # Spreadsheets write delimiters behind the last column for what was there once.
        is_empty = header == numbered(index) and samples and not _cells(index, samples=samples)
        if not columns[index] and header.strip() and not (is_ours or is_empty):
            name = _free_name(header, taken=taken)
            taken.add(name.casefold())
            new[index] = AttributeSpec(name, "text")
    return new


def _free_name(header: str, *, taken: abc.Container[str]) -> str:
    """The header, numbered where another column or field has its name but for capitals."""
    numbered = (f"{header} ({number})" for number in itertools.count(2))
    return next(name for name in itertools.chain([header], numbered) if name.casefold() not in taken)


def apply_names(
    mapping: Mapping,
    names: abc.Mapping[str, str],
    *,
    headers: Sequence[str],
    attributes: Sequence[AttributeSpec],
    create_missing: bool = False,
) -> Mapping:
    """The mapping with some columns set by name: header → field, attribute name, or "" or "-" to ignore.

    Raises Refusal("mapping.unknown_column") or ("mapping.unknown_field"). A target named here leaves the
    column it was suggested for, unless several columns can say it. With `create_missing` a name that is
    unknown becomes a new text attribute.
    """
    columns = list(mapping.columns)
    specs = {normalized(spec.name): spec.name for spec in (*mapping.new, *attributes)}
    if create_missing:
        mapping = replace(mapping, new=(*mapping.new, *_specs_of_unknown(names.values(), specs=specs)))
        specs |= {normalized(spec.name): spec.name for spec in mapping.new}
    for header, wanted in names.items():
        index = _column(header, headers=headers)
        target = _target(wanted, specs=specs)
        if target and target not in SEVERAL:
            columns = ["" if column == target else column for column in columns]
        columns[index] = target
    new = tuple(spec for spec in mapping.new if ATTRIBUTE + spec.name in columns)
    return replace(mapping, columns=tuple(columns), new=new)


def _specs_of_unknown(names: Iterable[str], *, specs: abc.Mapping[str, str]) -> list[AttributeSpec]:
    """New text attributes for the wanted names that mean nothing yet."""
    wanted = [name.removeprefix(ATTRIBUTE) for name in names if name not in FIELDS]
    new = {normalized(name): name for name in wanted if name not in ("", "-")}
    return [AttributeSpec(name, "text") for key, name in new.items() if key not in specs]


def _column(header: str, *, headers: Sequence[str]) -> int:
    if header in headers:
        return list(headers).index(header)
    alike = [index for index, name in enumerate(headers) if normalized(name) == normalized(header)]
    if len(alike) != 1:
        raise Refusal("mapping.unknown_column", column=header)
    return alike[0]


def _target(wanted: str, *, specs: abc.Mapping[str, str]) -> str:
    name = wanted.removeprefix(ATTRIBUTE)
    if name in ("", "-"):
        return ""
    if wanted in FIELDS:
        return wanted
    if normalized(name) in specs:
        return ATTRIBUTE + specs[normalized(name)]
    raise Refusal("mapping.unknown_field", field=wanted)


def only_email(mapping: Mapping) -> Mapping:
    """The mapping of the address's column alone."""
    return Mapping(tuple(target if target == "email" else "" for target in mapping.columns))


def validate(mapping: Mapping, *, headers: Sequence[str], attributes: Sequence[AttributeSpec]) -> None:
    """Raise Refusal("mapping.…") when the mapping cannot be used for a file with these headers."""
    if len(mapping.columns) != len(headers):
        raise Refusal("mapping.unknown_column", column=str(len(mapping.columns)))
    uses = Counter(target for target in (*mapping.columns, *(name for name, _ in mapping.fixed)) if target)
    fixed = {name for name, _ in mapping.fixed}
    for target, count in uses.items():
        if count > 1 and not (target in SEVERAL and target not in fixed):
            raise Refusal("mapping.twice", field=target.removeprefix(ATTRIBUTE))
    if "email" not in mapping.columns:
        raise Refusal("mapping.no_email")
    known = [spec.name for spec in attributes]
    for spec in mapping.new:
        check_name(spec.name, taken=known)
        known.append(spec.name)
    if len(known) > MOST_ATTRIBUTES:
        raise Refusal("mapping.too_many_fields", found=len(known), limit=MOST_ATTRIBUTES)
    for target in mapping.targets:
        is_known = target[len(ATTRIBUTE) :] in known if target.startswith(ATTRIBUTE) else target in FIELDS
        if not is_known:
            raise Refusal("mapping.unknown_field", field=target.removeprefix(ATTRIBUTE))


def check_name(name: str, *, taken: Sequence[str]) -> None:
    """Raise Refusal("mapping.bad_name") when no new attribute can be called so."""
    try:
        is_bad = not name.strip() or len(name) > LONGEST_NAME or bool(set(check_text(name)) & set("\t\r\n"))
    except Refusal:
        is_bad = True
    if is_bad or name.casefold() in {*FIELDS, SAFE_MARKER, *(other.casefold() for other in taken)}:
        raise Refusal("mapping.bad_name", name=name[:LONGEST_NAME])
