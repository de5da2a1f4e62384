"""What a page says when its server does not answer, or no longer knows the person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Page, Request, expect
from pytest_django.live_server_helper import LiveServer

from backupsvc.accounts.models import Member, User
from recipients.models import Group
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("archives", "uploads")]
LOST = "the connection is lost, or the server made a mistake"


@pytest.fixture
def news(lists: Lists) -> Group:
    return lists.group("email,status\nanna@example.com,active\nbob@example.com,inactive\n")


@pytest.fixture
def failing(browser: Browser, live_server: LiveServer, olivia: User, client_of: ClientOf) -> Iterator[Page]:
    """Olivia's browser, in which answers may fail: the fixture `page` takes each for a mistake of ours."""
    session = client_of(olivia).cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context(base_url=live_server.url, locale="en-GB")
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("status", [0, 500])
def test_what_gets_no_answer_is_said_until_something_works_again(
    failing: Page, news: Group, status: int
) -> None:
    failing.goto(f"/a/{news.account.slug}/recipients/{news.pk}/")
    failing.route("**/recipients/**", lambda route: route.fulfill(status=status) if status else route.abort())
    for _time in range(2):
        failing.locator("#segment-active").click()
        expect(failing.get_by_text(LOST)).to_have_count(1)
    expect(failing.locator("tbody tr")).to_have_count(2)
    failing.unroute("**/recipients/**")
    failing.locator("#segment-active").click()
    expect(failing.locator("tbody tr")).to_have_count(1)
    expect(failing.get_by_text(LOST)).to_have_count(0)


def test_what_is_refused_is_a_message_and_not_asked_for_again(
    failing: Page, lists: Lists, news: Group
) -> None:
    change, _job = lists.confirm("email\ncarla@example.com\n", into=news)
    failing.goto(f"/a/{news.account.slug}/recipients/changes/{change.pk}/progress/")
    asked: list[Request] = []
    failing.on("request", lambda request: asked.append(request))
    Member.objects.all().delete()
    expect(failing.locator("#messages").get_by_text("does not exist, was deleted")).to_be_visible()
    expect(failing.locator("#work")).to_be_visible()
    before = len(asked)
    failing.wait_for_timeout(2200)
    assert len(asked) == before


def test_whose_session_is_over_signs_in_and_is_where_they_were(mine: Page, news: Group, olivia: User) -> None:
    shown = f"/a/{news.account.slug}/recipients/{news.pk}/"
    mine.goto(shown)
    Session.objects.all().delete()
    mine.locator("#segment-active").click()
    mine.locator("[name=login]").fill(olivia.email)
    mine.locator("[name=password]").fill("correct horse")
    mine.get_by_role("button", name="Sign in").click()
    expect(mine.locator("tbody tr")).to_have_count(2)
    assert mine.url.endswith(shown)


def test_whose_session_is_over_is_told_that_a_form_was_not_saved_and_is_back_at_it(
    mine: Page, news: Group, olivia: User
) -> None:
    form = f"/a/{news.account.slug}/recipients/{news.pk}/people/add/"
    mine.goto(form)
    mine.get_by_label("E-mail").fill("carla@example.com")
    mine.get_by_label("Active").check()
    Session.objects.all().delete()
    mine.get_by_role("button", name="Add", exact=True).click()
    expect(mine.get_by_text("What you sent was not saved")).to_be_visible()
    mine.locator("[name=login]").fill(olivia.email)
    mine.locator("[name=password]").fill("correct horse")
    mine.get_by_role("button", name="Sign in").click()
    expect(mine.get_by_role("heading", name="Add recipient")).to_be_visible()
    assert mine.url.endswith(form)
    assert news.recipients.count() == 2
