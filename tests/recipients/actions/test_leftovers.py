"""Uploads, staged and rejected rows of changes that nobody went on with are gone after a week."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backupsvc.jobs.runner import drain
from recipients.actions import imports, loading
from recipients.actions.changes import cancel_change
from recipients.actions.leftovers import sweep_leftovers
from recipients.actions.loading import Loading
from recipients.bulk.engine import engine
from recipients.models import Change, RejectedRow, StagedRow
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
