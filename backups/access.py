"""The door to snapshots: not there and not yours give the same NotFound."""

from __future__ import annotations

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound


def get_snapshot(
    actor: Actor, *, account: Account, snapshot_id: int, permission: Permission = Permission.VIEW
) -> Snapshot:
    """A snapshot of the account that has not expired. Raises NotFound, Forbidden."""
    require(actor, account=account, permission=permission)
    snapshots = Snapshot.objects.filter(account=account).exclude(state=SnapshotState.EXPIRED)
    snapshot = snapshots.select_related("group", "account", "change").filter(pk=snapshot_id).first()
    if snapshot is None:
        raise NotFound("snapshot.not_found")
    return snapshot
