"""The activity log: what happened, readable, page by page."""

from __future__ import annotations

from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backupsvc.accounts import audit
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.models import Account, User
from backupsvc.accounts.wording import EVENTS
from tests.fixtures.cast import ClientOf

LOG = "/a/acme/log/"


def test_old_and_new_values_read_as_words(account: Account, olivia: User, client_of: ClientOf) -> None:
    actor = Actor(olivia, Origin.UI)
    audit.record(
        "account.settings_changed",
        account=account,
        actor=actor,
        old={"auto_backup": True},
        new={"auto_backup": False},
    )
    text = client_of(olivia).get(LOG).text
    assert "automatic backups" in text
    assert "<del>on</del>" in text
    assert "<ins>off</ins>" in text


def test_each_known_event_has_a_line(account: Account, olivia: User, client_of: ClientOf) -> None:
    for event in EVENTS:
        audit.record(event, account=account, actor=operator(), target="Newsletter", rows=1200)
    text = unescape(client_of(olivia).get(LOG).text)
    for said in EVENTS.values():
        assert str(said) in text


def test_a_borrowed_name_does_not_hide_who_it_was(
    account: Account, olivia: User, victor: User, client_of: ClientOf
) -> None:
    victor.name = olivia.name
    for user in (olivia, victor):
        audit.record("group.created", account=account, actor=Actor(user, Origin.UI))
    client = client_of(olivia)
    lines = client.get(LOG).context["lines"]
    assert [(line.who, line.address) for line in lines] == [
        ("Olivia", victor.email),
        ("Olivia", olivia.email),
    ]
    with CaptureQueriesContext(connection) as before:
        text = client.get(LOG).text
    assert "victor@example.com" in text
    for _time in range(5):
        audit.record("group.created", account=account, actor=Actor(victor, Origin.UI))
    with CaptureQueriesContext(connection) as after:
        client.get(LOG)
    assert len(after) == len(before)


def test_who_has_no_name_is_not_named_twice(account: Account, olivia: User, client_of: ClientOf) -> None:
    nameless = User.objects.create_user("nina@example.com")
    audit.record("group.created", account=account, actor=Actor(nameless, Origin.UI))
    audit.record("group.created", account=account, actor=operator())
    assert [line.address for line in client_of(olivia).get(LOG).context["lines"]] == ["", ""]


def test_paging_goes_through_all_entries_and_back(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    for number in range(120):
        audit.record("group.created", account=account, actor=operator(), target=f"List-{number:03}")
    client = client_of(olivia)
    seen: list[str] = []
    url = LOG
    while url:
        answer = client.get(url)
        seen += [line.entry.target for line in answer.context["lines"]]
        last, url = answer, answer.context["next_url"]
    assert seen == [f"List-{number:03}" for number in reversed(range(120))]
    back = client.get(last.context["previous_url"])
    assert [line.entry.target for line in back.context["lines"]] == seen[50:100]
    assert client.get(LOG).context["previous_url"] == ""


def test_the_log_of_one_list_shows_no_other(account: Account, olivia: User, client_of: ClientOf) -> None:
    for number, name in ((1, "Customers"), (2, "Press")):
        audit.record("group.created", account=account, actor=operator(), group_id=number, target=name)
    answer = client_of(olivia).get(LOG, {"list": "2"})
    assert [line.entry.target for line in answer.context["lines"]] == ["Press"]
    assert answer.context["lists"] == [(1, "Customers"), (2, "Press")]


def test_htmx_gets_the_lines_alone(account: Account, olivia: User, client_of: ClientOf) -> None:
    answer = client_of(olivia).get(LOG, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", "list=%00", "after=99999999999999999999", "list=١"]
)
def test_a_broken_address_still_shows_the_log(
    query: str, account: Account, olivia: User, client_of: ClientOf
) -> None:
    assert client_of(olivia).get(f"{LOG}?{query}").status_code == 200


def test_an_entry_of_another_account_is_never_shown(
    account: Account, other_account: Account, olivia: User, client_of: ClientOf
) -> None:
    audit.record("group.created", account=other_account, actor=operator(), group_id=7, target="Not yours")
    assert "Not yours" not in client_of(olivia).get(LOG).text
    assert "Not yours" not in client_of(olivia).get(LOG, {"list": "7"}).text


def test_a_longer_log_asks_the_database_no_more(account: Account, olivia: User, client_of: ClientOf) -> None:
    client = client_of(olivia)
    client.get(LOG)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(LOG)
        return len(captured)

    for _number in range(2):
        audit.record("group.created", account=account, actor=Actor(olivia, Origin.UI), target="x")
    few = queries()
    for _number in range(40):
        audit.record("group.created", account=account, actor=Actor(olivia, Origin.UI), target="x")
    assert queries() == few


def test_times_are_shown_in_the_zone_of_the_account(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    Account.objects.update(time_zone="Asia/Tokyo")
    audit.record("group.created", account=account, actor=operator(), target="x")
    assert '<span class="zone">JST</span>' in client_of(olivia).get(LOG).text
