"""A small installation in which everything has happened once, and every way to damage it.

Each damage gives where it must be found. One file although it is long: all are done to one installation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.db.models import F
from django.utils import timezone

from backups.actions.purge import purge_due
from backups.actions.snapshots import request_snapshot
from backups.models import AccountKey, ArchiveKey, PreparedArchive, PurgeEntry, PurgeGuard, Restore, Snapshot
from backupsvc.accounts import audit
from backupsvc.accounts.actions.sealing import seal_log
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import Account, AuditEntry, AuditSeal, Member
from backupsvc.jobs.models import Job, JobWait, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import drain
from recipients.actions.blocklist import block
from recipients.addresses import digest_of
from recipients.models import (
    Activity,
    BlocklistEntry,
    Change,
    Group,
    Import,
    Recipient,
    RejectedRow,
)
from tests.fixtures.lists import Lists
from tests.fixtures.unguarded import lift, unguarded


@dataclass
class World:
    """A small installation in which everything has happened once."""

    lists: Lists
    other: Account
    archives: Path
    news: Group
    gone: Group
    hidden: Group
    loaded: Change
    restored: Change
    cancelled: Change
    snapshot: Snapshot

    @property
    def file(self) -> Path:
        return self.archives / self.snapshot.archive

    def back_up(self) -> Snapshot:
        snapshot, job = request_snapshot(self.news, actor=self.lists.actor)
        drain(job)
        return Snapshot.objects.get(pk=snapshot.pk)


def past(**age: float) -> datetime:
    return timezone.now() - timedelta(**age)


def age_file(path: Path, *, hours: float) -> None:
    moment = (timezone.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))


def leave_rows_of_no_list(world: World) -> str:
    Recipient.objects.filter(group=world.news).update(group_id=10**6)
    return f"list {10**6}"


def leave_activities_of_nobody(world: World) -> str:
    Activity.objects.create(recipient_id=10**6, kind="opened")
    return "activities"


def lose_a_backup(world: World) -> str:
    Snapshot.objects.filter(change=world.loaded).delete()
    return f"change {world.loaded.pk}"


def remove_a_file(world: World) -> str:
    world.file.unlink()
    return f"backup {world.snapshot.pk}"


def flip_a_bit(world: World) -> str:
    data = bytearray(world.file.read_bytes())
    data[len(data) // 2] ^= 1
    world.file.write_bytes(data)
    return f"backup {world.snapshot.pk}"


def miscount_a_backup(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(recipients=7)
    return f"backup {world.snapshot.pk}"


def missize_a_backup(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(size_bytes=7)
    return f"backup {world.snapshot.pk}"


def swap_two_files(world: World) -> str:
    other = Snapshot.objects.get(group=world.gone)
    Snapshot.objects.filter(pk=other.pk).update(archive=world.snapshot.archive, sha256=world.snapshot.sha256)
    return f"backup {other.pk}"


def mark_a_backup_damaged(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(damaged_code="archive.file_checksum")
    return f"backup {world.snapshot.pk}"


def leave_an_orphan(world: World) -> str:
    path = world.archives / "orphan.zip.tmp"
    path.write_bytes(b"half")
    age_file(path, hours=48)
    return "file orphan.zip.tmp"


def touch_rows_of_a_cancelled_change(world: World) -> str:
    Recipient.objects.filter(key="anna@x.com").update(change_id=world.cancelled.pk)
    return f"change {world.cancelled.pk}"


def ignore_a_job(world: World) -> str:
    job = enqueue("backups.take_snapshot", subject_id=10**6, account=None, queue=Queue.SNAPSHOT)
    Job.objects.filter(pk=job.pk).update(due_at=past(minutes=11))
    return f"job {job.pk}"


def kill_a_worker(world: World) -> str:
    job = enqueue("backups.take_snapshot", subject_id=10**6, account=None, queue=Queue.SNAPSHOT)
    Job.objects.filter(pk=job.pk).update(state="running", lease_until=past(minutes=11))
    return f"job {job.pk}"


def run_without_a_lease(world: World) -> str:
    job = Job.objects.latest("pk")
    Job.objects.filter(pk=job.pk).update(state="running", lease_until=None)
    return f"job {job.pk}"


def end_at_no_time(world: World) -> str:
    job = Job.objects.filter(state="done").latest("pk")
    Job.objects.filter(pk=job.pk).update(ended_at=None)
    return f"job {job.pk}"


def wait_for_what_failed(world: World) -> str:
    done = Job.objects.filter(state="done").latest("pk")
    job = enqueue("backups.take_snapshot", subject_id=10**6, account=None, queue=Queue.SNAPSHOT, needs=[done])
    Job.objects.filter(pk=done.pk).update(state="failed", ended_at=past(minutes=11))
    return f"job {job.pk}"


def wait_in_a_circle(world: World) -> str:
    first, second = (
        enqueue("backups.take_snapshot", subject_id=pk, account=None, queue=Queue.SNAPSHOT)
        for pk in (10**6, 10**6 + 1)
    )
    JobWait.objects.create(job=first, awaited=second)
    JobWait.objects.create(job=second, awaited=first)
    return f"job {first.pk}"


def lose_the_job_of_a_change(world: World) -> str:
    change, job = world.lists.confirm("email\ngerd@x.com\n", into=world.news)
    job.delete()
    return f"change {change.pk}"


def lose_the_job_of_staging(world: World) -> str:
    Change.objects.filter(pk=world.cancelled.pk).update(state="staging", ended_at=None)
    return f"change {world.cancelled.pk}"


def lose_the_job_of_a_backup(world: World) -> str:
    snapshot, job = request_snapshot(world.news, actor=world.lists.actor)
    job.delete()
    return f"backup {snapshot.pk}"


def change_a_list_twice_at_once(world: World) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP INDEX one_active_change_per_group")
    world.lists.confirm("email\ngerd@x.com\n", into=world.news)
    Change.objects.filter(pk=world.cancelled.pk).update(state="active")
    return f"list {world.news.pk}"


def apply_a_change_twice(world: World) -> str:
    job = Job.objects.get(kind="recipients.apply_change", subject_id=world.loaded.pk)
    job.pk = None
    job.save()
    return f"recipients.apply_change {world.loaded.pk}"


def plan_the_same_twice(world: World) -> str:
    enqueue("recipients.purge_group", subject_id=world.hidden.pk, account=None, queue=Queue.MAINTENANCE)
    return f"recipients.purge_group {world.hidden.pk}"


def lose_a_row_in_the_counting(world: World) -> str:
    Change.objects.filter(pk=world.loaded.pk).update(added=99)
    return f"change {world.loaded.pk}"


def move_a_recipient(world: World) -> str:
    Recipient.objects.filter(key="anna@x.com").update(account=world.other)
    return f"list {world.news.pk}"


def move_a_backup(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(account=world.other)
    return f"backup {world.snapshot.pk}"


def point_to_a_foreign_file(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(archive="9/9/2026/9-x.zip")
    return f"backup {world.snapshot.pk}"


def restore_from_a_foreign_backup(world: World) -> str:
    Snapshot.objects.filter(restores=Restore.objects.get()).update(account=world.other)
    return f"change {world.restored.pk}"


def forget_to_purge(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(expires_at=past(hours=25))
    return f"backup {world.snapshot.pk}"


def purge_too_early(world: World) -> str:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(expires_at=past(days=2))
    purge_due(actor=operator())
    purge_due(actor=operator())
    assert PurgeEntry.objects.update(expired_at=timezone.now()) == 1
    return f"ledger entry {PurgeEntry.objects.get().pk}"


def purge_what_is_there(world: World) -> str:
    entry = PurgeEntry.objects.create(
        account=world.news.account, group_id=world.news.pk, snapshot_id=world.snapshot.pk, archive="x",
        sha256="x", created_at=past(days=40), expired_at=past(days=10), file_removed=True, why="due",
    )  # fmt: skip
    return f"ledger entry {entry.pk}"


def _purge(world: World) -> PurgeEntry:
    Snapshot.objects.filter(pk=world.snapshot.pk).update(expires_at=past(days=2))
    purge_due(actor=operator())
    return PurgeEntry.objects.get()


def keep_the_key_of_what_was_purged(world: World) -> str:
    key = ArchiveKey.objects.get(archive=world.snapshot.archive)
    _purge(world)
    assert not ArchiveKey.objects.filter(pk=key.pk).exists()
    key.save(force_insert=True)
    return f"key {key.pk}"


def seal_with_a_lost_key(world: World) -> str:
    AccountKey.objects.update(instance_key_id="age1lost")
    return f"account {world.news.account.slug}"


def hold_the_purge(world: World) -> str:
    _purge(world)
    PurgeGuard.objects.update(held_code="purge.too_many", held_params={"due": 99, "foreseen": 1})
    return "the purge"


def rewrite_the_ledger(world: World) -> str:
    entry = _purge(world)
    PurgeEntry.objects.update(sha256="0" * 64)
    return f"ledger entry {entry.pk}"


def tear_a_line_out_of_the_ledger(world: World) -> str:
    _purge(world).delete()
    return f"backup {world.snapshot.pk}"


def fail_to_remove_a_file(world: World) -> str:
    entry = _purge(world)
    PurgeEntry.objects.update(unlinked_at=None, purged_at=past(days=1, hours=1), expired_at=past(days=3))
    return f"ledger entry {entry.pk}"


def bring_a_purged_file_back(world: World) -> str:
    content = world.file.read_bytes()
    entry = _purge(world)
    world.file.parent.mkdir(parents=True, exist_ok=True)
    world.file.write_bytes(content)
    PurgeEntry.objects.update(unlinked_at=timezone.now())
    return f"ledger entry {entry.pk}"


def leave_staged_rows(world: World) -> str:
    change = world.lists.preview("email\ngerd@x.com\n", into=world.news)
    Change.objects.filter(pk=change.pk).update(state="cancelled", ended_at=past(days=2))
    return f"change {change.pk}"


def leave_a_draft(world: World) -> str:
    run = world.lists.draft("email\ngerd@x.com\n", into=world.news)
    Change.objects.filter(pk=run.pk).update(created_at=past(days=9))
    return f"change {run.pk}"


def leave_rejected_rows(world: World) -> str:
    row = RejectedRow.objects.get()
    Change.objects.filter(pk=row.change_id).update(ended_at=past(days=9))
    return f"change {row.change_id}"


def name_people_in_what_came_to_nothing(world: World) -> str:
    preview = {"kept_safe_rows": [{"email": "anna@x.com"}]}
    Change.objects.filter(pk=world.cancelled.pk).update(preview=preview, ended_at=past(days=9))
    return f"change {world.cancelled.pk}"


def keep_the_cells_of_a_file(world: World) -> str:
    Import.objects.filter(pk=world.loaded.pk).update(dialect={"sample": [["anna@x.com"]]})
    Change.objects.filter(pk=world.loaded.pk).update(ended_at=past(days=9))
    return f"change {world.loaded.pk}"


def leave_half_an_upload(world: World) -> str:
    path = Path(settings.FILE_UPLOAD_TEMP_DIR) / "half.upload"
    path.write_bytes(b"half")
    age_file(path, hours=48)
    return "file half.upload"


def leave_the_upload_of_an_import(world: World) -> str:
    Import.objects.filter(pk=world.loaded.pk).update(upload="1/x")
    Change.objects.filter(pk=world.loaded.pk).update(ended_at=past(days=2))
    return f"change {world.loaded.pk}"


def leave_an_upload_of_nobody(world: World) -> str:
    storages["uploads"].save("1/nobody", ContentFile(b"email\n"))
    age_file(Path(storages["uploads"].path("1/nobody")), hours=48)
    return "upload 1/nobody"


def _lose_entry(entry: AuditEntry) -> None:
    with unguarded():
        AuditSeal._base_manager.filter(entry=entry).delete()
        AuditEntry._base_manager.filter(pk=entry.pk).delete()


def change_a_log_entry(world: World) -> str:
    entry = AuditEntry.objects.latest("pk")
    with unguarded():
        AuditEntry._base_manager.filter(pk=entry.pk).update(user_label="Somebody else")
    return f"log entry {entry.pk}"


def cut_off_the_end_of_the_log(world: World) -> str:
    seal_log()
    entry = AuditEntry.objects.latest("pk")
    _lose_entry(entry)
    return f"log, place {AuditSeal.objects.latest('position').position}"


def let_the_log_be_changed(world: World) -> str:
    lift()
    return "log"


def forget_to_seal_the_log(world: World) -> str:
    seal_log()
    with audit.dated_back(timedelta(days=2)):
        audit.record("account.created", account=world.other, actor=operator())
    return "log"


def lose_the_entry_of_a_change(world: World) -> str:
    _lose_entry(AuditEntry.objects.get(event="import.done", data__change=world.loaded.pk))
    return f"change {world.loaded.pk}"


def lose_the_entry_of_a_backup(world: World) -> str:
    _lose_entry(AuditEntry.objects.get(event="backup.made", data__snapshot=world.snapshot.pk))
    return f"backup {world.snapshot.pk}"


def hide_a_list(world: World) -> str:
    Group.objects.filter(pk=world.news.pk).update(hidden_at=timezone.now())
    return f"list {world.news.pk}"


def lose_the_job_that_removes_the_rows(world: World) -> str:
    Job.objects.filter(kind="recipients.purge_group", subject_id=world.hidden.pk).delete()
    return f"list {world.hidden.pk}"


def leave_rows_of_a_deleted_list(world: World) -> str:
    lose_the_job_that_removes_the_rows(world)
    Group.objects.filter(pk=world.hidden.pk).update(deleted_at=timezone.now())
    return f"list {world.hidden.pk}"


def delete_a_list_without_a_deletion(world: World) -> str:
    Change.objects.filter(group=world.gone, kind="deletion").update(state="cancelled")
    return f"list {world.gone.pk}"


def show_a_deleted_list(world: World) -> str:
    Group.objects.filter(pk=world.gone.pk).update(hidden_at=None)
    return f"list {world.gone.pk}"


def _erase(world: World, key: str) -> None:
    entry = block(world.news.account, actor=world.lists.actor, pattern=key)
    digest = digest_of(key, digest_key=bytes.fromhex(world.news.account.digest_key))
    BlocklistEntry.objects.filter(pk=entry.pk).update(kind="erased", pattern=digest)


def let_an_erased_person_live_on(world: World) -> str:
    _erase(world, "carl@x.com")
    return f"recipient {Recipient.objects.get(key='carl@x.com').pk}"


def keep_an_erased_person_in_a_backup(world: World) -> str:
    _erase(world, "emil@x.com")
    return f"backup {Snapshot.objects.get(group=world.gone).pk}"


def miscount_a_list(world: World) -> str:
    Group.objects.filter(pk=world.news.pk).update(active_count=99)
    return f"list {world.news.pk}"


def leave_an_account_alone(world: World) -> str:
    Member.objects.filter(account=world.other).update(role="admin")
    return "account other"


def damage_what_was_written_ahead(world: World) -> str:
    Group.objects.filter(pk=world.news.pk).update(revision=F("revision") + 1)
    change = world.lists.preview("email\nzoe@x.com\n", into=world.news)
    prepared = PreparedArchive.objects.get(change=change)
    drain(Job.objects.get(kind="backups.prepare_archive", subject_id=prepared.pk))
    prepared.refresh_from_db()
    path = world.archives / prepared.archive
    path.write_bytes(path.read_bytes()[:-1])
    return f"prepared archive {prepared.pk}"


def leave_an_archive_that_was_written_ahead(world: World) -> str:
    prepared = PreparedArchive.objects.create(
        account=world.news.account,
        group=world.news,
        group_name="News",
        change=world.cancelled,
        created_at=timezone.now() - timedelta(days=3),
    )
    return f"prepared archive {prepared.pk}"


DAMAGES: list[tuple[str, Callable[[World], str]]] = [
    ("I1", lose_a_backup),
    ("I2", remove_a_file),
    ("I2", flip_a_bit),
    ("I2", miscount_a_backup),
    ("I2", missize_a_backup),
    ("I2", swap_two_files),
    ("I2", mark_a_backup_damaged),
    ("I2", seal_with_a_lost_key),
    ("I2", damage_what_was_written_ahead),
    ("I3", leave_an_orphan),
    ("I4", touch_rows_of_a_cancelled_change),
    ("I5", ignore_a_job),
    ("I5", kill_a_worker),
    ("I5", run_without_a_lease),
    ("I5", end_at_no_time),
    ("I5", wait_for_what_failed),
    ("I5", wait_in_a_circle),
    ("I5", lose_the_job_of_a_change),
    ("I5", lose_the_job_of_staging),
    ("I5", lose_the_job_of_a_backup),
    ("I5", change_a_list_twice_at_once),
    ("I6", apply_a_change_twice),
    ("I6", plan_the_same_twice),
    ("I7", lose_a_row_in_the_counting),
    ("I8", move_a_recipient),
    ("I8", leave_rows_of_no_list),
    ("I8", leave_activities_of_nobody),
    ("I8", move_a_backup),
    ("I8", point_to_a_foreign_file),
    ("I8", restore_from_a_foreign_backup),
    ("I9", forget_to_purge),
    ("I9", purge_too_early),
    ("I9", purge_what_is_there),
    ("I9", keep_the_key_of_what_was_purged),
    ("I9", hold_the_purge),
    ("I9", rewrite_the_ledger),
    ("I9", tear_a_line_out_of_the_ledger),
    ("I9", fail_to_remove_a_file),
    ("I9", bring_a_purged_file_back),
    ("I10", leave_staged_rows),
    ("I10", leave_a_draft),
    ("I10", leave_rejected_rows),
    ("I10", name_people_in_what_came_to_nothing),
    ("I10", keep_the_cells_of_a_file),
    ("I10", leave_half_an_upload),
    ("I10", leave_the_upload_of_an_import),
    ("I10", leave_an_upload_of_nobody),
    ("I10", leave_an_archive_that_was_written_ahead),
    ("I11", change_a_log_entry),
    ("I11", cut_off_the_end_of_the_log),
    ("I11", let_the_log_be_changed),
    ("I11", forget_to_seal_the_log),
    ("I11", lose_the_entry_of_a_change),
    ("I11", lose_the_entry_of_a_backup),
    ("I12", hide_a_list),
    ("I12", lose_the_job_that_removes_the_rows),
    ("I12", leave_rows_of_a_deleted_list),
    ("I12", delete_a_list_without_a_deletion),
    ("I12", show_a_deleted_list),
    ("I13", let_an_erased_person_live_on),
    ("I13", keep_an_erased_person_in_a_backup),
    ("I14", miscount_a_list),
    ("I16", leave_an_account_alone),
]
