"""The stage of every scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from backupsvc.accounts.models import Account, User
from recipients.actions import loading
from recipients.actions.recipients import remove_recipient, unsubscribe
from recipients.bulk.engine import engine
from recipients.models import Recipient
from tests.crashes import model
from tests.crashes.bell import Bell
from tests.crashes.harness import Harness, everybody, ring_here
from tests.crashes.model import GONE, PEOPLE, Person
from tests.crashes.scenarios import Play, Scenario
from tests.crashes.world import Kept
from tests.fixtures.lists import Lists
from tests.settings import TEST_DATA_DIR

HarnessOf = Callable[..., Harness]


@pytest.fixture
def harness_of(
    transactional_db: None,
    lists: Lists,
    other_account: Account,
    stranger: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Iterator[HarnessOf]:
    """A harness for a scenario: three lists in two accounts, one of which is fought over."""
    made: list[Harness] = []

    def make(scenario: Scenario, *, delivered: int = 1) -> Harness:
        _hasten(monkeypatch)
        others = Lists(account=other_account, owner=stranger)
        others.group(model.file_of(PEOPLE), name="Foreign")
        lists.group(model.file_of(PEOPLE), name="Neighbour")
        group = lists.group(model.file_of({**PEOPLE, GONE: Person("active", name="Gone")}))
        gone = unsubscribe(Recipient.objects.get(group=group, key=GONE), actor=lists.actor)
        remove_recipient(gone, actor=lists.actor)
        bell = Bell(times=delivered)
        ring_here(bell, monkeypatch)
        play = Play(lists=lists, bell=bell, told=lambda: None, group_id=group.pk)
        scenario.prepare(play)
        bell.messages.clear()
        kept = Kept(folder=tmp_path, copy=TEST_DATA_DIR / "kept")
        kept.keep()
        made.append(
            Harness(
                scenario=scenario,
                play=play,
                kept=kept,
                folder=tmp_path,
                others=everybody(but=group.pk),
                opted_out=model.opted_out(group.pk),
            )
        )
        return made[-1]

    yield make
    record_property("crash_runs", sum(harness.runs for harness in made))


def _hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches of few rows, and no waiting for a disk: what dies is a process, not the database."""
    monkeypatch.setattr(loading, "BATCH_ROWS", 3)
    monkeypatch.setattr(type(engine()), "removes_at_once", 2)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
