"""What it takes to remove a list, and a thousand backups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from celery import current_app
from django.utils import timezone

from backups import storage
from backups.models import Cause, PurgeEntry, Snapshot, SnapshotState
from benchmarks import rawdata
from benchmarks.scene import Scene
from benchmarks.visitor import wait_until
from benchmarks.work import Way, Work
from recipients.models import Group

SNAPSHOTS = 1_000
ARCHIVE_BYTES = 4_096


class Removing:
    """A list that goes, and another of the same people for the yardstick."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.group: Group
        self.answers: list[float] = []

    def another(self) -> None:
        self.group = self.scene.copy_of_filled()
        self.scene.settle()

    def delete(self) -> dict[str, float]:
        parts = self.scene.visitor.delete(self.group)
        self.answers.append(parts["answer"])
        return parts

    def by_hand(self) -> dict[str, float]:
        """What the target allows: the product's own backup, and twice a plain DELETE."""
        _snapshot, seconds = self.scene.visitor.back_up(self.group)
        deleted = rawdata.delete_all()["delete"]
        return {**seconds, "delete": deleted, "and again": deleted}

    def before_by_hand(self) -> None:
        self.another()
        self.scene.fill_raw_table(self.group)
        self.scene.settle()

    def notes(self) -> dict[str, object]:
        return {
            "answer_ms": round(1000 * sorted(self.answers)[len(self.answers) // 2]),
            "answer_target_ms": 300,
        }


def delete(scene: Scene) -> Iterator[Work]:
    """Answered at once; then its backup, written and read back; then its rows, in batches."""
    removing = Removing(scene)
    yield Work(
        "Deletion of a list, with its backup, until all is gone",
        Way("delete", removing.delete, removing.another, rows=scene.rows),
        [
            Way(
                "a backup and twice a plain DELETE",
                removing.by_hand,
                removing.before_by_hand,
                rows=scene.rows,
                target=1.0,
            )
        ],
        notes=removing.notes,
    )
    scene.keep_only_filled()


def purge(scene: Scene) -> Iterator[Work]:
    """Backups whose time is over: row, ledger and file of each."""

    def before() -> None:
        group = scene.empty_group()
        long_ago = timezone.now() - timedelta(days=40)
        for number in range(SNAPSHOTS):
            key = storage.new_key(scene.account.pk, group_id=group.pk, snapshot_id=10**9 + number)
            storage.write(key, lambda file: file.write(b"x" * ARCHIVE_BYTES))
            Snapshot.objects.create(
                account=scene.account,
                group=group,
                group_name=group.name,
                cause=Cause.MANUAL,
                user_label="Benchmark",
                origin="ui",
                state=SnapshotState.COMPLETE,
                created_at=long_ago,
                completed_at=long_ago,
                verified_at=timezone.now(),
                expires_at=long_ago + timedelta(days=30),
                revision=number,
                recipients=0,
                archive=key,
                size_bytes=ARCHIVE_BYTES,
            )
        scene.settle()

    def run() -> dict[str, float]:
        started, purged = time.perf_counter(), PurgeEntry.objects.count()
        current_app.send_task("backups.purge", queue="maintenance", ignore_result=True)
        wait_until(lambda: PurgeEntry.objects.count() >= purged + SNAPSHOTS, what="the purge")
        return {"purge": time.perf_counter() - started}

    yield Work("Purge of 1,000 backups", Way("purge", run, before, rows=SNAPSHOTS))
