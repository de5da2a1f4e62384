"""Where a person is after a click, a key or a refusal: the page, the focus, and what the browser keeps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from recipients.models import Group
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("archives", "uploads")]
PEOPLE = "email,status\nanna@example.com,active\nbob@example.com,unconfirmed\ncarla@example.com,inactive\n"
# The top edges of the buttons of a page's head.
TOPS = """() => [...document.querySelectorAll(".page-head-actions :is(a, button):not(.dropdown-item)")]
    .map(button => Math.round(button.getBoundingClientRect().top))"""
# How many pixels of what has the focus are under the bar.
UNDER_THE_BAR = """() => document.querySelector(".frame-top").getBoundingClientRect().bottom
    - document.activeElement.getBoundingClientRect().top"""


@pytest.fixture
def news(lists: Lists) -> Group:
    return lists.group(PEOPLE)


def test_back_shows_the_whole_page_and_the_browser_keeps_no_address(mine: Page, news: Group) -> None:
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/")
    mine.locator("#segment-active").click()
    expect(mine.locator("tbody tr")).to_have_count(1)
    mine.get_by_role("link", name="anna@").click()
    expect(mine.get_by_role("heading", name="Sign-up information")).to_be_visible()
    mine.go_back()
    expect(mine.locator("tbody tr")).to_have_count(1)
    expect(mine.locator(".frame-top")).to_be_visible()
    assert "anna@" not in mine.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    # A part of the page is not taken for it once more, within the page's own history either.
    mine.locator("#segment-all").click()
    expect(mine.locator("tbody tr")).to_have_count(3)
    mine.go_back()
    expect(mine.locator("tbody tr")).to_have_count(1)
    expect(mine.locator(".frame-top")).to_be_visible()


def test_a_status_that_is_chosen_by_key_keeps_the_focus(mine: Page, news: Group) -> None:
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/")
    mine.locator("#segment-unconfirmed").focus()
    mine.keyboard.press("Enter")
    expect(mine.locator("tbody tr")).to_have_count(1)
    expect(mine.locator("#segment-unconfirmed")).to_be_focused()


def test_a_refused_form_shows_its_first_field_that_is_wrong(mine: Page, news: Group) -> None:
    mine.set_viewport_size({"width": 390, "height": 400})
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/people/add/")
    mine.get_by_label("E-mail").fill("anna@example.com")
    mine.get_by_label("Active").check()
    mine.evaluate("document.querySelector('#content form').requestSubmit()")
    expect(mine.get_by_text("is in this list already")).to_be_in_viewport()
    expect(mine.get_by_label("E-mail")).to_be_focused()


@pytest.mark.parametrize("name", ["anna", "bob", "carla"])
def test_the_buttons_of_a_recipient_stand_in_one_row_of_a_phone(mine: Page, news: Group, name: str) -> None:
    mine.set_viewport_size({"width": 390, "height": 800})
    mine.goto(
        f"/a/{news.account.slug}/recipients/{news.pk}/people/{news.recipients.get(key=f'{name}@example.com').pk}/"
    )
    tops = mine.evaluate(TOPS)
    assert len(tops) == 3
    assert len(set(tops)) == 1
    mine.get_by_role("button", name="Actions for").click()
    expect(mine.get_by_role("link", name="Remove")).to_be_visible()
    assert mine.get_by_role("link", name="Unsubscribe").is_visible() == (name != "carla")


def test_what_the_keyboard_goes_back_to_is_not_hidden_by_the_bar_above(mine: Page, news: Group) -> None:
    mine.set_viewport_size({"width": 1280, "height": 400})
    # Scrolling is over at once.
    mine.emulate_media(reduced_motion="reduce")
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/settings/")
    mine.get_by_role("main").locator("a, button, input").last.focus()
    for _step in range(6):
        mine.keyboard.press("Shift+Tab")
        assert mine.evaluate(UNDER_THE_BAR) <= 0


def test_a_part_that_takes_long_is_dimmed_until_it_is_there(mine: Page, news: Group) -> None:
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/")
    people = mine.locator("#recipients")
    held: list[Route] = []
    mine.route("**/recipients/**", lambda route: held.append(route))
    mine.locator("#segment-active").click()
    expect(people).to_have_attribute("aria-busy", "true")
    expect(people).to_have_css("opacity", "0.45")
    held[0].continue_()
    expect(mine.locator("tbody tr")).to_have_count(1)
    expect(people).not_to_have_attribute("aria-busy", "true")
    expect(people).to_have_css("opacity", "1")


def test_what_a_page_asks_for_by_itself_is_not_dimmed(mine: Page, lists: Lists, news: Group) -> None:
    change, _job = lists.confirm("email\ncarla@example.com\n", into=news)
    mine.goto(f"/a/{news.account.slug}/recipients/changes/{change.pk}/progress/")
    held: list[Route] = []
    mine.route("**/progress/**", lambda route: held.append(route))
    with mine.expect_request("**/progress/**"):
        pass
    expect(mine.locator("#work")).not_to_have_attribute("aria-busy", "true")
    mine.unroute_all(behavior="ignoreErrors")


def test_choosing_a_language_keeps_what_was_chosen_on_the_page(mine: Page, news: Group) -> None:
    mine.goto(f"/a/{news.account.slug}/recipients/{news.pk}/")
    mine.locator("#segment-active").click()
    expect(mine.locator("tbody tr")).to_have_count(1)
    mine.get_by_role("button", name="My profile").click()
    mine.get_by_role("button", name="Deutsch").click()
    expect(mine.locator("html")).to_have_attribute("lang", "de")
    assert mine.url.endswith("?status=active")
    expect(mine.locator("tbody tr")).to_have_count(1)


def test_what_a_search_found_is_said_without_changing_how_the_page_looks(mine: Page, news: Group) -> None:
    mine.goto(f"/a/{news.account.slug}/recipients/")
    told = mine.locator("#found-count")
    expect(told).to_have_text("")
    mine.get_by_role("searchbox").press_sequentially(news.name[:2])
    expect(told).to_have_text("1 list found")
    mine.get_by_role("searchbox").fill("none")
    expect(told).to_have_text("No list found")
    assert told.evaluate("told => told.offsetWidth") <= 1
