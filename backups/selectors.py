"""Reading snapshots. Every query starts from the account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from backups.models import ArchiveKey, PreparedArchive, Snapshot, SnapshotState
from backupsvc.accounts.models import Account
from recipients.models import Group
from recipients.signals import Copy

SHOWN_PER_GROUP = 3


@dataclass(frozen=True)
class Row:
    """One snapshot as the page shows it. `difference`: recipients more or fewer than in the one before."""

    snapshot: Snapshot
    difference: int | None
    days_left: int


class Shelf(NamedTuple):
    """What is known of each list of an account: its newest backup, and its newest complete one."""

    group_id: int
    name: str
    hidden_at: datetime | None
    auto_backup: bool
    newest_id: int | None
    newest_complete_id: int | None

    @property
    def is_live(self) -> bool:
        return self.hidden_at is None


@dataclass(frozen=True)
class GroupRows:
    """A list's newest backups; `total` says how many there are in all."""

    group: Group
    rows: Sequence[Row]
    total: int


class Point(NamedTuple):
    """A backup as a chart needs it."""

    snapshot_id: int
    created_at: datetime
    recipients: int | None
    damaged_code: str
    pinned: bool


POINT = ("pk", "created_at", "recipients", "damaged_code", "pinned")


@dataclass(frozen=True)
class Filters:
    """What the page's filters ask for; empty means all."""

    group_id: int | None = None
    cause: str = ""
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


def is_referred_to(archive: str) -> bool:
    """Whether a snapshot has this archive, or one that is to come."""
    return any(kind.objects.filter(archive=archive).exists() for kind in (Snapshot, PreparedArchive))


def visible(account: Account, *, filters: Filters | None = None) -> QuerySet[Snapshot]:
    """The account's snapshots that have not expired, newest first."""
    snapshots = Snapshot.objects.filter(account=account).exclude(state=SnapshotState.EXPIRED)
    filters = filters or Filters()
    if filters.group_id is not None:
        snapshots = snapshots.filter(group_id=filters.group_id)
    if filters.cause:
        snapshots = snapshots.filter(cause=filters.cause)
    if filters.since:
        snapshots = snapshots.filter(created_at__gte=filters.since)
    if filters.until:
        snapshots = snapshots.filter(created_at__lt=filters.until)
    if filters.search:
        snapshots = snapshots.filter(group__name__icontains=filters.search)
    return snapshots.order_by("-pk")


def shelves(account: Account) -> list[Shelf]:
    """All lists of the account by name, deleted ones too. One query, two probes of an index for each."""
    of_group = Snapshot.objects.filter(account=account, group_id=OuterRef("pk")).order_by("-pk")
    found = (
        Group.objects.filter(account=account)
        .order_by("name", "pk")
        .values_list(
            "pk",
            "name",
            "hidden_at",
            "auto_backup",
            Subquery(of_group.exclude(state=SnapshotState.EXPIRED).values("pk")[:1]),
            Subquery(of_group.filter(state=SnapshotState.COMPLETE).values("pk")[:1]),
        )
    )
    return [Shelf(*each) for each in found]


def overview(
    account: Account,
    stock: Iterable[Shelf],
    *,
    filters: Filters | None = None,
    before_id: int | None = None,
    limit: int = 10,
) -> tuple[list[GroupRows], int | None]:
    """Lists with backups, the one backed up last first, each with its newest; and where to go on.

    The second value is the `before_id` of the next page, or None. Three queries at most, however many
    there are.
    """
    filters = filters or Filters()
    of_group = visible(account, filters=replace(filters, search="")).filter(group_id=OuterRef("pk"))
    newest = _newest_of_all(account, stock, filters=filters, of_group=of_group)
    found = sorted(((last, pk) for pk, last in newest if before_id is None or last < before_id), reverse=True)
    shown = [pk for _last, pk in found[:limit]]
    counted = of_group.order_by().values("group_id").annotate(count=Count("pk")).values("count")
    facts = Group.objects.filter(pk__in=shown).values_list(
        "pk", Subquery(counted), _edge_of(of_group, SHOWN_PER_GROUP)
    )
    totals, edges = {}, []
    for pk, total, edge in facts:
        totals[pk] = total
        edges.append((pk, edge))
    rows: dict[int, list[Row]] = {}
    for snapshot in _with_previous(visible(account, filters=filters).filter(_from(edges))):
        rows.setdefault(snapshot.group_id, []).append(_row(snapshot))
    listed = [
        GroupRows(each[0].snapshot.group, each, totals[group_id])
        for group_id in shown
        if (each := rows.get(group_id))
    ]
    return listed, found[limit - 1][0] if len(found) > limit else None


def _newest_of_all(
    account: Account, stock: Iterable[Shelf], *, filters: Filters, of_group: QuerySet[Snapshot]
) -> list[tuple[int, int]]:
    """The lists that have backups under the filters, each with the newest of them."""
    if filters == Filters():
        return [(shelf.group_id, shelf.newest_id) for shelf in stock if shelf.newest_id is not None]
    # Each list is asked by index: what it costs grows with the lists, not with the backups.
    groups = Group.objects.filter(account=account)
    if filters.search:
        groups = groups.filter(name__icontains=filters.search)
    found = groups.values_list("pk", Subquery(of_group.values("pk")[:1]))
    return [(pk, last) for pk, last in found if last is not None]


def group_page(
    account: Account, *, filters: Filters, before_id: int | None = None, limit: int = 30
) -> tuple[list[Row], int | None]:
    """Backups newest first, and the `before_id` of the next page, or None."""
    snapshots = visible(account, filters=filters)
    if before_id is not None:
        snapshots = snapshots.filter(pk__lt=before_id)
    found = list(_with_previous(snapshots)[: limit + 1])
    return [_row(snapshot) for snapshot in found[:limit]], found[limit - 1].pk if len(found) > limit else None


def row_of(snapshot: Snapshot) -> Row:
    """One snapshot as the page shows it."""
    return _row(_with_previous(Snapshot.objects.filter(pk=snapshot.pk)).get())


def totals(account: Account, stock: Iterable[Shelf]) -> dict[str, Any]:
    """How many complete backups there are, of how many lists, and when the last one was made."""
    newest = [shelf.newest_complete_id for shelf in stock if shelf.newest_complete_id is not None]
    last = Snapshot.objects.filter(account=account, pk=max(newest, default=0))
    # Counted in an index alone.
    complete = Snapshot.objects.filter(account=account, state=SnapshotState.COMPLETE)
    return {
        "backups": complete.count(),
        "groups": len(newest),
        "last": last.values_list("created_at", flat=True).first(),
    }


def damaged(account: Account) -> list[Snapshot]:
    """The backups that cannot be restored because their file is damaged or missing, newest first."""
    snapshots = Snapshot.objects.filter(account=account, state=SnapshotState.COMPLETE)
    return list(snapshots.exclude(damaged_code="").order_by("-pk"))


def copies_of(account: Account) -> dict[int, Copy]:
    """What is known of the backups of each live list, as one asks before values are lost. Two queries.

    As `actions.preparing.same_as`, of all lists at once: current is what an unchanged list refers to.
    """
    live = Group.objects.filter(account=account, hidden_at__isnull=True)
    of_group = Snapshot.objects.filter(account=account, group_id=OuterRef("pk")).order_by("-pk")
    sound = of_group.filter(state=SnapshotState.COMPLETE, damaged_code="")
    newest = live.values_list(Subquery(sound.values("pk")[:1]))
    has_key = Exists(ArchiveKey.objects.filter(archive=OuterRef("archive")))
    complete = Snapshot.objects.filter(pk__in=newest).annotate(has_key=has_key).select_related("group")
    written = Snapshot.objects.filter(account=account, state=SnapshotState.WRITING)
    coming = set(written.values_list("group_id", flat=True))
    copies = {
        snapshot.group_id: Copy(
            made_at=snapshot.created_at,
            is_current=snapshot.has_key and _is_of_present_state(snapshot),
            is_coming=snapshot.group_id in coming,
        )
        for snapshot in complete
    }
    first = Copy(made_at=None, is_current=False, is_coming=True)
    return dict.fromkeys(coming, first) | copies


def _is_of_present_state(snapshot: Snapshot) -> bool:
    group = snapshot.group
    return (snapshot.revision, snapshot.group_name) == (group.revision, group.name)


def groups_to_choose(stock: Iterable[Shelf]) -> list[tuple[int, str, bool]]:
    """The lists that one can look for, by name: the live ones, and deleted ones that have backups.

    Id, name, and whether it is live.
    """
    found = (shelf for shelf in stock if shelf.is_live or shelf.newest_id is not None)
    return [(shelf.group_id, shelf.name, shelf.is_live) for shelf in found]


def groups_without_backup(account: Account, stock: Iterable[Shelf], *, limit: int = 20) -> list[Group]:
    """Live lists of which there is no backup, by name."""
    ids = [shelf.group_id for shelf in stock if shelf.is_live and shelf.newest_id is None][:limit]
    return list(Group.objects.filter(account=account, pk__in=ids).order_by("name", "pk"))


def unprotected_groups(stock: Iterable[Shelf], *, limit: int = 20) -> list[Shelf]:
    """Live lists whose own switch is off, by name."""
    return [shelf for shelf in stock if shelf.is_live and not shelf.auto_backup][:limit]


def histories(account: Account, group_ids: Iterable[int], *, limit: int = 20) -> dict[int, list[Point]]:
    """Each list's newest complete backups, oldest first, for its chart. Two queries for all lists."""
    complete = Snapshot.objects.filter(account=account, state=SnapshotState.COMPLETE)
    of_group = complete.filter(group_id=OuterRef("pk")).order_by("-pk")
    edges = Group.objects.filter(pk__in=list(group_ids)).values_list("pk", _edge_of(of_group, limit))
    found: dict[int, list[Point]] = {}
    newest = complete.filter(_from(edges)).order_by("pk")
    for group_id, *facts in newest.values_list("group_id", *POINT):
        found.setdefault(group_id, []).append(Point(*facts))
    return found


def history(account: Account, group_id: int, *, limit: int) -> list[Point]:
    """One list's newest complete backups, oldest first, for its chart."""
    complete = Snapshot.objects.filter(account=account, group_id=group_id, state=SnapshotState.COMPLETE)
    newest = complete.order_by("-pk").values_list(*POINT)[:limit]
    return [Point(*facts) for facts in newest][::-1]


def _edge_of(of_group: QuerySet[Snapshot], limit: int) -> Subquery:
    """Where the `limit` newest of the outer query's list begin (`of_group`: newest first).

    Found by index: a window function would look at every backup of the lists.
    """
    return Subquery(of_group.values("pk")[limit - 1 : limit])


def _from(edges: Iterable[tuple[int, int | None]]) -> Q:
    """The snapshots of each list from its edge on."""
    # Nothing for no list: an empty Q would be everything.
    return reduce(or_, (Q(group_id=pk, pk__gte=edge or 0) for pk, edge in edges), Q(pk__in=[]))


def others_of(snapshot: Snapshot, *, limit: int = 200) -> list[Snapshot]:
    """The other complete backups of the same list, newest first."""
    others = Snapshot.objects.filter(
        account_id=snapshot.account_id, group_id=snapshot.group_id, state=SnapshotState.COMPLETE
    )
    return list(others.exclude(pk=snapshot.pk).order_by("-pk")[:limit])


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """A backup as the commands print it. Times are ISO 8601 in UTC."""
    return {
        "id": str(snapshot.pk),
        "group": snapshot.group_name,
        "group_id": str(snapshot.group_id),
        "group_deleted": not snapshot.group.is_live,
        "cause": snapshot.cause,
        "created": _iso(snapshot.created_at),
        "expires": None if snapshot.pinned else _iso(snapshot.expires_at),
        "recipients": snapshot.recipients,
        "size_bytes": snapshot.size_bytes,
        "state": "failed" if snapshot.damaged_code else snapshot.state,
        "verified_at": _iso(snapshot.verified_at) if snapshot.verified_at else None,
        "pinned": snapshot.pinned,
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _with_previous(snapshots: QuerySet[Snapshot]) -> QuerySet[Snapshot]:
    # With the account, which the index begins with.
    before = Snapshot.objects.filter(
        account=OuterRef("account"),
        group=OuterRef("group"),
        pk__lt=OuterRef("pk"),
        state=SnapshotState.COMPLETE,
    ).order_by("-pk")
    previous = Subquery(before.values("recipients")[:1])
    return snapshots.annotate(previous=previous).select_related("group")


def _row(snapshot: Snapshot) -> Row:
    previous: int | None = getattr(snapshot, "previous", None)
    difference = None
    if previous is not None and snapshot.recipients is not None:
        difference = snapshot.recipients - previous
    left = snapshot.expires_at - timezone.now()
    return Row(snapshot, difference, max(0, left.days + (1 if left.seconds else 0)))
