"""Claiming a job, running it under a lease, and writing down how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce

from backupsvc.disk import trouble
from backupsvc.errors import Refusal
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job, JobState, JobWait
from backupsvc.jobs.queue import ring

log = logging.getLogger(__name__)

# A worker that says nothing for so long has lost its job (reliability target: recovery within 90 s).
LEASE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 15.0
MOST_ATTEMPTS = 5
DRAIN_PAUSE_SECONDS = 0.1


class LeaseLost(Exception):
    """Another worker has the job now: stop at once, write nothing more."""


class WaitAgain(Exception):
    """The job has found more to wait for (already recorded): give it back without counting a try."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a job, as long as its fence is the newest."""

    job: Job
    fence: int

    def guard(self) -> None:
        """Check the fence and renew the lease. Call first in every transaction that changes data.

        The job's row stays locked until that transaction ends, so nobody can claim it meanwhile.
        Raises LeaseLost.
        """
        self._update(lease_until=database_now() + LEASE)

    def progress(self, *, done: int, total: int | None = None, step: str = "") -> None:
        """Show how far the work is, and renew the lease. Raises LeaseLost.

        Call it outside the data's transaction: inside, nobody would see it.
        """
        shown: dict[str, object] = {"done": done}
        if total is not None:
            shown["total"] = total
        if step:
            shown["step"] = step
        self._update(lease_until=database_now() + LEASE, **shown)

    def _update(self, **values: object) -> None:
        mine = Job.objects.filter(pk=self.job.pk, fence=self.fence, state=JobState.RUNNING)
        if mine.update(**values) != 1:
            raise LeaseLost(f"job {self.job.pk}, fence {self.fence}")


@dataclass(frozen=True)
class Handler:
    """What a kind of job does, and what must be put right when it fails for good.

    `run` may be called again after a crash at any point. `failed` runs in the transaction that records
    the failure.
    """

    run: Callable[[Claim], None]
    failed: Callable[[Job, Refusal], None]


HANDLERS: dict[str, Handler] = {}


def handles(
    kind: str, *, failed: Callable[[Job, Refusal], None] = lambda _job, _refusal: None
) -> Callable[[Callable[[Claim], None]], Callable[[Claim], None]]:
    """Register the decorated function as the work of `kind`."""

    def register(run: Callable[[Claim], None]) -> Callable[[Claim], None]:
        HANDLERS[kind] = Handler(run=run, failed=failed)
        return run

    return register


def run(job_id: int) -> bool:
    """Do the job if it can be claimed now; True when it was this call that worked on it.

    A second delivery of the same message finds nothing to claim and does nothing.
    """
    claim = claim_job(job_id)
    if claim is None:
        return False
    handler = HANDLERS[claim.job.kind]
    try:
        with _kept_alive(claim):
            handler.run(claim)
        _end(claim, state=JobState.DONE)
    except LeaseLost as lost:
        log.warning("lease lost: %s", lost)
    except WaitAgain:
        _give_back(claim)
    except Refusal as refusal:
        log.info("job %s (%s) failed: %s", claim.job.pk, claim.job.kind, refusal.code)
        _fail(claim, refusal=refusal)
    except Exception as problem:
        log.exception("job %s (%s) broke", claim.job.pk, claim.job.kind)
        _retry(claim, problem=problem)
    return True


def claim_job(job_id: int) -> Claim | None:
    """Take the job by compare-and-set: due, or left by a worker whose lease is over. None: not now."""
    now = database_now()
    waiting = JobWait.objects.filter(job=OuterRef("pk")).exclude(awaited__state__in=ENDED)
    free = Q(state=JobState.DUE, due_at__lte=now) | Q(state=JobState.RUNNING, lease_until__lt=now)
    claimed = Job.objects.filter(free, ~Exists(waiting), pk=job_id).update(
        state=JobState.RUNNING,
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        lease_until=now + LEASE,
        started_at=Coalesce(F("started_at"), now),
    )
    if claimed != 1:
        return None
    job = Job.objects.get(pk=job_id)
    claim = Claim(job=job, fence=job.fence)
    if job.attempts > MOST_ATTEMPTS:
        # Its workers died each time: a bug or a poisonous file that must not go round for ever.
        _fail(claim, refusal=Refusal("job.parked", attempts=MOST_ATTEMPTS), state=JobState.PARKED)
        return None
    return claim


def drain(job: Job) -> Job:
    """Work until the job has ended, doing it and what it waits for here where nobody else does.

    So a command with --wait needs no worker.
    """
    while True:
        job.refresh_from_db()
        if job.has_ended:
            return job
        # Not any(): every job that can be claimed now gets its turn.
        if True not in [run(pk) for pk in _needed(job)]:
            time.sleep(DRAIN_PAUSE_SECONDS)


def _needed(job: Job) -> list[int]:
    """The job's id after the ids of all open jobs that it waits for, deepest first."""
    awaited = Job.objects.filter(waiters__job=job).exclude(state__in=ENDED)
    return [pk for other in awaited for pk in _needed(other)] + [job.pk]


def _end(claim: Claim, *, state: JobState, refusal: Refusal | None = None) -> None:
    """Record the end and let the waiting jobs go on, or fail, in one transaction."""
    with transaction.atomic():
        claim.guard()
        job = claim.job
        job.refresh_from_db()
        close(job, state=state, refusal=refusal)


def close(job: Job, *, state: JobState, refusal: Refusal | None) -> None:
    """Record how a job ended, and what follows for those that wait for it. Call inside a transaction."""
    job.state = state
    job.ended_at = database_now()
    job.lease_until = None
    if refusal is not None:
        job.error_code, job.error_params = refusal.code, dict(refusal.params)
        HANDLERS[job.kind].failed(job, refusal)
    job.save(update_fields=["state", "ended_at", "lease_until", "error_code", "error_params"])
    for wait in job.waiters.select_related("job").exclude(job__state__in=ENDED):
        if wait.must_succeed and state != JobState.DONE:
            close(wait.job, state=JobState.FAILED, refusal=refusal or Refusal("job.awaited_cancelled"))
        else:
            ring(wait.job)


def cancel(job: Job) -> bool:
    """Cancel a job that nobody works on; True when that worked. Call inside a transaction.

    Jobs that need it are closed as failed; those that only come after it go on.
    """
    changed = Job.objects.filter(pk=job.pk, state=JobState.DUE).update(
        state=JobState.CANCELLED, ended_at=database_now()
    )
    if changed:
        for wait in job.waiters.select_related("job").exclude(job__state__in=ENDED):
            if wait.must_succeed:
                close(wait.job, state=JobState.FAILED, refusal=Refusal("job.awaited_cancelled"))
            else:
                ring(wait.job)
    return bool(changed)


def _fail(claim: Claim, *, refusal: Refusal, state: JobState = JobState.FAILED) -> None:
    try:
        _end(claim, state=state, refusal=refusal)
    except LeaseLost as lost:
        log.warning("lease lost: %s", lost)


def _retry(claim: Claim, *, problem: Exception) -> None:
    """After a bug or a fault of the surroundings: again later, and park it after the last try.

    Whoever waits for it reads what the surroundings lack, where that is known.
    """
    if claim.job.attempts >= MOST_ATTEMPTS:
        refusal = trouble(problem) or Refusal("job.parked", attempts=MOST_ATTEMPTS)
        _fail(claim, refusal=refusal, state=JobState.PARKED)
        return
    pause = timedelta(seconds=2**claim.job.attempts)
    _release(claim, due_at=database_now() + pause)


def _give_back(claim: Claim) -> None:
    _release(claim, due_at=database_now(), attempts=F("attempts") - 1)
    ring(claim.job)


def _release(claim: Claim, **values: object) -> None:
    mine = Job.objects.filter(pk=claim.job.pk, fence=claim.fence, state=JobState.RUNNING)
    mine.update(state=JobState.DUE, lease_until=None, **values)


@contextmanager
def _kept_alive(claim: Claim) -> Iterator[None]:
    """Renew the lease from a second thread while the work is in a long statement."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(claim, stop), daemon=True, name=f"lease-{claim.job.pk}")
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _beat(claim: Claim, stop: threading.Event) -> None:
    """Stops by itself when the lease is lost: the work finds out at its next guard."""
    try:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                claim.guard()
            except LeaseLost:
                return
            except DatabaseError as problem:
                log.warning("heartbeat of job %s failed: %s", claim.job.pk, problem)
    finally:
        connection.close()
