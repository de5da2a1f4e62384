"""The rules of a merge, told a second time in plain Python: the oracle for both databases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from recipients.bulk.base import Stage
from recipients.models import Mode


@dataclass(frozen=True)
class Person:
    """A recipient, without its id."""

    email: str
    registered: datetime | None = None
    activated: datetime | None = None
    deactivated: datetime | None = None
    bounced: datetime | None = None
    source: str = ""
    signup_ip: str = ""
    tags: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def rank(self) -> int:
        if self.bounced or self.deactivated:
            return 0
        return 2 if self.activated else 1


OptOut = tuple[datetime | None, datetime | None]


@dataclass
class World:
    """A list, who opted out of it and is gone, and who is blocked."""

    people: dict[str, Person] = field(default_factory=dict)
    opted_out: dict[str, OptOut] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rules:
    mode: Mode
    clears: bool
    fields: frozenset[str]
    now: datetime
    reactivate: bool = False
    nulls: bool = False


def merge(world: World, *, rows: list[Stage], rules: Rules) -> dict[str, int]:
    """Merge the rows into the world; how many fell out which way."""
    counts = {"added": 0, "updated": 0, "unchanged": 0, "kept_safe": 0, "deactivated": 0, "deleted": 0}
    last = {row.key: row for row in sorted(rows, key=lambda row: row.line)}
    for key, row in last.items():
        verdict = _one(world, key=key, row=row, rules=rules)
        counts[verdict] += 1
        if verdict == "updated" and rules.mode == Mode.DEACTIVATE:
            counts["deactivated"] += 1
        if verdict == "updated" and rules.mode == Mode.DELETE:
            counts["deleted"] += 1
    return counts


def _one(world: World, *, key: str, row: Stage, rules: Rules) -> str:
    old = world.people.get(key)
    if rules.mode == Mode.DELETE:
        return _removed(world, key=key)
    if rules.mode == Mode.DEACTIVATE:
        if old is None:
            deactivated, bounced = world.opted_out.get(key, (None, None))
            world.opted_out[key] = (deactivated or rules.now, bounced)
            return "unchanged"
        if old.deactivated:
            return "unchanged"
        world.people[key] = replace(old, deactivated=rules.now)
        return "updated"
    if (rules.mode == Mode.ADD_ONLY and old) or (rules.mode == Mode.UPDATE_ONLY and not old):
        return "unchanged"
    if key in world.blocked:
        return "kept_safe"
    wanted = _wanted(old, row=row, rules=rules)
    held, is_held = _held(old, wanted=wanted, opted_out=world.opted_out.get(key), rules=rules)
    world.people[key] = held
    if rules.reactivate and held != old and held.rank == 2 and (old is None or old.rank < 2):
        world.opted_out.pop(key, None)
    if is_held:
        return "kept_safe"
    if old is None:
        return "added"
    return "unchanged" if held == old else "updated"


def _removed(world: World, *, key: str) -> str:
    old = world.people.pop(key, None)
    if old is None:
        return "unchanged"
    if old.deactivated or old.bounced:
        world.opted_out[key] = (old.deactivated, old.bounced)
    return "updated"


def _held(
    old: Person | None, *, wanted: Person, opted_out: OptOut | None, rules: Rules
) -> tuple[Person, bool]:
    """What the person gets of what the row asks for, and whether consent was held down."""
    if rules.reactivate:
        if wanted.rank > 0:
            return wanted, False
        since = (old.deactivated, old.bounced) if old else opted_out or (None, None)
        deactivated, bounced = wanted.deactivated or since[0], wanted.bounced or since[1]
        return replace(wanted, deactivated=deactivated, bounced=bounced), False
    if old is None:
        if opted_out is None:
            return wanted, False
        deactivated, bounced = opted_out
        held = replace(
            wanted, deactivated=wanted.deactivated or deactivated, bounced=wanted.bounced or bounced
        )
        return held, wanted.rank > 0
    if wanted.rank > old.rank:
        status = {"activated": old.activated, "deactivated": old.deactivated, "bounced": old.bounced}
        return replace(wanted, **status), True  # type: ignore[arg-type]
    held = replace(
        wanted, deactivated=wanted.deactivated or old.deactivated, bounced=wanted.bounced or old.bounced
    )
    return held, False


def _wanted(old: Person | None, *, row: Stage, rules: Rules) -> Person:
    was = old or Person(email=row.email)
    activated, deactivated, bounced = _status(was, row=row, rules=rules, is_new=old is None)
    return Person(
        email=row.email,
        registered=_registered(was, row=row, rules=rules, is_new=old is None),
        activated=activated,
        deactivated=deactivated,
        bounced=bounced,
        source=_text("source", was=was.source, told=row.source, rules=rules),
        signup_ip=_text("signup_ip", was=was.signup_ip, told=row.signup_ip, rules=rules),
        tags=_tags(was, row=row, rules=rules),
        attributes=_attributes(was, row=row, rules=rules),
    )


def _registered(was: Person, *, row: Stage, rules: Rules, is_new: bool) -> datetime | None:
    if "registered" not in rules.fields:
        return row.registered if is_new else was.registered
    if rules.clears:
        return row.registered
    return row.registered or was.registered or (rules.now if is_new else None)


def _status(
    was: Person, *, row: Stage, rules: Rules, is_new: bool
) -> tuple[datetime | None, datetime | None, datetime | None]:
    given = rules.fields
    if not given & {"status", "activated", "deactivated"}:
        return row.activated if is_new else was.activated, was.deactivated, was.bounced
    activated: datetime | None
    deactivated: datetime | None
    later = max(filter(None, (row.deactivated, was.deactivated)), default=None) if row.deactivated else None
    if row.says_status:
        out = bool(row.deactivated or row.bounced)
        if row.activated:
            activated = row.activated if "activated" in given else was.activated or row.activated
        else:
            keeps = out and not ("activated" in given and rules.clears)
            activated = was.activated if keeps else None
        if "deactivated" in given:
            deactivated = later
        else:
            deactivated = (was.deactivated or row.deactivated) if row.deactivated else None
        return activated, deactivated, (was.bounced or row.bounced) if row.bounced else None
    if "activated" not in given:
        activated = row.activated if is_new else was.activated
    else:
        activated = row.activated if rules.clears else row.activated or was.activated
    if "deactivated" not in given:
        deactivated = was.deactivated
    else:
        deactivated = later if rules.clears else later or was.deactivated
    return activated, deactivated, was.bounced


def _text(name: str, *, was: str, told: str | None, rules: Rules) -> str:
    if name not in rules.fields:
        return was
    return told or "" if rules.clears else told or was


def _tags(was: Person, *, row: Stage, rules: Rules) -> tuple[str, ...]:
    if "tags" not in rules.fields:
        return was.tags
    return tuple(row.tags or ()) if rules.clears else tuple(row.tags or was.tags)


def _attributes(was: Person, *, row: Stage, rules: Rules) -> tuple[tuple[str, str], ...]:
    values = dict(was.attributes)
    if rules.clears:
        for name in rules.fields:
            values.pop(name.removeprefix("attribute:"), None)
    for name, value in row.attributes.items():
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value
    return tuple(sorted(values.items()))
