"""While many others use the database, bulk work leaves a core to them, and does the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from threading import Event
from typing import Any

import psycopg2
import pytest
from django.db import connection

from recipients.bulk import crowd, second
from recipients.bulk.postgres_raw import RawEngine
from tests.fixtures.lists import Lists, table
from tests.recipients.bulk.conftest import people

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

Ask = Callable[[Any, Event], None]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the import's own (with its second one, and one that has just ended)."""
    monkeypatch.setattr(crowd, "MOST", 6)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What an import has taken for itself: "second connection", "parallel plans"."""
    found: set[str] = set()
    start, set_planner = second.Second.start, RawEngine._set_planner

    def noted(self: second.Second, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if work.__name__ in {"_load", "_put_into_order", "_judge_among"}:
            found.add("second connection")
        return start(self, work, *given, **named)

    def planned(self: RawEngine, **named: Any) -> None:
        set_planner(self, **named)
        for setting in ("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"):
            if self.execute(f"SHOW {setting}", []) != [("0",)]:
                found.add("parallel plans")

    monkeypatch.setattr(second.Second, "start", noted)
    monkeypatch.setattr(RawEngine, "_set_planner", planned)
    return found


@contextmanager
def people_asking(count: int, ask: Ask) -> Iterator[None]:
    """So many connections of others, each busy with what it asks."""
    given = connection.get_connection_params()
    given.pop("cursor_factory", None)
    is_over = Event()
    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        others = [stack.enter_context(closing(psycopg2.connect(**given))) for _ in range(count)]
        for other in others:
            other.autocommit = True
            threads.submit(ask, other, is_over)
        # Each has begun.
        time.sleep(0.2)
        try:
            yield
        finally:
            is_over.set()
            for other in others:
                other.cancel()


def one_long_statement(other: Any, _is_over: Event) -> None:
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")


def many_short_ones(other: Any, is_over: Event) -> None:
    """As a page's connection: idle whenever one looks."""
    with other.cursor() as cursor:
        while True:
            cursor.execute("SELECT 1")
            if is_over.wait(0.4):
                return


@pytest.mark.parametrize("ask", [one_long_statement, many_short_ones])
def test_a_file_is_taken_in_on_one_core_while_many_ask(
    lists: Lists, halved: None, taken: set[str], ask: Ask
) -> None:
    with people_asking(9, ask):
        group = lists.group(people(400))
        change = lists.load(people(400, city="Bari"), into=group)
    assert taken == set()
    assert (len(table(group)), change.updated) == (364, 364)


@pytest.mark.parametrize(("cores", "helpers"), [(2, {"0"}), (8, {"2"})])
def test_helpers_join_in_a_half_of_a_pass_only_where_a_core_is_left_for_them(
    lists: Lists, halved: None, monkeypatch: pytest.MonkeyPatch, cores: int, helpers: set[str]
) -> None:
    set_planner, found = RawEngine._set_planner, set[str]()

    def planned(self: RawEngine, *, is_half: bool = False) -> None:
        set_planner(self, is_half=is_half)
        if is_half:
            found.add(str(self.execute("SHOW max_parallel_workers_per_gather", [])[0][0]))

    monkeypatch.setattr(RawEngine, "_set_planner", planned)
    monkeypatch.setattr(crowd, "CORES", cores)
    assert len(table(lists.group(people(400)))) == 364
    assert found == helpers


def test_a_few_who_ask_keep_nothing_from_an_import(lists: Lists, halved: None, taken: set[str]) -> None:
    with people_asking(2, one_long_statement):
        group = lists.group(people(400))
        change = lists.load(people(400, city="Bari"), into=group)
    assert taken == {"second connection", "parallel plans"}
    assert (len(table(group)), change.updated) == (364, 364)
