"""Taking a backup out as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from backups.actions.snapshots import lease, open_archive, verify
from backups.models import Snapshot
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import Refusal
from recipients.actions.exports import Download, file_name
from recipients.bulk.copytext import rows
from recipients.exports import csv_lines, xlsx_file

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
    verify(snapshot)
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
    lines = _sheet(snapshot) if kind == "xlsx" else _lines(snapshot, is_safe=is_safe)
    return Download(name, content_type, lines)


def _lines(snapshot: Snapshot, *, is_safe: bool) -> Iterator[bytes]:
    with open_archive(snapshot) as archive, archive.open_part() as part:
        names = [attribute.name for attribute in archive.manifest.attributes]
        yield from csv_lines(rows(part), attributes=names, spreadsheet_safe=is_safe)


def _sheet(snapshot: Snapshot) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as target:
        with open_archive(snapshot) as archive, archive.open_part() as part:
            names = [attribute.name for attribute in archive.manifest.attributes]
            xlsx_file(rows(part), attributes=names, target=target)
        target.seek(0)
        while chunk := target.read(CHUNK_BYTES):
            yield chunk
