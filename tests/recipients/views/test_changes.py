"""A change from its preview to its result, on the pages: imports, restores and deletions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from backups.actions.purge import delete_snapshot, purge_due
from backups.actions.restore import plan_restore
from backups.actions.snapshots import request_snapshot
from backups.models import Snapshot
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import AuditEntry, User
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.models import ENDED, Job
from backupsvc.jobs.runner import drain
from recipients.actions import imports
from recipients.actions.changes import cancel_change, confirm_change
from recipients.actions.deletion import delete_group
from recipients.actions.groups import change_group
from recipients.actions.recipients import unsubscribe
from recipients.models import Change, Group, Recipient, Status
from tests.fixtures.cast import ClientOf
from tests.fixtures.filled import filled
from tests.fixtures.lists import Lists, acting, table

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"
BACK = "email,status,First name\nanna@example.com,active,Changed\n"


@pytest.fixture
def olivia_client(lists: Lists, client_of: ClientOf) -> Client:
    return client_of(lists.owner)


def at(page: str, change: Change) -> str:
    return reverse(f"recipients:{page}", args=["acme", change.pk])


def shown(client: Client, page: str, change: Change) -> str:
    response = client.get(at(page, change))
    assert response.status_code == 200, (page, response.status_code, response.headers.get("Location"))
    return response.content.decode()


def confirmed(client: Client, change: Change, **fields: Any) -> HttpResponse:
    response: Any = client.post(at("change-confirm", change), fields)
    change.refresh_from_db()
    assert isinstance(response, HttpResponse)
    return response


def work() -> None:
    """Do all jobs that are due, as a worker would."""
    for job in Job.objects.exclude(state__in=ENDED).order_by("pk"):
        drain(job)


def test_the_preview_is_asked_for_again_until_all_rows_are_read(lists: Lists, olivia_client: Client) -> None:
    run = lists.draft(PEOPLE)
    job = imports.stage(run, actor=lists.actor)
    page = shown(olivia_client, "change-preview", run.change)
    assert 'hx-trigger="every 1s"' in page
    assert "Look again" in page
    poll = olivia_client.get(at("change-preview", run.change), headers={"HX-Request": "true"})
    assert "<html" not in poll.content.decode()
    drain(job)
    poll = olivia_client.get(at("change-preview", run.change), headers={"HX-Request": "true"})
    assert poll.headers["HX-Redirect"] == at("change-preview", run.change)
    assert "This is what would change" in shown(olivia_client, "change-preview", run.change)


def test_every_row_is_in_the_sum(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    change = lists.preview(
        "email,First name\nanna@example.com,New\nbob@example.com,Bob\nnew@example.com,N\n"
        "NEW@example.com,M\nbroken,X\n",
        into=group,
    )
    page = " ".join(shown(olivia_client, "change-preview", change).split())
    assert (
        "<strong>5 rows</strong> = 1 added + 1 updated + 1 unchanged"
        " + 0 kept safe + 1 rejected + 1 duplicate" in page
    )


def test_confirming_twice_is_confirming_once(lists: Lists, olivia_client: Client) -> None:
    change = lists.preview("email\nzoe@example.com\n", into=lists.group(PEOPLE))
    first, second = confirmed(olivia_client, change), confirmed(olivia_client, change)
    assert first.headers["Location"] == second.headers["Location"] == at("change-progress", change)
    work()
    assert confirmed(olivia_client, change).headers["Location"] == at("change-progress", change)
    assert Snapshot.objects.count() == 1
    assert olivia_client.get(at("change-progress", change)).headers["Location"] == at("change-result", change)


def test_progress_shows_the_backup_and_then_the_list(lists: Lists, olivia_client: Client) -> None:
    change = lists.preview("email\nzoe@example.com\n", into=lists.group(PEOPLE))
    confirmed(olivia_client, change)
    page = shown(olivia_client, "change-progress", change)
    assert page.index("Make a backup and read it back") < page.index("Write to the list")
    work()
    poll = olivia_client.get(at("change-progress", change), headers={"HX-Request": "true"})
    assert poll.headers["HX-Redirect"] == at("change-result", change)


def test_an_import_that_waits_says_for_which(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    first = lists.preview("email\nzoe@example.com\n", into=group)
    second = lists.preview("email\nyann@example.com\n", into=group)
    confirmed(olivia_client, first)
    confirmed(olivia_client, second)
    assert second.state == "queued"
    page = shown(olivia_client, "change-progress", second)
    assert "Another change of this list comes first" in page
    assert at("change-progress", first) in page
    work()
    assert Recipient.objects.filter(group=group).count() == 4


def test_a_confirmed_import_can_be_stopped_until_it_is_written(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change = lists.preview(BACK, into=group)
    confirmed(olivia_client, change)
    olivia_client.post(at("change-cancel", change))
    work()
    assert table(group) == before
    assert "Stopped" in shown(olivia_client, "change-result", change)
    again = olivia_client.post(at("change-cancel", change), follow=True)
    assert "there is nothing left to stop" in again.content.decode()


def test_with_the_list_switch_off_a_backup_is_offered_and_made(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    change_group(group, actor=lists.actor, auto_backup=False)
    change = lists.preview(BACK, into=group)
    page = shown(olivia_client, "change-preview", change)
    assert "They are switched off for this list" in page
    assert 'name="backup" value="make" checked' in " ".join(page.split())
    confirmed(olivia_client, change, backup="make")
    work()
    assert Snapshot.objects.filter(change=change, state="complete").count() == 1


def test_a_backup_that_the_page_promised_is_made_though_the_switch_went_off_since(
    lists: Lists, olivia_client: Client
) -> None:
    group = lists.group("email\nanna@example.com\n")
    change = lists.preview("email\nbob@example.com\n", into=group)
    path = reverse("recipients:change-preview", args=[lists.account.slug, change.pk])
    assert '<input type="hidden" name="promised" value="on">' in olivia_client.get(path).text
    change_group(group, actor=lists.actor, auto_backup=False)
    confirmed(olivia_client, change, promised="on")
    change.refresh_from_db()
    assert (change.backup_wanted, change.backup_why) == (True, "asked")
    # A page that promised nothing gets what the switches say.
    other = lists.preview("email\ncarl@example.com\n", into=group)
    confirmed(olivia_client, other)
    other.refresh_from_db()
    assert (other.backup_wanted, other.backup_why) == (False, "group_off")


def test_with_the_account_switch_off_one_may_go_on_without(
    lists: Lists, client_of: ClientOf, edith: User
) -> None:
    group = lists.group(PEOPLE)
    lists.account.auto_backup = False
    lists.account.save()
    change = lists.preview(BACK, into=group)
    client = client_of(edith)
    assert "switched off for the whole account" in shown(client, "change-preview", change)
    confirmed(client, change, backup="without")
    work()
    assert not Snapshot.objects.exists()
    assert "No backup was made before this change." in shown(client, "change-result", change)


def test_going_on_without_a_backup_takes_the_typed_name(lists: Lists, olivia_client: Client) -> None:
    change = lists.preview(BACK, into=lists.group(PEOPLE))
    refused = confirmed(olivia_client, change, skip_backup="on", typed_name="news")
    assert "type the list&#x27;s name exactly: News" in refused.content.decode()
    assert change.state == "preview"
    confirmed(olivia_client, change, skip_backup="on", typed_name="News")
    assert change.backup_wanted is False


def test_an_editor_cannot_go_on_without_a_backup(lists: Lists, client_of: ClientOf, edith: User) -> None:
    change = lists.preview(BACK, into=lists.group(PEOPLE))
    client = client_of(edith)
    assert "skip_backup" not in shown(client, "change-preview", change)
    assert confirmed(client, change, skip_backup="on", typed_name="News").status_code == 403


def test_making_people_active_again_takes_a_reason_and_the_right(
    lists: Lists, olivia_client: Client, client_of: ClientOf, edith: User
) -> None:
    group = lists.group(PEOPLE)
    anna = Recipient.objects.get(key="anna@example.com")
    unsubscribe(anna, actor=lists.actor)
    change = lists.preview(BACK, into=group)
    assert "reactivate" not in shown(client_of(edith), "change-preview", change)
    assert confirmed(client_of(edith), change, reactivate="on", reason="x").status_code == 403
    refused = confirmed(olivia_client, change, reactivate="on", reason=" ")
    assert "Say why these people may become active again." in refused.content.decode()
    confirmed(olivia_client, change, reactivate="on", reason="asked by phone")
    work()
    anna.refresh_from_db()
    assert anna.status == Status.ACTIVE
    assert AuditEntry.objects.get(event="consent.reactivated").data["reason"] == "asked by phone"
    assert "asked by phone" in shown(olivia_client, "change-result", change)


def test_an_old_preview_does_not_confirm_a_newer_one(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    change = lists.preview(BACK, into=group)
    looked_at = change.preview["staged_by"]
    run = imports.set_mode(change.import_run, actor=lists.actor, mode="delete", blank="keep", new_status="")
    drain(imports.stage(run, actor=lists.actor))
    before = table(group)
    page = olivia_client.post(
        reverse("recipients:change-confirm", args=["acme", change.pk]), {"shown": looked_at}, follow=True
    )
    assert "This was prepared anew since you looked at it." in page.content.decode()
    change.refresh_from_db()
    assert change.state == "preview"
    newest = re.search(r'name="shown" value="(\d+)"', page.content.decode())
    assert newest is not None
    assert confirmed(olivia_client, change, shown=newest[1]).status_code == 302
    assert change.state == "active"
    work()
    assert set(table(group)) < set(before)


def test_a_reason_without_the_tick_makes_nobody_active(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    anna = Recipient.objects.get(key="anna@example.com")
    unsubscribe(anna, actor=lists.actor)
    change = lists.preview(BACK, into=group)
    confirmed(olivia_client, change, reason="never mind")
    work()
    anna.refresh_from_db()
    assert (anna.status, anna.attributes["First name"]) == (Status.INACTIVE, "Changed")


def test_a_failed_import_says_why_and_that_nothing_was_changed(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change = lists.preview(BACK, into=group)
    confirmed(olivia_client, change)
    Change.objects.filter(pk=change.pk).update(
        state="failed", error_code="change.list_kept_changing", error_params={"name": "News"}
    )
    page = shown(olivia_client, "change-result", change)
    assert "Not imported" in page
    assert "was changed by others again and again" in page
    assert table(group) == before


def test_a_result_does_not_promise_a_backup_that_is_gone(lists: Lists, olivia_client: Client) -> None:
    change = lists.load(BACK, into=lists.group(PEOPLE))
    made = Snapshot.objects.get(change=change)
    address = reverse("backups:show", args=["acme", made.pk])

    def told() -> tuple[str, bool]:
        page = " ".join(shown(olivia_client, "change-result", change).split())
        return page, address in page

    day = f"{made.expires_at.astimezone(ZoneInfo(lists.account.time_zone)):%-d %b %Y}"
    page, leads_there = told()
    assert leads_there
    assert f"It can be restored until {day}." in page
    Snapshot.objects.filter(pk=made.pk).update(damaged_code="archive.file_checksum")
    page, leads_there = told()
    assert leads_there
    assert "It is damaged and cannot be restored." in page
    Snapshot.objects.filter(pk=made.pk).update(damaged_code="")
    delete_snapshot(made, actor=lists.actor)
    page, leads_there = told()
    assert not leads_there
    assert "The backup made before is gone" in page
    assert "Somebody deleted it on" in page
    Snapshot.objects.filter(pk=made.pk).update(expires_at=database_now() - timedelta(days=1))
    assert purge_due(actor=operator()) == 1
    page, leads_there = told()
    assert not leads_there
    assert "Its time was over, or somebody deleted it." in page
    assert "can be restored" not in page


def test_who_may_only_look_sees_all_and_does_nothing(
    lists: Lists, client_of: ClientOf, victor: User, stranger: User
) -> None:
    change = lists.preview(PEOPLE + "broken,X\n")
    page = shown(client_of(victor), "change-preview", change)
    assert "1 row cannot be used" in page
    assert at("change-rejected", change) not in page
    assert 'type="submit">' not in page.split('id="content"')[1]
    for name in ("change-confirm", "change-cancel"):
        assert client_of(victor).post(at(name, change)).status_code == 403
        assert client_of(stranger).post(at(name, change)).status_code == 404
    assert client_of(victor).post(at("change-rejected", change)).status_code == 403
    assert client_of(stranger).post(at("change-rejected", change)).status_code == 404
    for name in ("change-preview", "change-progress", "change-result"):
        assert client_of(stranger).get(at(name, change)).status_code == 404


def test_a_link_only_asks_whether_to_discard(lists: Lists, olivia_client: Client) -> None:
    change = lists.preview(PEOPLE)
    assert "Discard this import?" in shown(olivia_client, "change-cancel", change)
    change.refresh_from_db()
    assert change.state == "preview"
    cancel_change(change, actor=lists.actor)
    answer = olivia_client.get(at("change-cancel", change))
    assert answer.headers["Location"] == at("change-result", change)


@pytest.mark.parametrize("has_preview", [False, True])
@pytest.mark.parametrize("is_mine", [False, True])
def test_who_would_lose_work_is_asked_before_an_import_is_discarded(
    is_mine: bool,
    has_preview: bool,
    lists: Lists,
    olivia: User,
    edith: User,
    client_of: ClientOf,
    olivia_client: Client,
) -> None:
    begun = lists.preview if has_preview else lists.draft
    change = Change.objects.get(pk=begun(PEOPLE, actor=acting(olivia if is_mine else edith)).pk)
    lines = olivia_client.get(reverse("recipients:import-new", args=["acme"])).text
    assert ("Olivia</bdi> (you)" if is_mine else "Edith</bdi> ·") in lines
    assert ("waits for confirmation" if has_preview else "begun, not confirmed yet") in lines
    answer = olivia_client.post(at("change-cancel", change))
    change.refresh_from_db()
    if is_mine and not has_preview:
        assert (answer.status_code, change.state) == (302, "cancelled")
        return
    assert (answer.status_code, change.has_ended) == (200, False)
    assert ("You began it" if is_mine else "<bdi>Edith</bdi> began it") in answer.text
    answer = olivia_client.post(at("change-cancel", change), filled(answer.text, with_field="sure"))
    change.refresh_from_db()
    assert (answer.status_code, change.state) == (302, "cancelled")


def test_an_answer_is_not_for_what_was_confirmed_meanwhile(
    lists: Lists, edith: User, client_of: ClientOf, olivia_client: Client
) -> None:
    change = lists.preview(PEOPLE, actor=acting(edith))
    asked = olivia_client.post(at("change-cancel", change)).text
    confirmed(client_of(edith), change)
    answer = olivia_client.post(at("change-cancel", change), filled(asked, with_field="sure"))
    assert "Stop it?" in answer.text
    change.refresh_from_db()
    assert change.state == "active"
    olivia_client.post(at("change-cancel", change), filled(answer.text, with_field="sure"))
    change.refresh_from_db()
    assert change.state == "cancelled"


def test_asking_anew_for_a_confirmation_leads_to_the_page_of_the_change(
    lists: Lists, olivia_client: Client
) -> None:
    change = lists.preview(PEOPLE)
    answer = olivia_client.get(at("change-confirm", change))
    assert answer.headers["Location"] == at("change-preview", change)
    confirmed(olivia_client, change)
    answer = olivia_client.get(at("change-confirm", change))
    assert answer.headers["Location"] == at("change-progress", change)


def test_a_restore_goes_the_same_way_in_its_own_words(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    lists.load("email,First name\nanna@example.com,Changed\n", into=group)
    snapshot.refresh_from_db()
    restore, _job = plan_restore(snapshot, actor=lists.actor)
    change = Change.objects.get(pk=restore.pk)
    assert "Restore into News" in shown(olivia_client, "change-preview", change)
    work()
    page = shown(olivia_client, "change-preview", change)
    assert "This is what the restore would change" in page
    assert "With it, the restore can be undone." in page
    assert "skip_backup" not in page
    confirmed(olivia_client, change)
    assert "Bring the recipients back" in shown(olivia_client, "change-progress", change)
    work()
    assert "Restored" in shown(olivia_client, "change-result", change)
    assert table(group) == before


def test_a_deletion_ends_with_undo(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    change = delete_group(group, actor=lists.actor)
    assert "Delete the list" in shown(olivia_client, "change-progress", change)
    assert at("change-cancel", change) not in shown(olivia_client, "change-progress", change)
    drain(Job.objects.get(kind="recipients.delete_group"))
    page = shown(olivia_client, "change-result", change)
    assert "The list is deleted" in page
    assert "It held 2 recipients." in page
    assert at("deletion-undo", change) in page
    olivia_client.post(at("deletion-undo", change))
    assert "The deletion was undone" in shown(olivia_client, "change-result", change)
    assert Group.objects.get(pk=group.pk).is_live


def test_a_list_deleted_meanwhile_is_said(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    change = lists.preview(BACK, into=group)
    delete_group(group, actor=lists.actor)
    response = confirmed(olivia_client, change)
    assert "“News” was deleted in the meantime" in response.content.decode()


def test_the_name_of_a_new_list_taken_meanwhile_is_said(lists: Lists, olivia_client: Client) -> None:
    change = lists.preview(PEOPLE)
    drain(confirm_change(lists.preview(PEOPLE), actor=lists.actor))
    response = confirmed(olivia_client, change)
    assert "There is already a list called “News”." in response.content.decode()
    assert change.state == "preview"


def test_the_changes_of_a_list_lead_to_no_backup_that_is_gone(lists: Lists, olivia_client: Client) -> None:
    group = lists.group(PEOPLE)
    lists.load(BACK, into=group)
    backup = Snapshot.objects.get(group=group)
    path = reverse("recipients:group-changes", args=["acme", group.pk])
    link = reverse("backups:show", args=["acme", backup.pk])
    assert link in olivia_client.get(path).content.decode()
    delete_snapshot(backup, actor=lists.actor)
    assert link not in olivia_client.get(path).content.decode()
