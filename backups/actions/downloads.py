"""Taking a backup out as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from backups.actions.snapshots import lease, open_archive, verify
from backups.models import Snapshot
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import Refusal
from recipients.actions.exports import Download, file_name
from recipients.bulk.copytext import RowBroken, rows
from recipients.exports import KINDS, columns_of, file_chunks


def download(snapshot: Snapshot, *, actor: Actor, kind: str = "csv") -> Download:
    """The backup as a file that can be imported again: csv (exact), csv-safe or xlsx (for spreadsheets).

    The archive is verified before the first byte leaves. Raises Refusal.
    """
    require(actor, account=snapshot.account, permission=Permission.EXPORT)
    if kind not in KINDS:
        raise Refusal("download.unknown_kind", kind=kind)
    with open_archive(snapshot):
        lease(snapshot)
    names = _verified_columns(snapshot)
    record(
        "backup.downloaded",
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
        recipients=snapshot.recipients,
        kind=kind,
    )
    name = file_name(snapshot.group_name, moment=snapshot.created_at, kind=kind)
    return Download(name, KINDS[kind].content_type, _chunks(snapshot, names=names, kind=kind))


def _verified_columns(snapshot: Snapshot) -> list[str]:
    """Verify the archive; the columns its attributes need. One reading for both."""
    found: list[str] = []

    def look(part: BinaryIO) -> None:
        # What is no row is damage: verifying goes on, and says so.
        with suppress(RowBroken, ValueError):
            found.extend(columns_of(rows(part), attributes=()))

    manifest = verify(snapshot, take_rows=look)
    return list(dict.fromkeys([*(attribute.name for attribute in manifest.attributes), *found]))


def _chunks(snapshot: Snapshot, *, names: Sequence[str], kind: str) -> Iterator[bytes]:
    with open_archive(snapshot) as archive, archive.open_part() as part:
        yield from file_chunks(rows(part), attributes=names, kind=kind)
