"""System checks: what fits badly together is said, with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from backups.archive import new_identity
from backupsvc import checks

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent.parent


def test_debug_on_a_public_site_is_an_error(settings: Settings) -> None:
    settings.DEBUG, settings.SITE_IS_SECURE = True, True
    assert [found.id for found in checks.debug_stays_at_home(None)] == ["backupsvc.E001"]


def test_debug_at_home_is_fine(settings: Settings) -> None:
    settings.DEBUG, settings.SITE_IS_SECURE = True, False
    assert checks.debug_stays_at_home(None) == []


@pytest.mark.parametrize(
    ("address", "found"), [("https://b.example.com", []), ("b.example.com", ["backupsvc.E002"])]
)
def test_an_address_nobody_can_reach_is_an_error(settings: Settings, address: str, found: list[str]) -> None:
    settings.SITE_URL = address
    assert [check.id for check in checks.site_has_an_address(None)] == found


@pytest.mark.parametrize("more", [[], ["backups.internal", ".example.org"]])
def test_the_site_answers_to_its_own_name_and_this_machines_whatever_else_is_allowed(
    tmp_path: Path, more: list[str]
) -> None:
    environment = {
        **_plain_environment(),
        "ENV_FILE": "",
        "DATA_DIR": str(tmp_path),
        "SITE_URL": "https://b.example.com",
        "ALLOWED_HOSTS": ",".join(more),
    }
    words = [sys.executable, "-c", "from backupsvc import settings; print(*settings.ALLOWED_HOSTS)"]
    result = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["b.example.com", "localhost", "127.0.0.1", "[::1]", *more]


def test_on_a_database_server_what_stays_on_one_machine_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_KEY", "AUDIT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(checks, "uses_sqlite", lambda: False)
    settings.CACHE_URL, settings.CELERY_BROKER_URL = "", "filesystem://localhost"
    found = [
        *checks.secret_key_is_shared(None),
        *checks.cache_is_shared(None),
        *checks.queue_is_shared(None),
        *checks.audit_key_is_shared(None),
        *checks.archive_key_is_shared(None),
    ]
    assert [check.id for check in found] == [f"backupsvc.W00{number}" for number in (1, 2, 3, 5, 6)]
    assert all(check.hint for check in found)
    settings.ARCHIVE_KEY = new_identity()
    assert checks.archive_key_is_shared(None) == []


def test_a_mistyped_key_for_the_backups_is_an_error(settings: Settings) -> None:
    settings.ARCHIVE_KEY = f"{new_identity()},{new_identity()}"
    assert checks.archive_key_is_a_key(None) == []
    settings.ARCHIVE_KEY = new_identity()[:-1]
    (found,) = checks.archive_key_is_a_key(None)
    assert found.id == "backupsvc.E005"
    assert settings.ARCHIVE_KEY not in f"{found.msg}{found.hint}"


def test_a_queue_that_repeats_running_tasks_is_an_error(settings: Settings) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": settings.CELERY_TASK_TIME_LIMIT}
    assert [check.id for check in checks.redis_waits_long_enough(None)] == ["backupsvc.E004"]


def test_production_settings_pass_every_check(tmp_path: Path) -> None:
    production = {
        "ENV_FILE": "",
        "DATA_DIR": str(tmp_path),
        "SITE_URL": "https://backups.example.com",
        "SECRET_KEY": "abcdefghijklmnopqrstuvwxyz" * 2,
        "AUDIT_KEY": "zyxwvutsrqponmlkjihgfedcba" * 2,
        "ARCHIVE_KEY": new_identity(),
        "DATABASE_URL": "postgres://user:password@db.example.com/backupsvc",
        "CELERY_BROKER_URL": "redis://redis.example.com/0",
        "CACHE_URL": "redis://redis.example.com/1",
        "SNAPSHOT_STORAGE_URL": "s3://key:secret@s3.example.com/bucket",
        "EMAIL_URL": "smtp+tls://user:password@mail.example.com",
    }
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING"],
        cwd=ROOT,
        env={**_plain_environment(), **production},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


def _plain_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
