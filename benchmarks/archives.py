"""Backups beside COPY through zstd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from backups.models import Snapshot
from benchmarks import rawdata
from benchmarks.scene import Scene
from benchmarks.work import Way, Work
from recipients.models import Group


class Archiving:
    """A filled list and the newest backup of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.group: Group
        self.path = Path(settings.DATA_DIR, "raw.tsv.zst")

    def changed(self) -> None:
        """The list as it would be after a change: its last backup does not hold it any more."""
        self.group = self.scene.filled_group()
        self.group.revision += 1
        self.group.save(update_fields=["revision"])
        self.scene.settle()

    def back_up(self) -> dict[str, float]:
        _snapshot, seconds = self.scene.visitor.back_up(self.group)
        return seconds

    def raw_table(self) -> None:
        self.scene.fill_raw_table(self.group)
        self.scene.settle()

    def size(self) -> dict[str, object]:
        newest = Snapshot.objects.filter(group=self.group).latest("pk")
        return {"archive_bytes": newest.size_bytes}


def snapshot(scene: Scene) -> Iterator[Work]:
    """Written with its checksum, read back to its end and compared."""
    archiving = Archiving(scene)
    ways = []
    if scene.is_postgres:
        ways = [
            Way(
                "COPY TO through zstd -3",
                lambda: rawdata.copy_out(archiving.path),
                archiving.raw_table,
                rows=scene.rows,
                target=0.65,
            )
        ]
    product = Way("backup", archiving.back_up, archiving.changed, rows=scene.rows)
    yield Work("Backup, written and read back", product, ways, notes=archiving.size)
