"""Restores beside `zstd -dc | COPY`, and what it takes to look into a backup and to take it away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import rawdata
from benchmarks.archives import Archiving
from benchmarks.scene import Scene
from benchmarks.work import Way, Work


class Restoring(Archiving):
    """One backup, and the lists that it goes into."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.wish: dict[str, str] = {}
        self.turn = 0

    def backed_up(self) -> None:
        """A backup of the filled list as it is, and the yardstick's own file of it."""
        if not self.turn:
            self.changed()
            self.snapshot, _seconds = self.scene.visitor.back_up(self.group)
        self.turn += 1

    def into_empty(self) -> None:
        self.backed_up()
        self.wish = {"target": "other", "into": str(self.scene.empty_group().pk)}
        self.scene.settle()

    def into_new(self) -> None:
        self.backed_up()
        self.wish = {"target": "new", "new_name": f"Restored {self.snapshot.pk}, {self.turn}"}
        self.scene.settle()

    def into_new_after_opt_outs(self) -> None:
        """One in a hundred of the list has unsubscribed: all rows are compared with those who left."""
        if not self.turn:
            scene, group = self.scene, self.scene.filled_group()
            left = scene.execute(
                "UPDATE recipients_recipient SET deactivated = CURRENT_TIMESTAMP"
                " WHERE group_id = %s AND id %% 100 = 0 RETURNING id",
                [group.pk],
            )
            group.active_count, group.inactive_count = group.active_count - len(left), len(left)
            group.save(update_fields=["active_count", "inactive_count"])
        self.into_new()

    def over_full(self, *, every: int) -> None:
        """Over a list of the same people of whom one in `every` differs."""
        self.backed_up()
        group = self.scene.copy_of_filled()
        part = f"abs(hashtext(key)) %% {every} = 0" if self.scene.is_postgres else f"id %% {every} = 0"
        self.scene.execute(
            f"UPDATE recipients_recipient SET source = 'elsewhere' WHERE group_id = %s AND {part}", [group.pk]
        )
        self.wish = {"target": "other", "into": str(group.pk)}
        self.scene.settle()

    def restore(self) -> dict[str, float]:
        return self.scene.visitor.restore(self.snapshot, **self.wish)

    def raw_file(self) -> None:
        if not self.path.exists():
            self.scene.fill_raw_table(self.group)
            rawdata.copy_out(self.path)
        self.scene.fresh_raw_table()
        self.scene.settle()

    def over_again(self) -> None:
        self.backed_up()
        self.scene.settle()


def restore(scene: Scene) -> Iterator[Work]:
    """The whole way: verify, stage, preview, confirm, back up what is there, merge."""
    rows = scene.rows
    for title, before, target in _targets():
        restoring = Restoring(scene)
        ways = []
        if scene.is_postgres:
            raw = partial(rawdata.copy_back, restoring.path)
            ways = [Way("zstd -dc into COPY", raw, restoring.raw_file, rows=rows, target=target)]
        yield Work(title, Way("restore", restoring.restore, partial(before, restoring), rows=rows), ways)
        scene.keep_only_filled()
    scene.forget_filled()


def _targets() -> Iterator[tuple[str, Callable[[Restoring], None], float | None]]:
    yield "Restore into an empty list", Restoring.into_empty, 0.85
    yield "Restore as a new list", Restoring.into_new, 0.85
    yield "Restore over a list, 1 % differs", partial(Restoring.over_full, every=100), None
    yield "Restore over a list, all rows differ", partial(Restoring.over_full, every=1), None
    yield "Restore as a new list, 1 % unsubscribed", Restoring.into_new_after_opt_outs, None


def look(scene: Scene) -> Iterator[Work]:
    """Verify, download and compare a backup."""
    rows, looking = scene.rows, Restoring(scene)
    visitor = scene.visitor

    def ask(method: str, path: str) -> dict[str, float]:
        return visitor.fetch(method, f"backups/{looking.snapshot.pk}/{path}/")

    def changed() -> None:
        """One row in a hundred is not as it was."""
        looking.over_again()
        scene.execute(
            "UPDATE recipients_recipient SET source = CASE source WHEN 'a' THEN 'b' ELSE 'a' END"
            " WHERE group_id = %s AND id %% 100 = 0",
            [looking.group.pk],
        )

    yield Work(
        "Verify a backup", Way("verify", partial(ask, "POST", "verify"), looking.over_again, rows=rows)
    )
    ways = []
    if scene.is_postgres:
        ways = [Way("COPY TO CSV by psql", rawdata.copy_csv, looking.raw_table, rows=rows)]
    download = partial(ask, "POST", "download/csv")
    yield Work("Download a backup as CSV", Way("download", download, looking.over_again, rows=rows), ways)
    yield Work(
        "Compare a backup with the list, 1 % differs",
        Way("compare", partial(ask, "GET", "compare"), changed, rows=rows),
    )
    scene.forget_filled()
