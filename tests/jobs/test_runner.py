"""A job is done once, whatever happens to its messages and its workers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Job, JobState, Queue
from backupsvc.jobs.queue import enqueue, wait_for
from backupsvc.jobs.runner import Claim, LeaseLost, WaitAgain

KIND = "tests.work"


class Work:
    """A kind of job that notes what happened and does what the test says."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.failures: list[tuple[int, str]] = []
        self.raises: list[BaseException] = []

    def run(self, claim: Claim) -> None:
        if self.raises:
            raise self.raises.pop(0)
        with transaction.atomic():
            claim.guard()
            self.done.append(claim.job.subject_id)

    def failed(self, job: Job, refusal: Refusal) -> None:
        self.failures.append((job.subject_id, refusal.code))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setitem(runner.HANDLERS, KIND, runner.Handler(run=work.run, failed=work.failed))
    return work


def job(account: Account, number: int = 1, **options: object) -> Job:
    return enqueue(KIND, subject_id=number, account=account, queue=Queue.CHANGE, **options)  # type: ignore[arg-type]


def state(job: Job) -> JobState:
    job.refresh_from_db()
    return JobState(job.state)


def test_a_second_delivery_of_the_same_message_does_nothing(account: Account, work: Work) -> None:
    first = job(account)
    assert runner.run(first.pk) is True
    assert runner.run(first.pk) is False
    assert work.done == [1]
    assert state(first) == JobState.DONE


def test_a_job_that_somebody_works_on_is_not_claimed_twice(account: Account, work: Work) -> None:
    claim = runner.claim_job(job(account).pk)
    assert claim is not None
    assert runner.claim_job(claim.job.pk) is None


def test_a_job_of_a_dead_worker_is_claimed_when_its_lease_is_over(account: Account, work: Work) -> None:
    dead = runner.claim_job(job(account).pk)
    assert dead is not None
    Job.objects.update(lease_until=database_now() - timedelta(seconds=1))
    assert runner.run(dead.job.pk) is True
    assert work.done == [1]
    with pytest.raises(LeaseLost):
        dead.guard()


def test_a_worker_that_lost_its_lease_cannot_end_the_job(account: Account, work: Work) -> None:
    slow = runner.claim_job(job(account).pk)
    assert slow is not None
    Job.objects.update(lease_until=database_now() - timedelta(seconds=1))
    quick = runner.claim_job(slow.job.pk)
    assert quick is not None
    with pytest.raises(LeaseLost):
        slow.progress(done=1)
    quick.progress(done=5, total=10, step="read")
    slow.job.refresh_from_db()
    assert (slow.job.done, slow.job.percent) == (5, 50)


def test_a_refusal_fails_the_job_with_its_code(account: Account, work: Work) -> None:
    work.raises = [Refusal("storage.full", detail="x")]
    failing = job(account)
    runner.run(failing.pk)
    assert state(failing) == JobState.FAILED
    assert (failing.error_code, failing.error_params) == ("storage.full", {"detail": "x"})
    assert work.failures == [(1, "storage.full")]


def test_a_bug_is_tried_again_and_parked_after_five_tries(account: Account, work: Work) -> None:
    work.raises = [ValueError("bug")] * 5
    broken = job(account)
    for attempt in range(1, 6):
        Job.objects.update(due_at=database_now())
        assert runner.run(broken.pk)
        broken.refresh_from_db()
        assert broken.attempts == attempt
    assert state(broken) == JobState.PARKED
    assert work.failures == [(1, "job.parked")]
    assert not runner.run(broken.pk)


def test_a_job_that_kills_its_worker_each_time_is_parked(account: Account, work: Work) -> None:
    poisonous = job(account)
    for _ in range(5):
        assert runner.claim_job(poisonous.pk) is not None
        Job.objects.update(lease_until=database_now() - timedelta(seconds=1))
    assert not runner.run(poisonous.pk)
    assert state(poisonous) == JobState.PARKED
    assert work.done == []


def test_a_job_waits_until_what_it_needs_is_done(account: Account, work: Work) -> None:
    needed = job(account, 1)
    waiting = job(account, 2, needs=[needed])
    assert not runner.run(waiting.pk)
    runner.run(needed.pk)
    assert runner.run(waiting.pk)
    assert work.done == [1, 2]


def test_a_failed_job_fails_those_that_need_it_with_its_reason(account: Account, work: Work) -> None:
    needed = job(account, 1)
    waiting = job(account, 2, needs=[needed])
    last = job(account, 3, needs=[waiting])
    work.raises = [Refusal("storage.full")]
    runner.run(needed.pk)
    assert state(waiting) == state(last) == JobState.FAILED
    assert work.failures == [(1, "storage.full"), (2, "storage.full"), (3, "storage.full")]


def test_a_job_that_only_comes_after_another_runs_though_that_failed(account: Account, work: Work) -> None:
    before = job(account, 1)
    later = job(account, 2, after=[before])
    work.raises = [Refusal("storage.full")]
    runner.run(before.pk)
    assert runner.run(later.pk)
    assert work.done == [2]


def test_a_job_that_found_more_to_wait_for_is_given_back_without_counting_a_try(
    account: Account, work: Work
) -> None:
    patient, other = job(account, 1), job(account, 2)
    work.raises = [WaitAgain()]
    wait_for(patient, awaited=other, must_succeed=True)
    Job.objects.filter(pk=other.pk).update(state=JobState.DONE)
    runner.run(patient.pk)
    patient.refresh_from_db()
    assert (patient.state, patient.attempts) == (JobState.DUE, 0)


def test_a_job_is_not_run_before_it_is_due(account: Account, work: Work) -> None:
    later = job(account, 1, due_at=database_now() + timedelta(hours=1))
    assert not runner.run(later.pk)
    assert work.done == []


def test_cancelling_a_job_fails_those_that_need_it(account: Account, work: Work) -> None:
    needed = job(account, 1)
    waiting = job(account, 2, needs=[needed])
    with transaction.atomic():
        assert runner.cancel(needed)
    assert state(needed) == JobState.CANCELLED
    assert state(waiting) == JobState.FAILED


def test_a_running_job_cannot_be_cancelled(account: Account, work: Work) -> None:
    claim = runner.claim_job(job(account).pk)
    assert claim is not None
    with transaction.atomic():
        assert not runner.cancel(claim.job)
    assert state(claim.job) == JobState.RUNNING


def test_draining_a_job_does_what_it_waits_for_first(account: Account, work: Work) -> None:
    needed = job(account, 1)
    waiting = job(account, 2, needs=[needed])
    assert runner.drain(waiting).state == JobState.DONE
    assert work.done == [1, 2]
