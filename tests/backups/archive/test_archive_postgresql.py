"""PostgreSQL writes the rows of an archive and loads them again: it must agree on every byte."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection

from backups.archive import ArchiveReader, ArchiveWriter, ManifestHead, verify
from recipients.bulk.copytext import COLUMNS, encode_row, format_time, rows

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

Row = list[str | None]


@pytest.fixture
def cursor() -> Any:
    """The driver's own cursor, with a table of texts for rows."""
    with connection.cursor() as wrapped:
        wrapped.execute("SET LOCAL TimeZone = 'UTC'")
        wrapped.execute(f"CREATE TEMP TABLE loaded ({', '.join(f'{name} text' for name in COLUMNS)})")
        yield wrapped.cursor
        wrapped.execute("DROP TABLE IF EXISTS loaded")


@pytest.fixture
def awkward_table() -> list[Row]:
    choice = random.Random(5)
    pool = [*"\\N.tnrbfvx0\t\n\r\b\f\v aä€😀\x85\u2028\x01\x7f'\"", "\\.", "\\N", None, "\ufeff", "e\u0301"]
    texts = [
        None
        if (picked := choice.sample(pool, choice.randint(0, 6))) == [None]
        else "".join(part or "" for part in picked)
        for _ in range(20_000)
    ]
    return [texts[at : at + 10] for at in range(0, len(texts), 10)]


def test_what_we_write_postgresql_loads_and_writes_again_byte_for_byte(
    cursor: Any, awkward_table: list[Row], archive_of: Callable[[Iterable[bytes]], bytes]
) -> None:
    archive = archive_of(map(encode_row, awkward_table))
    cursor.copy_expert("COPY loaded FROM STDIN", ArchiveReader(io.BytesIO(archive)).open_part())
    written = io.BytesIO()
    cursor.copy_expert("COPY loaded TO STDOUT", written)
    assert written.getvalue() == b"".join(map(encode_row, awkward_table))


def test_postgresql_writes_straight_into_an_archive(
    cursor: Any, awkward_table: list[Row], head: ManifestHead
) -> None:
    cursor.copy_expert("COPY loaded FROM STDIN", io.BytesIO(b"".join(map(encode_row, awkward_table))))
    file = io.BytesIO()
    with ArchiveWriter(file, head=head, identity=None) as writer:
        with writer.part("recipients.tsv") as sink:
            cursor.copy_expert("COPY loaded TO STDOUT", sink)
        writer.finish()
    assert verify(file).recipients == len(awkward_table)
    assert list(rows(ArchiveReader(file).open_part())) == awkward_table


def test_a_damaged_archive_stops_the_load_and_leaves_no_row(
    cursor: Any, zip_of: Callable[..., io.BytesIO], members: dict[str, bytes]
) -> None:
    damaged = re.sub(rb'"sha256": "[0-9a-f]', b'"sha256": "', members["manifest.json"])
    damaged = damaged.replace(b'"sha256": "', b'"sha256": "0')
    file = zip_of({**members, "manifest.json": damaged})
    cursor.execute("SAVEPOINT before")
    with pytest.raises(psycopg2.Error, match="content_differs"):
        cursor.copy_expert("COPY loaded FROM STDIN", ArchiveReader(file).open_part())
    cursor.execute("ROLLBACK TO before")
    cursor.execute("SELECT count(*) FROM loaded")
    assert cursor.fetchone() == (0,)


def test_times_are_spelt_as_postgresql_spells_them(cursor: Any) -> None:
    choice = random.Random(3)
    start = datetime(1900, 1, 1, tzinfo=UTC)
    moments = [
        start + timedelta(microseconds=choice.randrange(300 * 365 * 86_400 * 10**6)) for _ in range(2_000)
    ]
    moments += [moment.replace(microsecond=choice.choice([0, 1, 10, 500_000, 120_000])) for moment in moments]
    cursor.execute(
        "SELECT t::text FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS u(t, n) ORDER BY n", [moments]
    )
    assert [text for (text,) in cursor.fetchall()] == list(map(format_time, moments))
