"""Every form that posts brings its token: without one the browser's click ends on an error page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from backups.actions.snapshots import request_snapshot
from backupsvc.accounts.models import User
from backupsvc.jobs.runner import drain
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.actions.deletion import delete_group
from recipients.models import Group
from tests.fixtures.lists import Lists
from tests.recipients.views.conftest import PEOPLE, Address, person

POSTING = re.compile(r'<form[^>]*method="post".*?</form>', re.DOTALL)
PAGES = [
    "groups",
    "group-new",
    "group-show",
    "group-changes",
    "group-delete",
    "group-settings",
    "group-fields",
    "field-delete",
    "group-blocklist",
    "recipient-add",
    "recipient-show",
    "recipient-edit",
    "recipient-unsubscribe",
    "recipient-reactivate",
    "recipient-remove",
    "import-new",
    "import-read",
    "import-map",
    "import-mode",
    "change-preview",
]


@pytest.fixture
def browser_of_olivia(olivia: User) -> Client:
    """A browser that is held to what the middleware asks for, unlike the usual one of tests."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    return client


@pytest.fixture
def ids(news: Group, lists: Lists) -> dict[str, list[int]]:
    """What the addresses need, by the first word of their names; one of everything there is to press."""
    attribute = create_attribute(lists.account, actor=lists.actor, name="Size")
    block(lists.account, actor=lists.actor, pattern="*@blocked.example")
    delete_group(lists.group(PEOPLE, name="Doomed"), actor=lists.actor)
    draft = lists.draft(PEOPLE, into=news)
    preview = lists.preview(PEOPLE, into=news)
    return {
        "groups": [],
        "group-new": [],
        "import-new": [],
        "group": [news.pk],
        "field": [news.pk, attribute.pk],
        "recipient-add": [news.pk],
        "recipient-unsubscribe": [news.pk, person(news, "anna").pk],
        "recipient": [news.pk, person(news, "carla").pk],
        "import": [draft.pk],
        "change": [preview.pk],
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_form_that_posts_brings_its_token(
    name: str, ids: dict[str, list[int]], browser_of_olivia: Client, url: Address
) -> None:
    page = browser_of_olivia.get(url(name, *ids.get(name, ids[name.split("-", maxsplit=1)[0]])))
    assert page.status_code == 200
    forms = POSTING.findall(page.text)
    assert forms
    assert [form for form in forms if "csrfmiddlewaretoken" not in form] == []


def test_the_three_dots_work_in_a_browser(
    news: Group, lists: Lists, browser_of_olivia: Client, url: Address
) -> None:
    _snapshot, job = request_snapshot(news, actor=lists.actor)
    drain(job)
    page = browser_of_olivia.get(url("group-show", news.pk)).text
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    address = url("group-download", news.pk, "csv")
    assert f'action="{address}"' in page
    assert browser_of_olivia.post(address).status_code == 403
    answer = browser_of_olivia.post(address, {"csrfmiddlewaretoken": token})
    assert b"anna@example.com" in answer.getvalue()
