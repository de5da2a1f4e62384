"""Writing down what was done. Called by actions, inside their transaction."""

from __future__ import annotations

from typing import Any

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.accounts.wording import EVENTS


def record(
    event: str,
    *,
    account: Account,
    actor: Actor,
    group_id: int | None = None,
    target: str = "",
    **data: Any,
) -> AuditEntry:
    """Write one entry; `target` is the name of the thing as people know it, `data` plain JSON values.

    An event that `wording.EVENTS` does not know raises KeyError: a log nobody can read is a bug.
    """
    EVENTS[event]
    return AuditEntry.objects.create(
        account=account,
        user=actor.user,
        user_label=actor.label[:200],
        origin=actor.origin,
        event=event,
        group_id=group_id,
        target=target[:200],
        data=data,
    )
