"""Texts of any length and language find room, on a desk and on a phone: what only a browser can tell."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from backupsvc.accounts.models import User
from tests.fixtures.cast import ClientOf

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("archives", "uploads")]
DESK, PHONE = 1280, 390
DROP_ZONE = """() => {
  const box = selector => document.querySelector(selector).getBoundingClientRect();
  const field = document.querySelector(".drop input"), zone = box(".drop"), under = box(".drop-line").bottom;
  const button = box(".drop input").top + parseFloat(getComputedStyle(field).paddingTop);
  const corners = [[8, 8], [zone.width / 2, 40], [zone.width - 8, zone.height - 8]];
  return {
    apart: button - under,
    left: zone.bottom - button,
    everywhere: corners.every(([x, y]) => document.elementFromPoint(zone.left + x, zone.top + y) === field),
  };
}"""


@pytest.fixture
def mine(page: Page, live_server: LiveServer, olivia: User, client_of: ClientOf) -> Page:
    """Olivia's browser."""
    session = client_of(olivia).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    return page


def open_at(page: Page, path: str, *, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), f"wider than {width}"


@pytest.mark.parametrize("language", ["en", "de", "it"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_file_can_be_dropped_anywhere_and_its_button_stays_below_the_text(
    language: str, width: int, mine: Page, olivia: User
) -> None:
    User.objects.filter(pk=olivia.pk).update(language=language)
    open_at(mine, "/a/acme/recipients/import/", width=width)
    for longer in (1, 4):
        mine.eval_on_selector(
            ".drop-line", "(line, times) => { line.textContent = line.textContent.repeat(times) }", longer
        )
        zone: dict[str, Any] = mine.evaluate(DROP_ZONE)
        assert zone["apart"] >= 0, zone
        assert zone["left"] >= 40, zone
        assert zone["everywhere"], zone
