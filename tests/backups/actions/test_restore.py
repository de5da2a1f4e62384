"""A backup comes back exactly, into its list or a new one, and later opt-outs always win.

One file although it is long: what is damaged, blocked or changed meanwhile is told beside what succeeds.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backups.actions.downloads import download
from backups.actions.keys import identity_of
from backups.actions.restore import plan_restore
from backups.archive import ArchiveReader, ArchiveWriter
from backups.models import Snapshot
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions import imports
from recipients.actions.attributes import delete_attribute
from recipients.actions.blocklist import block
from recipients.actions.changes import DELETE_JOB, confirm_change
from recipients.actions.deletion import delete_group
from recipients.actions.groups import PURGE_JOB, change_group
from recipients.actions.recipients import change_recipient, remove_recipient, unsubscribe
from recipients.bulk.engine import engine
from recipients.exports import KINDS
from recipients.models import Activity, Attribute, Change, Group, Recipient, Status
from tests.fixtures.lists import Lists, acting, snapshot_of, table

# Every status, with and without times, and values that files and databases stumble over.
EVERYTHING = (
    "email,status,registered,activated,deactivated,source,signup_ip,tags,First name,=Formula\n"
    'active@example.com,active,2024-01-02T03:04:05.123456Z,2024-01-02T03:05:00Z,,shop,10.0.0.1,"a,vip",Änna,=1+1\n'
    'Unconfirmed@Example.com,unconfirmed,2024-02-02T00:00:00Z,,,,2001:db8::1,,"quo""te","line\nbreak"\n'
    "gone@example.com,inactive,2023-01-01T00:00:00Z,2023-01-02T00:00:00Z,2024-06-01T10:00:00Z,form,,,'apostrophe,\\N\n"
    "bounced@example.com,bounced,,2023-05-05T05:05:05Z,,,,x,😀,'=x\n"
    'müller@exämple.de,active,,2025-01-01T00:00:00Z,,,,," blank ",-5\n'
)


def failure_of_restore(snapshot: Snapshot, *, lists: Lists) -> str:
    """The code with which a restore is refused, at once or while its rows are staged."""
    try:
        restore, job = plan_restore(snapshot, actor=lists.actor)
    except Refusal as refusal:
        return refusal.code
    drain(job)
    change = Change.objects.get(pk=restore.pk)
    assert (change.state, change.ended_at is not None) == ("failed", True)
    assert AuditEntry.objects.filter(event="restore.failed", data__change=change.pk).exists()
    return change.error_code


def deleted(lists: Lists, group: Group) -> Snapshot:
    """The list deleted with all its rows; the backup that was made."""
    change = delete_group(group, actor=operator())
    drain(Job.objects.get(kind="recipients.delete_group", subject_id=change.pk))
    drain(Job.objects.get(kind=PURGE_JOB, subject_id=group.pk))
    assert not Recipient.objects.filter(group=group).exists()
    return Snapshot.objects.get(change=change)


def test_a_restore_brings_back_every_value_that_an_import_spoiled(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    before = table(group)
    change = lists.load(
        "email,First name,=Formula,tags\n"
        "active@example.com,Spoiled,x,spoiled\nbounced@example.com,Spoiled,y,z\n",
        into=group,
    )
    assert table(group) != before
    restored = lists.restore(Snapshot.objects.get(change=change))
    assert (restored.state, restored.updated, restored.unchanged) == ("done", 2, 3)
    assert table(group) == before


def test_a_deleted_list_comes_back_exactly(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    before = table(group)
    snapshot = deleted(lists, group)
    change = lists.restore(snapshot)
    group.refresh_from_db()
    assert (change.state, change.added, group.is_live, group.recipients_count) == ("done", 5, True, 5)
    assert table(group) == before


def test_a_backup_comes_back_as_a_new_list(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    before = table(group)
    change = lists.restore(snapshot_of(lists, group), new_name="Copy")
    assert change.group is not None
    assert (change.group.name, change.state, change.backup_why) == ("Copy", "done", "new_list")
    assert table(change.group) == before == table(group)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_download_imports_again_to_the_same_recipients(lists: Lists, kind: str, tmp_path: Path) -> None:
    group = lists.group(EVERYTHING)
    before = table(group)
    file = download(snapshot_of(lists, group), actor=lists.actor, kind=kind)
    path = tmp_path / file.file_name
    path.write_bytes(b"".join(file.chunks))
    with path.open("rb") as upload:
        run = imports.start_import(
            lists.account, actor=lists.actor, file=upload, file_name=path.name, new_group_name="Again"
        )
    assert run.is_own
    drain(imports.stage(run, actor=lists.actor))
    drain(confirm_change(Change.objects.get(pk=run.pk), actor=lists.actor))
    change = Change.objects.get(pk=run.pk)
    assert change.group is not None
    again = table(change.group)
    # A file says that mail bounced, not when.
    for people in (before, again):
        people["bounced@example.com"]["bounced"] = people["bounced@example.com"]["bounced"] is not None
    assert again == before


def test_a_download_that_becomes_a_new_list_says_who_has_left_since(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\ncarl@example.com\n")
    file = download(snapshot_of(lists, group), actor=lists.actor)
    content = b"".join(file.chunks).decode()
    untold = lists.preview(content, name="Before")
    unsubscribe(Recipient.objects.get(key="anna@example.com", group=group), actor=lists.actor)
    gone = unsubscribe(Recipient.objects.get(key="carl@example.com", group=group), actor=lists.actor)
    remove_recipient(gone, actor=lists.actor)
    told = lists.preview(content, name="After")
    back = lists.preview(content, into=group)
    doubts = [
        [doubt for doubt in change.preview["doubts"] if "left" in doubt[0]] for change in (untold, told, back)
    ]
    assert doubts == [[], [["doubt.left_elsewhere", {"count": 2}]], []]
    assert back.preview["kept_safe"] == 2


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(TEXT, min_size=1, max_size=4))
def test_any_text_survives_archive_and_restore(lists: Lists, values: list[str]) -> None:
    group = Group.objects.create(account=lists.account, name=f"Nasty {Group.objects.count()}")
    Attribute.objects.get_or_create(account=lists.account, name="Note", type="text")
    for number, value in enumerate(values):
        Recipient.objects.create(
            account=lists.account, group=group, key=f"{number}@example.com", email=f"{number}@example.com",
            source=value, attributes={"Note": value}, tags=["a"],
        )  # fmt: skip
    Group.objects.filter(pk=group.pk).update(unconfirmed_count=len(values))
    group.refresh_from_db()
    before = table(group)
    change = lists.restore(snapshot_of(lists, group), new_name=f"{group.name} copy")
    assert change.group is not None
    assert table(change.group) == before


def test_who_unsubscribed_after_the_backup_stays_unsubscribed(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\n")
    snapshot = snapshot_of(lists, group)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = lists.restore(snapshot)
    assert (change.kept_safe, change.preview["kept_safe"]) == (1, 1)
    assert Recipient.objects.get(key="anna@example.com").status == Status.INACTIVE


def test_who_unsubscribed_stays_so_in_a_new_list_too(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\n")
    snapshot = snapshot_of(lists, group)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = lists.restore(snapshot, new_name="Copy")
    assert change.group is not None
    copy = {one.key: one.status for one in change.group.recipients.all()}
    assert copy == {"anna@example.com": Status.INACTIVE, "bob@example.com": Status.ACTIVE}


def test_who_unsubscribed_stays_so_though_the_address_was_changed_since(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\n")
    snapshot = snapshot_of(lists, group)
    anna = unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change_recipient(anna, actor=lists.actor, email="anna.new@example.com")
    change = lists.restore(snapshot)
    assert change.kept_safe == 1
    people = {one.key: one.status for one in Recipient.objects.filter(group=group)}
    assert people == {
        "anna@example.com": Status.INACTIVE,
        "anna.new@example.com": Status.INACTIVE,
        "bob@example.com": Status.ACTIVE,
    }


def test_whom_their_list_blocks_a_backup_brings_into_no_other(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\ncarl@blocked.example\n")
    snapshot = snapshot_of(lists, group)
    for pattern in ("bob@example.com", "*@blocked.example"):
        block(lists.account, actor=lists.actor, pattern=pattern, group=group)
    change = lists.restore(snapshot, new_name="Copy")
    assert change.group is not None
    assert (change.added, change.kept_safe) == (1, 2)
    assert set(table(change.group)) == {"anna@example.com"}
    # An import into that list is no backup of the other: only its own blocklist counts.
    assert lists.load("email\nbob@example.com\n", into=change.group).added == 1


def test_who_unsubscribed_stays_so_though_the_list_was_deleted_since(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\n")
    snapshot = snapshot_of(lists, group)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    deleted(lists, group)
    change = lists.restore(snapshot)
    assert (change.added, change.kept_safe) == (1, 1)
    assert Recipient.objects.get(key="anna@example.com").status == Status.INACTIVE


def test_who_unsubscribed_and_was_removed_comes_back_unsubscribed(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\nbob@example.com\n")
    snapshot = snapshot_of(lists, group)
    anna = Recipient.objects.get(key="anna@example.com")
    remove_recipient(unsubscribe(anna, actor=lists.actor), actor=lists.actor)
    lists.restore(snapshot)
    assert Recipient.objects.get(key="anna@example.com").status == Status.INACTIVE
    lists.load("email\nbob@example.com\n", into=group, mode="delete")
    lists.load("email\nbob@example.com\n", into=group)
    assert Recipient.objects.get(key="bob@example.com").status == Status.ACTIVE


def test_a_restore_is_backed_up_first_and_so_can_be_restored_from(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    lists.load("email,First name\nactive@example.com,Later\n", into=group)
    later = table(group)
    change = lists.restore(snapshot)
    backup = Snapshot.objects.get(change=change)
    assert backup.cause == "restore"
    lists.restore(backup)
    assert table(group) == later


def test_a_restore_is_backed_up_even_where_backups_are_off(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    Account.objects.update(auto_backup=False)
    assert lists.restore(snapshot).snapshot_id is not None


def test_restoring_never_deletes_activities_nor_later_people(lists: Lists) -> None:
    group = lists.group("email\nanna@example.com\n")
    snapshot = snapshot_of(lists, group)
    Activity.objects.create(recipient=Recipient.objects.get(), kind=Activity.Kind.CLICKED)
    lists.load("email\nnew@example.com\n", into=group)
    lists.restore(snapshot)
    assert set(table(group)) == {"anna@example.com", "new@example.com"}
    assert Activity.objects.count() == 1


def test_a_field_deleted_since_is_made_again_for_this_list_alone(lists: Lists) -> None:
    group = lists.group("email,Shoe size\nanna@example.com,38\n")
    snapshot = snapshot_of(lists, group)
    delete_attribute(Attribute.objects.get(name="Shoe size"), actor=lists.actor)
    assert Recipient.objects.get().attributes == {}
    lists.restore(snapshot)
    assert Recipient.objects.get().attributes == {"Shoe size": "38"}
    assert Attribute.objects.get(name="Shoe size").group == group


@pytest.mark.parametrize("into", ["same", "new", "deleted"])
def test_people_are_made_active_again_by_a_restore_that_says_so(lists: Lists, into: str) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    unsubscribe(Recipient.objects.get(key="active@example.com"), actor=lists.actor)
    if into == "deleted":
        drain(Job.objects.get(kind=DELETE_JOB, subject_id=delete_group(group, actor=lists.actor).pk))
    restore, job = plan_restore(snapshot, actor=lists.actor, new_name="Again" if into == "new" else None)
    drain(job)
    change = Change.objects.get(pk=restore.pk)
    assert change.preview["kept_safe"] == 1
    drain(confirm_change(change, actor=lists.actor, reactivate=True, reason="asked by phone"))
    change.refresh_from_db()
    assert (change.state, change.kept_safe) == ("done", 0)
    found = Recipient.objects.get(group=change.group, key="active@example.com")
    assert found.status == Status.ACTIVE
    assert AuditEntry.objects.get(event="consent.reactivated").data["count"] == 1


def test_restoring_one_list_changes_no_other(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    other = lists.group(EVERYTHING, name="Other")
    snapshot = snapshot_of(lists, group)
    lists.load("email,First name\nactive@example.com,X\n", into=other)
    before = table(other)
    lists.restore(snapshot)
    assert table(other) == before


def exchange_rows(snapshot: Snapshot, *, path: Path) -> None:
    """Put other rows of the same length into the archive, in a file that is whole and sealed with its key."""
    identity = identity_of(snapshot)
    with path.open("rb") as file:
        reader = ArchiveReader(file, identity=identity)
        head, text = reader.manifest, reader.open_part().read()
    other = io.BytesIO()
    with ArchiveWriter(other, head=head, identity=identity) as writer:
        with writer.part(head.parts[0].name) as sink:
            sink.write(text.replace(b"shop", b"SHOP"))
        writer.finish()
    mixed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other) as new, zipfile.ZipFile(mixed, "w") as both:
        rows, manifest = old.infolist()
        both.writestr(rows, new.read(rows.filename))
        both.writestr(manifest, old.read(manifest))
    path.write_bytes(mixed.getvalue())
    sha256 = hashlib.sha256(mixed.getvalue()).hexdigest()
    Snapshot.objects.filter(pk=snapshot.pk).update(sha256=sha256)


def test_damage_that_only_the_rows_show_is_named_and_nothing_stays_staged(
    lists: Lists, archives: Path
) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    exchange_rows(snapshot, path=archives / snapshot.archive)
    snapshot.refresh_from_db()
    before = table(group)
    assert failure_of_restore(snapshot, lists=lists) == "archive.content_differs"
    assert table(group) == before
    assert engine().owners() == []
    snapshot.refresh_from_db()
    assert snapshot.damaged_code == "archive.content_differs"


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "swapped"])
def test_a_damaged_backup_is_never_restored(
    lists: Lists, archives: Path, other_account: Account, stranger: User, damage: str
) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    lists.load("email,First name\nactive@example.com,X\n", into=group)
    before = table(group)
    path = archives / snapshot.archive
    content = path.read_bytes()
    if damage == "flip":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "gone":
        path.unlink()
    else:
        theirs = Lists(account=other_account, owner=stranger)
        foreign = snapshot_of(theirs, theirs.group("email\nzoe@example.com\n"))
        path.write_bytes((archives / foreign.archive).read_bytes())
    assert failure_of_restore(snapshot, lists=lists).startswith("archive.")
    assert table(group) == before


def test_the_damage_found_is_marked_on_every_backup_that_shares_the_archive(
    lists: Lists, archives: Path
) -> None:
    group = lists.group(EVERYTHING)
    first, second = snapshot_of(lists, group), snapshot_of(lists, group)
    assert first.archive == second.archive
    (archives / first.archive).write_bytes(b"")
    assert failure_of_restore(second, lists=lists) == "archive.unreadable"
    first.refresh_from_db()
    with pytest.raises(Refusal, match=r"snapshot\.damaged"):
        plan_restore(first, actor=lists.actor)


def test_support_restores_but_downloads_only_with_the_owners_leave(
    lists: Lists, sam: User, victor: User, stranger: User
) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    with pytest.raises(Forbidden):
        download(snapshot, actor=acting(sam))
    Account.objects.filter(pk=lists.account.pk).update(support_may_download=True)
    snapshot = Snapshot.objects.get(pk=snapshot.pk)
    assert b"".join(download(snapshot, actor=acting(sam)).chunks)
    assert lists.restore(snapshot, actor=acting(sam)).state == "done"
    assert AuditEntry.objects.filter(event="restore.done", user=sam).exists()
    for user, refusal in ((victor, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            plan_restore(snapshot, actor=acting(user))


def test_a_locked_list_may_be_restored_but_not_emptied(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    change_group(group, actor=lists.actor, locked=True)
    change = lists.preview("email\nactive@example.com\n", into=group, mode="delete")
    with pytest.raises(Refusal, match=r"group\.locked"):
        confirm_change(change, actor=lists.actor)
    assert lists.restore(snapshot).state == "done"


def test_a_restore_delivered_twice_restores_once(lists: Lists) -> None:
    group = lists.group(EVERYTHING)
    snapshot = snapshot_of(lists, group)
    restore, job = plan_restore(snapshot, actor=lists.actor)
    drain(job)
    assert not runner.run(job.pk)
    apply = confirm_change(Change.objects.get(pk=restore.pk), actor=lists.actor)
    drain(apply)
    assert not runner.run(apply.pk)
    assert AuditEntry.objects.filter(event="restore.done").count() == 1
