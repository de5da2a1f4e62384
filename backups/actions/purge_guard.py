"""Stopping the purge when the clock or the number of backups that are due cannot be right.

A backup that went cannot be brought back, one that stays a day longer can still be removed. So when in
doubt nothing goes, and operators are told: docs/decisions/0018-the-purge-stops-when-in-doubt.md.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from backups.models import PurgeGuard, Snapshot
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import Refusal
from backupsvc.jobs.clock import Uptime

log = logging.getLogger(__name__)

# What a clock may be off by when it is put right, and what changes of summer time can never reach.
CLOCK_TOLERANCE = timedelta(minutes=10)
# Nobody looked at the clock for so long: a weekend off is fine, more is somebody's decision.
MOST_SILENCE = timedelta(days=3)
# A clock that was steady for so long after a jump is believed.
SETTLES = timedelta(days=1)
# So many more than foreseen are nothing strange: people take pins off.
MOST_UNFORESEEN = 25


@dataclass(frozen=True)
class Reading:
    """What the clock said, and how long the machine had been up."""

    at: datetime
    uptime: Uptime


def clock_problem(before: Reading, after: Reading) -> tuple[str, timedelta] | None:
    """What is wrong with the way from one reading to the next, and by how much; None when it is plausible.

    While the machine was not started anew, its uptime tells how much time has really gone by.
    """
    passed = after.at - before.at
    if before.uptime.boot and before.uptime.boot == after.uptime.boot:
        jump = passed - timedelta(seconds=after.uptime.seconds - before.uptime.seconds)
        if abs(jump) > CLOCK_TOLERANCE:
            return ("purge.clock_forward" if jump > timedelta(0) else "purge.clock_back"), abs(jump)
    if passed < -CLOCK_TOLERANCE:
        return "purge.clock_back", -passed
    return ("purge.clock_forward", passed) if passed > MOST_SILENCE else None


@transaction.atomic
def look_at_clock(reading: Reading, *, actor: Actor) -> PurgeGuard:
    """Note the reading; stop the purge after a jump, let it go on when the clock has been steady."""
    guard = PurgeGuard.objects.select_for_update().order_by("pk").first()
    if guard is None:
        guard = PurgeGuard(pk=1, seen_at=reading.at)
    else:
        before = Reading(guard.seen_at, Uptime(boot=guard.boot, seconds=guard.uptime_seconds))
        if problem := clock_problem(before, reading):
            code, jump = problem
            hold(guard, code=code, at=reading.at, actor=actor, hours=round(jump.total_seconds() / 3600, 1))
        elif _has_settled(guard, at=reading.at):
            release(guard, actor=actor)
    guard.seen_at = reading.at
    guard.boot, guard.uptime_seconds = reading.uptime.boot, reading.uptime.seconds
    guard.save()
    return guard


def check_number(guard: PurgeGuard, due: QuerySet[Snapshot], *, at: datetime, actor: Actor) -> None:
    """Stop when far more are due than the last good run foresaw."""
    if guard.held_code or guard.foreseen is None or guard.good_at is None:
        return
    # Made since then: nobody could foresee them.
    count = due.filter(created_at__lte=guard.good_at).count()
    if count > guard.foreseen + MOST_UNFORESEEN:
        hold(guard, code="purge.too_many", at=at, actor=actor, due=count, foreseen=guard.foreseen)


def foresee(guard: PurgeGuard, *, at: datetime) -> None:
    """Note after a good run how many will be due until somebody must have looked again."""
    guard.good_at, guard.foreseen_until = at, at + MOST_SILENCE
    guard.foreseen = Snapshot.objects.filter(expires_at__lte=guard.foreseen_until).count()
    guard.save(update_fields=["good_at", "foreseen", "foreseen_until"])


def hold(guard: PurgeGuard, *, code: str, at: datetime, actor: Actor, **params: Any) -> None:
    """Stop the purge, once for each reason, and tell operators."""
    is_new = guard.held_code != code
    guard.held_code, guard.held_params, guard.held_since = code, params, at
    guard.save()
    log.error("purge held", extra={"reason": code, **params})
    if is_new:
        record("purge.held", account=None, actor=actor, error=code, error_params=params)


def release(guard: PurgeGuard, *, actor: Actor) -> None:
    """Let the purge go on."""
    if not guard.held_code:
        return
    record("purge.released", account=None, actor=actor, error=guard.held_code)
    guard.held_code, guard.held_params, guard.held_since = "", {}, None
    guard.save()


def refusal_of(guard: PurgeGuard) -> Refusal:
    """Why it is held."""
    return Refusal(guard.held_code, **guard.held_params)


def _has_settled(guard: PurgeGuard, *, at: datetime) -> bool:
    """After a jump the clock alone was in doubt; a wrong number needs a person."""
    by_clock = guard.held_code.startswith("purge.clock_")
    return by_clock and guard.held_since is not None and at - guard.held_since >= SETTLES
