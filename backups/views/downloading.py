"""Taking a backup out as a file."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST

from backups.access import get_snapshot
from backups.actions import downloads
from backups.views.way_back import back
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.views.downloading import attachment, begun
from recipients.views.told import told_next


@require_POST
@account_view(Permission.EXPORT)
def download(request: AccountRequest, account: Account, snapshot_id: int, kind: str) -> HttpResponseBase:
    """The backup as a file of that kind. POST, because it is written down in the log."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told_next(request):
        return attachment(begun(downloads.download(snapshot, actor=request.actor, kind=kind)))
    return back(request, account)
