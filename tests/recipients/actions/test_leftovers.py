"""Uploads, staged and rejected rows of changes that nobody went on with are gone after a week."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backupsvc.errors import Refusal
from backupsvc.jobs.runner import drain
from recipients.actions import imports, loading
from recipients.actions.changes import cancel_change, change_failed, confirm_change, discard_change
from recipients.actions.leftovers import sweep_leftovers
from recipients.actions.loading import Loading
from recipients.actions.retry import retry_import
from recipients.bulk.engine import engine
from recipients.models import Change, Import, RejectedRow, StagedRow
from tests.fixtures.lists import Lists, staged_rows

PEOPLE = "email\nanna@example.com\nbroken\n"


def in_days(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(days=days))


def test_an_abandoned_import_is_ended_and_cleaned_up_after_a_week(
    lists: Lists, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.preview(PEOPLE)
    in_days(monkeypatch, 6.9)
    assert sweep_leftovers() == 0
    assert staged_rows() == 1
    in_days(monkeypatch, 0.2)
    assert sweep_leftovers() == 1
    assert Change.objects.get().state == "cancelled"
    assert (staged_rows(), RejectedRow.objects.count()) == (0, 0)
    assert not [path for path in uploads.rglob("*") if path.is_file()]


@pytest.mark.django_db(transaction=True)  # an upload goes when its change's end is committed
def test_an_import_that_stopped_can_be_tried_again_for_a_week(
    lists: Lists, uploads: Path, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group("email\nbob@example.com\n")
    archives.rmdir()
    archives.write_text("not a folder")
    assert lists.load(PEOPLE, into=group).state == "failed"
    in_days(monkeypatch, 6.9)
    sweep_leftovers()
    assert len([path for path in uploads.rglob("*") if path.is_file()]) == 1
    in_days(monkeypatch, 0.2)
    sweep_leftovers()
    assert not [path for path in uploads.rglob("*") if path.is_file()]


def test_a_confirmed_import_is_left_alone(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    lists.confirm(PEOPLE)
    in_days(monkeypatch, 8)
    assert sweep_leftovers() == 0
    assert staged_rows() == 1


def test_an_import_that_is_cancelled_while_it_is_read_leaves_no_row(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lists.draft("email,name\n" + "".join(f"Ann <p{n}@example.com>,{n}\n" for n in range(30)))
    monkeypatch.setattr(loading, "ODD_ROWS", 10)
    monkeypatch.setattr(loading, "BATCH_ROWS", 10)
    monkeypatch.setattr(loading, "PIECE_BYTES", 300)
    count, seen = Loading._count, list[int]()

    def counting(self: Loading, *, read: int, rejected: int = 0) -> None:
        count(self, read=read, rejected=rejected)
        if staged_rows() and not seen:
            seen.append(staged_rows())
            cancel_change(Change.objects.get(pk=run.pk), actor=lists.actor)
            # What was on its way when the change was ended.
            StagedRow.objects.create(change_id=run.pk, line=99, key="x@example.com", email="x@example.com",
                                     domain="example.com", attributes={})  # fmt: skip

    monkeypatch.setattr(Loading, "_count", counting)
    job = drain(imports.stage(run, actor=lists.actor))
    assert (job.state, seen != []) == ("done", True)
    assert Change.objects.get(pk=run.pk).state == "cancelled"
    assert (staged_rows(), engine().owners()) == (0, [])


def test_rows_that_a_dead_worker_left_of_a_cancelled_import_are_swept(lists: Lists) -> None:
    kept, ended = lists.preview(PEOPLE), lists.preview(PEOPLE, name="Other")
    cancel_change(ended, actor=lists.actor)
    for change in (kept, ended):
        StagedRow.objects.create(change_id=change.pk, line=9, key="x@example.com", email="x@example.com",
                                 domain="example.com", attributes={})  # fmt: skip
    sweep_leftovers()
    assert list(StagedRow.objects.values_list("change_id", flat=True)) == [kept.pk]


def test_rejected_rows_can_be_downloaded_for_a_week(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    lists.load(PEOPLE)
    sweep_leftovers()
    assert RejectedRow.objects.count() == 1
    in_days(monkeypatch, 7.1)
    sweep_leftovers()
    assert RejectedRow.objects.count() == 0


Ending = Callable[[Lists, Change], None]


def cancelled(lists: Lists, change: Change) -> None:
    cancel_change(change, actor=lists.actor)


def discarded(lists: Lists, change: Change) -> None:
    discard_change(change, actor=lists.actor)


def stopped_after_its_confirmation(lists: Lists, change: Change) -> None:
    confirm_change(change, actor=lists.actor, backup=True)
    cancel_change(change, actor=lists.actor)


def failed(lists: Lists, change: Change) -> None:
    job = confirm_change(change, actor=lists.actor, backup=True)
    change_failed(job, Refusal("archive.disk_full"))


def tried_again(lists: Lists, change: Change) -> None:
    failed(lists, change)
    cancel_change(retry_import(change, actor=lists.actor), actor=lists.actor)


def abandoned(lists: Lists, change: Change) -> None:
    """Nobody goes on with it."""


def done(lists: Lists, change: Change) -> None:
    drain(confirm_change(change, actor=lists.actor, backup=True))


def named(kept: object) -> set[str]:
    """Who is found in what a change keeps."""
    return {name for name in ("anna@", "eva@") if name in json.dumps(kept)}


@pytest.mark.parametrize(
    "end", [cancelled, discarded, stopped_after_its_confirmation, failed, tried_again, abandoned, done]
)
def test_nobody_is_named_by_a_change_a_week_after_its_end(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, end: Ending
) -> None:
    group = lists.group("email,status\neva@example.com,unsubscribed\n")
    rows = "eva@example.com,active\nAnn <anna@example.com>,active\n"
    change = lists.preview(f"email,status\n{rows}", into=group)
    assert named(change.preview) == {"eva@", "anna@"}
    end(lists, change)
    in_days(monkeypatch, 7.1)
    sweep_leftovers()
    ended = Change.objects.select_related("import_run").filter(pk__gte=change.pk)
    assert [one.has_ended for one in ended] == [True] * len(ended)
    assert named([[one.preview, one.import_run.dialect] for one in ended]) == set()
    assert all("rows" in one.preview for one in ended if one.pk == change.pk)


def test_an_import_that_was_tried_again_shows_the_cells_of_its_file_once(lists: Lists) -> None:
    change = lists.preview(PEOPLE)
    failed(lists, change)
    again = retry_import(change, actor=lists.actor)
    runs = Import.objects.order_by("pk")
    assert [named(run.dialect) for run in runs] == [set(), {"anna@"}]
    assert again.pk == runs[1].pk


def test_what_an_older_version_kept_of_a_change_goes(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    change = lists.preview(PEOPLE)
    dialect = Import.objects.get().dialect
    cancel_change(change, actor=lists.actor)
    Import.objects.update(dialect=dialect)
    in_days(monkeypatch, 7.1)
    sweep_leftovers()
    assert named(Import.objects.get().dialect) == set()


def test_an_upload_whose_process_died_before_it_was_noted_goes(
    lists: Lists, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.preview(PEOPLE)
    stray = uploads / "1" / "stray"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    sweep_leftovers()
    assert stray.exists()
    in_days(monkeypatch, 7.1)
    Change.objects.update(created_at=timezone.now())
    sweep_leftovers()
    assert not stray.exists()
    assert len([path for path in uploads.rglob("*") if path.is_file()]) == 1
