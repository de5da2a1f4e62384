"""Is the process alive, and can it do its work? For load balancers and monitoring, as JSON.

`/healthz` answers as long as the process does. `/readyz` asks everything a request or a job needs;
one that fails makes it 503. The answers hold no secrets and no data: "failed" and the kind of
error, the details are in the log.
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
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from backups import storage
from backupsvc.jobs import selectors as jobs

log = logging.getLogger(__name__)

# A doorbell rings at once and the sweep comes every 5 seconds: after two minutes nobody works.
JOBS_ARE_LATE_AFTER_SECONDS = 120
ANSWERS_HOLD_SECONDS = 3


class _Answers(NamedTuple):
    """What the probes said, and when (on the monotonic clock)."""

    asked_at: float
    answers: dict[str, dict[str, Any]]


# The newest answers of this process, or nothing.
_latest: list[_Answers] = []


class NotReady(Exception):
    """The thing asked works, but not as it should; the message is shown."""


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when everything that work needs is there, else 503; one entry for each thing."""
    checks = _checks()
    is_ready = all(check["status"] == "ok" for check in checks.values())
    return JsonResponse(
        {"status": "ok" if is_ready else "failed", "checks": checks}, status=200 if is_ready else 503
    )


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
    if seconds is not None and seconds > JOBS_ARE_LATE_AFTER_SECONDS:
        raise NotReady(f"the oldest job has been due for {seconds:.0f} seconds")
    return {"oldest_due_seconds": None if seconds is None else round(seconds, 1)}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "broker": _broker,
    "archives": _archives,
    "jobs": _jobs,
}
