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
from recipients.bulk.copytext import rows
from recipients.bulk.engine import engine
from recipients.exports import columns_of, csv_lines
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


def export_group(group: Group, *, actor: Actor, spreadsheet_safe: bool = False) -> Download:
    """The list as it is now, as CSV. Written down before the first byte leaves."""
    require(actor, account=group.account, permission=Permission.EXPORT)
    record(
        "group.exported",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipients=group.recipients_count,
        spreadsheet_safe=spreadsheet_safe,
    )
    name = file_name(group.name, moment=timezone.now(), spreadsheet_safe=spreadsheet_safe, extension="csv")
    return Download(name, "text/csv; charset=utf-8", _live_lines(group, spreadsheet_safe=spreadsheet_safe))


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
    return Download(f"{own}-rejected-{change.pk}.csv", "text/csv; charset=utf-8", rejected_csv(change))


def file_name(name: str, *, moment: datetime, spreadsheet_safe: bool, extension: str) -> str:
    """A name that says which list, which state and which kind, in the list's own script."""
    kind = "-spreadsheet" if spreadsheet_safe else ""
    own = slugify(name, allow_unicode=True)[:LONGEST_NAME] or "list"
    return f"{own}-{moment:%Y-%m-%d-%H%M}{kind}.{extension}"


def _live_lines(group: Group, *, spreadsheet_safe: bool) -> Iterator[bytes]:
    # Dumped to a private file first: a slow download must not hold a transaction open.
    with tempfile.TemporaryFile() as dump:
        with engine().consistent_read():
            names = [attribute.name for attribute in attributes_of(group.account, group=group)]
            engine().dump(group.pk, sink=dump)
        dump.seek(0)
        names = columns_of(rows(dump), attributes=names)
        dump.seek(0)
        yield from csv_lines(rows(dump), attributes=names, spreadsheet_safe=spreadsheet_safe)
