"""Celery as the reliability rules demand it, and a publisher that never waits long."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupsvc import celery_app

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent.parent
# Publishes four times and prints how long the slowest took; on a line it waits for its turn.
PUBLISH = """
import sys, time
from backupsvc import celery_app
def slowest():
    took = []
    for _ in range(3):
        started = time.monotonic()
        try:
            celery_app.send_task("jobs.sweep", queue="maintenance")
        except Exception:
            pass
        took.append(time.monotonic() - started)
    return max(took)
for _ in sys.stdin:
    print(slowest(), flush=True)
"""


def test_work_survives_a_killed_worker() -> None:
    conf = celery_app.conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_soft_time_limit < conf.task_time_limit


def test_messages_are_json_and_leave_no_results() -> None:
    conf = celery_app.conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.task_ignore_result
    assert conf.result_backend is None


def test_there_are_three_queues_and_no_others() -> None:
    assert {queue.name for queue in celery_app.conf.task_queues} == {"snapshot", "change", "maintenance"}
    assert celery_app.conf.task_default_queue == "maintenance"
    assert not celery_app.conf.task_create_missing_queues


def test_the_clock_calls_tasks_that_exist() -> None:
    celery_app.loader.import_default_modules()
    assert {entry["task"] for entry in celery_app.conf.beat_schedule.values()} <= set(celery_app.tasks)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis of this test alone, which it may stop."""
    program = shutil.which("redis-server") or pytest.skip("LEFT OUT: no redis-server to stop and start")
    port = _free_port()
    server = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    _wait_for(port)
    yield f"redis://127.0.0.1:{port}/0", server
    server.kill()
    server.wait()


def test_whoever_publishes_never_waits_for_a_redis_that_hangs_or_is_gone(
    redis_server: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    url, server = redis_server
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISH],
        cwd=ROOT,
        env=os.environ | {"CELERY_BROKER_URL": url, "DATA_DIR": str(tmp_path), "ENV_FILE": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as publisher:
        assert _slowest(publisher) < 2
        server.send_signal(signal.SIGSTOP)
        assert _slowest(publisher) < 2
        server.send_signal(signal.SIGCONT)
        assert _slowest(publisher) < 2
        server.kill()
        server.wait()
        assert _slowest(publisher) < 2


def _slowest(publisher: subprocess.Popen[str]) -> float:
    assert publisher.stdin
    assert publisher.stdout
    publisher.stdin.write("\n")
    publisher.stdin.flush()
    return float(publisher.stdout.readline())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server did not start")
