"""Asking where a backup goes and how, up to the preview."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.utils import timezone

from backups.models import Restore, Snapshot, SnapshotState
from backups.views import restoring
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, User
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions.deletion import delete_group
from recipients.models import Change, Group
from tests.backups.views.conftest import PEOPLE
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists


@pytest.fixture(autouse=True)
def previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows is a page of the recipients app: here it is enough to know that one is sent there."""

    def noted(to: str, *args: object) -> HttpResponse:
        return HttpResponse(f"{to} {args}", status=302)

    monkeypatch.setattr(restoring, "redirect", noted)


def path_of(snapshot: Snapshot) -> str:
    return f"/a/acme/backups/{snapshot.pk}/restore/"


def test_a_restore_goes_back_into_its_list_by_default_and_shows_a_preview_first(
    news: Group, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post(path_of(backup), {"target": "own", "mode": "reform_and_add"})
    restore = Restore.objects.get()
    assert answer.text == f"recipients:change-preview {('acme', restore.pk)}"
    drain(Job.objects.get(kind="backups.stage_restore", subject_id=restore.pk))
    change = Change.objects.get(pk=restore.pk)
    assert (change.group, change.state, change.mode) == (news, "preview", "reform_and_add")
    # Bob's name was changed by the import since; the preview changes nothing yet.
    assert change.preview["updated"] == 1
    assert news.recipients.get(key="bob@example.com").attributes["First name"] == "Robert"


def day_of(backup: Snapshot) -> date:
    """The day where the account is, which is not always that of UTC."""
    return timezone.localdate(backup.created_at, ZoneInfo(backup.account.time_zone))


def test_the_form_promises_what_a_restore_does(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    html = client_of(olivia).get(path_of(backup)).text
    for said in (
        "Back into News",
        "Reform and add",
        "Updates recipients that are already in the list, adds those that are missing.",
        "stays unsubscribed",
        "can be undone",
        "Nothing is written before you confirm it",
        f"News (backup of {day_of(backup)})",
    ):
        assert said in html
    assert not Restore.objects.exists()


def test_a_restore_into_a_new_list_gets_its_name(backup: Snapshot, olivia: User, client_of: ClientOf) -> None:
    wish = {"target": "new", "new_name": " Old news ", "mode": "update_only"}
    client_of(olivia).post(path_of(backup), wish)
    change = Change.objects.get(restore__snapshot=backup)
    # Nothing can be updated in a list that is empty.
    assert (change.new_group_name, change.group, change.mode) == ("Old news", None, "reform_and_add")


def test_a_name_that_is_taken_or_missing_is_said_beside_the_field(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    client = client_of(olivia)
    wish = {"target": "new", "mode": "reform_and_add"}
    assert "already a list called" in client.post(path_of(backup), {**wish, "new_name": "News"}).text
    assert "Give the new list a name." in client.post(path_of(backup), {**wish, "new_name": " "}).text
    assert not Restore.objects.exists()


def test_a_restore_into_another_list(
    backup: Snapshot, lists: Lists, olivia: User, client_of: ClientOf
) -> None:
    other = lists.group(PEOPLE, name="Other")
    client = client_of(olivia)
    assert "Choose the list." in client.post(path_of(backup), {"target": "other", "mode": "add_only"}).text
    client.post(path_of(backup), {"target": "other", "into": other.pk, "mode": "add_only"})
    change = Change.objects.get(restore__snapshot=backup)
    assert (change.group, change.mode) == (other, "add_only")


def test_a_list_of_another_account_cannot_be_the_target(
    backup: Snapshot, other_account: Account, olivia: User, client_of: ClientOf
) -> None:
    theirs = Group.objects.create(account=other_account, name="Secret list")
    client = client_of(olivia)
    answer = client.post(path_of(backup), {"target": "other", "into": theirs.pk, "mode": "add_only"})
    assert answer.status_code == 200
    assert "Secret list" not in answer.text
    assert not Restore.objects.exists()


def test_a_mode_that_a_restore_does_not_have_is_refused(
    backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post(path_of(backup), {"target": "own", "mode": "delete"})
    assert answer.status_code == 200
    assert not Restore.objects.exists()


def test_the_form_says_that_a_deleted_list_comes_back(news: Group, olivia: User, client_of: ClientOf) -> None:
    change = delete_group(news, actor=operator())
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=change.pk))
    html = client_of(olivia).get(path_of(Snapshot.objects.get(change=change))).text
    assert "Bring News back" in html
    assert "The list was deleted. It appears again" in html


@pytest.mark.parametrize("column", [{"damaged_code": "archive.missing"}, {"state": SnapshotState.WRITING}])
def test_a_backup_that_cannot_come_back_has_no_form(
    column: dict[str, str], backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    Snapshot.objects.filter(pk=backup.pk).update(**column)
    client = client_of(olivia)
    assert client.get(path_of(backup)).status_code == 400
    assert client.post(path_of(backup), {"target": "own", "mode": "add_only"}).status_code == 400


def test_the_longest_name_still_has_room_for_the_day(
    lists: Lists, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    Snapshot.objects.filter(pk=backup.pk).update(group_name="w" * 255)
    html = client_of(olivia).get(path_of(backup)).text
    assert f"www (backup of {day_of(backup)})" in html
