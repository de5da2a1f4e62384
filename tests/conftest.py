"""What every test can ask for. Settings and temporary folders: `tests/settings.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.contrib.testing.worker import start_worker
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from backupsvc.celery import app
from tests import services

# The cast of users (Olivia, Adam, Edith, Victor, Sam, Stranger) and their accounts.
pytest_plugins = [
    "tests.fixtures.cast",
    "tests.fixtures.disks",
    "tests.fixtures.lists",
    "tests.fixtures.unguarded",
    "tests.fixtures.wizard",
]

LEFT_OUT = "LEFT OUT: "


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop what holds on the other database only: it runs there, so it is not "skipped"."""
    from django.db import connection  # noqa: PLC0415  # Django is set up by now, not when this file loads

    other = {"sqlite": "postgres", "postgresql": "sqlite"}[connection.vendor]
    dropped = [item for item in items if item.get_closest_marker(other)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Note what could not run, and fail for it where everything must."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    reasons = {
        report.nodeid: report.longrepr[2].removeprefix("Skipped: ")
        for report in reporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    }
    left_out = [
        f"{nodeid}: {reason.removeprefix(LEFT_OUT)}"
        for nodeid, reason in reasons.items()
        if reason.startswith(LEFT_OUT)
    ]
    if not left_out:
        return
    if path := os.environ.get("LEFT_OUT_FILE"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in left_out)
    if services.must_be_complete() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often processes were killed: a number that shrinks by itself would go unnoticed."""
    ended = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [
        pair
        for report in ended
        if getattr(report, "when", "") == "teardown"
        for pair in report.user_properties
    ]
    runs = sum(int(str(value)) for name, value in properties if name == "crash_runs")
    if runs:
        terminalreporter.write_line(f"{runs} runs in which a process died at a point of its work.")


@pytest.fixture
def archives(tmp_path: Path, settings: Settings) -> Path:
    """An empty folder of this test alone that holds the archives."""
    return _own_storage("archives", tmp_path, settings)


@pytest.fixture
def uploads(tmp_path: Path, settings: Settings) -> Path:
    """An empty folder of this test alone that holds the uploads."""
    return _own_storage("uploads", tmp_path, settings)


@pytest.fixture
def anchors_dir(tmp_path: Path, settings: Settings) -> Path:
    """An empty folder of this test alone that holds the anchors of the log."""
    settings.AUDIT_ANCHORS_DIR = tmp_path / "audit"
    return tmp_path / "audit"


def _own_storage(name: str, tmp_path: Path, settings: Settings) -> Path:
    folder = tmp_path / name
    folder.mkdir(mode=0o700)
    entry = settings.STORAGES[name]
    settings.STORAGES = settings.STORAGES | {
        name: entry | {"OPTIONS": entry["OPTIONS"] | {"location": folder}}
    }
    return folder


@pytest.fixture
def worker(transactional_db: None) -> Iterator[Callable[[], None]]:
    """A Celery worker in a thread of this process, on the queue folder of this run.

    It can be called: then it waits until every message was taken, and fails after ten seconds.
    """
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield _await_empty_queue


def _await_empty_queue() -> None:
    folder = Path(app.conf.broker_transport_options["data_folder_in"])
    for _ in range(100):
        if not list(folder.iterdir()):
            return
        time.sleep(0.1)
    pytest.fail("a message is still there")


@pytest.fixture
def redis_url() -> str:
    """An empty Redis database. Mark the test `redis`."""
    url = services.redis_url()
    if why := services.why_no_redis(url):
        pytest.skip(f"{LEFT_OUT}no Redis at {services.without_password(url)} ({why})")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all browser tests of this process."""
    path = services.browser_path()
    if path is None:
        pytest.skip(f"{LEFT_OUT}no Chromium (install it, or name one in CHROMIUM)")
    # Playwright runs an event loop in this thread; Django would refuse the ORM because of it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-gpu",
    ]
    if os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root, where containers put it.
        quiet.append("--no-sandbox")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page of a fresh browser profile; the test fails when a script does or the policy blocks something."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def note_error(error: Any) -> None:
        complaints.append(str(error))

    context = browser.new_context(base_url=live_server.url, locale="en-GB")
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", note_error)
    yield page
    context.close()
    assert not complaints, complaints
