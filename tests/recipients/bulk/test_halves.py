"""A file that two connections take in and judge becomes the same as one that is taken in by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from backupsvc.jobs.runner import drain
from recipients.actions.recipients import unsubscribe
from recipients.bulk import postgres_raw, second
from recipients.bulk.base import Plan
from recipients.bulk.engine import engine
from recipients.bulk.postgres import PostgresEngine
from recipients.bulk.staging import half_of
from recipients.models import Recipient, RejectedRow
from tests.fixtures.lists import Lists, staged_rows, table
from tests.recipients.bulk.conftest import people

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

COUNTS = ("rows", "added", "updated", "unchanged", "kept_safe", "rejected", "duplicates")


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done on a second connection, by name."""
    done: list[str] = []
    start = second.Second.start

    def noted(self: second.Second, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        done.append(work.__name__)
        return start(self, work, *given, **named)

    monkeypatch.setattr(second.Second, "start", noted)
    return done


def damaged(text: str) -> str:
    """With a quote astray, and a row that is too short: one piece is not sound, another cannot be loaded."""
    lines = text.splitlines()
    lines[151] = lines[151].replace("N°", 'N"')
    lines[302] = lines[302].partition(",")[0]
    return "\n".join(lines) + "\n"


def became(lists: Lists, *, name: str) -> list[Any]:
    """What a list becomes by a first import, by one that changes a third, and by one of other people."""
    told: list[Any] = []
    group = None
    for text in (people(400), people(400, city="Bari", every=3), damaged(people(700))):
        change = lists.load(text, into=group, name=name)
        group = change.group
        assert group is not None
        rejected = RejectedRow.objects.filter(change_id=change.pk).order_by("line")
        told += [
            {count: getattr(change, count) for count in COUNTS},
            list(rejected.values_list("line", "code", "cells")),
            {key: (row["email"], row["attributes"]) for key, row in table(group).items()},
        ]
    return told


def test_two_connections_make_the_same_of_a_file_as_one(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, halved: None, halves: list[str]
) -> None:
    in_halves = became(lists, name="Halves")
    assert {"_load_all", "_put_into_order", "_judge_among"} <= set(halves)
    assert staged_rows() == 0
    assert not engine().owners()
    monkeypatch.setattr(second.Second, "is_there", False)
    assert became(lists, name="Whole") == in_halves
    # It is no test without them.
    assert all((in_halves[0]["rejected"], in_halves[0]["duplicates"], in_halves[3]["updated"]))
    assert (303, "row.too_few_fields") in [row[:2] for row in in_halves[7]]


@pytest.mark.parametrize("mark", ["%", "%s", "{", "{table}", "'", "$1", "%middle"])
def test_the_address_in_the_middle_may_hold_any_character(
    lists: Lists, halved: None, halves: list[str], mark: str
) -> None:
    lines = [f"a{mark}{number:03}@example.com,web" for number in range(200)]
    group = lists.group("\n".join(["email,source", *lines]))
    change = lists.load("\n".join(["email,source", *lines]).replace(",web", ",shop"), into=group)
    assert (change.state, change.updated, change.error_code) == ("done", 200, "")
    assert "_judge_among" in halves


def test_without_a_second_connection_one_does_all(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, halved: None, halves: list[str]
) -> None:
    def refused(_second: second.Second) -> bool:
        raise OperationalError("too many connections")

    monkeypatch.setattr(second.Second, "_sees_what_it_needs", refused)
    group = lists.group(people(400))
    assert len(table(group)) == 364
    assert "_load_all" not in halves


def test_what_breaks_on_the_second_connection_is_done_again_from_the_start(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, halved: None
) -> None:
    put_into_order = postgres_raw.RawEngine._put_into_order
    broken: list[str] = []

    def breaking(self: postgres_raw.RawEngine, keyed: str, rows: str, **named: Any) -> int:
        kept = put_into_order(self, keyed, rows, **named)
        if keyed.endswith(half_of("")) and not broken:
            broken.append(keyed)
            # Of a half that is written already.
            raise OperationalError("the connection is gone")
        return kept

    monkeypatch.setattr(postgres_raw.RawEngine, "_put_into_order", breaking)
    group = lists.group(people(400))
    assert broken
    assert len(table(group)) == 364
    assert not engine().owners()


def test_what_two_connections_have_judged_is_judged_anew_when_somebody_edits_the_list(
    lists: Lists, halved: None, halves: list[str]
) -> None:
    group = lists.group(people(400))
    change, job = lists.confirm(people(400, city="Bari"), into=group)
    assert "_judge_among" in halves
    edited = Recipient.objects.filter(group=group).latest("key")
    unsubscribe(edited, actor=lists.actor)
    drain(job)
    change.refresh_from_db()
    edited.refresh_from_db()
    assert (change.state, change.updated) == ("done", 364)
    assert edited.deactivated is not None
    assert edited.attributes["city"] == "Bari"
    assert not engine().owners()


def test_what_breaks_while_the_second_connection_judges_is_judged_again(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, halved: None
) -> None:
    group = lists.group(people(400))
    judge_among = PostgresEngine._judge_among
    broken: list[str] = []

    def breaking(self: PostgresEngine, plan: Plan, *, into: str, **given: Any) -> None:
        judge_among(self, plan, into=into, **given)
        if into.endswith(half_of("")) and not broken:
            broken.append(into)
            raise OperationalError("the connection is gone")

    monkeypatch.setattr(PostgresEngine, "_judge_among", breaking)
    change = lists.load(people(400, city="Bari"), into=group)
    assert broken
    assert (change.state, change.updated) == ("done", 364)
    assert not engine().owners()
