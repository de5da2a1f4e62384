"""/healthz and /readyz: told apart, honest, and silent about secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from backupsvc import health


@pytest.fixture(autouse=True)
def _ask_anew() -> None:
    health._latest.clear()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """Make one of the probes fail."""

    def fail(name: str, error: Exception) -> None:
        def broken() -> dict[str, Any]:
            raise error

        monkeypatch.setitem(health.PROBES, name, broken)

    return fail


def test_live_needs_no_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_names_everything_work_needs(client: Client, archives: Path) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json()["checks"]) == {"database", "broker", "archives", "jobs"}
    assert answer["Cache-Control"].startswith("max-age=0")


@pytest.mark.django_db
def test_a_failing_part_makes_it_503_and_hides_the_details(
    client: Client, archives: Path, probe: Callable[[str, Exception], None]
) -> None:
    probe("database", RuntimeError("password=hunter2"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"status": "failed", "reason": "RuntimeError"}
    assert "hunter2" not in answer.text


@pytest.mark.django_db
def test_jobs_that_nobody_takes_make_it_503(
    client: Client, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backupsvc.jobs.selectors.oldest_due_seconds", lambda: 600.0)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["jobs"]["reason"] == "the oldest job has been due for 600 seconds"


@pytest.mark.django_db
def test_a_queue_folder_that_is_gone_makes_it_503(client: Client, archives: Path, settings: Settings) -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = options | {"data_folder_out": "/no/such/folder"}
    assert client.get("/readyz").json()["checks"]["broker"]["status"] == "failed"


@pytest.mark.django_db
def test_a_redis_that_does_not_answer_makes_it_503(
    client: Client, archives: Path, settings: Settings
) -> None:
    settings.CELERY_BROKER_URL = "redis://:hunter2@127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.json()["checks"]["broker"] == {"status": "failed", "reason": "ConnectionError"}
    assert "hunter2" not in answer.text


@pytest.mark.redis
@pytest.mark.django_db
def test_a_redis_that_answers_is_ready(
    client: Client, archives: Path, settings: Settings, redis_url: str
) -> None:
    settings.CELERY_BROKER_URL = redis_url
    assert client.get("/readyz").json()["checks"]["broker"]["status"] == "ok"


@pytest.mark.django_db
def test_asking_all_the_time_does_not_probe_all_the_time(
    client: Client, archives: Path, probe: Callable[[str, Exception], None]
) -> None:
    client.get("/readyz")
    probe("database", RuntimeError())
    assert client.get("/readyz").status_code == 200
