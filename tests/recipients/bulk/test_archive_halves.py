"""A long archive is staged by two connections, each half of it, and becomes the list that it was."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.db import OperationalError

from backups.actions.restore import plan_restore
from backups.archive.manifest import ArchiveDamaged
from backups.models import Snapshot
from backupsvc.jobs.runner import drain
from recipients.actions.changes import confirm_change
from recipients.actions.recipients import unsubscribe
from recipients.bulk import copytext, postgres, second
from recipients.bulk.copytext import Rest, RowBroken, move_lines
from recipients.bulk.engine import engine
from recipients.bulk.postgres import PostgresEngine
from recipients.bulk.staging import half_of
from recipients.models import Change, Group, Recipient
from tests.fixtures.lists import Lists, staged_rows, table

PEOPLE = "\n".join(["email,city", *(f"p{number:03}@example.com,Rome" for number in range(150))])
# A change that there is not.
UNKNOWN = 999_999
on_postgres = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


class Broken(io.BytesIO):
    """A file that cannot be read to its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        if data := super().read(size):
            return data
        raise ArchiveDamaged("archive.unreadable")


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Short archives are halved as long ones are: the tables, from which row on, and how many rows."""
    monkeypatch.setattr(postgres, "HALVED_FROM", 1)
    # A block holds a few rows.
    monkeypatch.setattr(copytext, "_BLOCK_BYTES", 300)
    done: list[tuple[str, int, int]] = []
    load_lines = PostgresEngine._load_lines

    def noted(self: PostgresEngine, table: str, *, stream: Any, first: int = 1) -> int:
        count = load_lines(self, table, stream=stream, first=first)
        done.append((table, first, count))
        return count

    monkeypatch.setattr(PostgresEngine, "_load_lines", noted)
    return done


@pytest.fixture
def backed_up(lists: Lists) -> tuple[Group, Snapshot]:
    group = lists.group(PEOPLE)
    lists.load("email,city\nnew@example.com,Bern\n", into=group)
    return group, Snapshot.objects.get(group=group)


@pytest.mark.parametrize("is_alone", [False, True])
class TestOnPostgres:
    pytestmark = on_postgres

    def test_a_list_comes_back_as_it_was(
        self,
        lists: Lists,
        backed_up: tuple[Group, Snapshot],
        halves: list[tuple[str, int, int]],
        monkeypatch: pytest.MonkeyPatch,
        is_alone: bool,
    ) -> None:
        if is_alone:
            monkeypatch.setattr(second.Second, "is_there", False)
        group, snapshot = backed_up
        before = {key: row for key, row in table(group).items() if key != "new@example.com"}
        gone = Recipient.objects.get(group=group, key="p120@example.com")
        unsubscribe(gone, actor=lists.actor)
        restore, job = plan_restore(snapshot, actor=lists.actor, new_name="Again")
        drain(job)
        change = Change.objects.get(pk=restore.pk)
        # Its number in the whole archive, not in its half.
        assert [row["line"] for row in change.preview["kept_safe_rows"]] == [121]
        drain(confirm_change(change, actor=lists.actor))
        change.refresh_from_db()
        assert change.group is not None
        found = table(change.group)
        assert found.pop("p120@example.com")["deactivated"]
        assert found == {key: row for key, row in before.items() if key != "p120@example.com"}
        assert (change.state, change.rows, change.added, change.kept_safe) == ("done", 150, 149, 1)
        self.was_halved(halves, is_alone=is_alone)
        assert staged_rows() == 0
        assert not engine().owners()

    def was_halved(self, halves: list[tuple[str, int, int]], *, is_alone: bool) -> None:
        counts = sorted((first, count) for _table, first, count in halves)
        if is_alone:
            assert counts == [(1, 150)]
            return
        (_, below), (first, above) = counts
        assert below + above == 150
        assert first == below + 1
        assert below > 60
        assert above > 60

    @pytest.mark.parametrize("share", [0.2, 0.8])
    def test_an_archive_that_cannot_be_read_to_its_end_is_named_and_leaves_no_row(
        self,
        backed_up: tuple[Group, Snapshot],
        halves: list[tuple[str, int, int]],
        monkeypatch: pytest.MonkeyPatch,
        is_alone: bool,
        share: float,
    ) -> None:
        if is_alone:
            monkeypatch.setattr(second.Second, "is_there", False)
        group, _snapshot = backed_up
        rows = io.BytesIO()
        engine().dump(group.pk, sink=rows)
        engine().open_copytext(UNKNOWN)
        broken = Broken(rows.getvalue()[: int(len(rows.getvalue()) * share)])
        with pytest.raises(ArchiveDamaged, match=r"archive\.unreadable"):
            engine().stage_copytext(UNKNOWN, stream=broken, rows=150)
        assert engine().staged(UNKNOWN) == 0
        engine().clear(UNKNOWN)
        assert not engine().owners()

    def test_what_breaks_on_the_second_connection_is_staged_again(
        self,
        lists: Lists,
        backed_up: tuple[Group, Snapshot],
        halves: list[tuple[str, int, int]],
        monkeypatch: pytest.MonkeyPatch,
        is_alone: bool,
    ) -> None:
        load_lines, broken = PostgresEngine._load_lines, list[str]()

        def breaking(self: PostgresEngine, table: str, **given: Any) -> int:
            count = load_lines(self, table, **given)
            if table.endswith(half_of("")) != is_alone and not broken:
                broken.append(table)
                raise OperationalError("the connection is gone")
            return count

        monkeypatch.setattr(PostgresEngine, "_load_lines", breaking)
        change = lists.restore(backed_up[1], new_name="Again")
        assert broken
        assert change.group is not None
        assert (change.state, change.added, len(table(change.group))) == ("done", 150, 150)
        assert not engine().owners()


@pytest.mark.once
@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("block", [1, 3, 4, 100])
def test_lines_are_moved_whole(monkeypatch: pytest.MonkeyPatch, most: int, block: int) -> None:
    monkeypatch.setattr(copytext, "_BLOCK_BYTES", block)
    text = b"one\ntwo\n\nfour"
    stream, moved = io.BytesIO(text), io.BytesIO()
    count, begun = move_lines(stream, into=moved, most=most)
    assert count == moved.getvalue().count(b"\n")
    assert count >= min(most, 3)
    assert moved.getvalue() in (b"", b"one\n", b"one\ntwo\n", b"one\ntwo\n\n")
    rest = Rest(begun, stream)
    assert moved.getvalue() + b"".join(iter(lambda: rest.read(2), b"")) == text


@pytest.mark.once
def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copytext, "MAX_ROW_BYTES", 1_000_000)
    with pytest.raises(RowBroken, match="row_broken"):
        move_lines(io.BytesIO(b"one\n" + b"x" * 3_000_000), into=io.BytesIO(), most=5)
