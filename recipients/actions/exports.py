"""Taking a list out as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.text import slugify

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import Refusal
from recipients.bulk.copytext import rows
from recipients.bulk.engine import engine
from recipients.exports import KINDS, columns_of, file_chunks
from recipients.models import Change, Group
from recipients.rejects import rejected_csv
from recipients.selectors import attributes_of

# File systems take 255 bytes for a name, and a character of some scripts is three; the rest needs its place.
LONGEST_NAME = 60


@dataclass(frozen=True)
class Download:
    """A file to be sent: its name, its type, and its bytes, made while they are taken."""

    file_name: str
    content_type: str
    chunks: Iterator[bytes]


def export_group(group: Group, *, actor: Actor, kind: str = "csv") -> Download:
    """The list as it is now: csv (exact), csv-safe or xlsx (for spreadsheets).

    Written down before the first byte leaves. Raises Refusal; taking the chunks does so as well.
    """
    require(actor, account=group.account, permission=Permission.EXPORT)
    if kind not in KINDS:
        raise Refusal("download.unknown_kind", kind=kind)
    record(
        "group.exported",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipients=group.recipients_count,
        kind=kind,
    )
    name = file_name(group.name, moment=timezone.now(), kind=kind)
    return Download(name, KINDS[kind].content_type, _live_chunks(group, kind=kind))


def export_rejected(change: Change, *, actor: Actor) -> Download:
    """The rows of a change that could not be used, as a file to mend. Written down like every download."""
    require(actor, account=change.account, permission=Permission.EXPORT)
    name = change.group.name if change.group else change.new_group_name
    record(
        "import.rejects_downloaded",
        account=change.account,
        actor=actor,
        group_id=change.group_id,
        target=name,
        change=change.pk,
        rows=change.rejected,
    )
    own = slugify(name, allow_unicode=True)[:LONGEST_NAME] or "import"
    return Download(f"{own}-rejected-{change.pk}.csv", KINDS["csv"].content_type, rejected_csv(change))


def file_name(name: str, *, moment: datetime, kind: str) -> str:
    """A name that says which list, which state and which kind, in the list's own script."""
    ending = "-spreadsheet" if KINDS[kind].is_safe else ""
    own = slugify(name, allow_unicode=True)[:LONGEST_NAME] or "list"
    return f"{own}-{moment:%Y-%m-%d-%H%M}{ending}.{KINDS[kind].extension}"


def _live_chunks(group: Group, *, kind: str) -> Iterator[bytes]:
    # Dumped to a private file first: a slow download must not hold a transaction open.
    with tempfile.TemporaryFile() as dump:
        with engine().consistent_read():
            names = [attribute.name for attribute in attributes_of(group.account, group=group)]
            engine().dump(group.pk, sink=dump)
        dump.seek(0)
        names = columns_of(rows(dump), attributes=names)
        dump.seek(0)
        yield from file_chunks(rows(dump), attributes=names, kind=kind)
