"""The stage itself: a worker takes what the queue holds, a browser opens a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page

from backupsvc.celery import app


@pytest.mark.once
def test_nothing_of_a_run_lies_in_the_projects_data() -> None:
    assert "backupsvc-test-" in str(settings.DATA_DIR)
    assert Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"]).is_relative_to(settings.DATA_DIR)


@pytest.mark.once
def test_a_worker_takes_what_the_queue_holds(worker: Callable[[], None]) -> None:
    app.send_task("jobs.sweep", queue="maintenance")
    worker()


@pytest.mark.e2e
def test_a_browser_opens_the_sign_in_page(page: Page) -> None:
    page.goto("/accounts/login/")
    assert page.get_by_role("textbox").count() >= 2
