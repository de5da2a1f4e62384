"""One backup: looking into it, comparing it, keeping, verifying, deleting and downloading it.

One file although it is long: all of it is done on one page, to one backup.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backups import storage
from backups.actions.snapshots import pin, request_snapshot
from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions.deletion import delete_group
from recipients.models import Group
from tests.backups.views.conftest import MORE, PEOPLE, aged
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists


def path_of(snapshot: Snapshot, rest: str = "") -> str:
    return f"/a/acme/backups/{snapshot.pk}/{rest}"


def spoil(snapshot: Snapshot, archives: Path) -> None:
    """Change one byte of the file."""
    file = archives / snapshot.archive
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)


# --- Looking into it ------------------------------------------------------------------------------


def test_the_page_of_a_backup_says_what_it_is_and_who_is_in_it(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    html = client_of(olivia).get(path_of(backup)).text
    for said in (
        "Backup of News",
        "spring.csv",
        "Olivia",
        backup.sha256,
        "First name",
        "automatic backups on",
    ):
        assert said in html
    assert "anna@example.com" in html
    assert "Anna" in html
    assert "vip" in html
    # Who came with the import that the backup was made before.
    assert "carla@example.com" not in html


def test_the_three_dots_of_a_phone_hold_what_the_buttons_of_a_backup_hold(
    backup: Snapshot, olivia: User, victor: User, client_of: ClientOf
) -> None:
    posted = [f"download/{kind}/" for kind in ("csv", "csv-safe", "xlsx")] + ["pin/", "verify/"]
    page = client_of(olivia).get(path_of(backup)).text
    buttons, _, dots = page.partition('class="dropdown row-menu"')
    for part in (buttons, dots):
        assert all(f'action="{path_of(backup, rest)}"' in part for rest in posted)
        assert f'href="{path_of(backup, "delete/")}"' in part
    assert "row-menu" not in client_of(victor).get(path_of(backup)).text


def test_people_in_a_backup_are_found_by_a_part_of_the_address(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    html = client_of(olivia).get(path_of(backup, "?q=BOB"), headers={"HX-Request": "true"}).text
    assert "bob@example.com" in html
    assert "anna@example.com" not in html
    assert "<html" not in html
    assert "Nobody found" in client_of(olivia).get(path_of(backup, "?q=zzz")).text


def test_people_in_a_backup_come_page_by_page(lists: Lists, olivia: User, client_of: ClientOf) -> None:
    group = lists.group("email\n" + "".join(f"p{n:03}@example.com\n" for n in range(120)))
    lists.load(MORE, into=group)
    snapshot = Snapshot.objects.get(group=group)
    client = client_of(olivia)
    first, last = client.get(path_of(snapshot)).text, client.get(path_of(snapshot, "?skip=100")).text
    assert "p049@" in first
    assert "p050@" not in first
    assert "skip=50" in first
    assert "p119@" in last
    assert 'rel="next"' not in last


def test_the_page_of_a_failed_backup_says_why_and_shows_nobody(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    Snapshot.objects.filter(pk=backup.pk).update(
        state=SnapshotState.FAILED, error_code="storage.broken", error_params={"detail": "gone"}
    )
    html = client_of(olivia).get(path_of(backup)).text
    assert "This backup could not be made." in html
    assert "Recipients in this backup" not in html


def test_the_page_stays_when_the_file_of_the_backup_is_missing(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    storage.delete(backup.archive)
    answer = client_of(olivia).get(path_of(backup))
    assert answer.status_code == 200
    assert "cannot be read" in answer.text


def test_the_page_of_a_backup_costs_the_same_however_many_others_there_are(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    client.get(path_of(backup))
    with CaptureQueriesContext(connection) as few:
        client.get(path_of(backup))
    for _copy in range(40):
        Snapshot.objects.filter(pk=backup.pk).update(pinned=False)
        copy = Snapshot.objects.get(pk=backup.pk)
        copy.pk = None
        copy.save(force_insert=True)
    with CaptureQueriesContext(connection) as many:
        client.get(path_of(backup))
    assert len(many) == len(few)


# --- Comparing ------------------------------------------------------------------------------------


def test_a_backup_is_compared_with_the_list_as_it_is_now(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    html = client_of(olivia).get(path_of(backup, "compare/")).text
    assert "Since this backup 2 people came and 1 changed." in " ".join(html.split())
    assert "carla@example.com" in html
    assert "bob@example.com" in html


def test_two_backups_are_compared_from_the_earlier_to_the_later(
    news: Group, backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    later, job = request_snapshot(news, actor=lists.actor)
    drain(job)
    client = client_of(olivia)
    for path in (path_of(backup, f"compare/?with={later.pk}"), path_of(later, f"compare/?with={backup.pk}")):
        text = " ".join(client.get(path).text.split())
        assert ", 2 people came and 1 changed." in text


def test_nothing_changed_is_said(news: Group, lists: Lists, olivia: User, client_of: ClientOf) -> None:
    now, job = request_snapshot(news, actor=lists.actor)
    drain(job)
    assert "Nothing has changed since this backup." in client_of(olivia).get(path_of(now, "compare/")).text


def test_the_only_backup_of_a_deleted_list_has_nothing_to_be_compared_with(
    news: Group, backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    change = delete_group(news, actor=operator())
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=change.pk))
    client = client_of(olivia)
    page = client.get(path_of(backup, "compare/")).text
    assert "came" in page  # compared with the one made before the deletion
    assert "Compare with" in page
    Snapshot.objects.filter(change=change).update(state=SnapshotState.EXPIRED)
    page = client.get(path_of(backup, "compare/")).text
    assert "Nothing to compare with" in page
    assert "Compare with" not in page


def test_a_backup_is_not_compared_with_one_of_another_list(
    backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    other = lists.group(PEOPLE, name="Other")
    theirs, job = request_snapshot(other, actor=lists.actor)
    drain(job)
    html = client_of(olivia).get(path_of(backup, f"compare/?with={theirs.pk}")).text
    assert "Since this backup" in html


# --- Making, keeping, verifying, deleting ---------------------------------------------------------


def test_a_backup_is_made_by_hand(news: Group, olivia: User, client_of: ClientOf) -> None:
    answer = client_of(olivia).post(f"/a/acme/backups/make/{news.pk}/", follow=True)
    made = Snapshot.objects.filter(group=news).latest("pk")
    assert (made.cause, made.state) == ("manual", "writing")
    assert "A backup of News is being made." in answer.text
    drain(Job.objects.filter(kind="backups.take_snapshot", subject_id=made.pk).get())
    made.refresh_from_db()
    assert made.state == "complete"


def test_a_backup_is_kept_and_let_go(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    client = client_of(olivia)
    came_from = "http://testserver/a/acme/extras/backups/?cause=import"
    answer = client.post(path_of(backup, "pin/"), headers={"Referer": came_from})
    assert answer.headers["Location"] == "/a/acme/extras/backups/?cause=import"
    backup.refresh_from_db()
    assert backup.pinned
    client.post(path_of(backup, "pin/"))
    assert AuditEntry.objects.filter(event="backup.pinned").count() == 1
    until = backup.expires_at
    client.post(path_of(backup, "unpin/"))
    backup.refresh_from_db()
    assert (backup.pinned, backup.expires_at) == (False, until)


def test_an_old_backup_that_is_let_go_stays_a_day_which_is_said(
    backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    pin(aged(backup, days=90), actor=lists.actor, pinned=True)
    answer = client_of(olivia).post(path_of(backup, "unpin/"), follow=True)
    tomorrow = timezone.now() + timedelta(days=1)
    backup.refresh_from_db()
    assert abs(backup.expires_at - tomorrow) < timedelta(minutes=5)
    local = backup.expires_at.astimezone(ZoneInfo(backup.account.time_zone))
    assert f"This backup is deleted by itself on {local:%-d %b %Y}." in answer.text


def test_nobody_is_led_to_a_page_of_somebody_else(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    for came_from in ("https://evil.example/a/acme/", "http://testserver//evil.example/a/acme/"):
        answer = client.post(path_of(backup, "pin/"), headers={"Referer": came_from})
        assert answer.headers["Location"] == "/a/acme/backups/"


def test_verifying_says_that_a_backup_is_whole(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    answer = client_of(olivia).post(path_of(backup, "verify/"), follow=True)
    assert "it is whole" in answer.text


def test_verifying_a_changed_file_says_so_and_marks_the_backup(
    backup: Snapshot, archives: Path, olivia: User, client_of: ClientOf
) -> None:
    spoil(backup, archives)
    answer = client_of(olivia).post(path_of(backup, "verify/"), follow=True)
    assert answer.status_code == 200
    assert "it is whole" not in answer.text
    backup.refresh_from_db()
    assert backup.damaged_code
    assert "damaged" in answer.text


def test_verifying_a_missing_file_says_so(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    storage.delete(backup.archive)
    answer = client_of(olivia).post(path_of(backup, "verify/"), follow=True)
    assert answer.status_code == 200
    backup.refresh_from_db()
    assert backup.damaged_code == "archive.missing"


def test_deleting_says_what_is_lost_before_it_happens(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    html = client.get(path_of(backup, "delete/")).text
    assert "with 2 recipients" in html
    assert "It is the only backup of this list." in html
    backup.refresh_from_db()
    assert backup.state == "complete"
    answer = client.post(path_of(backup, "delete/"), follow=True)
    assert "The backup is deleted." in answer.text
    backup.refresh_from_db()
    assert backup.state == "expired"
    assert client.get(path_of(backup)).status_code == 404


def test_deleting_the_last_backup_of_a_deleted_list_warns(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    change = delete_group(news, actor=operator())
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=change.pk))
    Snapshot.objects.filter(pk=backup.pk).update(state=SnapshotState.EXPIRED)
    last = Snapshot.objects.get(change=change)
    assert "lost for good" in client_of(olivia).get(path_of(last, "delete/")).text


def test_the_backup_of_a_change_that_is_under_way_is_not_deleted(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    change, job = lists.confirm(MORE, into=news)
    drain(Job.objects.filter(kind="backups.take_snapshot").latest("pk"))
    made = Snapshot.objects.get(change=change)
    client = client_of(olivia)
    answer = client.post(path_of(made, "delete/"), follow=True)
    assert "The change that this backup was made for is still under way." in answer.text
    drain(job)
    assert "The backup is deleted." in client.post(path_of(made, "delete/"), follow=True).text


def test_a_kept_backup_is_not_deleted(
    backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    pin(backup, actor=lists.actor, pinned=True)
    client = client_of(olivia)
    assert "This backup is kept" in client.get(path_of(backup, "delete/")).text
    assert f'href="{path_of(backup, "delete/")}"' not in client.get("/a/acme/backups/").text
    answer = client.post(path_of(backup, "delete/"), follow=True)
    assert "kept for good" in answer.text
    backup.refresh_from_db()
    assert backup.state == "complete"


# --- Downloading ----------------------------------------------------------------------------------


def test_a_download_is_an_exact_file_that_nothing_can_run_or_keep(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post(path_of(backup, "download/csv/"))
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["email"] for row in rows] == ["anna@example.com", "bob@example.com"]
    assert rows[0]["First name"] == "Anna"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="news-')
    entry = AuditEntry.objects.get(event="backup.downloaded")
    assert (entry.user, entry.data["kind"]) == (olivia, "csv")


@pytest.mark.parametrize("kind", ["csv-safe", "xlsx"])
def test_a_download_comes_in_kinds_for_spreadsheets(
    kind: str, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    content = client_of(olivia).post(path_of(backup, f"download/{kind}/")).getvalue()
    if kind == "xlsx":
        assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    else:
        assert content.decode("utf-8-sig").splitlines()[1].startswith("anna@example.com")


def test_a_download_is_called_like_its_list_in_any_script(
    lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    for name, told in (
        ("News", 'attachment; filename="news-'),
        ("Käufer", "attachment; filename*=utf-8''k%C3%A4ufer-"),
        ("قائمة", "attachment; filename*=utf-8''%D9%82"),
        ("w" * 255, 'attachment; filename="' + "w" * 60 + "-"),
        ('"; filename="x.exe', 'attachment; filename="filenamexexe-'),
    ):
        group = lists.group(PEOPLE, name=name)
        snapshot, job = request_snapshot(group, actor=lists.actor)
        drain(job)
        answer = client_of(olivia).post(path_of(snapshot, "download/csv/"))
        answer.getvalue()
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith(told)
        assert disposition.rstrip('"').endswith(".csv")


def test_a_download_of_no_known_kind_is_refused_in_words(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post(path_of(backup, "download/exe/"), follow=True)
    assert "is not a kind of download" in answer.text


def test_a_damaged_backup_is_not_downloaded(
    backup: Snapshot, archives: Path, olivia: User, client_of: ClientOf
) -> None:
    spoil(backup, archives)
    answer = client_of(olivia).post(path_of(backup, "download/csv/"), follow=True)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert not AuditEntry.objects.filter(event="backup.downloaded").exists()


def test_a_download_cannot_be_had_by_a_link(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    assert client_of(olivia).get(path_of(backup, "download/csv/")).status_code == 405


def test_the_forms_of_the_menu_carry_their_token(backup: Snapshot, olivia: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    html = client.get("/a/acme/backups/").text
    form = html.split(f'action="{path_of(backup, "pin/")}"')[1].split("</form>")[0]
    token = form.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert client.post(path_of(backup, "pin/")).status_code == 403
    assert client.post(path_of(backup, "pin/"), {"csrfmiddlewaretoken": token}).status_code == 302


def test_the_ledger_and_the_backups_are_read_by_operators(
    account: Account, backup: Snapshot, client_of: ClientOf
) -> None:
    operator_user = User.objects.create_superuser("root@example.com", "correct horse")
    client = client_of(operator_user)
    for name in ("snapshot", "restore", "purgeentry", "purgeguard"):
        assert client.get(f"/admin/backups/{name}/").status_code == 200
        assert client.get(f"/admin/backups/{name}/add/").status_code == 403
    assert client.get(f"/admin/backups/snapshot/{backup.pk}/change/").status_code == 200
    assert client.post(f"/admin/backups/snapshot/{backup.pk}/delete/").status_code == 403
