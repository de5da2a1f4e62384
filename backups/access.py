"""The door to snapshots: not there and not yours give the same NotFound."""

from __future__ import annotations

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.addresses import row_number
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


def find_snapshot(
    actor: Actor,
    *,
    name: str,
    account: Account | None = None,
    permission: Permission = Permission.VIEW,
) -> Snapshot:
    """The snapshot that a command names by its id, in `account` or wherever the actor may look.

    Raises NotFound, also for what is no id at all; Forbidden.
    """
    pk = row_number(name) or 0
    if account is None:
        found = Snapshot.objects.select_related("account").filter(pk=pk).first()
        if found is None:
            raise NotFound("snapshot.not_found")
        account = found.account
    return get_snapshot(actor, account=account, snapshot_id=pk, permission=permission)
