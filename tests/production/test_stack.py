"""PostgreSQL, Redis, two workers and beat as processes of their own: what is asked for is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from django.db import connection

from tests import services

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.redis, pytest.mark.postgres]
LONGEST_SECONDS = 100


class Stack:
    """The product's own processes on a database and a Redis of their own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start(
            "celery", "-A", "backupsvc", "worker", "-Q", "snapshot,change,maintenance", "-c", "1",
            "-n", f"w{len(self.processes)}@test",
        )  # fmt: skip

    def beat(self) -> subprocess.Popen[bytes]:
        return self.start("celery", "-A", "backupsvc", "beat", "--pidfile=")

    def manage(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=LONGEST_SECONDS,
        )  # fmt: skip
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def stop(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def stack(redis_url: str, tmp_path: Path, transactional_db: None) -> Iterator[Stack]:
    """An empty database beside that of the tests, with an account "acme"."""
    settings = connection.settings_dict
    name = f"{settings['NAME']}_stack"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    address = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "ENV_FILE": "",
        "DJANGO_SETTINGS_MODULE": "backupsvc.settings",
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": urlunsplit(address._replace(path=f"/{name}")),
        "CELERY_BROKER_URL": redis_url,
    }
    stack = Stack(environment)
    stack.manage("migrate", "-v0")
    stack.manage("create_account", "acme", "--owner", "o@example.com", "--password", "correct horse 9")
    yield stack
    stack.stop()
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def people(path: Path, *, count: int) -> str:
    path.write_text("email\n" + "".join(f"p{number}@example.com\n" for number in range(count)))
    return str(path)


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while not what():
        assert time.monotonic() < end, "nobody did the work"
        time.sleep(0.3)


def size(stack: Stack) -> int:
    with psycopg2.connect(stack.environment["DATABASE_URL"]) as database, database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM recipients_recipient")
        (count,) = cursor.fetchall()[0]
        return int(count)


def test_two_workers_do_what_commands_ask_for(stack: Stack, tmp_path: Path) -> None:
    stack.worker()
    stack.worker()
    stack.beat()
    first = people(tmp_path / "a.csv", count=300)
    stack.manage("import_list", first, "--account=acme", "--group=News", "--create", "--status=active")
    until(lambda: size(stack) == 300)
    second = people(tmp_path / "b.csv", count=500)
    stack.manage("import_list", second, "--account=acme", "--group=News", "--status=active")
    until(lambda: size(stack) == 500)
    (backup,) = stack.manage("backups", "list", "--account=acme", "--json")
    assert (backup["cause"], backup["state"], backup["recipients"]) == ("import", "complete", 300)


def test_work_asked_for_while_no_worker_ran_and_redis_forgot_is_done(stack: Stack, tmp_path: Path) -> None:
    file = people(tmp_path / "a.csv", count=300)
    stack.manage("import_list", file, "--account=acme", "--group=News", "--create", "--status=active")
    services.forget_all(stack.environment["CELERY_BROKER_URL"])
    assert size(stack) == 0
    stack.worker()
    stack.beat()
    until(lambda: size(stack) == 300)


def test_a_worker_killed_at_work_costs_nothing(stack: Stack, tmp_path: Path) -> None:
    stack.beat()
    doomed = stack.worker()
    file = people(tmp_path / "a.csv", count=30_000)
    stack.manage("import_list", file, "--account=acme", "--group=News", "--create", "--status=active")
    os.killpg(doomed.pid, signal.SIGKILL)
    stack.worker()
    until(lambda: size(stack) == 30_000)
    findings = stack.manage("fsck", "--json")
    assert findings["findings"] == []
