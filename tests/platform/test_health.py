"""/healthz and /readyz: told apart, honest, and silent about secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from backups import storage
from backups.actions.snapshots import request_snapshot
from backups.actions.verification import verify_snapshot
from backups.models import PurgeGuard, Snapshot
from backups.tasks import purge, verify
from backupsvc import health
from backupsvc.accounts import audit
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import Heartbeat
from backupsvc.jobs.runner import drain
from backupsvc.jobs.tasks import sweep_jobs
from tests.fixtures.lists import Lists


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
    assert set(answer.json()["checks"]) == {
        *("database", "broker", "archives", "keys", "backups", "jobs"),
        *("sweep", "purge", "verify", "log"),
    }
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
def test_jobs_that_nobody_takes_are_a_warning_since_no_other_web_process_could_help(
    client: Client, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backupsvc.jobs.selectors.oldest_due_seconds", lambda: 600.0)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "warning")
    assert answer.json()["checks"]["jobs"] == {
        "status": "warning",
        "reason": "the oldest job has been due for 600 seconds",
        "oldest_due_seconds": 600.0,
    }


@pytest.mark.django_db
def test_the_age_of_the_last_good_purge_verify_and_sweep_is_told(client: Client, archives: Path) -> None:
    nothing_yet = client.get("/readyz").json()["checks"]["purge"]
    assert (nothing_yet["status"], nothing_yet["age_seconds"]) == ("ok", None)
    health._latest.clear()
    purge()
    verify()
    sweep_jobs()
    Heartbeat.objects.filter(name="verify").update(at=database_now() - timedelta(hours=4))
    answer = client.get("/readyz")
    checks = answer.json()["checks"]
    assert answer.status_code == 200
    assert {name: checks[name]["status"] for name in ("sweep", "purge", "verify", "log")} == {
        "sweep": "ok",
        "purge": "ok",
        "verify": "warning",
        "log": "ok",
    }
    assert 0 <= checks["purge"]["age_seconds"] < 60
    assert checks["verify"]["age_seconds"] > 4 * 3600 - 1


@pytest.mark.django_db
def test_a_purge_that_is_held_and_a_log_without_seals_are_told(
    client: Client, archives: Path, account: Account
) -> None:
    purge()
    PurgeGuard.objects.update(held_code="purge.too_many")
    with audit.dated_back(timedelta(hours=1)):
        audit.record("account.created", account=account, actor=operator())
    checks = client.get("/readyz").json()["checks"]
    assert (checks["purge"]["status"], checks["purge"]["held"]) == ("warning", "purge.too_many")
    assert (checks["log"]["status"], checks["log"]["unsealed"]) == ("warning", 1)


@pytest.mark.django_db
def test_a_missing_key_and_damaged_backups_are_told(
    client: Client, lists: Lists, settings: Settings, tmp_path: Path
) -> None:
    snapshot, job = request_snapshot(lists.group("email\nanna@example.com\n"), actor=lists.actor)
    drain(job)
    checks = client.get("/readyz").json()["checks"]
    assert (checks["keys"]["status"], checks["backups"]["damaged"]) == ("ok", 0)
    health._latest.clear()
    storage.delete(Snapshot.objects.get(pk=snapshot.pk).archive)
    with pytest.raises(storage.ArchiveMissing):
        verify_snapshot(Snapshot.objects.get(pk=snapshot.pk), actor=lists.actor)
    settings.ARCHIVE_KEY_PATH = tmp_path / "nowhere" / "archive.key"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "warning")
    checks = answer.json()["checks"]
    assert checks["keys"] == {"status": "warning", "reason": "key.instance_missing"}
    assert checks["backups"] == {"status": "warning", "reason": "1 backups are damaged", "damaged": 1}


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
