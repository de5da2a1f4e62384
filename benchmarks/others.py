"""What one would do without us: Django's bulk_create, django-import-export, one upsert for each row.

They get the list without its duplicates and bad addresses, since they would stop at them, and they make
neither checks nor counts nor a backup. Slow ones run with 100,000 rows at most.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from import_export import fields, resources, widgets
from import_export.instance_loaders import CachedInstanceLoader
from tablib import Dataset

from benchmarks.imports import Importing
from benchmarks.people import ATTRIBUTES
from benchmarks.scene import RAW, Scene
from benchmarks.work import MOST_ROWS_OF_SLOW, Way, Work
from recipients.models import Group, Recipient, compact_json

BATCH_ROWS = 1_000
UPSERTS_IN_A_TRANSACTION = 10_000
TOO_MANY_FOR_BULK_CREATE = 1_000_000


class Rival:
    """A list of its own that the others' ways write into, and the file that they read."""

    def __init__(self, scene: Scene, *, rows: int) -> None:
        self.scene, self.rows = scene, rows
        self.group: Group

    def empty(self) -> None:
        self.group = self.scene.empty_group()
        self.clean_file(0.0)
        self.scene.settle()

    def filled(self) -> None:
        """The list as the file without changes makes it."""
        self.empty()
        bulk_create(self.clean_file(0.0), group=self.group)
        self.scene.settle()

    def clean_file(self, changed: float) -> Path:
        """The list's file without duplicates and bad addresses."""
        source = self.scene.file(rows=self.rows, changed=changed)
        path = source.with_suffix(".clean.csv")
        if not path.exists():
            seen: set[str] = set()
            with source.open(encoding="utf-8", newline="") as file, path.open("w", encoding="utf-8") as out:
                writer = csv.writer(out, lineterminator="\n")
                for row in csv.reader(file):
                    if "@@" not in row[0] and row[0].lower() not in seen:
                        seen.add(row[0].lower())
                        writer.writerow(row)
        return path


def others(scene: Scene) -> Iterator[Work]:
    """First import and import again, with as many rows as the slow ones can bear."""
    rows = min(scene.rows, MOST_ROWS_OF_SLOW)
    rival, importing = Rival(scene, rows=rows), Importing(scene)
    file = scene.file(rows=rows)
    yield Work(
        "First import, beside other ways",
        Way("import", lambda: importing.run(file), importing.into_empty, rows=rows),
        [
            _timed("bulk_create(update_conflicts=True, batch_size=1000)", rival, bulk_create, target=8),
            _timed("django-import-export, bulk options", rival, import_export, target=50),
            _timed(
                "django-import-export, cached instances",
                rival,
                partial(import_export, is_cached=True),
                target=14,
            ),
            *([_timed("one prepared upsert a row", rival, upsert, target=15)] if scene.is_postgres else []),
        ],
    )
    changed = scene.file(rows=rows, changed=0.01)

    def before() -> None:
        importing.into_empty()
        importing.run(file)
        scene.settle()

    yield Work(
        "Import again, 1 % changed, beside other ways",
        Way("import", lambda: importing.run(changed), before, rows=rows),
        [
            _timed("django-import-export, bulk options", rival, import_export, target=150, changed=0.01),
            _timed(
                "django-import-export, cached instances",
                rival,
                partial(import_export, is_cached=True),
                target=100,
                changed=0.01,
            ),
        ],
    )
    scene.forget_filled()
    if scene.rows >= TOO_MANY_FOR_BULK_CREATE:
        large = Rival(scene, rows=scene.rows)
        yield Work(
            "First import, beside bulk_create",
            Way("import", lambda: importing.run(scene.file()), importing.into_empty, rows=scene.rows),
            [_timed("bulk_create(update_conflicts=True, batch_size=1000)", large, bulk_create, target=10)],
        )
        scene.forget_filled()


def _timed(name: str, rival: Rival, way: Callable[..., None], *, target: float, changed: float = 0.0) -> Way:
    def run() -> dict[str, float]:
        path = rival.clean_file(changed)
        started = time.perf_counter()
        way(path, group=rival.group)
        return {"import": time.perf_counter() - started}

    return Way(
        name, run, rival.filled if changed else rival.empty, rows=rival.rows, target=target, is_slow=True
    )


def bulk_create(path: Path, *, group: Group) -> None:
    """Django's own way of writing many rows that may be there already."""
    with path.open(encoding="utf-8", newline="") as file:
        people = (_recipient(row, group=group) for row in csv.DictReader(file))
        while chunk := list(islice(people, BATCH_ROWS)):
            Recipient.objects.bulk_create(
                chunk,
                batch_size=BATCH_ROWS,
                update_conflicts=True,
                unique_fields=["group", "key"],
                update_fields=["email", "registered", "source", "attributes"],
            )


def import_export(path: Path, *, group: Group, is_cached: bool = False) -> None:
    """django-import-export as its documentation advises for many rows."""
    resource = (CachedListResource if is_cached else ListResource)(group)
    with path.open(encoding="utf-8", newline="") as file:
        data = Dataset().load(file, format="csv")
    result = resource.import_data(data, raise_errors=True, use_transactions=True)
    assert not result.has_errors()


class ListResource(resources.ModelResource):  # type: ignore[misc]  # untyped
    """A list's file as django-import-export reads it."""

    key = fields.Field(attribute="key", column_name="email")
    attributes = fields.Field(attribute="attributes", column_name="attributes", widget=widgets.JSONWidget())

    class Meta:
        model = Recipient
        fields = ("key", "email", "registered", "source", "attributes")
        import_id_fields = ("key",)
        use_bulk = True
        batch_size = BATCH_ROWS
        skip_unchanged = True
        report_skipped = False
        skip_diff = True

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group

    def get_queryset(self) -> Any:
        return Recipient.objects.filter(group=self.group)

    def init_instance(self, row: Any = None) -> Recipient:
        return Recipient(account_id=self.group.account_id, group=self.group)

    def before_import_row(self, row: Any, **_given: Any) -> None:
        row["email"] = row["email"].lower()
        row["attributes"] = compact_json({name: row[name] for name in ATTRIBUTES})


class CachedListResource(ListResource):
    """The same with all of the list in memory."""

    class Meta(ListResource.Meta):
        instance_loader_class = CachedInstanceLoader


def upsert(path: Path, *, group: Group) -> None:
    """One prepared statement, executed once for each row."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {RAW}")
        cursor.execute(f"CREATE TABLE {RAW} (LIKE recipients_recipient INCLUDING ALL)")
        cursor.execute(
            "PREPARE upsert (bigint, bigint, text, timestamptz, text, jsonb) AS"
            f" INSERT INTO {RAW} (account_id, group_id, key, email, registered, source, signup_ip, tags,"
            " attributes) VALUES ($1, $2, $3, $3, $4, $5, '', '[]', $6) ON CONFLICT (group_id, key)"
            " DO UPDATE SET registered = excluded.registered, source = excluded.source,"
            " attributes = excluded.attributes"
        )
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            while chunk := list(islice(rows, UPSERTS_IN_A_TRANSACTION)):
                with transaction.atomic():
                    for row in chunk:
                        values: list[Any] = [group.account_id, group.pk, *_plain(row)]
                        cursor.execute("EXECUTE upsert (%s, %s, %s, %s, %s, %s)", values)
        cursor.execute("DEALLOCATE upsert")


def _plain(row: dict[str, str]) -> list[str]:
    attributes = compact_json({name: row[name] for name in ATTRIBUTES})
    return [row["email"].lower(), row["registered"], row["source"], attributes]


def _recipient(row: dict[str, str], *, group: Group) -> Recipient:
    registered = datetime.fromisoformat(row["registered"]).replace(tzinfo=UTC)
    return Recipient(
        account_id=group.account_id,
        group=group,
        key=row["email"].lower(),
        email=row["email"],
        registered=registered,
        activated=registered,
        source=row["source"],
        attributes={name: row[name] for name in ATTRIBUTES},
    )
