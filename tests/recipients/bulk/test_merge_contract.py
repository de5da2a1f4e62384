"""Both engines keep the same contract: any series of merges ends as the plain Python model says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backupsvc.accounts.models import Account
from recipients.bulk import postgres_judge
from recipients.bulk.base import Judged, Plan, Stage
from recipients.bulk.engine import engine
from recipients.models import BlocklistEntry, Group, Mode, OptOut, Recipient, Status
from recipients.selectors import IN_STATUS
from tests.recipients.bulk import model

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = [f"{name}@example.com" for name in ("anna", "bob", "carl", "dora")]
NASTY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
TIMES = st.none() | st.integers(0, 3).map(lambda days: START + timedelta(days=days, microseconds=days * 7))
FIELDS = (
    "status",
    "registered",
    "activated",
    "deactivated",
    "source",
    "signup_ip",
    "tags",
    "attribute:Näme",
    "attribute:'\"x",
)


@st.composite
def staged(draw: st.DrawFn, *, line: int, fields: frozenset[str], nulls: bool) -> Stage:
    """A row as the check makes it: what is not given is None, the status is said as a whole."""
    key = draw(st.sampled_from(KEYS))
    says = "status" in fields and draw(st.booleans())
    bounced = draw(st.sampled_from([None, START])) if says else None
    values = st.just(...) | NASTY | st.none() if nulls else st.just(...) | NASTY
    names = [name.removeprefix("attribute:") for name in sorted(fields) if name.startswith("attribute:")]
    return Stage(
        line=line,
        key=key,
        email=draw(st.sampled_from([key, key.title()])),
        domain="example.com",
        digest="",
        registered=draw(TIMES),
        activated=draw(TIMES),
        deactivated=draw(TIMES) if says or "deactivated" in fields else None,
        bounced=bounced,
        says_status=says,
        source=draw(st.none() | st.just("") | NASTY) if "source" in fields else None,
        signup_ip=draw(st.none() | st.just("10.0.0.1")) if "signup_ip" in fields else None,
        tags=draw(st.none() | st.lists(st.sampled_from("abc"), unique=True).map(sorted))
        if "tags" in fields
        else None,
        attributes={name: value for name in names if (value := draw(values)) is not ...},
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[model.Rules, list[Stage]]:
    fields = frozenset({"email", *draw(st.sets(st.sampled_from(FIELDS)))})
    rules = model.Rules(
        mode=draw(st.sampled_from(list(Mode))),
        clears=(clears := draw(st.booleans())),
        nulls=clears and draw(st.booleans()),
        fields=fields,
        now=START + timedelta(days=10),
        reactivate=draw(st.integers(0, 4)) == 0,
    )
    number = draw(st.integers(0, 6))
    return rules, [draw(staged(line=line, fields=fields, nulls=rules.nulls)) for line in range(2, number + 2)]


@pytest.fixture(params=["read side by side", "looked up one by one", "strangers are left out"])
def group(request: pytest.FixtureRequest, account: Account, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A list, whose recipients PostgreSQL finds in one way and in the other, or that hardly knows anybody."""
    if request.param == "looked up one by one":
        monkeypatch.setattr(postgres_judge, "FEW", 0)
    if request.param == "strangers are left out":
        monkeypatch.setattr(type(engine()), "_are_mostly_new", lambda *_: True)
    return Group.objects.create(account=account, name="Contract")


@pytest.fixture
def blocked(account: Account, group: Group) -> str:
    BlocklistEntry.objects.create(account=account, kind="address", pattern=KEYS[3])
    return KEYS[3]


def plan(group: Group, rules: model.Rules) -> Plan:
    return Plan(
        change_id=7,
        account_id=group.account_id,
        group_id=group.pk,
        mode=rules.mode,
        clears=rules.clears,
        nulls=rules.nulls,
        fields=rules.fields,
        now=rules.now,
        reactivate=rules.reactivate,
    )


def people(group: Group) -> dict[str, model.Person]:
    return {
        one.key: model.Person(
            email=one.email,
            registered=one.registered,
            activated=one.activated,
            deactivated=one.deactivated,
            bounced=one.bounced,
            source=one.source,
            signup_ip=one.signup_ip,
            tags=tuple(one.tags),
            attributes=tuple(sorted(one.attributes.items())),
        )
        for one in Recipient.objects.filter(group=group)
    }


def counted(group: Group) -> dict[str, int]:
    found = {
        status.value: Recipient.objects.filter(IN_STATUS[status], group=group).count() for status in Status
    }
    return {status: count for status, count in found.items() if count}


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(series=st.lists(steps(), min_size=1, max_size=4), trusts=st.booleans())
def test_any_series_of_merges_ends_as_the_model_says(
    group: Group, blocked: str, series: list[tuple[model.Rules, list[Stage]]], trusts: bool
) -> None:
    """`trusts`: the merge takes the preview's word, as it does while nothing has changed in between."""
    with transaction.atomic():
        world = model.World(blocked=frozenset({blocked}))
        totals: dict[str, int] = {}
        for rules, rows in series:
            engine().clear(7)
            engine().stage(7, rows=rows)
            promised, _safe = engine().preview(plan(group, rules), most_kept_safe=10)
            judged = Judged(promised.addresses, promised.leaves_new) if trusts else None
            verdicts = engine().merge(replace(plan(group, rules), judged=judged))
            assert promised == replace(verdicts, leaves_new=promised.leaves_new)
            expected = model.merge(world, rows=rows, rules=rules)
            assert {name: getattr(verdicts, name) for name in expected} == expected
            assert people(group) == world.people
            for status, by in (verdicts.shift or {}).items():
                totals[status] = totals.get(status, 0) + by
            assert {status: count for status, count in totals.items() if count} == counted(group)
            remembered = {
                one.key: (one.deactivated, one.bounced) for one in OptOut.objects.filter(group=group)
            }
            assert remembered == world.opted_out
        transaction.set_rollback(True)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_preview_writes_nothing(group: Group, mode: Mode) -> None:
    Recipient.objects.create(account=group.account, group=group, key=KEYS[0], email=KEYS[0], activated=START)
    before = people(group)
    rows = [stage(KEYS[0], line=2, source="x"), stage(KEYS[1], line=3)]
    engine().stage(7, rows=rows)
    rules = model.Rules(mode=mode, clears=False, fields=frozenset({"email", "source"}), now=START)
    engine().preview(plan(group, rules), most_kept_safe=10)
    assert people(group) == before
    assert engine().staged(7) == 2


def stage(key: str, *, line: int, **values: Any) -> Stage:
    empty: dict[str, Any] = dict.fromkeys(Stage._fields)
    given = {
        "line": line,
        "key": key,
        "email": key,
        "domain": "example.com",
        "digest": "",
        "says_status": False,
        "attributes": {},
    }
    return Stage(**{**empty, **given, **values})


REFORM = model.Rules(
    mode=Mode.REFORM_AND_ADD,
    clears=True,
    fields=frozenset({"email", "status", "activated", "deactivated"}),
    now=START,
)


def test_rows_unchanged_by_a_merge_are_not_written(group: Group) -> None:
    kept = Recipient.objects.create(
        account=group.account, group=group, key=KEYS[0], email=KEYS[0], activated=START, change_id=1
    )
    engine().stage(7, rows=[stage(KEYS[0], line=2, activated=START, says_status=True)])
    assert engine().merge(plan(group, REFORM)).unchanged == 1
    kept.refresh_from_db()
    assert kept.change_id == 1


def test_merged_rows_carry_the_change_that_touched_them(group: Group) -> None:
    engine().stage(7, rows=[stage(KEYS[0], line=2, activated=START, says_status=True)])
    engine().merge(plan(group, REFORM))
    assert Recipient.objects.get(group=group).change_id == 7


@pytest.mark.parametrize("pattern", [KEYS[0], "*@example.com", "erased-digest"])
def test_blocked_and_erased_people_are_not_brought_in(group: Group, pattern: str) -> None:
    BlocklistEntry.objects.create(account=group.account, kind="address", pattern=pattern)
    engine().stage(
        7, rows=[stage(KEYS[0], line=2, activated=START, says_status=True, digest="erased-digest")]
    )
    verdicts, safe = engine().preview(plan(group, REFORM), most_kept_safe=10)
    assert engine().merge(plan(group, REFORM)) == verdicts
    assert (verdicts.kept_safe, [row.why for row in safe]) == (1, ["blocked"])
    assert not Recipient.objects.exists()


def test_another_accounts_blocklist_does_not_count(group: Group, other_account: Account) -> None:
    BlocklistEntry.objects.create(account=other_account, kind="address", pattern=KEYS[0])
    engine().stage(7, rows=[stage(KEYS[0], line=2, activated=START, says_status=True)])
    assert engine().merge(plan(group, REFORM)).added == 1


def test_a_reactivation_never_reaches_blocked_people(group: Group) -> None:
    BlocklistEntry.objects.create(account=group.account, kind="address", pattern=KEYS[0])
    Recipient.objects.create(
        account=group.account, group=group, key=KEYS[0], email=KEYS[0], deactivated=START
    )
    engine().stage(7, rows=[stage(KEYS[0], line=2, activated=START, says_status=True)])
    rules = model.Rules(**{**REFORM.__dict__, "reactivate": True})
    assert engine().merge(plan(group, rules)).kept_safe == 1
    assert Recipient.objects.get(group=group).deactivated == START


def test_rows_from_another_list_bring_that_lists_opt_outs_along(group: Group) -> None:
    source = Group.objects.create(account=group.account, name="Source")
    Recipient.objects.create(
        account=group.account, group=source, key=KEYS[0], email=KEYS[0], deactivated=START
    )
    OptOut.objects.create(account=group.account, group=source, key=KEYS[1], bounced=START)
    rows = [stage(key, line=line, activated=START, says_status=True) for line, key in enumerate(KEYS[:3], 2)]
    engine().stage(7, rows=rows)
    merged = plan(group, REFORM)
    merged = Plan(**{**merged.__dict__, "source_group_id": source.pk})
    verdicts = engine().merge(merged)
    assert (verdicts.added, verdicts.kept_safe) == (1, 2)
    statuses = {one.key: one.status for one in Recipient.objects.filter(group=group)}
    assert statuses == {KEYS[0]: Status.INACTIVE, KEYS[1]: Status.BOUNCED, KEYS[2]: Status.ACTIVE}


def test_removing_in_batches_empties_the_list_and_remembers_who_left(group: Group) -> None:
    neighbour = Group.objects.create(account=group.account, name="Neighbour")
    for key in KEYS:
        for owner in (group, neighbour):
            Recipient.objects.create(
                account=group.account,
                group=owner,
                key=key,
                email=key,
                deactivated=START if key == KEYS[1] else None,
            )
    _first, second, third = sorted(KEYS, key=str.encode)[:3]
    assert engine().remove_batch(group.pk, most=2) == (2, second)
    assert engine().remove_batch(group.pk, most=1, after=second) == (1, third)
    # Begun anew, as after a crash.
    assert [engine().remove_batch(group.pk, most=3)[0] for _ in range(2)] == [1, 0]
    assert Recipient.objects.filter(group=group).count() == 0
    assert Recipient.objects.filter(group=neighbour).count() == 4
    assert list(OptOut.objects.values_list("key", flat=True)) == [KEYS[1]]


def test_deleting_a_field_takes_its_values_from_this_list_alone(group: Group) -> None:
    neighbour = Group.objects.create(account=group.account, name="Neighbour")
    for owner in (group, neighbour):
        Recipient.objects.create(
            account=group.account,
            group=owner,
            key=KEYS[0],
            email=KEYS[0],
            attributes={"Näme": "x", "City": "y"},
        )
    engine().drop_attribute(group.pk, name="Näme")
    assert Recipient.objects.get(group=group).attributes == {"City": "y"}
    assert Recipient.objects.get(group=neighbour).attributes == {"Näme": "x", "City": "y"}


def test_deactivating_people_leaves_their_addresses_as_they_are_written(group: Group) -> None:
    Recipient.objects.create(account=group.account, group=group, key=KEYS[0], email="Anna@Example.com")
    engine().stage(7, rows=[stage(KEYS[0], line=2)])
    rules = model.Rules(mode=Mode.DEACTIVATE, clears=False, fields=frozenset({"email"}), now=START)
    assert engine().merge(plan(group, rules)).deactivated == 1
    one = Recipient.objects.get(group=group)
    assert (one.email, one.status) == ("Anna@Example.com", Status.INACTIVE)
