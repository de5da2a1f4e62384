"""Writing down what was done. Called by actions, inside their transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.utils import timezone

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.accounts.wording import EVENTS

# How much older than they are the entries of a demo say they are.
_AGO: ContextVar[timedelta] = ContextVar("ago", default=timedelta(0))


def record(
    event: str,
    *,
    account: Account | None,
    actor: Actor,
    group_id: int | None = None,
    target: str = "",
    **data: Any,
) -> AuditEntry:
    """Write one entry; `target` is the name of the thing as people know it, `data` plain JSON values.

    `account` None: the entry concerns the whole installation.

    An event that `wording.EVENTS` does not know raises KeyError: a log nobody can read is a bug.
    """
    EVENTS[event]
    return AuditEntry.objects.create(
        account=account,
        at=timezone.now() - _AGO.get(),
        user=actor.user,
        user_label=actor.label[:200],
        origin=actor.origin,
        event=event,
        group_id=group_id,
        target=target[:200],
        data=data,
    )


@contextmanager
def dated_back(ago: timedelta) -> Iterator[None]:
    """Entries written inside say that they are older: for the demo's invented past, and nothing else.

    They are signed as they are, and their seals tell the true time; no entry can be dated afterwards.
    """
    token = _AGO.set(ago)
    try:
        yield
    finally:
        _AGO.reset(token)
