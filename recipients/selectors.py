"""Reading groups, recipients and changes. Every query starts from the account or one of its groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Count, Exists, Func, OuterRef, Q, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

from backupsvc.accounts.models import Account
from backupsvc.wording import say_code
from recipients.models import (
    NOT_ACTIVE,
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


# Somebody began them, and has neither confirmed nor cancelled.
UNFINISHED = (ChangeState.DRAFT, ChangeState.STAGING, ChangeState.PREVIEW)
# So many of each are told of where people begin.
UNFINISHED_TOLD = 20
FAILED_TOLD = 5

# So many rows of a list are looked at for one page, whatever is searched for (20 ms on PostgreSQL).
MOST_LOOKED_AT = 100_000
# In so many rows of an account a value is looked for; a page must not take longer (a second on SQLite).
MOST_SEARCHED = 1_000_000
# Above every character that an address can hold.
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class RecipientsPage:
    """Some recipients by key, and the keys to ask for the pages around them ("" where there is none).

    `is_cut_off`: the search stopped before the end of the list; the next page goes on from there.
    """

    items: Sequence[Recipient]
    next_key: str
    previous_key: str
    is_cut_off: bool = False


def groups_of(account: Account, *, search: str = "") -> QuerySet[Group]:
    """The live groups, by name."""
    groups = Group.objects.filter(account=account, hidden_at__isnull=True).order_by("name", "pk")
    return groups.filter(name__icontains=search) if search else groups


def groups_page(
    account: Account, *, search: str = "", after: str = "", before: str = "", limit: int = 50
) -> tuple[list[Group], bool, bool]:
    """A page of the live groups after (or before) a name, and whether there are some before and after it.

    A name is there once among the live groups, so it is the key to go on by.
    """
    groups = groups_of(account, search=search)
    if before:
        found = list(groups.filter(name__lt=before).order_by("-name")[: limit + 1])
        return found[:limit][::-1], len(found) > limit, True
    found = list((groups.filter(name__gt=after) if after else groups)[: limit + 1])
    return found[:limit], bool(after), len(found) > limit


def undoable_deletions(account: Account) -> list[Change]:
    """Deletions whose rows are still there, newest first."""
    changes = Change.objects.filter(
        account=account,
        kind=ChangeKind.DELETION,
        state__in=[ChangeState.ACTIVE, ChangeState.DONE],
        group__hidden_at__isnull=False,
        group__deleted_at__isnull=True,
    )
    newest: dict[int | None, int] = {}
    for pk, group_id in changes.order_by("-pk").values_list("pk", "group_id"):
        newest.setdefault(group_id, pk)
    return _changes(newest.values())


def recipients_page(
    group: Group,
    *,
    search: str = "",
    status: str = "",
    is_start: bool = False,
    after_key: str = "",
    before_key: str = "",
    limit: int = 50,
) -> RecipientsPage:
    """A page of the group by key; the cost grows neither with the list nor with how far one has leafed.

    `search` finds any part of an address, with `is_start` only how an address begins (an index finds
    those). A filter looks at `MOST_LOOKED_AT` rows at most, then the page ends as it is.
    """
    if status and not getattr(group, f"{status}_count"):
        return RecipientsPage([], "", "")
    recipients = Recipient.objects.filter(group=group)
    search = search.strip().lower()
    filters = IN_STATUS[status] if status else Q()
    if search and is_start:
        recipients = recipients.filter(key__gte=search, key__lt=search + LAST_CHARACTER)
    elif search:
        filters &= Q(key__contains=search)
    if status not in ("", Status.ACTIVE):
        # They are few in most lists, and an index holds them alone.
        recipients = recipients.filter(NOT_ACTIVE)
    is_long = bool(filters) and group.recipients_count > MOST_LOOKED_AT
    if before_key:
        rows = recipients.filter(key__lt=before_key).order_by("-key")
        edge = _edge(rows) if is_long else ""
        found = list((rows.filter(key__gte=edge) if edge else rows).filter(filters)[: limit + 1])
        items = found[:limit][::-1]
        previous = items[0].key if len(found) > limit else edge
        return RecipientsPage(
            items, items[-1].key if items else edge, previous, _is_cut_off(found, edge, limit)
        )
    rows = recipients.filter(key__gt=after_key).order_by("key")
    edge = _edge(rows) if is_long else ""
    found = list((rows.filter(key__lte=edge) if edge else rows).filter(filters)[: limit + 1])
    items = found[:limit]
    return RecipientsPage(
        items,
        items[-1].key if len(found) > limit else edge,
        (items[0].key if items else after_key) if after_key else "",
        _is_cut_off(found, edge, limit),
    )


def _edge(rows: QuerySet[Recipient]) -> str:
    """The key of the last row that one page looks at; "" when the rows end before."""
    return rows.values_list("key", flat=True)[MOST_LOOKED_AT : MOST_LOOKED_AT + 1].first() or ""


def _is_cut_off(found: Sequence[Recipient], edge: str, limit: int) -> bool:
    return bool(edge) and len(found) <= limit


def attributes_of(account: Account, *, group: Group | None = None) -> list[Attribute]:
    """The account's fields, then the group's own, each in the order of their making."""
    own = Q(group=group) if group is not None else Q(pk__in=[])
    fields = Attribute.objects.filter(Q(group__isnull=True) | own, account=account)
    return sorted(fields, key=lambda field: (field.group_id is not None, field.pk))


class _HasKey(Func):
    """Whether a JSON object has a key of this name. On SQLite, Django's own way misses an "ö" or a quote."""

    function = "jsonb_exists"
    output_field = BooleanField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """Through a table of the object's keys."""
        template = "EXISTS (SELECT 1 FROM json_each(%(expressions)s))"
        return self.as_sql(
            compiler, connection, template=template, arg_joiner=") WHERE json_each.key = (", **context
        )


@dataclass(frozen=True)
class Holders:
    """Lists whose recipients have a value in a field. Not `is_sure`: in so many rows nobody looked."""

    groups: Sequence[Group]
    is_sure: bool


def holders_of(attribute: Attribute) -> Holders:
    """Where the values of a field are, by the lists' names. Two queries, however many lists there are."""
    groups = groups_of(attribute.account).select_related("account")
    if attribute.group_id is not None:
        groups = groups.filter(pk=attribute.group_id)
    has_value = Exists(
        Recipient.objects.filter(_HasKey("attributes", Value(attribute.name)), group=OuterRef("pk"))
    )
    found = [group for group in groups if group.recipients_count]
    is_sure = sum(group.recipients_count for group in found) <= MOST_SEARCHED
    return Holders(list(groups.filter(has_value)) if is_sure else found, is_sure)


def activities_of(recipient: Recipient, *, limit: int = 50) -> list[Activity]:
    """What the recipient did, newest first."""
    return list(Activity.objects.filter(recipient=recipient)[:limit])


def changes_of(
    account: Account, *, group: Group | None = None, before_id: int | None = None, limit: int = 50
) -> list[Change]:
    """The newest confirmed changes of the account, or of one group; older ones than `before_id`.

    With their backups as Django knows them from here: this app must not import the other.
    """
    changes = Change.objects.filter(account=account, confirmed_at__isnull=False)
    if before_id is not None:
        changes = changes.filter(pk__lt=before_id)
    changes = changes.select_related("group", "import_run").prefetch_related("snapshots")
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
    changes = Change.objects.filter(account=account, state__in=UNFINISHED)
    return list(changes.select_related("group", "import_run")[:UNFINISHED_TOLD])


@dataclass(frozen=True)
class GoingOn:
    """Changes that a person should know of: oldest first those that run or wait for their turn, newest
    first those that wait for a person, and those that failed lately unless the list moved on since.
    """

    running: Sequence[Change]
    unfinished: Sequence[Change]
    failed: Sequence[Change]


def going_on(account: Account, *, group: Group | None = None, failed_since: datetime) -> GoingOn:
    """What is going on in the account, or with one of its groups. Two queries at most."""
    later = Change.objects.filter(group=OuterRef("group"), pk__gt=OuterRef("pk"), confirmed_at__isnull=False)
    is_told = Q(confirmed_at__isnull=False, ended_at__gte=failed_since) & ~Exists(later)
    # Mostly there is none, and numbers are asked for at a third of what whole changes cost.
    changes = Change.objects.filter(
        ~Q(state=ChangeState.FAILED) | is_told,
        account=account,
        state__in=[*UNDER_WAY, *UNFINISHED, ChangeState.FAILED],
    )
    if group is not None:
        changes = changes.filter(group=group)
    found = list(changes.order_by("-pk").values_list("pk", "state"))
    running = [pk for pk, state in reversed(found) if state in UNDER_WAY]
    unfinished = [pk for pk, state in found if state in UNFINISHED][:UNFINISHED_TOLD]
    failed = [pk for pk, state in found if state == ChangeState.FAILED][:FAILED_TOLD]
    loaded = {change.pk: change for change in _changes([*running, *unfinished, *failed])}
    # One that was removed between the two queries is not told of.
    return GoingOn(*([loaded[pk] for pk in pks if pk in loaded] for pks in (running, unfinished, failed)))


def _changes(ids: Iterable[int]) -> list[Change]:
    """These changes with what their lines show, newest first."""
    wanted = list(ids)
    changes = Change.objects.filter(pk__in=wanted).select_related("group", "import_run")
    return list(changes.order_by("-pk")) if wanted else []


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
