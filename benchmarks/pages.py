"""How fast pages answer while an import runs, with a hundred thousand backups and a large list.

The load is an open one: requests come at their time whether or not earlier ones were answered, and a
request's seconds count from the time it was due, so that waiting in line is not hidden.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from backups.models import Cause, Snapshot, SnapshotState
from backupsvc.accounts.models import AuditEntry
from benchmarks.scene import Scene
from benchmarks.visitor import Visitor
from benchmarks.work import Way, Work
from recipients.models import Change, ChangeKind, ChangeState, Group, Mode, Recipient

SNAPSHOTS = 100_000
LISTS = 1_000
# One list in so many backups: somebody backs it up every few minutes.
OF_THE_BUSIEST = 10_000
ENTRIES = 200_000
REQUESTS_A_SECOND = 20
SECONDS = 30
MOST_AT_ONCE = 32
PATIENCE_SECONDS = 5
WARM_UPS = 4
WARM_UP_AT_ONCE = 8
TARGET_SECONDS = 0.3
BATCH = 5_000


@dataclass(frozen=True)
class Page:
    """An address, with what it is called."""

    name: str
    path: str


def pages(scene: Scene) -> Iterator[Work]:
    """One figure for each page: the slowest of twenty."""
    crowd = Crowd(scene)
    yield Work(
        f"Pages, {REQUESTS_A_SECOND} requests a second while an import runs (p95)",
        Way("pages", crowd.run, crowd.gather, rows=1),
        notes=crowd.notes,
    )


class Crowd:
    """Many people who look at everything at once."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.seconds: dict[str, list[float]] = {}
        self.pages: list[Page] = []
        self.unanswered = 0

    def gather(self) -> None:
        """Lists, backups and log entries enough, made by the database alone, once."""
        if self.pages:
            return
        scene = self.scene
        large = scene.filled_group()
        lists = Group.objects.bulk_create(
            [Group(account=scene.account, name=f"Kunden {number:04}") for number in range(LISTS)]
        )
        self._make_snapshots([large, *lists])
        self._make_entries(lists)
        self._make_changes(lists)
        if scene.is_postgres:
            # What autovacuum does within a minute where it runs: counts need no row then.
            for table in ("backups_snapshot", "accounts_auditentry", "recipients_change", "recipients_group"):
                scene.execute(f"VACUUM {table}")
        scene.execute("ANALYZE")
        scene.settle()
        self.pages = self._pages(large, lists)
        self._warm_up()

    def _warm_up(self) -> None:
        """Let every web process draw every page once: reading templates is no part of the work."""
        visitor = Visitor(self.scene.account, self.scene.user, keeps_connections=False)
        with ThreadPoolExecutor(WARM_UP_AT_ONCE) as pool:
            list(pool.map(lambda page: visitor.fetch("GET", page.path), self.pages * WARM_UPS))

    def run(self) -> dict[str, float]:
        """The p95 over all requests."""
        self.seconds = {page.name: [] for page in self.pages}
        is_over = threading.Event()
        importing = threading.Thread(target=self._import, args=(is_over,), daemon=True)
        importing.start()
        visitor = Visitor(self.scene.account, self.scene.user, keeps_connections=False)
        began = time.perf_counter() + 1.0
        asked: list[tuple[Page, float, Future[None]]] = []
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            for number in range(REQUESTS_A_SECOND * SECONDS):
                page = self.pages[number % len(self.pages)]
                due = began + number / REQUESTS_A_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))
                asked.append((page, due, pool.submit(self._visit, visitor, page, due)))
            # Who would still wait now counts with what they have waited; the machine is not up to it.
            time.sleep(PATIENCE_SECONDS)
            ended = time.perf_counter()
            self.unanswered = 0
            for page, due, visit in asked:
                if visit.cancel():
                    self.unanswered += 1
                    self.seconds[page.name].append(ended - due)
        is_over.set()
        importing.join()
        return {"p95": _p95([each for found in self.seconds.values() for each in found])}

    def notes(self) -> dict[str, object]:
        slow = {name: round(1000 * _p95(found)) for name, found in self.seconds.items()}
        return {
            "p95_ms": dict(sorted(slow.items(), key=lambda pair: -pair[1])),
            "never_answered": self.unanswered,
            "target_ms": round(1000 * TARGET_SECONDS),
            "snapshots": SNAPSHOTS,
            "recipients": self.scene.rows,
        }

    def _visit(self, visitor: Visitor, page: Page, due: float) -> None:
        visitor.fetch("GET", page.path)
        self.seconds[page.name].append(time.perf_counter() - due)

    def _import(self, is_over: threading.Event) -> None:
        """One import after the other, until all pages have been asked for."""
        try:
            visitor = Visitor(self.scene.account, self.scene.user)
            while not is_over.is_set():
                group = self.scene.empty_group()
                visitor.import_file(self.scene.file(first=self.scene.rows), group=group)
                self.scene.drop_rows(group)
        finally:
            connection.close()

    def _make_snapshots(self, lists: list[Group]) -> None:
        now = timezone.now()
        causes = [cause.value for cause in Cause if cause != Cause.API]
        for start in range(0, SNAPSHOTS, BATCH):
            Snapshot.objects.bulk_create(
                Snapshot(
                    account=self.scene.account,
                    group=lists[0 if number % (SNAPSHOTS // OF_THE_BUSIEST) == 0 else number % len(lists)],
                    group_name="Kunden",
                    cause=causes[number % len(causes)],
                    user_label="Benchmark",
                    origin="ui",
                    state=SnapshotState.COMPLETE,
                    created_at=now - timedelta(minutes=(SNAPSHOTS - number) // 3),
                    verified_at=now,
                    expires_at=now + timedelta(days=300),
                    revision=number,
                    recipients=number % 7_000,
                    archive=f"nowhere/{number}",
                    size_bytes=number * 40,
                )
                for number in range(start, start + BATCH)
            )

    def _make_entries(self, lists: list[Group]) -> None:
        # As many as years of work leave behind, past the log's own door, which takes them one by one.
        for start in range(0, ENTRIES, BATCH):
            entries = [
                AuditEntry(
                    account=self.scene.account,
                    user_label="Benchmark",
                    origin="ui",
                    event="group.changed" if number % 20 == 0 else "import.done",
                    group_id=lists[number % len(lists)].pk,
                    target=lists[number % len(lists)].name,
                )
                for number in range(start, start + BATCH)
            ]
            QuerySet[AuditEntry](AuditEntry).bulk_create(entries)

    def _make_changes(self, lists: list[Group]) -> None:
        now = timezone.now()
        Change.objects.bulk_create(
            Change(
                account=self.scene.account,
                group=lists[number % 10],
                kind=ChangeKind.IMPORT,
                mode=Mode.REFORM_AND_ADD,
                state=ChangeState.DONE,
                origin="ui",
                user_label="Benchmark",
                created_at=now,
                confirmed_at=now,
                ended_at=now,
            )
            for number in range(BATCH)
        )

    def _pages(self, large: Group, lists: list[Group]) -> list[Page]:
        keys = Recipient.objects.filter(group=large).order_by("key").values_list("key", flat=True)
        deep, backup = keys[self.scene.rows // 2], Snapshot.objects.latest("pk").pk - SNAPSHOTS // 2
        one = f"recipients/{large.pk}/"
        return [
            Page("backups", "backups/"),
            Page("backups, deep", f"backups/?before={backup}"),
            Page("backups of the busiest list", f"backups/?list={large.pk}"),
            Page("backups, deep in the busiest list", f"backups/?list={large.pk}&before={backup}"),
            Page("backups by cause", "backups/?cause=manual"),
            Page("backups by name", "backups/?q=Kunden 05"),
            Page("lists", "recipients/"),
            Page("lists by name", "recipients/?q=0999"),
            Page("list", one),
            Page("list, deep", f"{one}?after={deep}"),
            Page("list, by address", f"{one}?q={deep}"),
            Page("list, part of an address", f"{one}?q={deep[4:12]}"),
            Page("list, part of no address", f"{one}?q=nobody-has-this"),
            Page("list, rare status", f"{one}?status=bounced"),
            Page("changes of a list", f"recipients/{lists[3].pk}/changes/"),
            Page("log", "log/"),
            Page("log of a list", f"log/?list={lists[5].pk}"),
        ]


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
