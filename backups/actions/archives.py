"""Writing a list's archive: produced, kept and read back, or nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from django.utils import timezone

from backups import storage
from backups.actions.keys import new_archive_key, open_archive_key
from backups.archive import ArchiveWriter
from backups.archive import verify as verify_archive
from backups.archive.manifest import AccountHead, AttributeHead, GroupHead, Manifest, ManifestHead
from backups.models import ArchiveKey, PreparedArchive, Snapshot
from backups.selectors import is_referred_to
from backupsvc.accounts.models import Account
from recipients.bulk.engine import engine
from recipients.models import Group
from recipients.selectors import attributes_of


@dataclass(frozen=True)
class Archived:
    """An archive that was written and read back; its key is saved with the row that refers to it."""

    key: ArchiveKey
    size_bytes: int
    sha256: str
    manifest: Manifest

    def keep_for(self, row: Snapshot | PreparedArchive) -> None:
        """Save the key, and put on the row what it says of its archive. The caller saves the row."""
        self.key.save(force_insert=True)
        row.archive, row.size_bytes, row.sha256 = self.key.archive, self.size_bytes, self.sha256
        row.revision, row.recipients = self.manifest.group.revision, self.manifest.recipients


@contextmanager
def archived(account: Account, *, group_id: int, attempt_of: int) -> Iterator[Archived]:
    """The archive of the list as it is now. It stays if a row refers to it when the block has ended.

    `attempt_of` is the id of that row, for the file's name. Raise Refusal.
    """
    name = storage.new_key(account.pk, group_id=group_id, snapshot_id=attempt_of)
    key = new_archive_key(account, archive=name)
    try:
        # The key is taken out of its seals each time: what nobody could open again is never complete.
        identity = open_archive_key(key)
        written = storage.write(name, lambda file: _produce(file, group_id=group_id, identity=identity))
        with storage.reading(name) as file:
            manifest = verify_archive(file, identity=open_archive_key(key), expected_sha256=written.sha256)
        yield Archived(key, written.size_bytes, written.sha256, manifest)
    except BaseException:
        # No row ever referred to it: an orphan that nobody needs.
        if not is_referred_to(name):
            storage.delete(name)
        raise


def _produce(file: BinaryIO, *, group_id: int, identity: str) -> Manifest:
    """Write the archive of the list: rows, fields and settings of one moment."""
    with engine().consistent_read():
        group = Group.objects.select_related("account").get(pk=group_id)
        with ArchiveWriter(file, head=_head(group), identity=identity) as writer:
            with writer.part("recipients.tsv") as sink:
                engine().dump(group_id, sink=sink)
            return writer.finish()


def _head(group: Group) -> ManifestHead:
    account = group.account
    return ManifestHead(
        taken_at=timezone.now(),
        account=AccountHead(id=account.pk, slug=account.slug, name=account.name),
        group=GroupHead(
            id=group.pk,
            name=group.name,
            info=group.info,
            locked=group.locked,
            auto_backup=group.auto_backup,
            created_at=group.created_at,
            revision=group.revision,
        ),
        attributes=tuple(
            AttributeHead(
                name=attribute.name,
                type=attribute.type,
                scope="group" if attribute.group_id else "account",
            )
            for attribute in attributes_of(account, group=group)
        ),
    )
