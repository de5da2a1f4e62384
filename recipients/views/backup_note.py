"""What a preview says about the backup before its button: the rule itself is the backups app's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from recipients.models import Change, ChangeKind


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
