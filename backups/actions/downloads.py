"""Taking a backup out as a file."""

from __future__ import annotations

import tempfile
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
from recipients.exports import columns_of, csv_lines, xlsx_file

CHUNK_BYTES = 64 * 1024
# kind → (file extension, content type, safe for spreadsheets)
KINDS = {
    "csv": ("csv", "text/csv; charset=utf-8", False),
    "csv-safe": ("csv", "text/csv; charset=utf-8", True),
    "xlsx": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", True),
}


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
    extension, content_type, is_safe = KINDS[kind]
    name = file_name(
        snapshot.group_name, moment=snapshot.created_at, spreadsheet_safe=is_safe, extension=extension
    )
    lines = (
        _sheet(snapshot, names=names) if kind == "xlsx" else _lines(snapshot, names=names, is_safe=is_safe)
    )
    return Download(name, content_type, lines)


def _verified_columns(snapshot: Snapshot) -> list[str]:
    """Verify the archive; the columns its attributes need. One reading for both."""
    found: list[str] = []

    def look(part: BinaryIO) -> None:
        # What is no row is damage: verifying goes on, and says so.
        with suppress(RowBroken, ValueError):
            found.extend(columns_of(rows(part), attributes=()))

    manifest = verify(snapshot, take_rows=look)
    return list(dict.fromkeys([*(attribute.name for attribute in manifest.attributes), *found]))


def _lines(snapshot: Snapshot, *, names: Sequence[str], is_safe: bool) -> Iterator[bytes]:
    with open_archive(snapshot) as archive, archive.open_part() as part:
        yield from csv_lines(rows(part), attributes=names, spreadsheet_safe=is_safe)


def _sheet(snapshot: Snapshot, *, names: Sequence[str]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as target:
        with open_archive(snapshot) as archive, archive.open_part() as part:
            xlsx_file(rows(part), attributes=names, target=target)
        target.seek(0)
        while chunk := target.read(CHUNK_BYTES):
            yield chunk
