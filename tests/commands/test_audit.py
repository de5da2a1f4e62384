"""manage.py audit: whoever changes, removes, adds or moves a log entry is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from backupsvc.accounts import guard
from backupsvc.accounts.actions.sealing import anchor_log, seal_log
from backupsvc.accounts.models import AuditEntry, AuditSeal, User
from tests.commands.conftest import Run
from tests.fixtures.lists import Lists
from tests.fixtures.unguarded import unguarded


@pytest.fixture
def log(lists: Lists, anchors_dir: Path) -> list[int]:
    """The numbers of the entries of a small story, sealed and anchored."""
    news = lists.group("email,First name\nanna@x.com,Anna\nbob@x.com,Bob\n")
    lists.load("email\ncarl@x.com\n", into=news)
    seal_log()
    lists.load("email\ndora@x.com\n", into=news)
    anchor_log()
    return list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is done to the database inside is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def wrong(run: Run) -> list[dict[str, Any]]:
    done = run("audit", "verify", "--json")
    assert done.code == (0 if done.json["ok"] else 1)
    assert done.json["ok"] is not bool(done.json["wrong"])
    return done.json["wrong"]  # type: ignore[no-any-return]


def change(pk: int, **values: object) -> None:
    with unguarded():
        AuditEntry._base_manager.filter(pk=pk).update(**values)


def remove(*pks: int) -> None:
    with unguarded():
        AuditSeal._base_manager.filter(entry_id__in=pks).delete()
        AuditEntry._base_manager.filter(pk__in=pks).delete()


def changed_value(column: str, value: Any, *, others: User) -> Any:
    """Another value of the same kind."""
    if column == "user_id":
        return others.pk if value != others.pk else None
    if column == "at":
        return value.replace(microsecond=(value.microsecond + 1) % 10**6)
    if column == "data":
        return {**value, "count": 10**6}
    if column == "group_id":
        return (value or 0) + 1
    return f"{value[:-1]}~" if value else "~"


def test_a_log_that_nobody_touched_is_sound(run: Run, log: list[int]) -> None:
    done = run("audit", "verify", "--json").json
    assert (done["ok"], done["sealed"], done["unsealed"], done["wrong"]) == (True, len(log), 0, [])
    assert done["anchors"] == 2
    assert "as it was written" in run("audit", "verify").out


def test_each_change_of_each_value_of_each_entry_is_found(run: Run, log: list[int], stranger: User) -> None:
    columns = ["at", "user_id", "user_label", "origin", "event", "group_id", "target", "data", "salt"]
    for row in AuditEntry.objects.order_by("pk").values():
        values = dict[str, Any](row)
        for column in [*columns, "key_id", "signature"]:
            with undone():
                change(row["id"], **{column: changed_value(column, values[column], others=stranger)})
                found = wrong(run)
                assert found, (row["id"], column)
                assert found[0]["entry"] == row["id"]
    assert wrong(run) == []


def test_each_entry_that_is_removed_is_found_also_the_last_ones(run: Run, log: list[int]) -> None:
    for pk in log:
        with undone():
            remove(pk)
            assert wrong(run), pk
    for length in range(1, len(log) + 1):
        with undone():
            remove(*log[-length:])
            assert "cut off" in wrong(run)[-1]["what"], length
    assert wrong(run) == []


def test_what_is_written_after_the_end_was_cut_off_does_not_hide_it(
    run: Run, log: list[int], lists: Lists
) -> None:
    with undone():
        remove(log[-1])
        lists.group("email\nemil@x.com\n", name="Later")
        seal_log()
        assert "outside the database" in wrong(run)[0]["what"]


@pytest.mark.sqlite
def test_an_entry_whose_seal_is_left_is_missed(run: Run, log: list[int]) -> None:
    with undone():
        with unguarded(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_auditentry WHERE id = %s", [log[2]])
        found = wrong(run)
        assert (found[0]["entry"], found[0]["position"]) == (log[2], 3)


def test_entries_that_change_places_are_found(run: Run, log: list[int]) -> None:
    for first, second in pairwise(log):
        one, other = (AuditEntry.objects.filter(pk=pk).values().get() for pk in (first, second))
        with undone():
            # The salt is unique: it must be free while they swap.
            change(first, salt="-")
            change(second, **{name: value for name, value in one.items() if name != "id"})
            change(first, **{name: value for name, value in other.items() if name != "id"})
            assert wrong(run)[0]["entry"] == first
        seals = [AuditSeal.objects.filter(entry_id=pk).values().get() for pk in (first, second)]
        with undone():
            with unguarded():
                AuditSeal._base_manager.filter(entry_id__in=(first, second)).delete()
            for seal, pk in zip(seals, (second, first), strict=True):
                AuditSeal.objects.create(**{**seal, "entry_id": pk})
            assert wrong(run)[0]["position"] == seals[0]["position"]
    assert wrong(run) == []


@pytest.mark.parametrize("sealed", [True, False])
def test_an_entry_that_was_put_in_is_found(sealed: bool, run: Run, log: list[int]) -> None:
    row = AuditEntry.objects.filter(pk=log[1]).values().get()
    with undone():
        forged = {**row, "id": None, "salt": "forged", "target": "Nobody"}
        super(AuditEntry, entry := AuditEntry(**forged)).save(force_insert=True)
        if sealed:
            seal_log(thoroughly=True)
        assert [place["entry"] for place in wrong(run)] == [entry.pk]


def test_a_copy_cannot_be_put_in(run: Run, log: list[int]) -> None:
    row = AuditEntry.objects.filter(pk=log[1]).values().get()
    with pytest.raises(DatabaseError, match=r"(?i)unique"), transaction.atomic():
        super(AuditEntry, AuditEntry(**{**row, "id": None})).save(force_insert=True)


def test_the_database_refuses_to_change_or_remove_what_was_written(log: list[int]) -> None:
    statements = [
        "UPDATE accounts_auditentry SET target = 'x'",
        "DELETE FROM accounts_auditentry WHERE origin = 'ui'",
        "UPDATE accounts_auditseal SET digest = 'x'",
        "DELETE FROM accounts_auditseal",
    ]
    if connection.vendor == "postgresql":
        statements += ["TRUNCATE accounts_auditseal", "TRUNCATE accounts_auditentry CASCADE"]
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in statements:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert AuditEntry.objects.count() == len(log)


def test_a_database_that_lost_its_triggers_is_named(run: Run, log: list[int]) -> None:
    assert guard.unprotected(connection) == []
    with connection.cursor() as cursor:
        on = " ON accounts_auditseal" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER accounts_auditseal_no_delete{on}")
    assert "accounts_auditseal" in wrong(run)[0]["what"]
    guard.protect()
    assert wrong(run) == []


def test_a_new_key_leaves_the_old_entries_sound(run: Run, log: list[int], settings: Settings) -> None:
    old, settings.AUDIT_KEY = settings.AUDIT_KEY, "another key of the log"
    assert "AUDIT_KEY_FALLBACKS" in wrong(run)[0]["what"]
    settings.AUDIT_KEY_FALLBACKS = [old]
    settings.SECRET_KEY = "another secret"
    run("create_account", "later", "--owner", "later@example.com", "--password", "correct horse battery")
    assert run("audit", "seal", "--json").json == {"sealed": 1}
    assert wrong(run) == []
    assert len(set(AuditSeal.objects.values_list("key_id", flat=True))) == 2


def test_an_anchor_kept_elsewhere_finds_a_chain_that_was_written_anew(
    run: Run, log: list[int], anchors_dir: Path
) -> None:
    anchor = run("audit", "anchor").out.strip()
    assert run("audit", "verify", "--anchor", anchor).code == 0
    assert run("audit", "verify", "--anchor", f"{len(log)}:{'0' * 64}").code == 1
    assert run("audit", "verify", "--anchor", "what").code == 2
    kept = [json.loads(line) for line in (anchors_dir / "anchors.jsonl").read_text().splitlines()]
    assert {f"{line['position']}:{line['digest']}" for line in kept} == {anchor}


def test_anchors_that_nobody_can_read_are_named(run: Run, log: list[int], anchors_dir: Path) -> None:
    (anchors_dir / "anchors.jsonl").write_text("nonsense\n")
    assert "anchors.jsonl" in wrong(run)[0]["what"]


def test_entries_are_sealed_once_in_the_order_in_which_they_appear(log: list[int]) -> None:
    assert list(AuditSeal.objects.values_list("entry_id", flat=True)) == log
    assert seal_log() == 0


def test_an_entry_that_others_overtook_is_sealed_after_them(
    run: Run, log: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with unguarded():
        AuditSeal._base_manager.filter(entry_id__in=log[3:]).delete()
    late = log[3]
    monkeypatch.setattr("backupsvc.accounts.actions.sealing.LOOKED_BACK", len(log) - 4)
    seal_log()
    assert not AuditSeal.objects.filter(entry_id=late).exists()
    seal_log(thoroughly=True)
    assert AuditSeal.objects.latest("position").entry_id == late


def test_numbers_are_the_same_before_and_after_the_database(run: Run, lists: Lists) -> None:
    data = {"a": 1.50, "b": 1e22, "c": -0.0, "d": 10**20, "e": [0.1, None, True, "ä\u2028"], "f": {"1": 1e-7}}
    AuditEntry.objects.create(account=lists.account, event="account.created", origin="ui", data=data)
    seal_log()
    assert wrong(run) == []
