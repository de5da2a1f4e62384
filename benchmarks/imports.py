"""Imports beside raw COPY: into an empty list, new rows into a filled one, and the same list again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import rawdata
from benchmarks.people import addresses
from benchmarks.scene import Scene
from benchmarks.work import Way, Work
from recipients.models import BlocklistEntry, Group

# What the same work takes at most with its backup, as a multiple of the work without.
MOST_COST_OF_BACKUP = {False: 1.15, True: 1.05}
BIG = 1_000_000
BLOCKED = "blocked@blocked.example"
# So many seconds at least a person looks at what the columns of a file become.
LOOK_SECONDS = 5
LOG_POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"


class Importing:
    """One list and the file that goes into it, made ready anew for every round."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.group: Group | None = None
        self.turn = 0
        self.log_bytes = 0
        self.first_transaction = 0

    def into_empty(self) -> None:
        self.scene.empty_all()
        self.group = self.scene.empty_group()
        self.scene.settle()
        self.scene.keep_filled(self.group)

    def into_filled(self, *, backup: bool) -> None:
        """Beside the list that is kept: another of the same people, without what the last round added."""
        if self.group is not None:
            self.scene.drop_rows(self.group)
        self.group = self.scene.copy_of_filled(backup=backup)
        self.scene.settle()

    def into_same(self, *, backup: bool) -> None:
        group = self.scene.filled_group()
        group.auto_backup = backup
        # A backup of a list that nothing has changed since the last one costs nothing: here it does.
        group.revision += 1
        group.save(update_fields=["auto_backup", "revision"])
        self.group = group
        self.turn += 1
        self.scene.settle()
        self.first_transaction = self.scene.number("SELECT txid_current() & 4294967295")

    def run(self, path: Path, *, looks: float = 0) -> dict[str, float]:
        assert self.group is not None
        return self.scene.visitor.import_file(path, group=self.group, looks=looks)

    def run_in_turn(self, paths: tuple[Path, Path], *, looks: float = 0) -> dict[str, float]:
        """There and back: the list alternates between two states."""
        before = self.scene.number(LOG_POSITION)
        seconds = self.run(paths[(self.turn - 1) % 2], looks=looks)
        self.log_bytes = self.scene.number(LOG_POSITION) - before
        return seconds

    def written(self) -> dict[str, object]:
        """What the last round wrote: row versions of recipients, and the log of the whole server."""
        if not self.scene.is_postgres or self.group is None:
            return {}
        rows = self.scene.number(
            f"SELECT count(*) FROM recipients_recipient WHERE group_id = {self.group.pk}"
            f" AND xmin::text::bigint >= {self.first_transaction}"
        )
        return {"row_versions_written": rows, "log_bytes_of_the_server": self.log_bytes}


def first(scene: Scene) -> Iterator[Work]:
    """Into an empty list: of an account that blocks somebody, as most do in time, and of a new one."""
    importing = Importing(scene)
    raw = Raw(scene, importing)
    somebody = BlocklistEntry.objects.create(account=scene.account, kind="address", pattern=BLOCKED)
    yield Work(
        "First import into an empty list, somebody is blocked",
        Way("import", lambda: importing.run(scene.file()), importing.into_empty, rows=scene.rows),
        raw.ways(target=0.75),
    )
    somebody.delete()
    yield Work(
        "First import into an empty list",
        Way("import", lambda: importing.run(scene.file()), importing.into_empty, rows=scene.rows),
        raw.ways(target=0.75),
    )


def fill(scene: Scene) -> Iterator[Work]:
    """As many new people as there are already, without a backup and with one."""
    importing = Importing(scene)
    raw = Raw(scene, importing, is_filled=True)
    path = scene.file(first=scene.rows)

    def way(*, backup: bool, looks: float = 0) -> Way:
        return Way(
            "import",
            partial(importing.run, path, looks=looks),
            partial(importing.into_filled, backup=backup),
            rows=scene.rows,
        )

    title = "Import of new rows into a filled list"
    yield Work(f"{title}, no backup", way(backup=False), raw.ways(target=0.65))
    yield from _beside_without(title, way, rows=scene.rows)


def again(scene: Scene) -> Iterator[Work]:
    """The list's own file again: unchanged, one row in a hundred changed, every row changed."""
    for share, title in ((0.0, "nothing changed"), (0.01, "1 % changed"), (1.0, "all rows changed")):
        importing = Importing(scene)
        # Before the first turn the list is as `scene.file()` says.
        paths = (scene.file(changed=share), scene.file())
        way = partial(_again, importing, paths)
        raw = Raw(scene, importing).ways(target=0.8 if share < 1 else 0.45)
        title = f"Import again, {title}"
        yield Work(f"{title}, no backup", way(backup=False), raw, notes=importing.written)
        if share == 0.01:
            yield from _beside_without(title, way, rows=scene.rows)
        if importing.turn % 2:
            # Back to the file that later work expects.
            importing.into_same(backup=False)
            importing.run(scene.file())


def _again(importing: Importing, paths: tuple[Path, Path], *, backup: bool, looks: float = 0) -> Way:
    return Way(
        "import",
        partial(importing.run_in_turn, paths, looks=looks),
        partial(importing.into_same, backup=backup),
        rows=importing.scene.rows,
    )


def _beside_without(title: str, way: Callable[..., Way], *, rows: int) -> Iterator[Work]:
    """The same with a backup and without: by a client that never waits, and by a person."""
    target = round(1 / MOST_COST_OF_BACKUP[rows >= BIG], 3)
    for looks, told in ((0, ""), (LOOK_SECONDS, f", after {LOOK_SECONDS} s at its columns")):
        without = way(backup=False, looks=looks)
        yield Work(
            f"{title}, with its backup{told}",
            way(backup=True, looks=looks),
            [Way("the same without a backup", without.run, without.before, rows=rows, target=target)],
        )


class Raw:
    """What the database alone takes for the rows of the last import, ready made."""

    def __init__(self, scene: Scene, importing: Importing, *, is_filled: bool = False) -> None:
        self.scene, self.importing, self.is_filled = scene, importing, is_filled
        self.ready: dict[str, rawdata.Ready] = {}

    def ways(self, *, target: float) -> list[Way]:
        """`target` is for rows in the order of a file (on SQLite for the one way there is)."""
        rows = addresses(self.scene.rows)
        if not self.scene.is_postgres:
            before = partial(self.before, "file")
            return [Way("executemany of ready rows", self.many, before, rows=rows, target=0.7)]
        return [
            Way(
                f"raw COPY, rows in {order} order",
                partial(self.copy, order),
                partial(self.before, order),
                rows=rows,
                target=target if order == "file" else None,
            )
            for order in ("file", "key")
        ]

    def before(self, order: str) -> None:
        assert self.importing.group is not None
        self.ready[order] = rawdata.ready(
            self.scene, self.importing.group, order=order, newest_only=self.is_filled
        )
        if self.is_filled:
            self.scene.fill_raw_table(self.scene.filled_group())
        else:
            self.scene.fresh_raw_table()
        self.scene.settle()

    def copy(self, order: str) -> dict[str, float]:
        return rawdata.copy_in(self.ready[order])

    def many(self) -> dict[str, float]:
        return rawdata.execute_many(self.ready["file"])
