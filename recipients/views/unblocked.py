"""Who was just taken off a blocklist: remembered for a while in the session of who did it, to be put back.

Nowhere else: the log does not say whom an entry was about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest
from backupsvc.errors import Refusal
from recipients.models import BlocklistEntry, Group

UNBLOCKED = "unblocked"
KEPT = timedelta(hours=1)
# Whoever clears a long list has a session of a few kilobytes at most.
MOST = 20


@dataclass(frozen=True)
class Unblocked:
    """An entry as it was, in values that a session can hold."""

    entry_id: int
    account_id: int
    group_id: int | None
    kind: str
    pattern: str
    comment: str
    created_at: str
    removed_at: str

    @property
    def was(self) -> dict[str, Any]:
        """What puts it back."""
        return {
            "entry_id": self.entry_id,
            "kind": self.kind,
            "pattern": self.pattern,
            "comment": self.comment,
            "created_at": datetime.fromisoformat(self.created_at),
        }


def remember(request: AccountRequest, entry: BlocklistEntry) -> None:
    """Keep an entry that is about to be removed."""
    kept = Unblocked(
        entry_id=entry.pk,
        account_id=entry.account_id,
        group_id=entry.group_id,
        kind=entry.kind,
        pattern=entry.pattern,
        comment=entry.comment,
        created_at=entry.created_at.isoformat(),
        removed_at=timezone.now().isoformat(),
    )
    _keep(request, [kept, *_kept(request)][:MOST])


def unblocked(request: AccountRequest, account: Account, group: Group) -> list[Unblocked]:
    """Those of this page that can be put back, newest first."""
    return [
        each for each in _kept(request) if each.account_id == account.pk and each.group_id in (None, group.pk)
    ]


def forget(request: AccountRequest, entry_id: int) -> None:
    """Let go of an entry that is back."""
    _keep(request, [each for each in _kept(request) if each.entry_id != entry_id])


def find(request: AccountRequest, account: Account, group: Group, entry_id: int) -> Unblocked:
    """The one that was removed a moment ago. Raises Refusal when nobody here knows it any more."""
    for each in unblocked(request, account, group):
        if each.entry_id == entry_id:
            return each
    raise Refusal("blocklist.undo_over")


def _kept(request: AccountRequest) -> list[Unblocked]:
    oldest = (timezone.now() - KEPT).isoformat()
    kept = [Unblocked(**each) for each in request.session.get(UNBLOCKED, [])]
    return [each for each in kept if each.removed_at > oldest]


def _keep(request: AccountRequest, kept: list[Unblocked]) -> None:
    request.session[UNBLOCKED] = [asdict(each) for each in kept]
