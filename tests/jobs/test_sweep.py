"""Work that nobody took is rung for again: the database alone decides, never the broker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app
from django.test import TestCase
from kombu.exceptions import OperationalError

from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Job, JobState, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.selectors import oldest_due_seconds
from backupsvc.jobs.sweep import sweep

KIND = "tests.sweep"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids that were rung for."""
    calls: list[int] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda _name, args, **_options: calls.append(args[0]), raising=False
    )
    monkeypatch.setitem(
        runner.HANDLERS, KIND, runner.Handler(run=lambda _claim: None, failed=lambda _job, _refusal: None)
    )
    return calls


def job(account: Account, number: int = 1, **options: object) -> Job:
    return enqueue(KIND, subject_id=number, account=account, queue=Queue.CHANGE, **options)  # type: ignore[arg-type]


def swept() -> int:
    with TestCase.captureOnCommitCallbacks(execute=True):
        return sweep()


def test_the_bell_is_rung_after_the_commit_only(account: Account, rung: list[int]) -> None:
    with TestCase.captureOnCommitCallbacks() as callbacks:
        made = job(account)
    assert rung == []
    for callback in callbacks:
        callback()
    assert rung == [made.pk]


def test_a_lost_message_is_rung_again(account: Account, rung: list[int]) -> None:
    lost = job(account)
    assert swept() == 1
    assert rung == [lost.pk]


def test_a_job_rung_a_moment_ago_is_left_alone(account: Account, rung: list[int]) -> None:
    job(account)
    swept()
    assert swept() == 0
    Job.objects.update(rung_at=database_now() - timedelta(seconds=30))
    assert swept() == 1


def test_a_job_whose_worker_died_is_rung_again(account: Account, rung: list[int]) -> None:
    job(account)
    swept()
    past = database_now() - timedelta(seconds=61)
    Job.objects.update(state=JobState.RUNNING, lease_until=past, rung_at=past)
    assert swept() == 1


def test_a_job_that_waits_for_another_is_not_rung(account: Account, rung: list[int]) -> None:
    needed = job(account, 1)
    job(account, 2, needs=[needed])
    assert swept() == 1
    assert rung == [needed.pk]


def test_a_waiter_that_nobody_told_of_the_failure_fails_in_the_sweep(
    account: Account, rung: list[int]
) -> None:
    needed = job(account, 1)
    waiting = job(account, 2, needs=[needed])
    Job.objects.filter(pk=needed.pk).update(state=JobState.FAILED, error_code="storage.full")
    swept()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.error_code) == (JobState.FAILED, "storage.full")


@pytest.mark.parametrize("problem", [OperationalError("refused"), ConnectionRefusedError(), TimeoutError()])
def test_a_broker_that_is_down_stops_nobody(
    account: Account, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def down(*_args: object, **_options: object) -> None:
        raise problem

    monkeypatch.setattr(current_app, "send_task", down, raising=False)
    with TestCase.captureOnCommitCallbacks(execute=True):
        made = job(account)
    made.refresh_from_db()
    assert (made.state, made.rung_at) == (JobState.DUE, None)


def test_the_age_of_the_oldest_due_job_is_known(account: Account, rung: list[int]) -> None:
    assert oldest_due_seconds() is None
    job(account)
    Job.objects.update(due_at=database_now() - timedelta(seconds=100))
    age = oldest_due_seconds()
    assert age is not None
    assert 99 < age < 160


def test_a_refusal_keeps_its_parameters() -> None:
    assert str(Refusal("file.empty", name="a.csv")) == "file.empty (name='a.csv')"
