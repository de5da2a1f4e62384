"""Reading snapshots. Every query starts from the account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.models import Account
from backupsvc.jobs.models import Job
from recipients.models import Group

SHOWN_PER_GROUP = 5


@dataclass(frozen=True)
class Row:
    """One snapshot as the page shows it. `difference`: recipients more or fewer than in the one before."""

    snapshot: Snapshot
    difference: int | None
    days_left: int


@dataclass(frozen=True)
class GroupRows:
    """A list's newest backups; `total` says how many there are in all."""

    group: Group
    rows: Sequence[Row]
    total: int


@dataclass(frozen=True)
class Filters:
    """What the page's filters ask for; empty means all."""

    group_id: int | None = None
    cause: str = ""
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


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


def overview(
    account: Account, *, filters: Filters | None = None, before_id: int | None = None, limit: int = 20
) -> tuple[list[GroupRows], int | None]:
    """Lists with backups, the one backed up last first, each with its newest; and where to go on.

    The second value is the `before_id` of the next page, or None. Four queries, however many there are.
    """
    newest = visible(account, filters=filters).order_by().values("group_id")
    newest = newest.annotate(last=Max("pk"), total=Count("pk"))
    if before_id is not None:
        newest = newest.filter(last__lt=before_id)
    found = list(newest.order_by("-last")[: limit + 1])
    shown = found[:limit]
    ids = [entry["group_id"] for entry in shown]
    groups = Group.objects.in_bulk(ids)
    ranked = (
        _with_previous(visible(account, filters=filters).filter(group_id__in=ids))
        .annotate(rank=Window(RowNumber(), partition_by=F("group_id"), order_by=F("pk").desc()))
        .filter(rank__lte=SHOWN_PER_GROUP)
    )
    rows: dict[int, list[Row]] = {}
    for snapshot in ranked:
        rows.setdefault(snapshot.group_id, []).append(_row(snapshot))
    listed = [
        GroupRows(groups[entry["group_id"]], rows.get(entry["group_id"], []), entry["total"])
        for entry in shown
    ]
    return listed, shown[-1]["last"] if len(found) > limit else None


def group_page(
    account: Account, *, filters: Filters, before_id: int | None = None, limit: int = 50
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


def totals(account: Account) -> dict[str, Any]:
    """How many complete backups there are, of how many lists, and when the last one was made."""
    complete = Snapshot.objects.filter(account=account, state=SnapshotState.COMPLETE)
    return complete.aggregate(
        backups=Count("pk"), groups=Count("group_id", distinct=True), last=Max("created_at")
    )


def groups_to_choose(account: Account) -> QuerySet[Group]:
    """The lists that one can look for: the live ones, and deleted ones that have backups."""
    groups = Group.objects.filter(Q(hidden_at__isnull=True) | Exists(_visible_of_group()), account=account)
    return groups.order_by("name", "pk")


def groups_without_backup(account: Account, *, limit: int = 20) -> list[Group]:
    """Live lists of which there is no backup, by name."""
    groups = Group.objects.filter(~Exists(_visible_of_group()), account=account, hidden_at__isnull=True)
    return list(groups.order_by("name", "pk")[:limit])


def unprotected_groups(account: Account, *, limit: int = 20) -> list[Group]:
    """Live lists whose own switch is off, by name."""
    groups = Group.objects.filter(account=account, hidden_at__isnull=True, auto_backup=False)
    return list(groups.order_by("name", "pk")[:limit])


def histories(account: Account, group_ids: Iterable[int], *, limit: int = 40) -> dict[int, list[Snapshot]]:
    """Each list's newest complete backups, oldest first, for its chart. One query for all lists."""
    ranked = (
        Snapshot.objects.filter(account=account, group_id__in=list(group_ids), state=SnapshotState.COMPLETE)
        .annotate(rank=Window(RowNumber(), partition_by=F("group_id"), order_by=F("pk").desc()))
        .filter(rank__lte=limit)
        .only("pk", "group_id", "created_at", "recipients", "damaged_code", "pinned")
        .order_by("pk")
    )
    found: dict[int, list[Snapshot]] = {}
    for snapshot in ranked:
        found.setdefault(snapshot.group_id, []).append(snapshot)
    return found


def others_of(snapshot: Snapshot, *, limit: int = 200) -> list[Snapshot]:
    """The other complete backups of the same list, newest first."""
    others = Snapshot.objects.filter(
        account_id=snapshot.account_id, group_id=snapshot.group_id, state=SnapshotState.COMPLETE
    )
    return list(others.exclude(pk=snapshot.pk).order_by("-pk")[:limit])


def newest_jobs(kind: str, snapshots: Iterable[Snapshot]) -> dict[int, Job]:
    """The job that works on each of the snapshots, by the snapshot's id."""
    ids = [snapshot.pk for snapshot in snapshots]
    jobs = Job.objects.filter(kind=kind, subject_id__in=ids).order_by("pk") if ids else []
    return {job.subject_id: job for job in jobs}


def sizes(group: Group, *, limit: int = 200) -> list[tuple[Snapshot, int]]:
    """The list's size at each of its newest backups, oldest first, for the chart."""
    snapshots = Snapshot.objects.filter(group=group, state=SnapshotState.COMPLETE).order_by("-pk")[:limit]
    return [(snapshot, snapshot.recipients or 0) for snapshot in reversed(snapshots)]


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


def _visible_of_group() -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(group=OuterRef("pk")).exclude(state=SnapshotState.EXPIRED)


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _with_previous(snapshots: QuerySet[Snapshot]) -> QuerySet[Snapshot]:
    before = Snapshot.objects.filter(
        group=OuterRef("group"), pk__lt=OuterRef("pk"), state=SnapshotState.COMPLETE
    ).order_by("-pk")
    return snapshots.annotate(previous=Subquery(before.values("recipients")[:1])).select_related(
        "group", "change"
    )


def _row(snapshot: Snapshot) -> Row:
    previous: int | None = getattr(snapshot, "previous", None)
    difference = None
    if previous is not None and snapshot.recipients is not None:
        difference = snapshot.recipients - previous
    left = snapshot.expires_at - timezone.now()
    return Row(snapshot, difference, max(0, left.days + (1 if left.seconds else 0)))
