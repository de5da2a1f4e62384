"""Backups, their files, and the ledger of those that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from backups import storage
from backups.actions.keys import broken_account_keys
from backups.actions.preparing import KEPT as KEPT_PREPARED
from backups.actions.purge import ORPHAN_AGE
from backups.actions.snapshots import TAKE_JOB, open_archive, read_back
from backups.archive import Manifest
from backups.invariants.finding import VERY_LATE, Broken
from backups.invariants.logged import logged
from backups.models import ArchiveKey, PreparedArchive, PurgeEntry, Restore, Snapshot, SnapshotState
from backups.selectors import is_referred_to
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import ENDED, Job
from backupsvc.wording import say
from recipients.actions.staging import digest_for
from recipients.bulk.copytext import COLUMNS, rows
from recipients.models import BlocklistEntry, Change, ChangeState

KEY = COLUMNS.index("key")
# Snapshots whose archive somebody relies on.
KEPT = (SnapshotState.COMPLETE, SnapshotState.EXPIRED)


def changes_have_their_backup() -> Iterator[Broken]:
    """A change that was to be backed up has its backup, or the ledger has it."""
    backed_up = Snapshot.objects.filter(pk=OuterRef("snapshot_id"), state__in=KEPT)
    purged = PurgeEntry.objects.filter(snapshot_id=OuterRef("snapshot_id"))
    lost = Change.objects.filter(
        ~Exists(backed_up), ~Exists(purged), state=ChangeState.DONE, backup_wanted=True
    )
    for change in lost.select_related("group").iterator():
        yield Broken(
            f"change {change.pk} ({change.kind} of “{change.group}”)",
            "It was to be backed up first, but there is no backup of it, nor an entry that it was purged.",
            "Look into the log of the server around that time, and make a backup of the list now.",
        )


def complete_means_restorable() -> Iterator[Broken]:
    """Every archive is read to its end and compared with what its row says."""
    complete = Snapshot.objects.filter(state=SnapshotState.COMPLETE).select_related("account", "group")
    read: dict[tuple[str, str], Manifest | str] = {}
    for snapshot in list(complete.order_by("archive", "pk")):
        # Snapshots of an unchanged list share a file: once is enough, unless their rows disagree.
        file = (snapshot.archive, snapshot.sha256)
        if file not in read:
            read[file] = _read(snapshot)
        found = read[file]
        problem = found if isinstance(found, str) else _difference_from_row(snapshot, manifest=found)
        if problem and _is_still_complete(snapshot):
            yield Broken(
                place_of(snapshot),
                problem,
                "It cannot be restored. Use another backup of this list, bring the file back from a copy "
                "of the storage, or delete this backup; make a new one now.",
            )


def prepared_archives_are_whole() -> Iterator[Broken]:
    """What a backup may take over at any moment is as good as a backup."""
    for prepared in list(PreparedArchive.objects.exclude(archive="")):
        found = _read(prepared)
        if isinstance(found, str) and PreparedArchive.objects.filter(pk=prepared.pk).exists():
            yield Broken(
                _place_of_prepared(prepared),
                found,
                "Cancel the change it was made for, and import again: a new one is written.",
            )


def files_belong_to_backups() -> Iterator[Broken]:
    """A file without a backup is what a writer that died left behind; the purge removes it."""
    before = timezone.now() - ORPHAN_AGE - VERY_LATE / 4
    try:
        for key, modified_at in storage.keys():  # noqa: SIM118  # a module, not a dict
            if modified_at < before and not is_referred_to(key):
                yield Broken(
                    f"file {key}",
                    "It belongs to no backup and should have been removed.",
                    "Run: manage.py backups purge. See that the scheduler is running.",
                )
    except Refusal as refusal:
        yield Broken("the storage of the backups", say(refusal), "Mend the storage, then check again.")


def prepared_archives_go() -> Iterator[Broken]:
    """What was written ahead for a change is taken over by its backup, or goes within a day."""
    before = timezone.now() - KEPT_PREPARED - VERY_LATE
    for prepared in PreparedArchive.objects.filter(created_at__lt=before).iterator():
        yield Broken(
            _place_of_prepared(prepared),
            "No backup has taken it over, and it should have been removed.",
            "Run: manage.py backups purge. See that the scheduler is running.",
        )


def written_backups_have_their_job() -> Iterator[Broken]:
    """A backup that is being written has somebody who writes it."""
    writers = Job.objects.filter(kind=TAKE_JOB, subject_id=OuterRef("pk")).exclude(state__in=ENDED)
    for snapshot in Snapshot.objects.filter(~Exists(writers), state=SnapshotState.WRITING).iterator():
        yield Broken(
            place_of(snapshot),
            "It is being written, but there is no work for it.",
            "It will never be complete: make a new backup of the list.",
        )


def backups_stay_in_their_account() -> Iterator[Broken]:
    """Backup, list, change and file are of one account."""
    do = "Do not restore it. Tell those who make this program."
    foreign = Q(account=F("group__account")) & (Q(change=None) | Q(change__account=F("account")))
    for snapshot in Snapshot.objects.exclude(foreign).iterator():
        yield Broken(place_of(snapshot), "Its list or its change belongs to another account.", do)
    for snapshot in Snapshot.objects.exclude(archive="").iterator():
        if not snapshot.archive.startswith(f"{snapshot.account_id}/{snapshot.group_id}/"):
            yield Broken(place_of(snapshot), "Its file belongs to another list.", do)
    crossed = Restore.objects.filter(snapshot__isnull=False).exclude(snapshot__account=F("change__account"))
    for restore in crossed.iterator():
        yield Broken(f"change {restore.pk} (restore)", "It restores a backup of another account.", do)


def backups_are_in_the_log() -> Iterator[Broken]:
    """Each complete backup has the entry that it was made."""
    noted = logged("backup.made", of="snapshot")
    for snapshot in Snapshot.objects.filter(state=SnapshotState.COMPLETE).iterator():
        if snapshot.pk not in noted:
            yield Broken(
                place_of(snapshot),
                "The activity log does not say that it was made.",
                "Somebody has removed log entries: find out who can write to the database.",
            )


def keys_open() -> Iterator[Broken]:
    """The instance's key opens every account's key, so that the account's backups can be read."""
    for key, refusal in broken_account_keys():
        yield Broken(
            f"account {key.account.slug} (its key)",
            say(refusal),
            "Put the right key in its place, from the copy that was kept. Until then no backup of this "
            "account can be made or read.",
        )


def keys_go_with_their_backups() -> Iterator[Broken]:
    """A purged backup cannot be read any more, not even from a copy of the storage."""
    kept, coming = (kind.objects.filter(archive=OuterRef("archive")) for kind in (Snapshot, PreparedArchive))
    for key in ArchiveKey.objects.filter(~Exists(kept), ~Exists(coming)).iterator():
        yield Broken(
            f"key {key.pk}",
            f"The backup whose file was {key.archive} is gone, but its key is not.",
            "Tell those who make this program, and remove the row of this key from backups_archivekey.",
        )


def erased_people_are_in_no_backup() -> Iterator[Broken]:
    """No archive of an account holds an address that was erased from it."""
    for account in Account.objects.filter(blocklist__kind=BlocklistEntry.Kind.ERASED).distinct():
        digest = digest_for(account)
        entries = BlocklistEntry.objects.filter(account=account, kind=BlocklistEntry.Kind.ERASED)
        erased = set(entries.values_list("pattern", flat=True))
        if digest is None:
            continue
        for snapshot in list(Snapshot.objects.filter(account=account, state=SnapshotState.COMPLETE)):
            keys = _keys(snapshot)
            count = sum(digest(key) in erased for key in keys)
            if count and _is_still_complete(snapshot):
                yield Broken(
                    place_of(snapshot),
                    f"It holds {count} recipients who were erased.",
                    "Delete this backup: manage.py backups delete, then purge.",
                )


def _read(snapshot: Snapshot | PreparedArchive) -> Manifest | str:
    """The file as it describes itself, when it is whole; else what is wrong with it."""
    try:
        return read_back(snapshot)
    except Refusal as refusal:
        return say(refusal)


def _difference_from_row(snapshot: Snapshot, *, manifest: Manifest) -> str:
    """Only for files that are sound."""
    if snapshot.damaged_code:
        return "It is marked as damaged."
    if (manifest.account.id, manifest.group.id) != (snapshot.account_id, snapshot.group_id):
        return "Its file is the backup of another list."
    if manifest.recipients != snapshot.recipients:
        return f"Its file holds {manifest.recipients} recipients instead of {snapshot.recipients}."
    if storage.size(snapshot.archive) != snapshot.size_bytes:
        return "Its file is not as large as it was written."
    if manifest.group.revision != snapshot.revision:
        return "Its file holds another state of the list."
    return ""


def _keys(snapshot: Snapshot) -> Iterator[str]:
    """The address keys in the archive; none when it cannot be read (which is another finding)."""
    try:
        with open_archive(snapshot) as archive, archive.open_part() as part:
            for cells in rows(part):
                yield cells[KEY] or ""
    except Refusal:
        return


def _is_still_complete(snapshot: Snapshot) -> bool:
    """It may have been purged while its file was read."""
    return Snapshot.objects.filter(
        pk=snapshot.pk, state=SnapshotState.COMPLETE, archive=snapshot.archive
    ).exists()


def _place_of_prepared(prepared: PreparedArchive) -> str:
    return f"prepared archive {prepared.pk} (“{prepared.group_name}”)"


def place_of(snapshot: Snapshot) -> str:
    """Which backup it is, for people."""
    return f"backup {snapshot.pk} (“{snapshot.group_name}”, {snapshot.created_at:%Y-%m-%d %H:%M} UTC)"
