"""An archive is for its own key, and for nobody without one."""

from __future__ import annotations

import errno
import io
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.archive import ArchiveDamaged, ArchiveReader, ArchiveWriter, ManifestHead, new_identity, verify
from backups.archive.age import DecryptingStream, EncryptingSink, Undecryptable, decrypt, encrypt
from recipients.bulk.copytext import encode_row, rows

Row = list[str | None]
ArchiveOf = Callable[..., bytes]


def code_of(data: bytes, *, identity: str | None) -> str:
    with pytest.raises(ArchiveDamaged) as refused:
        verify(io.BytesIO(data), identity=identity)
    return refused.value.code


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterable[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("age-")] == []


def test_every_row_comes_back_with_the_key(encrypted: bytes, identity: str, table: list[Row]) -> None:
    assert verify(io.BytesIO(encrypted), identity=identity).recipients == 3
    reader = ArchiveReader(io.BytesIO(encrypted), identity=identity)
    with reader.open_part() as part:
        assert list(rows(part)) == table


def test_nothing_of_the_list_can_be_read_without_the_key(encrypted: bytes, head: ManifestHead) -> None:
    for secret in (b"@x.it", b"gelato", b"Newsletter", b"backupsvc-archive", b"\x28\xb5\x2f\xfd"):
        assert secret not in encrypted
    for member in members_of(encrypted).values():
        assert member.startswith(b"age-encryption.org/v1\n")


def test_without_the_key_or_with_another_one_nothing_opens(encrypted: bytes) -> None:
    assert code_of(encrypted, identity=None) == "archive.no_key"
    assert code_of(encrypted, identity=new_identity()) == "archive.wrong_key"


def test_a_file_that_is_not_encrypted_does_not_pass_for_one_that_was(archive: bytes, identity: str) -> None:
    verify(io.BytesIO(archive))
    assert code_of(archive, identity=identity) == "archive.wrong_key"


def test_a_manifest_of_another_version_does_not_pass(
    archive: bytes, encrypted: bytes, identity: str, zip_of: Callable[..., io.BytesIO]
) -> None:
    members = members_of(encrypted)
    old = encrypt(members_of(archive)["manifest.json"], identity=identity)
    forged = zip_of({**members, "manifest.json.age": old}).getvalue()
    assert code_of(forged, identity=identity) == "archive.manifest_invalid"


def test_parts_of_an_older_archive_of_the_same_list_do_not_fit(
    archive_of: ArchiveOf,
    table: list[Row],
    encrypted: bytes,
    identity: str,
    zip_of: Callable[..., io.BytesIO],
) -> None:
    older = new_identity()
    there, other = members_of(encrypted), members_of(archive_of(map(encode_row, table), identity=older))
    for name in there:
        mixed = zip_of({**there, name: other[name]}).getvalue()
        assert code_of(mixed, identity=identity).startswith("archive.")
        assert code_of(mixed, identity=older).startswith("archive.")


def test_the_same_state_never_gives_the_same_bytes(archive_of: ArchiveOf, table: list[Row]) -> None:
    one = new_identity()
    lines = [encode_row(row) for row in table]
    assert archive_of(lines, identity=one) != archive_of(lines, identity=one)


class FullDisk(io.BytesIO):
    """A file that takes so many bytes and no more."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > self.limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("limit", [0, 100, 1_000, 100_000, 1_000_000])
def test_a_full_disk_is_what_the_writer_raises_however_late(head: ManifestHead, limit: int) -> None:
    lines = [bytes(f"{number * 7919 % 1_000_003}\t{number**5}\n", "ascii") for number in range(200_000)]
    with (
        pytest.raises(OSError, match="No space") as failed,
        ArchiveWriter(FullDisk(limit), head=head, identity=new_identity()) as writer,
        writer.part("recipients.tsv") as sink,
    ):
        sink.writelines(lines)
    assert failed.value.errno == errno.ENOSPC


def test_an_error_of_who_writes_rows_ends_the_encryption_too(head: ManifestHead) -> None:
    def lines() -> Iterator[bytes]:
        yield b"1\n" * 500_000
        raise ZeroDivisionError

    file = io.BytesIO()
    with (
        pytest.raises(ZeroDivisionError),
        ArchiveWriter(file, head=head, identity=new_identity()) as writer,
        writer.part("recipients.tsv") as sink,
    ):
        sink.writelines(lines())
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(file)


def test_who_reads_only_the_first_rows_can_leave(archive_of: ArchiveOf, identity: str) -> None:
    lines = [bytes(f"{number**7}\n", "ascii") for number in range(200_000)]
    file = io.BytesIO(archive_of(lines, identity=identity))
    with ArchiveReader(file, identity=identity).open_part() as part:
        assert part.readline() == lines[0]
    file.close()


def test_an_error_of_the_disk_is_not_called_damage(encrypted: bytes, identity: str) -> None:
    class FailingDisk(io.BytesIO):
        is_broken = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.is_broken:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    disk = FailingDisk(encrypted)
    reader = ArchiveReader(disk, identity=identity)
    disk.is_broken = True
    with pytest.raises(OSError, match="Input/output"), reader.open_part() as part:
        part.read()


def test_memory_does_not_grow_with_the_list(head: ManifestHead, identity: str) -> None:
    class Sink(io.BytesIO):
        """Forgets what it is given, as a disk does."""

        at = 0

        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            self.at += len(data)
            return len(data)

        def tell(self) -> int:
            return self.at

        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.at = offset if whence == 0 else self.at
            return self.at

    line = bytes(range(32, 127)) * 10 + b"\n"
    tracemalloc.start()
    with ArchiveWriter(Sink(), head=head, identity=identity) as writer, writer.part("recipients.tsv") as sink:
        for _ in range(100_000):
            sink.write(line)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_header_without_an_end_does_not_fill_the_memory(identity: str) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            self.given += size
            return (b"age-encryption.org/v1\n-> X25519 " if self.given == size else b"").ljust(size, b"a")

    source = Endless()
    with pytest.raises(Undecryptable):
        decrypt(source, identity=identity, most_bytes=100)
    assert source.given < 100_000


def test_a_small_file_that_would_be_large_is_refused(identity: str) -> None:
    sealed = encrypt(bytes(1_000), identity=identity)
    assert decrypt(io.BytesIO(sealed), identity=identity, most_bytes=1_000) == bytes(1_000)
    with pytest.raises(Undecryptable):
        decrypt(io.BytesIO(sealed), identity=identity, most_bytes=999)


@given(st.lists(st.binary(max_size=200_000), max_size=5), st.integers(1, 100_000))
def test_what_goes_in_in_pieces_comes_out_in_pieces(pieces: list[bytes], size: int) -> None:
    identity = new_identity()
    file = io.BytesIO()
    sink = EncryptingSink(file, identity=identity)
    for piece in pieces:
        sink.write(piece)
    sink.finish()
    file.seek(0)
    with DecryptingStream(file, identity=identity) as stream:
        assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(pieces)


def test_a_stream_that_was_cut_at_a_block_is_not_whole(identity: str) -> None:
    whole = encrypt(bytes(65_536 * 3), identity=identity)
    header = whole.index(b"\n", whole.index(b"\n--- ") + 1) + 1 + 16  # and the nonce behind it
    assert len(whole) == header + 3 * (65_536 + 16)
    for blocks in (1, 2):
        cut = io.BytesIO(whole[: header + blocks * (65_536 + 16)])
        with DecryptingStream(cut, identity=identity) as stream, pytest.raises(Undecryptable):
            stream.readall()


def test_what_stands_in_the_head_is_not_seen_from_outside(head: ManifestHead, identity: str) -> None:
    sizes = set()
    for name in ("A", "B"):
        file = io.BytesIO()
        group = replace(head.group, name=name)
        with ArchiveWriter(file, head=replace(head, group=group), identity=identity) as writer:
            with writer.part("recipients.tsv"):
                pass
            writer.finish()
        sizes.add(tuple(members_of(file.getvalue())))
    assert sizes == {("recipients.tsv.zst.age", "manifest.json.age")}
