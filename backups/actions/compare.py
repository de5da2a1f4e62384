"""Comparing a backup with another, or with the list as it is now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from backups.actions.snapshots import lease, open_archive
from backups.archive.manifest import Manifest
from backups.difference import Cells, Difference, difference, matching
from backups.models import Snapshot
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.errors import NotFound
from recipients.bulk.copytext import cells, lines
from recipients.bulk.engine import engine
from recipients.models import Group


@dataclass(frozen=True)
class Contents:
    """What a backup holds: what it says about itself, and some of its rows."""

    manifest: Manifest
    rows: list[Cells]


def compare(snapshot: Snapshot, *, actor: Actor, other: Snapshot | None = None) -> Difference:
    """What came, went and changed from this backup to the other, or to the list now. Raises Refusal."""
    require(actor, account=snapshot.account, permission=Permission.VIEW)
    if other is not None and other.account_id != snapshot.account_id:
        raise NotFound("snapshot.not_found")
    with _lines_of(snapshot) as before:
        if other is not None:
            with _lines_of(other) as after:
                return difference(before, after)
        with _lines_now(snapshot.group) as after:
            return difference(before, after)


def contents(
    snapshot: Snapshot, *, actor: Actor, search: str = "", skip: int = 0, limit: int = 50
) -> Contents:
    """The manifest and some rows by address, as copytext cells; `search` looks in the addresses."""
    require(actor, account=snapshot.account, permission=Permission.VIEW)
    lease(snapshot)
    with open_archive(snapshot) as archive, archive.open_part() as part:
        stream = lines(part)
        found = matching(stream, text=search) if search.strip() else stream
        return Contents(archive.manifest, [cells(line) for line in islice(found, skip, skip + limit)])


@contextmanager
def _lines_of(snapshot: Snapshot) -> Iterator[Iterator[str]]:
    lease(snapshot)
    with open_archive(snapshot) as archive, archive.open_part() as part:
        yield lines(part)


@contextmanager
def _lines_now(group: Group) -> Iterator[Iterator[str]]:
    with tempfile.TemporaryFile() as dump:
        with engine().consistent_read():
            engine().dump(group.pk, sink=dump)
        dump.seek(0)
        yield lines(dump)
