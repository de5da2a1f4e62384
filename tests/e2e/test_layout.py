"""Texts of any length and language find room, on a desk and on a phone: what only a browser can tell."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from backups.models import Snapshot
from backupsvc.accounts.models import User
from backupsvc.launch.assets import TESTS_ONLY
from recipients.actions.deletion import delete_group
from recipients.models import Group
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("archives", "uploads")]
DESK, PHONE = 1280, 390
PEOPLE = (
    "email,First name,Last name,City,Company,Remark\n"
    "anna@example.com,Anna,Huber,Lübeck,Example,often\n"
    "alessandro.bianchi2349@posta.example,Alessandro,D'Angelo,Edinburgh,Clienti,sometimes\n"
    "maximiliane.alexandra.von.wolfeschlegelsteinhausen@newsletter.of.a.long.company.example,"
    "Karl-Heinz,Müller-Lüdenscheidt,Castrop-Rauxel,"
    "Donaudampfschifffahrtsgesellschaftskapitänswitwenpensionskasse,never\n"
)

# The words that are written in more than one line although their column has room for them.
BROKEN_WORDS = """most => [...document.querySelectorAll(".people-table tbody :is(td, th)")].flatMap(cell => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  for (let node; (node = texts.nextNode()); ) {
    for (const word of node.data.matchAll(/[^\\s-]+-?/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (word[0].length <= most && range.getClientRects().length > 1) found.push(word[0]);
    }
  }
  return found;
})"""
# The texts that reach over the edge of the part they stand in.
OVER_THE_EDGE = """([part, inner]) => [...document.querySelectorAll(part)].flatMap(part => {
  const edge = part.getBoundingClientRect().right - parseFloat(getComputedStyle(part).paddingRight);
  return [...part.querySelectorAll(inner)].filter(text => !text.closest(".visually-hidden")
    && text.getBoundingClientRect().right > edge + 0.5).map(text => text.textContent.trim());
})"""
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
def people(lists: Lists) -> Group:
    return lists.group(PEOPLE)


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


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_words_of_recipients_are_not_broken(width: int, mine: Page, people: Group) -> None:
    open_at(mine, f"/a/acme/recipients/{people.pk}/", width=width)
    assert mine.evaluate(BROKEN_WORDS, 25) == []


def test_a_word_longer_than_its_column_is_broken(mine: Page, people: Group) -> None:
    open_at(mine, f"/a/acme/recipients/{people.pk}/", width=DESK)
    assert mine.evaluate(BROKEN_WORDS, 99) != []


def test_a_long_address_is_still_one_text(mine: Page, people: Group) -> None:
    open_at(mine, f"/a/acme/recipients/{people.pk}/", width=PHONE)
    address = mine.get_by_role("link", name="alessandro.bianchi2349@posta.example", exact=True)
    assert address.inner_text() == "alessandro.bianchi2349@posta.example"


@pytest.mark.parametrize("width", [DESK, 1000, 800, PHONE])
def test_pages_of_lists_and_backups_are_no_wider_than_the_window(
    width: int, mine: Page, lists: Lists, people: Group
) -> None:
    lists.load(PEOPLE.replace("Anna", "Anne"), into=people, file_name="customers-of-" * 9 + "today.csv")
    for path in ("recipients", "backups", f"recipients/{people.pk}", f"recipients/{people.pk}/changes"):
        open_at(mine, f"/a/acme/{path}/", width=width)
        wide = mine.evaluate(
            "[...document.querySelectorAll('section.card, .card')]"
            ".filter(card => card.scrollWidth > card.clientWidth + 1).map(card => card.textContent)"
        )
        assert wide == [], path


def test_on_a_phone_most_of_what_a_backup_offers_is_in_three_dots_that_open_by_keyboard(
    mine: Page, lists: Lists, people: Group
) -> None:
    lists.load(PEOPLE.replace("Anna", "Anne"), into=people)
    path = f"/a/acme/backups/{Snapshot.objects.get().pk}/"
    verify = mine.get_by_role("button", name="Verify now")
    open_at(mine, path, width=DESK)
    expect(verify).to_be_visible()
    open_at(mine, path, width=PHONE)
    expect(mine.get_by_role("link", name="Restore")).to_be_visible()
    expect(verify).to_have_count(0)
    mine.get_by_role("button", name="Actions for News").press("Enter")
    expect(verify).to_be_visible()


def test_long_names_of_columns_stay_apart(mine: Page, people: Group) -> None:
    open_at(mine, "/a/acme/recipients/", width=DESK)
    names = mine.locator(".list-table thead .list-col-count")
    names.nth(3).evaluate("cell => { cell.textContent = 'Zurückgekommen (Bounce)' }")
    wide = names.evaluate_all("cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth)")
    assert wide == []


@pytest.mark.parametrize("width", [380, 360, 320])
def test_times_and_facts_stay_within_their_cards_on_the_narrowest_phones(
    width: int, mine: Page, lists: Lists, people: Group, olivia: User
) -> None:
    User.objects.filter(pk=olivia.pk).update(language="de")
    lists.load(PEOPLE.replace("Anna", "Anne"), into=people)
    Snapshot.objects.update(recipients=123_456, size_bytes=123_456_789)
    open_at(
        mine,
        f"/a/acme/recipients/{people.pk}/people/{people.recipients.get(key='anna@example.com').pk}/",
        width=width,
    )
    assert mine.evaluate(OVER_THE_EDGE, [".card-body", ".moment"]) == []
    open_at(mine, f"/a/acme/backups/{Snapshot.objects.get().pk}/", width=width)
    assert mine.evaluate(OVER_THE_EDGE, [".card-body", ".moment"]) == []
    open_at(mine, "/a/acme/backups/", width=width)
    assert mine.evaluate(OVER_THE_EDGE, [".backup-rows tbody tr", "td, th"]) == []


def test_a_button_with_a_long_text_is_no_wider_than_a_phone(mine: Page, people: Group, olivia: User) -> None:
    User.objects.filter(pk=olivia.pk).update(language="de")
    open_at(mine, f"/a/acme/recipients/{people.pk}/people/add/", width=360)
    wide = mine.locator(".submit .btn").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    )
    assert wide == []


def test_how_often_a_word_of_a_status_stands_in_a_file_is_one_number(mine: Page, lists: Lists) -> None:
    rows = [f"a{number}@example.com,perhaps-somehow-subscribed" for number in range(1234)]
    draft = lists.draft("\n".join(["email,status", "b@example.com,active", *rows]))
    open_at(mine, f"/a/acme/recipients/import/{draft.pk}/mode/", width=380)
    count = mine.locator(".is-unknown .spelling-count")
    expect(count).to_have_text("1,234")
    lines = count.evaluate(
        """count => {
          const text = document.createRange();
          text.selectNodeContents(count);
          return text.getClientRects().length;
        }"""
    )
    assert lines == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_links_within_sentences_and_small_print_can_be_made_out(
    scheme: Literal["light", "dark"], mine: Page, lists: Lists, people: Group, sam: User, client_of: ClientOf
) -> None:
    mine.emulate_media(color_scheme=scheme)
    delete_group(people, actor=lists.actor)
    assert client_of(sam).get("/a/acme/log/").status_code == 200
    for path in ("recipients", "recipients/new", "backups", "log"):
        open_at(mine, f"/a/acme/{path}/", width=DESK)
        mine.evaluate(TESTS_ONLY.read_text(encoding="utf-8"))
        found: dict[str, Any] = mine.evaluate("axe.run({runOnly: ['link-in-text-block', 'color-contrast']})")
        assert [one["nodes"][0]["html"] for one in found["violations"]] == [], path
    mine.goto("/a/acme/recipients/new/")
    expect(mine.get_by_role("link", name="Make the list from them")).to_have_css(
        "text-decoration-line", "underline"
    )
    expect(mine.get_by_role("navigation").get_by_role("link").first).to_have_css(
        "text-decoration-line", "none"
    )
