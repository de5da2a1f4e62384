"""A list is deleted, brought back, and deleted again, in a browser and with a worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from recipients.actions.groups import change_group
from recipients.models import Change, Group
from tests.fixtures.lists import Lists

pytestmark = pytest.mark.e2e

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"


@pytest.fixture
def news(lists: Lists) -> Group:
    return lists.group(PEOPLE)


def open_deletion(page: Page, name: str) -> None:
    """By the three dots of the list's row."""
    page.goto("/a/acme/recipients/")
    page.get_by_role("button", name=f"Actions for {name}").click()
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete this list?")


@pytest.mark.usefixtures("worker")
def test_a_deleted_list_comes_back_and_its_backup_stays(news: Group, mine: Page) -> None:
    open_deletion(mine, "News")
    expect(mine.get_by_role("button", name="Delete the list")).to_be_visible()
    mine.get_by_role("button", name="Delete the list").click()
    expect(mine.get_by_role("status").first).to_contain_text("is deleted")
    expect(mine.get_by_role("link", name="News", exact=True)).to_have_count(0)

    mine.get_by_role("button", name="Undo").click()
    expect(mine.get_by_role("heading", level=1)).to_contain_text("News")
    expect(mine.get_by_role("link", name="anna@example.com")).to_be_visible()

    open_deletion(mine, "News")
    mine.get_by_role("button", name="Delete the list").click()
    wait_until_done(mine, news)
    mine.goto("/a/acme/backups/")
    section = mine.get_by_role("region", name=re.compile("News"))
    expect(section).to_contain_text("deleted")
    expect(section).to_contain_text("Before a deletion")
    expect(section.get_by_role("link", name="Bring it back")).to_be_visible()


def wait_until_done(page: Page, group: Group) -> None:
    """Until the worker has made the backup and the deletion stands."""
    for _attempt in range(100):
        if Change.objects.filter(group=group, kind="deletion").latest("pk").state == "done":
            return
        page.wait_for_timeout(100)
    pytest.fail("the deletion has not ended")


def test_a_locked_list_has_no_button_and_says_how_to_unlock_it(lists: Lists, news: Group, mine: Page) -> None:
    change_group(news, actor=lists.actor, locked=True)
    open_deletion(mine, "News")
    expect(mine.get_by_text("This list is locked")).to_be_visible()
    expect(mine.get_by_role("button", name="Delete the list")).to_have_count(0)
    mine.get_by_role("link", name="Settings of this list").click()
    mine.get_by_role("switch", name="Locked").uncheck()
    mine.get_by_role("button", name="Save").click()
    open_deletion(mine, "News")
    expect(mine.get_by_role("button", name="Delete the list")).to_be_visible()


def test_switches_that_are_off_are_said_before_the_button(lists: Lists, news: Group, mine: Page) -> None:
    change_group(news, actor=lists.actor, auto_backup=False)
    open_deletion(mine, "News")
    expect(mine.get_by_text("Automatic backups are off")).to_be_visible()
    expect(mine.get_by_role("radio", name="Make a backup now")).to_be_checked()
    name = mine.get_by_role("textbox", name="Type the name")
    expect(name).to_be_hidden()
    mine.get_by_role("radio", name="Without a backup").check()
    expect(name).to_be_visible()
    mine.get_by_role("button", name="Delete the list").click()
    expect(mine.get_by_text("Type the name exactly")).to_be_visible()
    news.refresh_from_db()
    assert news.is_live
