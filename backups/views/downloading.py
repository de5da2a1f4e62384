"""Taking a backup out as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST

from backups.access import get_snapshot
from backups.actions import downloads
from backups.views.way_back import back
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.views.downloading import attachment
from recipients.views.told import told_next


@require_POST
@account_view(Permission.EXPORT)
def download(request: AccountRequest, account: Account, snapshot_id: int, kind: str) -> HttpResponseBase:
    """The backup as a file of that kind. POST, because it is written down in the log."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told_next(request):
        file = downloads.download(snapshot, actor=request.actor, kind=kind)
        # Made before the answer begins: what is refused now can still be said on a page.
        first = next(file.chunks, b"")
        return attachment(replace(file, chunks=_stream(first, file.chunks)))
    return back(request, account)


def _stream(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
