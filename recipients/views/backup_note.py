"""What pages say about backups before their button: the rules themselves are the backups app's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.utils import timezone

from backupsvc.accounts.models import Account
from recipients.models import Change, ChangeKind, Group
from recipients.signals import Copy, copies_asked

# So many lists are named on a page.
NAMED = 20


@dataclass(frozen=True)
class BackupNote:
    """`off` is "" (a backup will be made), account, group, or new (there is nothing to keep yet)."""

    off: str
    kept_until: datetime
    is_always_made: bool


def backup_note(change: Change) -> BackupNote:
    """What the switches mean for this change."""
    account, group = change.account, change.group
    is_restore = change.kind == ChangeKind.RESTORE
    if group is None:
        off = "new"
    elif is_restore:
        off = ""
    elif not account.auto_backup:
        off = "account"
    else:
        off = "" if group.auto_backup else "group"
    return BackupNote(
        off=off,
        kept_until=timezone.now() + timedelta(days=account.retention_days),
        is_always_made=is_restore,
    )


@dataclass(frozen=True)
class Loss:
    """Lists that are about to lose something, those without a backup of their present state first.

    `named` are some of them, each with its newest backup; `more` says how many are not named. `lacking` have
    no backup of their present state, `coming` are just getting one.
    """

    named: Sequence[tuple[Group, Copy]]
    count: int
    lacking: int
    coming: int

    @property
    def more(self) -> int:
        return self.count - len(self.named)


def loss_of(account: Account, groups: Iterable[Group]) -> Loss:
    """What is known of the backups of these lists."""
    copies: dict[int, Copy] = {}
    for _receiver, answer in copies_asked.send(sender=Account, account=account):
        copies |= cast("dict[int, Copy]", answer)
    none = Copy(made_at=None, is_current=False, is_coming=False)
    found = [(group, copies.get(group.pk, none)) for group in groups]
    found.sort(key=lambda each: (each[1].is_current, each[1].is_coming))
    return Loss(
        named=found[:NAMED],
        count=len(found),
        lacking=sum(not (copy.is_current or copy.is_coming) for _group, copy in found),
        coming=sum(copy.is_coming and not copy.is_current for _group, copy in found),
    )
