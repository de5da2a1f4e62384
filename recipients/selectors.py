"""Reading groups, recipients and changes. Every query starts from the account or one of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from backupsvc.accounts.models import Account
from backupsvc.wording import say_code
from recipients.models import (
    UNDER_WAY,
    Activity,
    Attribute,
    BlocklistEntry,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    Recipient,
    RejectedRow,
    Status,
)

COUNTS = (
    "rows",
    "added",
    "updated",
    "unchanged",
    "kept_safe",
    "rejected",
    "duplicates",
    "deactivated",
    "deleted",
)

# Status as a filter, in the order of `Recipient.status`.
IN_STATUS: dict[str, Q] = {
    Status.BOUNCED: Q(bounced__isnull=False),
    Status.INACTIVE: Q(bounced__isnull=True, deactivated__isnull=False),
    Status.ACTIVE: Q(bounced__isnull=True, deactivated__isnull=True, activated__isnull=False),
    Status.UNCONFIRMED: Q(bounced__isnull=True, deactivated__isnull=True, activated__isnull=True),
}


@dataclass(frozen=True)
class RecipientsPage:
    """Some recipients by key, and the keys to ask for the pages around them ("" where there is none)."""

    items: Sequence[Recipient]
    next_key: str
    previous_key: str


def groups_of(account: Account, *, search: str = "") -> QuerySet[Group]:
    """The live groups, by name."""
    groups = Group.objects.filter(account=account, hidden_at__isnull=True).order_by("name", "pk")
    return groups.filter(name__icontains=search) if search else groups


def undoable_deletions(account: Account) -> list[Change]:
    """Deletions whose rows are still there, newest first."""
    changes = Change.objects.filter(
        account=account,
        kind=ChangeKind.DELETION,
        state__in=[ChangeState.ACTIVE, ChangeState.DONE],
        group__hidden_at__isnull=False,
        group__deleted_at__isnull=True,
    )
    newest: dict[int | None, Change] = {}
    for change in changes.select_related("group").order_by("-pk"):
        newest.setdefault(change.group_id, change)
    return list(newest.values())


def recipients_page(
    group: Group,
    *,
    search: str = "",
    status: str = "",
    after_key: str = "",
    before_key: str = "",
    limit: int = 50,
) -> RecipientsPage:
    """A page of the group by key; the cost does not grow with how far one has leafed.

    `search` finds any part of an address: it looks at the list's rows one by one until the page is full.
    """
    recipients = Recipient.objects.filter(group=group)
    if status:
        recipients = recipients.filter(IN_STATUS[status])
    if search:
        recipients = recipients.filter(key__contains=search.strip().lower())
    if before_key:
        found = list(recipients.filter(key__lt=before_key).order_by("-key")[: limit + 1])
        more, items = len(found) > limit, found[:limit][::-1]
        return RecipientsPage(items, items[-1].key if items else "", items[0].key if more else "")
    found = list(recipients.filter(key__gt=after_key).order_by("key")[: limit + 1])
    items = found[:limit]
    return RecipientsPage(
        items,
        items[-1].key if len(found) > limit else "",
        items[0].key if after_key and items else "",
    )


def attributes_of(account: Account, *, group: Group | None = None) -> list[Attribute]:
    """The account's fields, then the group's own, each in the order of their making."""
    own = Q(group=group) if group is not None else Q(pk__in=[])
    fields = Attribute.objects.filter(Q(group__isnull=True) | own, account=account)
    return sorted(fields, key=lambda field: (field.group_id is not None, field.pk))


def activities_of(recipient: Recipient, *, limit: int = 50) -> list[Activity]:
    """What the recipient did, newest first."""
    return list(Activity.objects.filter(recipient=recipient)[:limit])


def changes_of(account: Account, *, group: Group | None = None, limit: int = 50) -> list[Change]:
    """The newest confirmed changes of the account, or of one group."""
    changes = Change.objects.filter(account=account, confirmed_at__isnull=False)
    changes = changes.select_related("group", "import_run")
    if group is not None:
        changes = changes.filter(group=group)
    return list(changes[:limit])


def open_changes(account: Account, *, group: Group | None = None) -> list[Change]:
    """Changes that run or wait for their turn, oldest first."""
    changes = Change.objects.filter(account=account, state__in=UNDER_WAY)
    changes = changes.select_related("group", "import_run")
    if group is not None:
        changes = changes.filter(group=group)
    return list(changes.order_by("pk"))


def unfinished_changes(account: Account) -> list[Change]:
    """Imports and restores that somebody began and has neither confirmed nor cancelled, newest first."""
    states = [ChangeState.DRAFT, ChangeState.STAGING, ChangeState.PREVIEW]
    changes = Change.objects.filter(account=account, state__in=states)
    return list(changes.select_related("group", "import_run")[:20])


def failed_changes(account: Account, *, since: datetime) -> list[Change]:
    """Confirmed changes that changed nothing, newest first, unless the list moved on since."""
    later = Change.objects.filter(group=OuterRef("group"), pk__gt=OuterRef("pk"), confirmed_at__isnull=False)
    failed = Change.objects.filter(
        ~Exists(later),
        account=account,
        state=ChangeState.FAILED,
        confirmed_at__isnull=False,
        ended_at__gte=since,
    )
    return list(failed.select_related("group", "import_run")[:5])


@dataclass(frozen=True)
class BlocklistPage:
    """Some entries of a blocklist, newest first; `next_id` is the `before_id` of the page after, or None."""

    items: Sequence[BlocklistEntry]
    next_id: int | None


def blocklist_page(
    group: Group, *, search: str = "", before_id: int | None = None, limit: int = 50
) -> BlocklistPage:
    """Who may not come back into the list: its own entries and the account's."""
    own = Q(group__isnull=True) | Q(group=group)
    entries = BlocklistEntry.objects.filter(own, account=group.account_id).order_by("-pk")
    if search:
        entries = entries.exclude(kind=BlocklistEntry.Kind.ERASED)
        entries = entries.filter(
            Q(pattern__contains=search.strip().lower()) | Q(comment__icontains=search.strip())
        )
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    found = list(entries[: limit + 1])
    return BlocklistPage(found[:limit], found[limit - 1].pk if len(found) > limit else None)


def rejected_rows(change: Change, *, after_line: int = 0, limit: int = 50) -> list[RejectedRow]:
    """The rows that could not be used, by line."""
    return list(RejectedRow.objects.filter(change=change, line__gt=after_line)[:limit])


def rejected_by_code(change: Change) -> list[dict[str, Any]]:
    """How often each problem occurs: dicts with code, column, count; most frequent first."""
    rows = RejectedRow.objects.filter(change=change).values("code", "column")
    return [dict(row) for row in rows.annotate(count=Count("pk")).order_by("-count", "code", "column")[:50]]


def change_json(change: Change) -> dict[str, Any]:
    """A change as the commands print it; counts are the preview's until it has been applied."""
    shown = change.preview if change.state == ChangeState.PREVIEW else change_counts(change)
    error = None
    if change.error_code:
        message = say_code(change.error_code, change.error_params)
        error = {"code": change.error_code, "message": message}
    return {
        "id": str(change.pk),
        "kind": change.kind,
        "group": change.group.name if change.group else change.new_group_name,
        "mode": change.mode or None,
        "state": change.state,
        "error": error,
        **{name: shown.get(name, 0) for name in COUNTS},
        "backup": None if change.snapshot_id is None else str(change.snapshot_id),
    }


def change_counts(change: Change) -> dict[str, int]:
    """All counts of a change, in the order of `COUNTS`."""
    return {name: getattr(change, name) for name in COUNTS}
