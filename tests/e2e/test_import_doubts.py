"""What the wizard shows and asks, in a real browser: wide and narrow, by keyboard, and for screen readers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backupsvc.launch.assets import TESTS_ONLY
from recipients.models import Recipient
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("worker", "archives", "uploads")]
PATIENCE_MS = 60_000
FILE = (
    "E-Mail;Vorname;Geburtstag;Punkte;Newsletter\n"
    "anna@example.com;Anna;03/04/1984;1.234;ja\n"
    "Bob Gründl <bob@gmial.com>;Bob;05/06/1990;2.500;ja\n"
    "carla@example.com;Carla;07/08/1979;3.125;nein\n"
    "kaputt;Dora;01/02/2001;1.000;ja\n"
    "abuse@example.com;Emil;01/02/2001;1.000;ja\n"
    "fritz(at)example.com;Fritz;01/02/2001;1.000;vielleicht\n"
)


@pytest.fixture
def mine(mine: Page, lists: Lists) -> Page:
    """Olivia's browser, where she brings a file."""
    mine.goto("/a/acme/recipients/import/")
    return mine


def upload(page: Page, text: str, *, name: str) -> None:
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def looks_right(page: Page, name: str) -> None:
    """Nothing for axe to complain about, and nothing wider than a phone."""
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not too_wide, f"{name} is wider than {width}"
        # The policy of our pages lets nothing in from elsewhere: axe is evaluated, not linked.
        page.evaluate(TESTS_ONLY.read_text(encoding="utf-8"))
        found: dict[str, Any] = page.evaluate("axe.run()")
        complaints = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]
        assert not complaints, (name, width, complaints)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_what_a_file_leaves_open_is_asked_and_what_looks_wrong_is_ticked(mine: Page) -> None:
    page = mine
    upload(page, FILE, name="kunden.csv")
    expect(page.get_by_text("surely read right")).to_be_visible()
    looks_right(page, "read")

    page.get_by_label("Columns are separated by").select_option(label="Comma ( , )")
    expect(page.get_by_text("Everything stands in one column")).to_be_visible()
    expect(page.get_by_text("please look closely")).to_be_visible()
    looks_right(page, "read-wrong")
    page.get_by_role("button", name="Find out by itself again").click()
    expect(page.get_by_text("surely read right")).to_be_visible()
    page.get_by_role("button", name="Next").click()

    page.get_by_role("button", name="Use all columns").click()
    page.locator("[name=type-3]").select_option(label="Number")
    looks_right(page, "columns")
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_role("heading", name="How the cells are read")).to_be_visible()
    looks_right(page, "cells")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("group", name=re.compile("Geburtstag"))).to_be_visible()
    page.get_by_role("radio", name=re.compile("3 April 1984")).focus()
    page.keyboard.press("Space")
    page.get_by_role("radio", name=re.compile("The comma stands")).check()
    page.get_by_role("button", name="Next").click()

    expect(page.get_by_role("heading", name="Look at this first")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("3 of 6 rows cannot be used")).to_be_visible()
    expect(page.get_by_text("Perhaps fritz@example.com is meant")).to_be_visible()
    looks_right(page, "preview")
    page.get_by_role("button", name="Import", exact=True).click()
    seen = page.get_by_role("checkbox", name="I have looked at this")
    expect(seen).to_be_visible()
    expect(page.get_by_role("heading", name="Look at this first")).to_be_visible()
    seen.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible(timeout=PATIENCE_MS)
    looks_right(page, "result")
    people = {one.key: (one.status, one.attributes) for one in Recipient.objects.all()}
    assert people["anna@example.com"] == (
        "active", {"Vorname": "Anna", "Geburtstag": "1984-04-03", "Punkte": "1234"}
    )  # fmt: skip
    assert people["carla@example.com"][0] == "inactive"
    assert set(people) == {"anna@example.com", "bob@gmial.com", "carla@example.com"}
    with page.expect_download() as rejected:
        page.get_by_role("button", name="Download rejected rows").click()
    assert "fritz(at)example.com" in Path(rejected.value.path()).read_text(encoding="utf-8-sig")

    page.goto("/a/acme/recipients/import/")
    upload(page, FILE.replace("example.com", "example.net"), name="wieder.csv")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Assigned as for kunden.csv")).to_be_visible()
    looks_right(page, "columns-again")
