from __future__ import annotations

import errno
import gc
import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backups.archive import ArchiveDamaged, ArchiveReader, ArchiveWriter, ManifestHead, file_sha256, verify
from recipients.bulk.copytext import COLUMNS, encode_row, rows

Row = list[str | None]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


class FullDisk(io.BytesIO):
    """A file on which only so many writes succeed."""

    def __init__(self, *, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def write(self, data: object, /) -> int:
        if data and self.writes == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.writes -= bool(data)
        return super().write(data)  # type: ignore[arg-type]


def write(file: io.BytesIO, *, head: ManifestHead, lines: Iterable[bytes]) -> None:
    with ArchiveWriter(file, head=head, identity=None) as writer:
        with writer.part("recipients.tsv") as sink:
            for line in lines:
                sink.write(line)
        writer.finish()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.lists(st.none() | TEXT, min_size=10, max_size=10), max_size=8))
def test_every_row_comes_back_as_it_was(
    archive_of: Callable[[Iterable[bytes]], bytes], table: list[Row]
) -> None:
    reader = ArchiveReader(io.BytesIO(archive_of(map(encode_row, table))))
    assert list(rows(reader.open_part())) == table
    assert reader.manifest.recipients == len(table)


def test_the_manifest_says_what_is_in_the_archive(
    archive: bytes, head: ManifestHead, table: list[Row]
) -> None:
    plain = b"".join(map(encode_row, table))
    manifest = verify(io.BytesIO(archive), expected_sha256=hashlib.sha256(archive).hexdigest())
    assert (manifest.taken_at, manifest.account, manifest.group) == (head.taken_at, head.account, head.group)
    assert list(manifest.attributes) == list(head.attributes)
    assert manifest.columns == COLUMNS
    assert manifest.recipients == 3
    (part,) = manifest.parts
    assert (part.name, part.rows, part.bytes) == ("recipients.tsv", 3, len(plain))
    assert part.sha256 == hashlib.sha256(plain).hexdigest()


def test_the_manifest_is_json_that_a_person_can_read(members: dict[str, bytes]) -> None:
    assert list(members) == ["recipients.tsv.zst", "manifest.json"]
    document = json.loads(members["manifest.json"])
    assert document["format"] == "backupsvc-archive"
    assert document["version"] == 1
    assert document["taken_at"] == "2026-11-23T18:31:20.123456Z"
    assert document["group"]["created_at"] == "2020-02-29T23:59:59Z"
    assert document["columns"] == list(COLUMNS)
    assert "Söhne".encode() in members["manifest.json"]


def test_finish_returns_the_manifest_that_a_reader_finds(head: ManifestHead) -> None:
    file = io.BytesIO()
    with ArchiveWriter(file, head=head, identity=None) as writer:
        with writer.part("recipients.tsv") as sink:
            sink.write(b"1\n")
        manifest = writer.finish()
    assert ArchiveReader(file).manifest == manifest


def test_an_empty_group_has_an_archive_too(archive_of: Callable[[Iterable[bytes]], bytes]) -> None:
    archive = archive_of([])
    assert verify(io.BytesIO(archive)).recipients == 0
    assert ArchiveReader(io.BytesIO(archive)).open_part().read() == b""


def test_the_same_state_gives_the_same_bytes(
    archive_of: Callable[[Iterable[bytes]], bytes], table: list[Row], archive: bytes
) -> None:
    whole = b"".join(map(encode_row, table))
    assert archive_of([whole]) == archive
    assert archive_of(bytes([byte]) for byte in whole) == archive


def test_an_archive_may_have_several_parts(head: ManifestHead) -> None:
    file = io.BytesIO()
    with ArchiveWriter(file, head=head, identity=None) as writer:
        for name, content in {"recipients.tsv": b"1\n2\n", "more.tsv": b"3\n"}.items():
            with writer.part(name) as sink:
                sink.write(content)
        writer.finish()
    manifest = verify(file)
    assert [(part.name, part.rows) for part in manifest.parts] == [("recipients.tsv", 2), ("more.tsv", 1)]
    assert manifest.recipients == 3
    assert ArchiveReader(file).open_part(1).read() == b"3\n"


def test_a_row_without_its_end_is_refused_and_completes_nothing(head: ManifestHead) -> None:
    file = io.BytesIO()
    with pytest.raises(ValueError, match="has no end"):
        write(file, head=head, lines=[b"1\n", b"2"])
    assert_incomplete(file.getvalue())


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A.tsv", ".x", "x" * 101, "a\n", "è"])
def test_a_part_cannot_have_a_name_that_is_a_path(head: ManifestHead, name: str) -> None:
    with ArchiveWriter(io.BytesIO(), head=head, identity=None) as writer:  # noqa: SIM117
        with pytest.raises(ValueError, match="not a name"), writer.part(name):
            pass


def test_two_parts_cannot_have_one_name(head: ManifestHead) -> None:
    with ArchiveWriter(io.BytesIO(), head=head, identity=None) as writer:
        with writer.part("recipients.tsv"):
            pass
        with pytest.raises(ValueError, match="a second part"), writer.part("recipients.tsv"):
            pass


def test_an_archive_without_a_part_cannot_be_finished(head: ManifestHead) -> None:
    file = io.BytesIO()
    with (
        pytest.raises(ValueError, match="without a part"),
        ArchiveWriter(file, head=head, identity=None) as writer,
    ):
        writer.finish()
    assert_incomplete(file.getvalue())


def assert_incomplete(data: bytes) -> None:
    gc.collect()  # a ZIP file that is collected writes its directory, unless it is kept from it
    assert b"manifest.json" not in data
    assert not zipfile.is_zipfile(io.BytesIO(data))
    with pytest.raises(ArchiveDamaged):
        verify(io.BytesIO(data))


@pytest.mark.parametrize("lines", [0, 1, 40_000])
def test_leaving_without_finish_leaves_nothing_that_looks_complete(head: ManifestHead, lines: int) -> None:
    file = io.BytesIO()
    with ArchiveWriter(file, head=head, identity=None) as writer, writer.part("recipients.tsv") as sink:
        for number in range(lines):
            sink.write(b"%d\tanna@example.com\n" % number)
    del writer, sink
    assert_incomplete(file.getvalue())


def test_an_error_while_rows_are_written_leaves_nothing_that_looks_complete(head: ManifestHead) -> None:
    class DatabaseGone(Exception):
        pass

    file = io.BytesIO()
    with pytest.raises(DatabaseGone):  # noqa: PT012, SIM117
        with ArchiveWriter(file, head=head, identity=None) as writer:
            with writer.part("recipients.tsv") as sink:
                sink.write(b"1\n" * 1_000_000)
                raise DatabaseGone
    assert_incomplete(file.getvalue())


def test_an_error_of_the_rows_is_not_hidden_by_a_disk_that_is_full_as_well(head: ManifestHead) -> None:
    def failing() -> Iterator[bytes]:
        yield b"1\n"
        raise KeyError("database gone")

    with pytest.raises(KeyError, match="database gone"):
        write(FullDisk(writes=1), head=head, lines=failing())


def test_a_disk_that_fills_up_at_any_write_gives_its_own_error_and_no_archive(head: ManifestHead) -> None:
    lines = [encode_row([str(number), hashlib.sha256(b"%d" % number).hexdigest()]) for number in range(8_000)]
    counted = FullDisk(writes=1_000)
    write(counted, head=head, lines=lines)
    needed = 1_000 - counted.writes
    assert needed > 5
    for writes in range(needed):
        file = FullDisk(writes=writes)
        with pytest.raises(OSError, match="No space left"):
            write(file, head=head, lines=lines)
        with pytest.raises(ArchiveDamaged):
            verify(io.BytesIO(file.getvalue()))


def test_memory_does_not_grow_with_the_list(head: ManifestHead, tmp_path: Path) -> None:
    line = encode_row(["anna@example.com"] * 10)
    with (tmp_path / "a.zip").open("w+b") as file:
        tracemalloc.start()
        with ArchiveWriter(file, head=head, identity=None) as writer:
            with writer.part("recipients.tsv") as sink:
                for _ in range(200_000):
                    sink.write(line)
            writer.finish()
        file.flush()
        verify(file, expected_sha256=file_sha256(file))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 200_000 * len(line) > 30_000_000
    assert most < 5_000_000


def test_an_archive_beyond_the_limits_of_plain_zip_is_read_and_verified(
    head: ManifestHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)  # as if the file were larger than 2 GiB
    file = io.BytesIO()
    write(file, head=head, lines=[b"1\n"])
    assert b"PK\x06\x06" in file.getvalue()
    monkeypatch.undo()
    assert verify(file).recipients == 1


def test_a_long_description_of_the_list_is_kept(head: ManifestHead) -> None:
    group = replace(head.group, info="ä" * 2_000_000)
    file = io.BytesIO()
    write(file, head=replace(head, group=group), lines=[])
    assert verify(file).group == group


def test_a_time_before_zip_was_invented_is_kept_in_the_manifest(head: ManifestHead) -> None:
    old = replace(head, taken_at=datetime(1970, 1, 1, tzinfo=UTC))
    file = io.BytesIO()
    write(file, head=old, lines=[])
    assert verify(file).taken_at == old.taken_at
