"""A backup as its row shows it: what it is called, how it is, what one may do with it, and the chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import ngettext

from backups.actions.snapshots import TAKE_JOB
from backups.chart import Chart, Dot, draw
from backups.models import Cause, Snapshot, SnapshotState
from backups.selectors import Point, Row
from backups.views.menu import Item, items
from backupsvc.accounts.actor import Origin
from backupsvc.accounts.views.door import AccountRequest
from backupsvc.jobs.models import Job
from backupsvc.jobs.selectors import newest_jobs
from backupsvc.wording import say_code
from recipients.models import Group

# A backup that goes so soon is marked.
SOON_DAYS = 3
ICONS = {
    Cause.IMPORT: "file-import",
    Cause.DELETION: "trash",
    Cause.RESTORE: "restore",
    Cause.UNDO: "arrow-back-up",
    Cause.MANUAL: "hand-click",
    Cause.SCHEDULE: "calendar-time",
    Cause.API: "plug",
}


@dataclass(frozen=True)
class Shown:
    """A row, ready for its template."""

    row: Row
    items: Sequence[Item]
    job: Job | None

    @property
    def snapshot(self) -> Snapshot:
        return self.row.snapshot

    @property
    def icon(self) -> str:
        return ICONS[Cause(self.snapshot.cause)]

    @property
    def cause(self) -> str:
        """What it was made for, in words; `get_cause_display` takes all causes apart for each row."""
        return str(Cause(self.snapshot.cause).label)

    @property
    def is_soon_gone(self) -> bool:
        return self.is_kept_at_all and not self.snapshot.pinned and self.row.days_left <= SOON_DAYS

    @property
    def is_writing(self) -> bool:
        return self.snapshot.state == SnapshotState.WRITING

    @property
    def is_damaged(self) -> bool:
        return self.snapshot.state == SnapshotState.COMPLETE and bool(self.snapshot.damaged_code)

    @property
    def has_failed(self) -> bool:
        return self.snapshot.state == SnapshotState.FAILED

    @property
    def is_kept_at_all(self) -> bool:
        """One that failed holds nothing; one that is being written is not there yet."""
        return self.snapshot.state == SnapshotState.COMPLETE

    @property
    def left(self) -> str:
        """How long it is kept still, in words."""
        days = self.row.days_left
        return ngettext("%(days)s day left", "%(days)s days left", days) % {"days": days}

    @property
    def percent(self) -> int | None:
        """How far the writing is; None while that is not known."""
        return self.job.percent if self.job is not None and self.job.done else None

    @property
    def was_renamed(self) -> bool:
        return self.snapshot.group_name != self.snapshot.group.name

    @cached_property
    def problem(self) -> str:
        """Why the backup is of no use; empty when it is."""
        if self.is_damaged:
            return say_code(self.snapshot.damaged_code)
        if self.has_failed:
            return say_code(self.snapshot.error_code, self.snapshot.error_params)
        return ""

    @property
    def origin(self) -> str:
        """From where it was set off, when that is not the web application itself."""
        origin = Origin(self.snapshot.origin)
        # Without a user the label is the origin's already.
        return "" if origin == Origin.UI or self.snapshot.user_id is None else str(origin.label)


def shown(request: AccountRequest, rows: Iterable[Row]) -> list[Shown]:
    """The rows with their menus, and the jobs of those that are being written."""
    listed = list(rows)
    writing = [row.snapshot.pk for row in listed if row.snapshot.state == SnapshotState.WRITING]
    jobs = newest_jobs(TAKE_JOB, subject_ids=writing)
    return [
        Shown(
            row,
            items(row.snapshot, account=request.account, permissions=request.permissions),
            jobs.get(row.snapshot.pk),
        )
        for row in listed
    ]


def size_chart(group: Group, history: Sequence[Point], *, here: Snapshot | None = None) -> Chart | None:
    """The list's size over time with its backups as dots, up to now. `here` is the backup one looks at."""
    backups = sorted(history, key=lambda point: point.created_at)
    dots = [_dot(point, here) for point in backups]
    if not dots:
        return None
    if group.is_live:
        dots.append(Dot(timezone.now(), group.recipients_count, mark="now"))
    return draw(dots)


def _dot(point: Point, here: Snapshot | None) -> Dot:
    mark = "damaged" if point.damaged_code else "pinned" if point.pinned else ""
    if here is not None and point.snapshot_id == here.pk:
        mark = "here"
    return Dot(point.created_at, point.recipients or 0, point.snapshot_id, mark)
