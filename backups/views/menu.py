"""What one may do with a backup: the entries of its three dots, for those who may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.access import Permission
from backupsvc.accounts.addresses import address
from backupsvc.accounts.models import Account


@dataclass(frozen=True)
class Item:
    """An entry of a menu. `post`: a form of its own; `downloads`: what it sends is a file, the page stays."""

    url: str
    text: str
    icon: str
    post: bool = False
    danger: bool = False
    downloads: bool = False
    # A line above the entry sets it apart.
    apart: bool = False


def items(snapshot: Snapshot, *, account: Account, permissions: frozenset[Permission]) -> list[Item]:
    """All entries that make sense for the backup and that the person may use."""
    url = Address(account, snapshot)
    entries = [Item(url("show"), _("View"), "eye")]
    if snapshot.state == SnapshotState.WRITING:
        return entries
    if snapshot.is_restorable:
        entries.append(Item(url("compare"), _("Compare"), "arrows-diff"))
        if Permission.RESTORE in permissions:
            entries.append(Item(url("restore"), _("Restore"), "restore"))
        if Permission.EXPORT in permissions:
            entries.extend(downloads(url))
    entries.extend(_keeping(snapshot, url, permissions))
    return entries


class Address:
    """The addresses of one backup's pages."""

    def __init__(self, account: Account, snapshot: Snapshot) -> None:
        self._slug, self._number = account.slug, snapshot.pk

    def __call__(self, name: str, *more: str) -> str:
        return address(f"backups:{name}", self._slug, self._number, *more)


def downloads(url: Address) -> list[Item]:
    """The kinds of file a backup can be taken out as."""
    return [
        Item(
            url("download", "csv"), _("Download CSV"), "file-type-csv", post=True, downloads=True, apart=True
        ),
        Item(
            url("download", "csv-safe"),
            _("Download CSV for spreadsheets"),
            "file-spreadsheet",
            post=True,
            downloads=True,
        ),
        Item(url("download", "xlsx"), _("Download Excel"), "file-type-xls", post=True, downloads=True),
    ]


def keeping(snapshot: Snapshot, *, account: Account, permissions: frozenset[Permission]) -> list[Item]:
    """The entries that keep, verify or delete the backup."""
    if snapshot.state == SnapshotState.WRITING:
        return []
    return list(_keeping(snapshot, Address(account, snapshot), permissions))


def _keeping(snapshot: Snapshot, url: Address, permissions: frozenset[Permission]) -> Iterator[Item]:
    is_complete = snapshot.state == SnapshotState.COMPLETE
    if is_complete and Permission.RESTORE in permissions:
        if snapshot.pinned:
            yield Item(url("unpin"), _("No longer keep"), "pinned-off", post=True, apart=True)
        else:
            # Translators: a button: do not delete this backup when its time is over.
            yield Item(url("pin"), pgettext("backup", "Keep"), "pin", post=True, apart=True)
        yield Item(url("verify"), _("Verify now"), "shield-check", post=True)
    # One that is kept for good has to be let go first.
    if Permission.MANAGE in permissions and not snapshot.pinned:
        yield Item(url("delete"), _("Delete"), "trash", danger=True, apart=True)
