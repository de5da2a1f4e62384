"""The lists of an account, and one list with its recipients.

One file although it is long: both pages show the same lists.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from python_calamine import load_workbook

from backups.models import Snapshot
from backupsvc.accounts.models import Account, AuditEntry, User
from recipients import exports
from recipients.actions.groups import change_group, create_group
from recipients.exports import KINDS
from recipients.models import Change, Group
from recipients.views.groups import LISTS_SHOWN
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists, acting
from tests.recipients.views.conftest import Address, person

# What of a list's page is for those who change it.
DEEDS = ["group-delete", "recipient-add"]
ODD_NAMES = [
    "\"Quoted\" & 'so'",
    "<script>alert(1)</script>",
    "קהילה ‮ النشرة",
    "Winter 🌨️ letters",
    "x" * 255,
]


def queries(client: Client, path: str) -> int:
    """How many queries the page asks; the first call warms what is cached."""
    assert client.get(path).status_code == 200
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


def test_who_cannot_see_a_search_is_told_how_many_lists_it_found(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    for number in range(LISTS_SHOWN):
        create_group(news.account, actor=lists.actor, name=f"List {number}")
    client = client_of(olivia)
    for search, told in (
        ("News", "1 list found"),
        ("List 1", "11 lists found"),
        ("", "50 lists found (on this page)"),
        ("none", "No list found"),
    ):
        answer = client.get(url("groups"), {"q": search}, headers={"HX-Request": "true"})
        assert f'<p hx-swap-oob="innerHTML:#found-count">{told}</p>' in answer.text
    # A page that is opened is read from its beginning.
    page = client.get(url("groups"), {"q": "News"}).text
    assert "hx-swap-oob" not in page
    assert 'id="found-count" role="status"></p>' in page


def test_the_overview_counts_the_recipients_of_each_list_by_status(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    page = client_of(olivia).get(url("groups"))
    (row,) = page.context["rows"]
    assert [count for _status, count in _counts(row.group)] == [1, 1, 1, 1]
    assert url("group-show", news.pk) in page.text
    assert 'data-label="Total">4<' in page.text.replace("\n", "")


def _counts(group: Group) -> list[tuple[str, int]]:
    names = ("active", "unconfirmed", "inactive", "bounced")
    return [(name, getattr(group, f"{name}_count")) for name in names]


def test_an_account_without_lists_is_told_how_to_begin(
    account: Account, edith: User, victor: User, client_of: ClientOf, url: Address
) -> None:
    mine = client_of(edith).get(url("groups")).text
    assert "No recipient lists yet" in mine
    assert url("import-new") in mine
    assert url("group-new") in mine
    theirs = client_of(victor).get(url("groups")).text
    assert "No recipient lists yet" in theirs
    assert url("import-new") not in theirs
    assert url("group-new") not in theirs


def test_lists_are_found_by_a_part_of_their_name(
    account: Account, olivia: User, client_of: ClientOf, url: Address
) -> None:
    for name in ("Spring letters", "Customers"):
        create_group(account, actor=acting(olivia), name=name)
    client = client_of(olivia)
    page = client.get(url("groups"), {"q": "letter"}).text
    assert "Spring letters" in page
    assert "Customers" not in page
    nobody = client.get(url("groups"), {"q": '"><b>'}, headers={"HX-Request": "true"}).text
    assert "No list is called" in nobody
    assert "<b>" not in nobody
    assert "<html" not in nobody


def test_twenty_lists_ask_no_more_queries_than_one(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(olivia)
    with_nothing_going_on = queries(client, url("groups"))
    lists.preview("email\nzoe@example.com\n", name="Begun")
    with_one = queries(client, url("groups"))
    # What goes on is loaded only when there is something.
    assert with_one == with_nothing_going_on + 1
    for number in range(19):
        create_group(lists.account, actor=lists.actor, name=f"List {number}")
        lists.preview("email\nzoe@example.com\n", name=f"Begun {number}")
    assert queries(client, url("groups")) == with_one


def test_a_page_of_many_recipients_asks_no_more_queries_than_one_of_few(
    lists: Lists, olivia: User, client_of: ClientOf, url: Address
) -> None:
    few = lists.group("email,First name\nanna@example.com,Anna\n", name="Few")
    rows = "".join(f"p{number:03}@example.com,P{number}\n" for number in range(120))
    many = lists.group("email,First name\n" + rows, name="Many")
    client = client_of(olivia)
    assert queries(client, url("group-show", few.pk)) == queries(client, url("group-show", many.pk))


def test_recipients_are_leafed_through_forwards_and_back(
    lists: Lists, olivia: User, client_of: ClientOf, url: Address
) -> None:
    rows = "".join(f"p{number:03}@example.com\n" for number in range(120))
    group = lists.group("email\n" + rows)
    client = client_of(olivia)
    first = client.get(url("group-show", group.pk))
    second = client.get(first.context["next_url"])
    third = client.get(second.context["next_url"])
    seen = [row.email for page in (first, second, third) for row, _values in page.context["rows"]]
    assert seen == [f"p{number:03}@example.com" for number in range(120)]
    assert third.context["next_url"] == ""
    again = client.get(third.context["previous_url"])
    assert [row for row, _ in again.context["rows"]] == [row for row, _ in second.context["rows"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "inactive"}, ["carla@example.com"]),
        ({"status": "bounced"}, ["dora@example.com"]),
        ({"q": "ANNA@"}, ["anna@example.com"]),
        ({"q": "bob", "status": "active"}, []),
        (
            {"status": "nonsense", "after": "", "before": "\0"},
            ["anna@example.com", "bob@example.com", "carla@example.com", "dora@example.com"],
        ),
    ],
)
def test_recipients_are_found_by_status_and_part_of_the_address(
    asked: dict[str, str], found: list[str], news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    page = client_of(olivia).get(url("group-show", news.pk), asked)
    assert page.status_code == 200
    assert [recipient.email for recipient, _values in page.context["rows"]] == found


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_shown_as_they_are_and_never_run(
    name: str, account: Account, olivia: User, client_of: ClientOf, url: Address
) -> None:
    group = create_group(account, actor=acting(olivia), name=name)
    client = client_of(olivia)
    names = (
        "group-show",
        "group-changes",
        "group-settings",
        "group-fields",
        "group-blocklist",
        "group-delete",
    )
    for path in (url("groups"), *(url(page, group.pk) for page in names)):
        page = client.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def test_an_editor_makes_an_empty_list_and_the_log_knows(
    account: Account, edith: User, client_of: ClientOf, url: Address
) -> None:
    answer = client_of(edith).post(url("group-new"), {"name": " Spring ", "info": "For members"})
    group = Group.objects.get()
    assert answer.headers["Location"] == url("group-show", group.pk)
    assert (group.name, group.info, group.recipients_count) == ("Spring", "For members", 0)
    assert AuditEntry.objects.filter(event="group.created", group_id=group.pk, user=edith).count() == 1


@pytest.mark.parametrize("name", ["", "  ", "News", "a\nb", "x" * 256])
def test_a_name_that_cannot_be_is_refused_in_the_form(
    name: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    page = client_of(edith).post(url("group-new"), {"name": name})
    assert page.status_code == 200
    assert page.context["form"].errors["name"]
    assert Group.objects.count() == 1


def test_a_viewer_sees_no_button_that_is_not_for_viewers(
    news: Group, victor: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(victor)
    anna = person(news, "anna")
    pages = (
        client.get(url("groups")).text,
        client.get(url("group-show", news.pk)).text,
        client.get(url("recipient-show", news.pk, anna.pk)).text,
        client.get(url("group-settings", news.pk)).text,
        client.get(url("group-fields", news.pk)).text,
        client.get(url("group-blocklist", news.pk)).text,
    )
    for page in pages:
        for deed in DEEDS:
            assert url(deed, news.pk) not in page
        for kind in KINDS:
            assert url("group-download", news.pk, kind) not in page
        for deed in ("recipient-edit", "recipient-unsubscribe", "recipient-remove", "recipient-reactivate"):
            assert url(deed, news.pk, anna.pk) not in page
        assert reverse("backups:make", args=["acme", news.pk]) not in page
        assert url("import-new") not in page


@pytest.mark.parametrize("name", ["victor", "sam"])
def test_who_only_looks_is_refused_whatever_they_send(
    name: str, news: Group, request: pytest.FixtureRequest, client_of: ClientOf, url: Address
) -> None:
    client = client_of(request.getfixturevalue(name))
    anna = person(news, "anna").pk
    deeds = [
        url("group-new"),
        url("group-delete", news.pk),
        url("group-download", news.pk, "csv"),
        url("group-settings", news.pk),
        url("group-fields", news.pk),
        url("group-blocklist", news.pk),
        url("recipient-add", news.pk),
        *(
            url(f"recipient-{deed}", news.pk, anna)
            for deed in ("edit", "unsubscribe", "remove", "reactivate")
        ),
    ]
    # Support staff's looking is written down by itself; what matters is that nothing else is.
    for path in deeds:
        answer = client.post(path, {"name": "Mine", "email": "mine@example.com", "pattern": "*@mine.example"})
        assert answer.status_code == 403, path
    news.refresh_from_db()
    assert (news.name, news.recipients_count, news.is_live) == ("News", 4, True)
    assert not AuditEntry.objects.filter(
        event__in=["group.exported", "group.created"], user__email__startswith=name
    )


def test_strangers_and_the_signed_out_find_nothing(
    news: Group, stranger: User, client: Client, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna").pk
    paths = [
        url("groups"),
        *(url(name, news.pk) for name in ("group-show", "group-settings", "group-fields", "group-delete")),
        url("recipient-show", news.pk, anna),
    ]
    for path in paths:
        assert client_of(stranger).get(path).status_code == 404
        assert client.get(path).status_code == 302


def test_the_list_of_another_account_is_not_there(
    news: Group, other_account: Account, stranger: User, client_of: ClientOf
) -> None:
    anna = person(news, "anna").pk
    client = client_of(stranger)
    for name, args in (("group-show", []), ("group-delete", []), ("recipient-show", [anna])):
        path = reverse(f"recipients:{name}", args=[other_account.slug, news.pk, *args])
        assert client.get(path).status_code == 404


def test_looking_changes_nothing(
    news: Group, olivia: User, client_of: ClientOf, url: Address, state: Callable[[], object]
) -> None:
    client = client_of(olivia)
    client.get(url("groups"))
    before = state()
    anna = person(news, "anna").pk
    for name in (
        "group-show",
        "group-changes",
        "group-settings",
        "group-fields",
        "group-blocklist",
        "group-delete",
    ):
        assert client.get(url(name, news.pk)).status_code == 200
    for name in ("show", "edit", "unsubscribe", "remove"):
        assert client.get(url(f"recipient-{name}", news.pk, anna)).status_code == 200
    assert client.get(url("group-download", news.pk, "csv")).status_code == 405
    assert state() == before


@pytest.fixture
def state() -> Callable[[], object]:
    """What looking must not change."""

    def now() -> object:
        revisions = list(
            Group.objects.values_list("pk", "revision", "recipients__key").order_by("recipients__key")
        )
        return revisions, AuditEntry.objects.count(), Change.objects.count(), Snapshot.objects.count()

    return now


def test_without_a_token_nothing_is_accepted(news: Group, olivia: User, url: Address) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    for path in (url("group-delete", news.pk), url("group-download", news.pk, "csv"), url("group-new")):
        assert client.post(path, {"name": "Mine"}).status_code == 403
    news.refresh_from_db()
    assert news.is_live


@pytest.mark.parametrize(("kind", "marker"), [("csv", False), ("csv-safe", True)])
def test_the_list_is_downloaded_and_written_down(
    kind: str, marker: bool, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    answer = client_of(edith).post(url("group-download", news.pk, kind))
    assert isinstance(answer, StreamingHttpResponse)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="news-')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["email"], row["status"], row["First name"]) for row in rows] == [
        ("anna@example.com", "active", "Anna"),
        ("bob@example.com", "unconfirmed", "Bob"),
        ("carla@example.com", "inactive", "Carla"),
        ("dora@example.com", "bounced", "Dora"),
    ]
    assert ("spreadsheet_safe" in rows[0]) is marker
    entry = AuditEntry.objects.get(event="group.exported")
    assert (entry.user, entry.group_id, entry.data["kind"]) == (edith, news.pk, kind)


def test_the_list_is_downloaded_as_a_sheet_in_which_nothing_runs(
    lists: Lists, edith: User, client_of: ClientOf, url: Address
) -> None:
    group = lists.group("email,Note\nanna@example.com,=1+1\n=cmd@example.com,\n")
    client = client_of(edith)
    assert url("group-download", group.pk, "xlsx") in client.get(url("group-show", group.pk)).text
    answer = client.post(url("group-download", group.pk, "xlsx"))
    assert isinstance(answer, StreamingHttpResponse)
    assert "-spreadsheet.xlsx" in answer.headers["Content-Disposition"]
    content = answer.getvalue()
    header, *rows = load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert (header[0], header[-2], header[-1]) == ("email", "Note", "spreadsheet_safe")
    assert [(row[0], row[-2]) for row in rows] == [
        ("'=cmd@example.com", ""),
        ("anna@example.com", "'=1+1"),
    ]
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert b"<f>" not in file.read("xl/worksheets/sheet1.xml")
    entry = AuditEntry.objects.get(event="group.exported")
    assert (entry.user, entry.group_id, entry.data["kind"]) == (edith, group.pk, "xlsx")


def test_a_list_that_no_sheet_can_hold_is_refused_in_words(
    news: Group, edith: User, client_of: ClientOf, url: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_SHEET_ROWS", 4)
    answer = client_of(edith).post(url("group-download", news.pk, "xlsx"), follow=True)
    assert answer.redirect_chain == [(url("group-show", news.pk), 302)]
    assert "The list has more recipients than an Excel file can hold (3). Download it as CSV." in answer.text


def test_support_staff_download_only_when_the_owner_allows_it(
    news: Group, sam: User, account: Account, client_of: ClientOf, url: Address
) -> None:
    client = client_of(sam)
    path = url("group-download", news.pk, "csv")
    assert client.post(path).status_code == 403
    Account.objects.filter(pk=account.pk).update(support_may_download=True)
    assert client.post(path).status_code == 200


def test_a_kind_of_file_that_is_not_there_is_not_found(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    assert client_of(edith).post(url("group-download", news.pk, "exe")).status_code == 404
    assert not AuditEntry.objects.filter(event="group.exported").exists()


def test_what_is_begun_or_running_leads_to_where_it_stands(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    waiting = lists.preview("email\nzoe@example.com\n", into=news, file_name="waits.csv")
    running, _job = lists.confirm("email\nyan@example.com\n", into=news, file_name="runs.csv")
    client = client_of(olivia)
    for path in (url("groups"), url("group-show", news.pk)):
        page = client.get(path).text
        assert url("change-preview", waiting.pk) in page
        assert url("change-progress", running.pk) in page
        assert "waits.csv" in page


def test_the_changes_of_a_list_lead_to_their_results_and_backups(
    lists: Lists, news: Group, victor: User, client_of: ClientOf, url: Address
) -> None:
    change = lists.load("email\nzoe@example.com\n", into=news, file_name="spring.csv")
    page = client_of(victor).get(url("group-changes", news.pk)).text
    assert url("change-result", change.pk) in page
    assert "spring.csv" in page
    backup = Snapshot.objects.get(change_id=change.pk)
    assert reverse("backups:show", args=["acme", backup.pk]) in page


def test_a_locked_list_and_one_without_backups_say_so(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(olivia)
    for path in (url("groups"), url("group-show", news.pk)):
        assert "automatic backups off" not in client.get(path).text
        assert "locked" not in client.get(path).text
    change_group(news, actor=acting(olivia), locked=True, auto_backup=False)
    for path in (url("groups"), url("group-show", news.pk)):
        assert "automatic backups off" in client.get(path).text
        assert "locked" in client.get(path).text
