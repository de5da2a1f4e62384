"""Is the process alive, and can it do its work? For load balancers and monitoring, as JSON.

`/healthz` answers as long as the process does. `/readyz` asks what a request needs; one that fails makes
it 503, so that a load balancer sends people elsewhere. What needs an operator but is the same for every
web process (late work, a held purge) is a warning: the answer stays 200. The answers hold no secrets and
no data: "failed" and the kind of error, the details are in the log. All fields: docs/operations.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from backups import storage
from backups.actions.keys import check_instance_keys
from backups.keyring import KeyUnusable
from backups.models import PurgeGuard, Snapshot, SnapshotState
from backupsvc.accounts.actions.sealing import unsealed
from backupsvc.jobs import selectors as jobs
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.heartbeat import last_beats

log = logging.getLogger(__name__)

# A doorbell rings at once and the sweep comes every 5 seconds: after two minutes nobody works.
JOBS_ARE_LATE_AFTER_SECONDS = 120
ANSWERS_HOLD_SECONDS = 3
# How old the last good end of periodic work may be: several of its turns.
LATE_AFTER_SECONDS = {"sweep": 120, "purge": 3 * 3600, "verify": 3 * 3600, "log": 600}


class _Answers(NamedTuple):
    """What the probes said, and when (on the monotonic clock)."""

    asked_at: float
    answers: dict[str, dict[str, Any]]


# The newest answers of this process, or nothing.
_latest: list[_Answers] = []


class NotReady(Exception):
    """The thing asked works, but not as it should; the message is shown."""


class Late(Exception):
    """Work that should have been done was not, which no other web process can help; the message is shown."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.details = details


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when everything that a request needs is there, else 503; one entry for each thing."""
    checks = _checks()
    found = {check["status"] for check in checks.values()}
    status = next((word for word in ("failed", "warning") if word in found), "ok")
    return JsonResponse({"status": status, "checks": checks}, status=503 if status == "failed" else 200)


def _checks() -> dict[str, dict[str, Any]]:
    """The answers, at most a few seconds old: whoever asks all the time shall not keep the disk busy."""
    if not _latest or monotonic() - _latest[-1].asked_at > ANSWERS_HOLD_SECONDS:
        answers = {name: _answer(name, probe) for name, probe in PROBES.items()}
        _latest[:] = [_Answers(monotonic(), answers)]
    return _latest[-1].answers


def _answer(name: str, probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = monotonic()
    try:
        details = probe()
    except Late as exc:
        log.warning("late", extra={"check": name, "reason": str(exc)})
        return {"status": "warning", "reason": str(exc), **exc.details}
    except NotReady as exc:
        log.warning("not ready", extra={"check": name, "reason": str(exc)})
        return {"status": "failed", "reason": str(exc)}
    except Exception as exc:
        log.exception("not ready", extra={"check": name})
        return {"status": "failed", "reason": type(exc).__name__}
    return {"status": "ok", "milliseconds": round((monotonic() - started) * 1000), **details}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {}


def _broker() -> dict[str, Any]:
    """Whether a doorbell can ring, without waiting long for one that cannot."""
    url = settings.CELERY_BROKER_URL
    if url.startswith(("redis:", "rediss:")):
        client = redis.Redis.from_url(
            url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        with client:
            client.ping()
    elif url.startswith("filesystem:"):
        folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]
        if not os.access(folder, os.W_OK | os.X_OK):
            raise NotReady("the queue's folder cannot be written to")
    return {}


def _archives() -> dict[str, Any]:
    """Whether a file that is written can be read back."""
    storage.probe()
    return {}


def _jobs() -> dict[str, Any]:
    """Whether somebody works off the queue."""
    seconds = jobs.oldest_due_seconds()
    details = {"oldest_due_seconds": None if seconds is None else round(seconds, 1)}
    if seconds is not None and seconds > JOBS_ARE_LATE_AFTER_SECONDS:
        raise Late(f"the oldest job has been due for {seconds:.0f} seconds", **details)
    return details


def _periodic(name: str) -> Callable[[], dict[str, Any]]:
    """Whether that work came to a good end lately; before its first time there is nothing to say."""

    def probe() -> dict[str, Any]:
        last = last_beats().get(name)
        age = None if last is None else round((database_now() - last).total_seconds(), 1)
        details: dict[str, Any] = {"last_good": last and last.isoformat(), "age_seconds": age}
        if name == "purge" and (guard := PurgeGuard.objects.exclude(held_code="").first()):
            raise Late(f"held: {guard.held_code}", held=guard.held_code, **details)
        if age is not None and age > LATE_AFTER_SECONDS[name]:
            raise Late(f"it last came to a good end {age:.0f} seconds ago", **details)
        return details

    return probe


def _keys() -> dict[str, Any]:
    """Whether the keys that are here open those of the accounts: without them no backup is made or read."""
    try:
        check_instance_keys()
    except KeyUnusable as refusal:
        raise Late(refusal.code) from refusal
    return {}


def _backups() -> dict[str, Any]:
    """Whether a backup was found damaged; `fsck` says which."""
    damaged = Snapshot.objects.filter(state=SnapshotState.COMPLETE).exclude(damaged_code="").count()
    if damaged:
        raise Late(f"{damaged} backups are damaged", damaged=damaged)
    return {"damaged": 0}


def _log() -> dict[str, Any]:
    """How many log entries wait for their seal. Whether the log is sound takes longer: `audit verify`."""
    waiting = unsealed(thoroughly=False)
    oldest = waiting.values_list("at", flat=True).first()
    age = None if oldest is None else round((timezone.now() - oldest).total_seconds(), 1)
    details = {"unsealed": waiting.count(), "oldest_unsealed_seconds": age}
    if age is not None and age > LATE_AFTER_SECONDS["log"]:
        raise Late(f"an entry has had no seal for {age:.0f} seconds", **details)
    return details


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "broker": _broker,
    "archives": _archives,
    "keys": _keys,
    "backups": _backups,
    "jobs": _jobs,
    "sweep": _periodic("sweep"),
    "purge": _periodic("purge"),
    "verify": _periodic("verify"),
    "log": _log,
}
