"""An import and a restore in a real browser, with a worker beside it: what a customer does all day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backups.models import Snapshot
from backupsvc.accounts.models import Account, User
from recipients.models import Group
from tests.fixtures.lists import table

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("worker", "archives", "uploads")]
PATIENCE_MS = 30_000
PEOPLE = "E-Mail;Vorname;Ort\nanna@example.com;Änne;Bozen\nbob@example.com;Bob;Wien\nkaputt;X;Y\n"
NEWS = b"E-Mail;Vorname\nbob@example.com;Robert\nzoe@example.com;Zoe\n"
MISTAKE = b"E-Mail;Vorname\nanna@example.com;Falsch\nbob@example.com;Falsch\n"


@pytest.fixture
def signed_in(page: Page, account: Account, olivia: User) -> Page:
    """A browser in which Olivia is signed in, on the page where imports begin."""
    page.goto(f"/accounts/login/?next=/a/{account.slug}/recipients/import/")
    page.locator("[name=login]").fill(olivia.email)
    page.locator("[name=password]").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Import recipients")).to_be_visible()
    return page


def upload(page: Page, content: bytes, *, name: str, into: str = "") -> None:
    page.goto("/a/acme/recipients/import/")
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": content})
    if into:
        page.get_by_text("Into a list I have").click()
        page.locator("[name=group]").select_option(label=into)
    page.get_by_role("button", name="Upload").click()


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Next").click()


def see_it_through(page: Page, *, button: str) -> None:
    """From the mode, or from a restore's plan, over the preview to the result."""
    expect(page.get_by_text(re.compile("This is what .*would change"))).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("^(Imported|Restored)$"))).to_be_visible(
        timeout=PATIENCE_MS
    )


def make_list(page: Page) -> Group:
    upload(page, PEOPLE.encode("cp1252"), name="kunden.csv")
    expect(page.get_by_text("Änne")).to_be_visible()
    go_on(page)
    page.get_by_role("button", name="Use all columns").click()
    go_on(page)
    page.get_by_text("They agreed to get mail.").click()
    go_on(page)
    see_it_through(page, button="Import")
    return Group.objects.get(name="kunden")


def test_a_file_is_read_mapped_previewed_and_imported(signed_in: Page) -> None:
    page = signed_in
    group = make_list(page)
    assert table(group)["anna@example.com"]["attributes"] == {"Vorname": "Änne", "Ort": "Bozen"}
    expect(page.get_by_text("1 row cannot be used")).to_be_visible()
    with page.expect_download() as rejected:
        page.get_by_role("button", name="Download rejected rows").click()
    assert "kaputt" in Path(rejected.value.path()).read_text(encoding="utf-8-sig")

    upload(page, NEWS, name="neu.csv", into="kunden")
    go_on(page)
    go_on(page)
    expect(page.get_by_label("Reform and add")).to_be_checked()
    page.get_by_text("They agreed to get mail.").click()
    go_on(page)
    expect(page.get_by_text("A backup of kunden will be made first")).to_be_visible(timeout=PATIENCE_MS)
    see_it_through(page, button="Import")
    assert table(group)["bob@example.com"]["attributes"] == {"Vorname": "Robert", "Ort": "Wien"}

    page.goto("/a/acme/backups/")
    expect(page.get_by_text("neu.csv")).to_be_visible()
    assert Snapshot.objects.get().recipients == 2


def test_how_a_file_is_read_is_changed_and_seen_at_once(signed_in: Page) -> None:
    page = signed_in
    upload(page, "email;Name\nanna@example.com;Gärtner\n".encode("cp1252"), name="x.csv")
    page.get_by_label("Encoding").select_option("cp1251")
    expect(page.get_by_text("Gдrtner")).to_be_visible()
    page.get_by_role("button", name="Find out by itself again").click()
    expect(page.get_by_text("Gärtner")).to_be_visible()


def test_a_backup_comes_back_by_its_file_and_by_its_menu(signed_in: Page) -> None:
    page = signed_in
    group = make_list(page)
    before = table(group)
    upload(
        page,
        MISTAKE,
        name="f.csv",
        into="kunden",
    )
    go_on(page)
    go_on(page)
    page.get_by_text("They agreed to get mail.").click()
    go_on(page)
    see_it_through(page, button="Import")
    assert table(group) != before

    page.goto("/a/acme/backups/")
    page.get_by_role("button", name=re.compile("Actions for the backup of kunden")).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV", exact=True).click()
    upload(page, Path(download.value.path()).read_bytes(), name="wieder da.csv")
    expect(page.get_by_text("A file from here")).to_be_visible()
    go_on(page)
    go_on(page)
    go_on(page)
    see_it_through(page, button="Import")
    assert table(Group.objects.get(name="wieder da")) == before

    page.goto("/a/acme/backups/")
    page.get_by_role("button", name=re.compile("Actions for the backup of kunden")).click()
    page.get_by_role("link", name="Restore", exact=True).click()
    page.get_by_role("button", name="Show what would change").click()
    see_it_through(page, button="Restore")
    assert table(group) == before
