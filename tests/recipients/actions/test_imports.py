"""An import from its upload to its end: what it writes, what it refuses, what it leaves alone.

One file although it is long: it follows one import through its steps.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, transaction

from backups import storage
from backups.models import Snapshot
from backupsvc.accounts.actor import Origin
from backupsvc.accounts.models import Account, AuditEntry, Member, Role, User
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions import groups, imports, staging, surveys
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.actions.changes import cancel_change, confirm_change
from recipients.actions.groups import change_group
from recipients.actions.recipients import unsubscribe
from recipients.bulk.engine import engine
from recipients.models import Activity, Attribute, Change, Group, Import, Recipient, Status
from recipients.selectors import change_json
from tests.fixtures.lists import Lists, acting, lose_staged_rows, staged_rows, table

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"


def test_nothing_is_written_to_a_list_before_the_preview_is_confirmed(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change = lists.preview(
        "email,First name,New field\nanna@example.com,Changed,1\nzoe@example.com,Zoe,2\n", into=group
    )
    assert (change.state, change.preview["added"], change.preview["updated"]) == ("preview", 1, 1)
    assert table(group) == before
    assert not Attribute.objects.filter(name="New field").exists()
    assert Snapshot.objects.count() == 0


def test_an_import_into_a_list_makes_a_backup_of_the_state_before(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = lists.load("email,First name\ncarl@example.com,Carl\n", into=group, file_name="leads.csv")
    snapshot = Snapshot.objects.get()
    assert (snapshot.cause, snapshot.detail, snapshot.recipients, snapshot.state) == (
        "import",
        "leads.csv",
        2,
        "complete",
    )
    assert snapshot.user == lists.owner
    assert change.snapshot_id == snapshot.pk
    assert Recipient.objects.filter(group=group).count() == 3


def test_every_row_of_the_file_is_accounted_for(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = lists.load(
        "email,First name\nanna@example.com,Anna\nbob@example.com,Robert\nnew@example.com,N\n"
        "NEW@example.com,M\nbroken,X\nabuse@example.com,Y\n",
        into=group,
    )
    result = change_json(change)
    counts = {
        name: result[name]
        for name in ("rows", "added", "updated", "unchanged", "kept_safe", "rejected", "duplicates")
    }
    assert counts == {
        "rows": 6,
        "added": 1,
        "updated": 1,
        "unchanged": 1,
        "kept_safe": 0,
        "rejected": 2,
        "duplicates": 1,
    }
    rejected = list(change.rejected_rows.values_list("line", "column", "code"))
    assert rejected == [(6, "email", "address.no_at_sign"), (7, "email", "address.role")]
    assert Recipient.objects.get(group=group, key="new@example.com").attributes == {"First name": "M"}


def test_the_counts_on_the_list_follow_the_import(lists: Lists) -> None:
    group = lists.group(
        "email,status\na@example.com,active\nb@example.com,unconfirmed\nc@example.com,unsubscribed\nd@example.com,bounced\n"
    )
    counts = (group.active_count, group.unconfirmed_count, group.inactive_count, group.bounced_count)
    assert counts == (1, 1, 1, 1)
    assert {one.key[0]: one.status for one in Recipient.objects.all()} == {
        "a": Status.ACTIVE, "b": Status.UNCONFIRMED, "c": Status.INACTIVE, "d": Status.BOUNCED,
    }  # fmt: skip


def test_an_unsubscribed_person_stays_so_and_is_counted(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    anna = Recipient.objects.get(key="anna@example.com")
    unsubscribe(anna, actor=lists.actor)
    change = lists.load("email,status,First name\nanna@example.com,active,Changed\n", into=group)
    anna.refresh_from_db()
    assert (change.kept_safe, anna.status, anna.attributes["First name"]) == (1, Status.INACTIVE, "Changed")


def test_people_are_deactivated_when_it_was_confirmed_not_when_it_was_previewed(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\nANNA@example.com\nnew@example.com\n", into=group, mode="deactivate")
    drain(job)
    rows = table(group)
    assert rows["anna@example.com"]["deactivated"] == change.confirmed_at
    assert rows["anna@example.com"]["email"] == "anna@example.com"
    assert rows["bob@example.com"]["deactivated"] is None


@pytest.mark.parametrize("mode", ["deactivate", "delete"])
def test_a_bad_birthday_keeps_nobody_subscribed_in_deactivate(lists: Lists, mode: str) -> None:
    create_attribute(lists.account, actor=lists.actor, name="Born", type="date")
    group = lists.group(PEOPLE)
    rows = "anna@example.com,31.02.1980,who knows,1\nbob@example.com,03/04/2024,?,2\n"
    change = lists.load(f"email,Born,status,New field\n{rows}", into=group, mode=mode)
    assert (change.rejected, change.deactivated + change.deleted) == (0, 2)
    assert not Recipient.objects.filter(group=group, deactivated=None).exists()
    assert not Attribute.objects.filter(name="New field").exists()


def test_only_an_owner_or_admin_makes_people_active_again_and_with_a_reason(
    lists: Lists, edith: User
) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    text = "email,status\nanna@example.com,active\n"
    change = lists.preview(text, into=group)
    with pytest.raises(Forbidden):
        confirm_change(change, actor=acting(edith), reactivate=True, reason="asked by phone")
    with pytest.raises(Refusal, match=r"consent\.reason_missing"):
        confirm_change(change, actor=lists.actor, reactivate=True, reason="  ")
    drain(confirm_change(change, actor=lists.actor, reactivate=True, reason="asked by phone"))
    assert Recipient.objects.get(key="anna@example.com").status == Status.ACTIVE
    entry = AuditEntry.objects.get(event="consent.reactivated")
    assert (entry.user, entry.data["reason"], entry.data["count"]) == (lists.owner, "asked by phone", 1)


REACTIVATED = "email,status\nanna@example.com,active\nbob@example.com,active\n"


def test_who_unsubscribes_after_the_preview_is_not_made_active_with_the_others(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = lists.preview(REACTIVATED, into=group)
    unsubscribe(Recipient.objects.get(key="bob@example.com"), actor=lists.actor)
    with pytest.raises(Refusal, match=r"consent\.list_moved"):
        confirm_change(change, actor=lists.actor, reactivate=True, reason="asked by phone")
    drain(confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert (change.state, change.kept_safe) == ("done", 2)
    assert {one.status for one in Recipient.objects.all()} == {Status.INACTIVE}


def test_who_unsubscribes_while_a_change_waits_is_not_made_active_with_the_others(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = lists.preview(REACTIVATED, into=group)
    job = confirm_change(change, actor=lists.actor, reactivate=True, reason="asked by phone")
    unsubscribe(Recipient.objects.get(key="bob@example.com"), actor=lists.actor)
    # Lost in a crash and staged anew: the list is still compared with what was looked at.
    engine().clear(change.pk)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.error_code) == ("failed", "consent.list_moved")
    assert {one.status for one in Recipient.objects.all()} == {Status.INACTIVE}
    assert not AuditEntry.objects.filter(event="consent.reactivated").exists()


def test_nobody_is_made_active_behind_another_change_of_the_list(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = lists.preview(REACTIVATED, into=group)
    lists.confirm("email\nbob@example.com\n", into=group, mode="deactivate")
    with pytest.raises(Refusal, match=r"consent\.list_changing"):
        confirm_change(change, actor=lists.actor, reactivate=True, reason="asked by phone")


def test_the_log_counts_whom_a_change_made_active_and_not_who_is_blocked(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    for one in Recipient.objects.all():
        unsubscribe(one, actor=lists.actor)
    block(lists.account, actor=lists.actor, pattern="bob@example.com")
    lists.load(REACTIVATED, into=group, reactivate=True, reason="asked by phone")
    assert AuditEntry.objects.get(event="consent.reactivated").data["count"] == 1


def test_blocked_people_stay_out(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    block(lists.account, actor=lists.actor, pattern="*@Blocked.example")
    block(lists.account, actor=lists.actor, pattern="Zoe@example.com")
    change = lists.load("email\nzoe@example.com\nmax@blocked.example\nok@example.com\n", into=group)
    assert (change.added, change.kept_safe) == (1, 2)


def test_activities_survive_an_update_in_place(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    anna = Recipient.objects.get(key="anna@example.com")
    Activity.objects.create(recipient=anna, kind=Activity.Kind.OPENED)
    lists.load("email,First name\nanna@example.com,Changed\n", into=group)
    anna.refresh_from_db()
    assert (anna.attributes["First name"], anna.activities.count()) == ("Changed", 1)


def test_a_foreign_file_needs_a_word_on_the_status_of_new_people(lists: Lists) -> None:
    run = lists.draft(PEOPLE, status="")
    with pytest.raises(Refusal, match=r"import\.status_missing"):
        imports.stage(run, actor=lists.actor)
    imports.set_mode(run, actor=lists.actor, mode="reform_and_add", blank="keep", new_status="unconfirmed")
    drain(imports.stage(run, actor=lists.actor))
    drain(confirm_change(Change.objects.get(pk=run.pk), actor=lists.actor))
    assert {one.status for one in Recipient.objects.all()} == {Status.UNCONFIRMED}


def test_signup_columns_left_out_are_stopped_with_a_warning(lists: Lists) -> None:
    run = lists.draft("email,status,First name\nanna@example.com,unsubscribed,Anna\n")
    mapping = {**run.mapping, "columns": ["email", "", "attribute:First name"]}
    with pytest.raises(Refusal, match=r"import\.signup_unmapped"):
        imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    imports.set_mapping(run, actor=lists.actor, mapping=mapping, leaves_signup_out=True)
    assert Import.objects.get().leaves_signup_out


def test_nothing_is_staged_with_a_status_column_left_out_unasked(lists: Lists) -> None:
    run = lists.draft("email,Newsletter\nanna@example.com,abbestellt\nbob@example.com,ja\n")
    mapping = {**run.mapping, "columns": ["email", ""]}
    run = imports.set_mapping(run, actor=lists.actor, mapping=mapping, leaves_signup_out=True)
    # Read anew, the columns are others than those of which it was said.
    run = imports.set_dialect(run, actor=lists.actor, overrides={"delimiter": ","})
    assert not run.leaves_signup_out
    Import.objects.filter(pk=run.pk).update(mapping=mapping)
    run = imports.set_mode(run, actor=lists.actor, mode="reform_and_add", blank="keep", new_status="active")
    with pytest.raises(Refusal, match=r"import\.signup_unmapped"):
        imports.stage(run, actor=lists.actor)
    run = imports.set_mode(run, actor=lists.actor, mode="deactivate", blank="keep", new_status="active")
    imports.stage(run, actor=lists.actor)
    run.change.refresh_from_db()
    assert run.change.state == "staging"


def test_the_apostrophe_that_a_spreadsheet_marks_texts_with_is_none_of_the_address(lists: Lists) -> None:
    change = lists.preview(
        "email,Name\n'anna@example.com,'Anna\no'brien@example.com,Pat\nbob@example.com,B\n"
    )
    ((code, params),) = change.preview["doubts"]
    assert (code, params["count"]) == ("doubt.mended", 1)
    drain(confirm_change(change, actor=lists.actor))
    emails = set(Recipient.objects.values_list("email", flat=True))
    assert emails == {"anna@example.com", "o'brien@example.com", "bob@example.com"}


def test_an_apostrophe_in_a_file_of_ours_is_part_of_the_address(lists: Lists) -> None:
    header = "email,status,registered,activated,deactivated,source,signup_ip,tags"
    group = lists.group(f"{header}\n'anna@example.com,active,,,,,,\nanna@example.com,inactive,,,,,,\n")
    assert set(table(group)) == {"'anna@example.com", "anna@example.com"}


def test_of_several_values_that_google_joins_labels_are_tags_and_addresses_need_a_row_each(
    lists: Lists,
) -> None:
    change = lists.load(
        "First Name,Labels,E-mail 1 - Value\n"
        "Anna,* myContacts ::: Choir,anna@example.com\n"
        "Bob,* myContacts,bob@example.com ::: bob@home.example\n"
    )
    assert Recipient.objects.get().tags == ["Choir", "myContacts"]
    rejected = change.rejected_rows.get()
    assert (rejected.line, rejected.column, rejected.code) == (3, "E-mail 1 - Value", "address.several")


@pytest.mark.parametrize("filled", [1, 2_500], ids=["a row", "many rows"])
def test_times_are_read_in_the_zone_that_the_name_of_their_column_says(lists: Lists, filled: int) -> None:
    """So many different times are read many at once, or by the database."""
    minutes = [f"2026-07-{n // 1440 + 1:02} {n // 60 % 24:02}:{n % 60:02}:00" for n in range(filled)]
    rows = "".join(f"p{n}@example.com,{minute},{minute}\n" for n, minute in enumerate(minutes))
    change = lists.load(f"email,Registered (UTC+9),Confirmed at\n{rows}")
    assert change.preview["doubts"] == []
    first, last = Recipient.objects.get(key="p0@example.com"), Recipient.objects.latest("pk")
    assert (first.registered, first.activated) == (
        datetime(2026, 6, 30, 15, tzinfo=UTC),
        datetime(2026, 6, 30, 22, tzinfo=UTC),  # the account's zone: Berlin
    )
    assert last.registered is not None
    assert last.activated is not None
    assert last.activated - last.registered == timedelta(hours=7)


def test_a_time_zone_that_is_not_applied_is_said(lists: Lists) -> None:
    change = lists.preview(
        "email,Create Date (EST),Born (EST)\nanna@example.com,2026-07-01 10:00,1980-01-02\n"
    )
    named = {"column": "Create Date (EST)", "named": "EST", "zone": "Europe/Berlin"}
    assert change.preview["doubts"] == [["doubt.zone_unclear", named]]


def late(word: str) -> str:
    """A file whose 26th recipient is the first with a word on the newsletter."""
    rows = "".join(f"p{number}@example.com,\n" for number in range(25))
    return f"email,Newsletter-Einwilligung\n{rows}anna@example.com,{word}\n"


@pytest.mark.parametrize("target", ["", "attribute:Newsletter-Einwilligung"], ids=["left out", "kept"])
def test_an_opt_out_behind_the_rows_of_the_sample_is_not_left_out_unasked(lists: Lists, target: str) -> None:
    run = lists.draft(late("widerrufen"))
    new = [{"name": "Newsletter-Einwilligung", "type": "text"}] if target else []
    mapping = {"columns": ["email", target], "new": new}
    with pytest.raises(Refusal, match=r"import\.signup_unmapped") as refused:
        imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    assert refused.value.params == {"columns": "Newsletter-Einwilligung"}


def test_an_opt_out_behind_all_rows_looked_at_in_time_stops_the_staging(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys, "SURVEYED_ROWS", 22)
    run = lists.draft(late("nein"))
    mapping = {"columns": ["email", ""]}
    run = imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    run = imports.set_mode(run, actor=lists.actor, mode="deactivate", blank="keep")
    drain(imports.stage(run, actor=lists.actor))
    assert Change.objects.get().state == "preview"
    run = imports.set_mode(run, actor=lists.actor, mode="add_only", blank="keep", new_status="active")
    drain(imports.stage(run, actor=lists.actor))
    change = Change.objects.get()
    assert (change.state, change.error_code) == ("draft", "import.signup_unmapped")
    # Now that it is known, the columns are not assigned so again unless on purpose.
    with pytest.raises(Refusal, match=r"import\.signup_unmapped"):
        imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    run = imports.set_mapping(run, actor=lists.actor, mapping=mapping, leaves_signup_out=True)
    drain(imports.stage(run, actor=lists.actor))
    assert Change.objects.get().state == "preview"


def test_a_field_used_twice_is_refused_by_name(lists: Lists) -> None:
    run = lists.draft("email,First name,Name\nanna@example.com,Anna,A\n")
    mapping = {**run.mapping, "columns": ["email", "attribute:First name", "attribute:First name"]}
    with pytest.raises(Refusal, match=r"mapping\.twice.*First name"):
        imports.set_mapping(run, actor=lists.actor, mapping=mapping)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file.empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "file.binary"),
        (b"PK\x03\x04broken", "file.spreadsheet_unreadable"),
        (b"email" + b",c" * 10_000 + b"\na@example.com" + b",1" * 10_000, "file.too_many_columns"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_leaves_nothing(
    lists: Lists, uploads: Path, content: bytes, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        imports.start_import(
            lists.account, actor=lists.actor, file=io.BytesIO(content), file_name="x.csv", new_group_name="N"
        )
    assert refused.value.code == code
    assert not Change.objects.exists()
    assert not Group.objects.exists()
    assert not [path for path in uploads.rglob("*") if path.is_file()]


def test_a_file_without_rows_goes_back_to_the_draft_with_the_reason(lists: Lists) -> None:
    change = lists.preview("email,First name\n")
    assert (change.state, change.error_code) == ("draft", "file.no_rows")
    assert not Group.objects.exists()


def test_a_file_removed_before_it_was_read_is_said_so(lists: Lists, uploads: Path) -> None:
    run = lists.draft(PEOPLE)
    for path in uploads.rglob("*"):
        if path.is_file():
            path.unlink()
    drain(imports.stage(run, actor=lists.actor))
    change = Change.objects.get()
    assert (change.state, change.error_code) == ("draft", "import.upload_missing")


def test_confirming_twice_is_one_import(lists: Lists) -> None:
    change = lists.preview(PEOPLE)
    first = confirm_change(change, actor=lists.actor)
    assert confirm_change(change, actor=lists.actor) == first
    drain(first)
    assert confirm_change(change, actor=lists.actor) == first
    assert (Recipient.objects.count(), Group.objects.count()) == (2, 1)
    assert AuditEntry.objects.filter(event="import.done").count() == 1


def test_a_second_import_waits_and_its_backup_holds_the_firsts_rows(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    first, first_job = lists.confirm("email\ncarl@example.com\n", into=group)
    second, second_job = lists.confirm("email\ndora@example.com\n", into=group)
    assert (first.state, second.state) == ("active", "queued")
    assert not runner.run(second_job.pk)
    drain(second_job)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, first_job.pk < second_job.pk) == ("done", "done", True)
    sizes = [Snapshot.objects.get(change=change).recipients for change in (first, second)]
    assert sizes == [2, 3]


def test_a_second_import_goes_on_when_the_first_fails(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    group = lists.group(PEOPLE)
    first, first_job = lists.confirm("email\ncarl@example.com\n", into=group)
    second, second_job = lists.confirm("email\ndora@example.com\n", into=group)
    with monkeypatch.context() as full:
        full.setattr(storage, "write", disk_full)
        drain(first_job)
    drain(second_job)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.error_code, second.state) == ("failed", "storage.full", "done")
    assert set(table(group)) == {"anna@example.com", "bob@example.com", "dora@example.com"}


def disk_full(*_args: object) -> None:
    raise storage.StorageRefused("storage.full")


def test_an_edit_between_backup_and_merge_makes_another_backup(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    drain(Job.objects.get(kind="backups.take_snapshot"))
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.backups_taken, Snapshot.objects.count()) == ("done", 2, 2)
    assert change.snapshot_id == Snapshot.objects.latest("pk").pk


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_import_leaves_the_list_and_nothing_behind(lists: Lists, uploads: Path) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    cancel_change(change, actor=lists.actor)
    drain(job)
    assert table(group) == before
    assert staged_rows() == 0
    assert not [path for path in uploads.rglob("*") if path.is_file()]
    with pytest.raises(Refusal, match=r"change\.already_ended"):
        cancel_change(change, actor=lists.actor)


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_cancellation_is_not_committed_can_be_read_again(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    with transaction.atomic():
        cancel_change(change, actor=lists.actor)
        transaction.set_rollback(True)
    lose_staged_rows()  # as PostgreSQL does when it was stopped the hard way
    drain(job)
    assert set(table(group)) == {"anna@example.com", "bob@example.com", "carl@example.com"}


def test_an_upload_survives_a_power_cut(lists: Lists, uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").resolve()))
    run = lists.draft(PEOPLE)
    assert synced == [uploads / run.upload, uploads / str(lists.account.pk), uploads]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_new_lists_of_one_name_confirmed_at_once_one_is_refused(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [lists.preview(PEOPLE, name="News") for _ in range(2)]
    look, both_looked = groups.check_name, Barrier(2, timeout=30)

    def look_together(account: Account, *, name: str, group: Group | None = None) -> str:
        name = look(account, name=name, group=group)
        both_looked.wait()
        return name

    def confirm(change: Change) -> str:
        with closing(connection):
            try:
                confirm_change(change, actor=lists.actor)
            except Refusal as refusal:
                return refusal.code
            return "confirmed"

    monkeypatch.setattr(groups, "check_name", look_together)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(confirm, changes)) == ["confirmed", "group.name_taken"]
    assert sorted(Change.objects.values_list("state", flat=True)) == ["active", "preview"]
    assert Group.objects.count() == 1


def test_a_name_that_is_taken_between_the_look_and_the_write_is_refused(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    news, other = lists.group(PEOPLE, name="News"), lists.group(PEOPLE, name="Other")
    monkeypatch.setattr(groups, "check_name", lambda _account, *, name, group=None: name)
    with pytest.raises(Refusal, match=r"group\.name_taken"):
        groups.create_group(lists.account, actor=lists.actor, name="News")
    with pytest.raises(Refusal, match=r"group\.name_taken"):
        change_group(other, actor=lists.actor, name="News")
    assert list(Group.objects.order_by("pk").values_list("pk", "name")) == [
        (news.pk, "News"),
        (other.pk, "Other"),
    ]


def test_a_list_made_for_a_cancelled_import_goes_with_it(lists: Lists) -> None:
    change, _job = lists.confirm(PEOPLE)
    cancel_change(change, actor=lists.actor)
    assert not Group.objects.filter(hidden_at__isnull=True).exists()


def test_a_member_who_lost_the_right_while_the_job_waited_changes_nothing(lists: Lists, edith: User) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group, actor=acting(edith))
    Member.objects.filter(user=edith).update(role=Role.VIEWER)
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.error_code) == ("failed", "account.forbidden")
    assert table(group) == before


def test_viewers_and_strangers_start_no_import(
    lists: Lists, victor: User, edith: User, stranger: User
) -> None:
    for user, refusal in ((victor, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            lists.draft(PEOPLE, actor=acting(user))
    assert lists.draft(PEOPLE, actor=acting(edith)).pk


@pytest.mark.parametrize("switch", ["account", "group", "api"])
def test_no_backup_is_made_where_it_is_switched_off(lists: Lists, switch: str) -> None:
    group = lists.group(PEOPLE)
    origin = Origin.API if switch == "api" else Origin.UI
    if switch == "account":
        Account.objects.update(auto_backup=False)
    if switch == "group":
        change_group(group, actor=lists.actor, auto_backup=False)
    lists.account.refresh_from_db()
    group.refresh_from_db()
    change = lists.load("email\ncarl@example.com\n", into=group, actor=acting(lists.owner, origin=origin))
    assert (change.state, change.snapshot_id, change.backup_why) == ("done", None, f"{switch}_off")
    assert AuditEntry.objects.get(event="backup.skipped").data["why"] == f"{switch}_off"


def test_changes_through_the_api_are_backed_up_when_the_account_wants_it(lists: Lists) -> None:
    Account.objects.update(backup_api_changes=True)
    lists.account.refresh_from_db()
    group = lists.group(PEOPLE)
    change = lists.load("email\ncarl@example.com\n", into=group, actor=acting(lists.owner, origin=Origin.API))
    assert Snapshot.objects.get(change=change).cause == "api"


def test_a_switch_flipped_after_the_confirmation_concerns_later_changes(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    Account.objects.update(auto_backup=False)
    drain(job)
    change.refresh_from_db()
    assert change.snapshot_id is not None
    later, job = lists.confirm("email\ndora@example.com\n", into=group)
    Account.objects.update(auto_backup=True)
    drain(job)
    later.refresh_from_db()
    assert (later.state, later.snapshot_id, later.backup_why) == ("done", None, "account_off")


def test_going_on_without_a_backup_is_the_owners_typed_choice(lists: Lists, edith: User) -> None:
    group = lists.group(PEOPLE)
    change = lists.preview("email\ncarl@example.com\n", into=group)
    with pytest.raises(Forbidden):
        confirm_change(change, actor=acting(edith), backup=False, typed_name="News")
    with pytest.raises(Refusal, match=r"change\.backup_not_optional"):
        confirm_change(change, actor=acting(lists.owner, origin=Origin.API), backup=False, typed_name="News")
    with pytest.raises(Refusal, match=r"change\.name_not_typed"):
        confirm_change(change, actor=lists.actor, backup=False, typed_name="news")
    drain(confirm_change(change, actor=lists.actor, backup=False, typed_name="News"))
    change.refresh_from_db()
    assert (change.state, change.backup_why, Snapshot.objects.count()) == ("done", "declined", 0)


def test_new_fields_of_a_file_are_made_with_the_import(lists: Lists) -> None:
    group = lists.group("email,First name,Shoe size\nanna@example.com,Anna,38\n")
    assert sorted(Attribute.objects.values_list("name", flat=True)) == ["First name", "Shoe size"]
    assert Recipient.objects.get(group=group).attributes == {"First name": "Anna", "Shoe size": "38"}


def test_rows_staged_before_a_crash_of_the_database_are_read_again(lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change, job = lists.confirm("email\ncarl@example.com\n", into=group)
    lose_staged_rows()
    drain(job)
    change.refresh_from_db()
    assert (change.state, change.added) == ("done", 1)


def test_lists_of_other_accounts_are_not_touched(
    lists: Lists, other_account: Account, stranger: User
) -> None:
    theirs = Lists(account=other_account, owner=stranger).group(PEOPLE)
    before = table(theirs)
    ours = lists.group(PEOPLE)
    lists.load("email,First name\nanna@example.com,Changed\n", into=ours)
    assert table(theirs) == before
    create_attribute(lists.account, actor=lists.actor, name="Ours")
    assert not Attribute.objects.filter(account=other_account, name="Ours").exists()


def test_a_file_is_staged_anew_when_its_job_is_delivered_again_after_a_crash(lists: Lists) -> None:
    run = lists.draft(PEOPLE)
    job = imports.stage(run, actor=lists.actor)
    claim = runner.claim_job(job.pk)
    assert claim is not None
    staging.stage_import(claim)
    Change.objects.update(state="staging")
    with transaction.atomic():
        staging.stage_import(claim)
    change = Change.objects.get()
    assert (change.rows, change.staged_rows, staged_rows()) == (2, 2, 2)


def test_an_empty_cell_of_a_foreign_file_keeps_since_when_somebody_is_registered(lists: Lists) -> None:
    group = lists.group("email,registered\nanna@example.com,2020-02-02\n")
    before = table(group)
    lists.load("email,registered\nanna@example.com,\nnew@example.com,\n", into=group)
    after = table(group)
    assert after["anna@example.com"] == before["anna@example.com"]
    assert after["new@example.com"]["registered"] is not None


def test_asking_twice_for_the_preview_stages_the_rows_once(lists: Lists) -> None:
    run = lists.draft(PEOPLE)
    first = imports.stage(run, actor=lists.actor)
    assert imports.stage(run, actor=lists.actor) == first
    drain(first)
    assert staged_rows() == 2


def test_nothing_is_chosen_anew_while_the_file_is_being_read(lists: Lists) -> None:
    run = lists.draft(PEOPLE)
    job = imports.stage(run, actor=lists.actor)
    with pytest.raises(Refusal, match=r"import\.being_read"):
        imports.set_mapping(run, actor=lists.actor, mapping=run.mapping)
    drain(job)
    imports.set_mapping(run, actor=lists.actor, mapping=run.mapping)
    assert Change.objects.get().state == "draft"
