"""The overview of all backups: what it shows, what it finds, and what it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from backups.actions.purge import delete_snapshot
from backups.actions.snapshots import pin, request_snapshot
from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, User
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions.deletion import delete_group
from recipients.actions.groups import change_group, create_group
from recipients.models import Group
from tests.backups.views.conftest import MORE, PEOPLE, aged
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

PATH = "/a/acme/backups/"


def page(client_of: ClientOf, user: User, query: str = "", *, path: str = PATH) -> str:
    answer = client_of(user).get(path + query)
    assert answer.status_code == 200
    return answer.text


def test_a_row_says_when_why_from_which_file_who_and_how_many(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    html = page(client_of, olivia)
    for said in (
        "News",
        "Before an import",
        "spring.csv",
        "Olivia",
        "30 days left",
        "verified",
        "4 recipients now",
    ):
        assert said in html
    assert f'id="backup-{backup.pk}"' in html
    assert "CET" in html or "CEST" in html


def test_a_row_writes_its_time_in_one_way(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    made = datetime(2026, 11, 30, 9, 28, tzinfo=UTC)
    Snapshot.objects.filter(pk=backup.pk).update(created_at=made, expires_at=made + timedelta(days=30))
    html = page(client_of, olivia)
    assert 'title="30 Nov 2026, 10:28 CET">30 Nov 2026, 10:28 <span' in html
    assert "Actions for the backup of News, 30 Nov 2026, 10:28" in html
    assert "a.m." not in html


def test_a_row_says_how_many_more_than_in_the_backup_before(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    lists.load(PEOPLE, into=news)
    assert "+2" in page(client_of, olivia)


def test_lists_are_apart_and_the_one_backed_up_last_comes_first(
    lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    first = lists.group(PEOPLE, name="First list")
    second = lists.group(PEOPLE, name="Second list")
    lists.load(MORE, into=second)
    lists.load(MORE, into=first)
    html = page(client_of, olivia)
    assert html.index("Backups of First list") < html.index("Backups of Second list")


def test_the_overview_shows_the_newest_of_a_list_and_leads_to_all(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    for _round in range(6):
        lists.load(MORE, into=news)
    html = page(client_of, olivia)
    assert html.count('id="backup-') == 3
    assert "Show all 7 backups" in html
    assert f'href="{PATH}?list={news.pk}"' in html
    assert page(client_of, olivia, f"?list={news.pk}").count('id="backup-') == 7


def test_all_backups_of_a_list_are_those_that_were_counted(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    for _round in range(4):
        lists.load(MORE, into=news)
    drain(request_snapshot(news, actor=lists.actor)[1])
    today = timezone.localdate(timezone=ZoneInfo(news.account.time_zone))
    html = page(client_of, olivia, f"?cause=import&since={today}&until=nonsense")
    assert "Show all 5 backups" in html
    query = f"?cause=import&since={today}&list={news.pk}"
    assert f'href="{escape(PATH + query)}"' in html
    assert page(client_of, olivia, query).count('id="backup-') == 5
    assert page(client_of, olivia, f"?list={news.pk}").count('id="backup-') == 6


def test_the_page_says_that_automatic_backups_are_on_and_for_how_long_they_stay(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    html = page(client_of, olivia)
    assert "Automatic backups are on." in html
    assert "Backups are kept for 30 days." in html
    assert "/a/acme/settings/privacy/" in html


def test_the_page_says_that_automatic_backups_are_off(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    account.auto_backup = False
    account.save()
    html = page(client_of, olivia)
    assert "Automatic backups are off." in html
    assert "Automatic backups are on." not in html


def test_the_page_says_what_is_not_covered_and_names_the_lists_whose_switch_is_off(
    account: Account, news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    html = page(client_of, olivia)
    assert "Changes through the API and shop plugins make no backup." in html
    assert "Opens and clicks are not in a backup." in html
    assert "Automatic backups are off for:" not in html
    change_group(news, actor=lists.actor, auto_backup=False)
    account.backup_api_changes = True
    account.save()
    html = page(client_of, olivia)
    assert "Automatic backups are off for:" in html
    assert "Changes through the API and shop plugins make no backup." not in html


def test_an_empty_page_explains_when_the_first_backup_appears(
    account: Account, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    create_group(account, actor=lists.actor, name="Brand new")
    html = page(client_of, olivia)
    assert "No backups yet" in html
    assert "right before the next import" in html
    assert "Brand new" in html


def test_a_deleted_list_is_shown_marked_and_can_be_brought_back(
    news: Group, olivia: User, client_of: ClientOf
) -> None:
    change = delete_group(news, actor=operator())
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=change.pk))
    html = page(client_of, olivia)
    assert "deleted" in html
    assert "Before a deletion" in html
    assert "Bring it back" in html
    assert f"/a/acme/backups/make/{news.pk}/" not in html


def test_a_kept_backup_and_one_that_goes_soon_are_marked(
    news: Group, backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    aged(backup, days=28)
    assert '<span class="badge bg-orange-lt">2 days left</span>' in page(client_of, olivia)
    pin(backup, actor=lists.actor, pinned=True)
    html = page(client_of, olivia)
    assert "days left" not in html
    assert "Stays until somebody lets it go" in html


def test_a_failed_backup_says_why(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    Snapshot.objects.filter(pk=backup.pk).update(
        state=SnapshotState.FAILED, error_code="storage.full", error_params={"detail": "No space left"}
    )
    html = page(client_of, olivia)
    assert "failed" in html
    assert "storage of the backups is full" in html
    assert "days left" not in html
    assert f"/a/acme/backups/{backup.pk}/restore/" not in html


def test_a_damaged_backup_is_marked_and_offers_no_restore(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    Snapshot.objects.filter(pk=backup.pk).update(damaged_code="archive.file_checksum")
    html = page(client_of, olivia)
    assert "damaged" in html
    assert f"/a/acme/backups/{backup.pk}/restore/" not in html
    assert f"/a/acme/backups/{backup.pk}/verify/" in html


def test_a_deleted_backup_is_gone_from_the_page(
    backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    delete_snapshot(backup, actor=lists.actor)
    assert f'id="backup-{backup.pk}"' not in page(client_of, olivia)


def test_only_a_row_that_is_being_written_asks_for_itself_until_it_is_done(
    backup: Snapshot, news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    writing, job = request_snapshot(news, actor=lists.actor)
    html = client.get(PATH).text
    assert html.count('hx-trigger="every 2s"') == 1
    row = f"/a/acme/backups/{writing.pk}/row/"
    assert f'hx-get="{row}"' in html
    headers = {"HX-Request": "true"}
    assert 'hx-trigger="every 2s"' in client.get(row, headers=headers).text
    drain(job)
    done = client.get(row, headers=headers)
    assert done.text.lstrip().startswith("<tr")
    assert "hx-trigger" not in done.text
    delete_snapshot(writing, actor=lists.actor)
    gone = client.get(row, headers=headers)
    assert (gone.status_code, gone.content) == (200, b"")


def test_a_row_opened_without_htmx_leads_to_the_backup(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).get(f"/a/acme/backups/{backup.pk}/row/")
    assert answer.headers["Location"] == f"/a/acme/backups/{backup.pk}/"


def test_filters_find_by_list_cause_day_and_name(
    news: Group, backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    other = lists.group(PEOPLE, name="Käufer 50%")
    by_hand, job = request_snapshot(other, actor=lists.actor)
    drain(job)
    aged(by_hand, days=10)
    # The days of the account, which begin before those of UTC.
    today = timezone.localdate(timezone=ZoneInfo(news.account.time_zone))
    ago = today - timedelta(days=9)

    def found(query: str) -> set[int]:
        html = page(client_of, olivia, query)
        return {pk for pk in (backup.pk, by_hand.pk) if f'id="backup-{pk}"' in html}

    assert found("") == {backup.pk, by_hand.pk}
    assert found(f"?list={news.pk}") == {backup.pk}
    assert found("?cause=manual") == {by_hand.pk}
    assert found(f"?since={ago}") == {backup.pk}
    assert found(f"?until={ago}") == {by_hand.pk}
    assert found(f"?since={today - timedelta(days=11)}&until={today}") == {backup.pk, by_hand.pk}
    assert found("?q=50%25") == {by_hand.pk}
    assert found("?q=nothing+like+it") == set()
    assert "No backup found" in page(client_of, olivia, "?q=nothing+like+it")


def test_a_first_day_after_the_last_one_is_why_nothing_is_found(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    said = "The day under “From” is after the one under “To”."
    assert said in page(client_of, olivia, "?since=2026-11-30&until=2026-11-29")
    part = client_of(olivia).get(f"{PATH}?since=2026-11-30&until=2026-11-29", headers={"HX-Request": "true"})
    assert f'#found-count">{said}</p>' in part.text
    assert said not in page(client_of, olivia, "?since=2026-11-30&until=2026-11-30")


@pytest.mark.parametrize(
    "query",
    [
        "?list=abc",
        "?list=99999999999999999999999",
        "?cause=%00",
        "?since=yesterday",
        "?since=0001-01-01",
        "?until=9999-12-31",
        "?before=-1",
        "?before=99999999999999999999",
        "?q=%F0%9F%8C%BB%27%22%3C",
    ],
)
def test_filters_that_make_no_sense_are_no_error(
    query: str, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    page(client_of, olivia, query)


def test_a_list_of_another_account_cannot_be_asked_for(
    backup: Snapshot, other_account: Account, olivia: User, client_of: ClientOf
) -> None:
    theirs = Group.objects.create(account=other_account, name="Secret list")
    html = page(client_of, olivia, f"?list={theirs.pk}")
    assert "Secret list" not in html


def test_who_cannot_see_a_filter_is_told_how_many_backups_it_found(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    for _round in range(6):
        lists.load(MORE, into=news)
    for query, told in (
        ("?q=News", "7 backups found"),
        (f"?list={news.pk}", "7 backups found"),
        ("?q=none", "No backup found"),
    ):
        answer = client_of(olivia).get(PATH + query, headers={"HX-Request": "true"})
        assert f'<p hx-swap-oob="innerHTML:#found-count">{told}</p>' in answer.text


def test_htmx_gets_the_lists_alone(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    answer = client_of(olivia).get(PATH, headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert f'id="backup-{backup.pk}"' in answer.text


def test_all_backups_of_a_list_come_page_by_page(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    copies_of(backup, 60)
    html = page(client_of, olivia, f"?list={news.pk}&cause=import")
    assert html.count('id="backup-') == 30
    oldest_shown = Snapshot.objects.filter(group=news).order_by("-pk")[29]
    following = f"?list={news.pk}&amp;cause=import&amp;before={oldest_shown.pk}"
    assert following in html
    html = page(client_of, olivia, following.replace("&amp;", "&"))
    assert html.count('id="backup-') == 30
    assert f"before={Snapshot.objects.filter(group=news).order_by('-pk')[59].pk}" in html


def test_the_page_costs_the_same_with_many_backups(
    news: Group, backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    client.get(PATH)  # the session notes the account
    copies_of(backup, 9)
    with CaptureQueriesContext(connection) as few:
        client.get(PATH)
    for name in "ABCDEFGHIJ":
        group = Group.objects.create(account=news.account, name=f"List {name}", auto_backup=name > "D")
        copies_of(backup, 99, group=group)
    with CaptureQueriesContext(connection) as many:
        # Ten lists with their three newest each.
        assert client.get(PATH).text.count('id="backup-') == 30
    assert len(many) <= len(few)
    with CaptureQueriesContext(connection) as one_list:
        client.get(f"{PATH}?list={group.pk}")
    assert len(one_list) <= len(few)


def test_names_that_look_like_code_are_only_names(lists: Lists, olivia: User, client_of: ClientOf) -> None:
    for name in ("<script>alert(1)</script> \"x\" 'y' 🌻", "قائمة النشرة", "w" * 255):
        group = lists.group(PEOPLE, name=name)
        lists.load(MORE, into=group, file_name="<b>bold<b>.csv")
        for path in (PATH, f"{PATH}?list={group.pk}", f"{PATH}{Snapshot.objects.get(group=group).pk}/"):
            html = page(client_of, olivia, path=path)
            assert "<script>alert" not in html
            assert "<b>bold" not in html


def test_the_chart_has_a_dot_for_each_backup_and_says_itself_in_words(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    html = page(client_of, olivia)
    assert html.count("<circle") == 2  # the backup, and the list as it is now
    assert "Recipients over time: 2 on" in html


def test_a_comma_as_decimal_point_does_not_get_into_the_chart(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    lists.load(MORE, into=news)
    olivia.language = "de"
    olivia.save()
    client = client_of(olivia)
    client.cookies["django_language"] = "de"
    html = client.get(PATH).text
    path = html.split('class="plot-line" d="')[1].split('"')[0]
    assert "," not in path


def test_the_same_page_stands_under_my_account(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    html = page(client_of, olivia, path="/a/acme/extras/backups/")
    assert f'id="backup-{backup.pk}"' in html
    assert 'action="/a/acme/extras/backups/"' in html
    assert "Members" in html


def copies_of(snapshot: Snapshot, count: int, *, group: Group | None = None) -> None:
    """As many more backups like this one, of its list or another."""
    fields = {field.attname: getattr(snapshot, field.attname) for field in Snapshot._meta.concrete_fields[1:]}
    fields["group_id"] = (group or snapshot.group).pk
    Snapshot.objects.bulk_create(Snapshot(**fields) for _copy in range(count))


def test_a_damaged_backup_is_an_alarm_on_the_page_until_it_is_sound_again(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    alarm = "One backup is damaged and cannot be restored."
    assert alarm not in page(client_of, olivia)
    Snapshot.objects.filter(pk=backup.pk).update(damaged_code="archive.missing")
    html = page(client_of, olivia)
    assert alarm in html
    assert f'href="/a/acme/backups/{backup.pk}/"' in html
    # One that was deleted harms nobody any more.
    Snapshot.objects.filter(pk=backup.pk).update(state=SnapshotState.EXPIRED)
    assert alarm not in page(client_of, olivia)
