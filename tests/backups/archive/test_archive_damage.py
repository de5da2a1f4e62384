from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import zstandard

from backups.archive import ArchiveDamaged, ArchiveReader, ArchiveTooNew, reader, verify
from backupsvc.errors import Refusal

ZipOf = Callable[..., io.BytesIO]


def code_of(data: bytes | io.BytesIO, **options: Any) -> str:
    with pytest.raises(Refusal) as refused:
        verify(io.BytesIO(data) if isinstance(data, bytes) else data, **options)
    assert isinstance(refused.value, ArchiveDamaged | ArchiveTooNew)
    json.dumps(refused.value.params)  # it is shown and stored: nothing but JSON
    return refused.value.code


def changed(members: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The members with another manifest."""
    document = {**json.loads(members["manifest.json"]), **changes}
    return {**members, "manifest.json": json.dumps(document).encode()}


def with_part(members: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    part = {**json.loads(members["manifest.json"])["parts"][0], **changes}
    return changed(members, parts=[part], recipients=part["rows"])


def with_plain(members: dict[str, bytes], plain: bytes, **frame: Any) -> dict[str, bytes]:
    return {**members, "recipients.tsv.zst": zstandard.ZstdCompressor(**frame).compress(plain)}


def test_a_truncated_archive_is_never_complete(archive: bytes) -> None:
    verify(io.BytesIO(archive))
    for length in range(len(archive)):
        code_of(archive[:length])


def test_every_flipped_bit_is_found_with_the_files_checksum(archive: bytes) -> None:
    checksum = hashlib.sha256(archive).hexdigest()
    verify(io.BytesIO(archive), expected_sha256=checksum)
    for position in range(len(archive) * 8):
        flipped = bytearray(archive)
        flipped[position // 8] ^= 1 << position % 8
        assert code_of(bytes(flipped), expected_sha256=checksum) == "archive.file_checksum"


def test_without_the_files_checksum_a_flipped_bit_is_found_or_changes_nothing_that_is_read(
    archive: bytes,
) -> None:
    manifest = verify(io.BytesIO(archive))
    plain = ArchiveReader(io.BytesIO(archive)).open_part().read()
    harmless = 0
    positions = random.Random(20261123).sample(range(len(archive) * 8), 4_000)
    for position in positions:
        flipped = bytearray(archive)
        flipped[position // 8] ^= 1 << position % 8
        try:
            assert verify(io.BytesIO(flipped)) == manifest
            assert ArchiveReader(io.BytesIO(flipped)).open_part().read() == plain
            harmless += 1
        except (ArchiveDamaged, ArchiveTooNew):
            continue
    # Dates, modes and versions in the ZIP headers: no content, and no way to notice but the checksum.
    assert harmless < len(positions) / 10


def test_bytes_that_were_swapped_or_lost_in_the_middle_are_found(archive: bytes) -> None:
    choice = random.Random(7)
    checksum = hashlib.sha256(archive).hexdigest()
    for _ in range(500):
        start, end = sorted(choice.sample(range(len(archive)), 2))
        for broken in (
            archive[:start] + archive[end:],
            archive[:start] + bytes(end - start) + archive[end:],
            archive[:end] + archive[start:],
        ):
            if broken != archive:
                assert code_of(broken, expected_sha256=checksum) == "archive.file_checksum"


@pytest.mark.parametrize("data", [b"", b"PK", b"email,status\r\na@x.it,active\r\n", bytes(4096)])
def test_what_is_no_zip_file_is_not_an_archive(data: bytes) -> None:
    assert code_of(data) == "archive.unreadable"


def test_a_zip_file_of_something_else_is_not_an_archive(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    assert code_of(zip_of({})) == "archive.not_an_archive"
    assert code_of(zip_of({"xl/workbook.xml": b"<x/>"})) == "archive.not_an_archive"
    assert code_of(zip_of({"manifest.json": b'{"format": "other"}'})) == "archive.not_an_archive"
    assert code_of(zip_of({"manifest.json": b"[]"})) == "archive.not_an_archive"
    # The manifest is the last member: a file that goes on behind it was put together by somebody else.
    assert code_of(zip_of(dict(reversed(members.items())))) == "archive.not_an_archive"


def test_the_members_put_together_by_hand_are_an_archive(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    assert verify(zip_of(members)).recipients == 3


def test_a_later_version_is_named_and_not_called_damaged(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    with pytest.raises(ArchiveTooNew) as refused:
        verify(zip_of(changed(members, version=3, something="new")))
    assert refused.value.code == "archive.too_new"
    assert refused.value.params == {"version": 3, "known": 2}


def test_a_missing_or_a_further_member_is_damage(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    assert code_of(zip_of({"manifest.json": members["manifest.json"]})) == "archive.members_differ"
    assert code_of(zip_of({"../../etc/passwd": b"x", **members})) == "archive.members_differ"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_damage(members: dict[str, bytes]) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name in ("recipients.tsv.zst", "recipients.tsv.zst", "manifest.json"):
            file.writestr(name, members[name])
    assert code_of(target) == "archive.members_differ"


def test_a_manifest_that_counts_otherwise_is_damage(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    part = json.loads(members["manifest.json"])["parts"][0]
    assert code_of(zip_of(with_part(members, rows=2))) == "archive.content_differs"
    assert code_of(zip_of(with_part(members, bytes=part["bytes"] + 1))) == "archive.content_differs"
    assert code_of(zip_of(with_part(members, bytes=part["bytes"] - 1))) == "archive.content_differs"
    assert code_of(zip_of(with_part(members, sha256="0" * 64))) == "archive.content_differs"
    assert code_of(zip_of(changed(members, recipients=4))) == "archive.manifest_invalid"


def test_other_rows_of_the_same_length_are_damage(
    zip_of: ZipOf, members: dict[str, bytes], archive: bytes
) -> None:
    plain = ArchiveReader(io.BytesIO(archive)).open_part().read()
    assert verify(zip_of(with_plain(members, plain))).recipients == 3
    assert code_of(zip_of(with_plain(members, plain.replace(b"c@x", b"d@x")))) == "archive.content_differs"


def test_more_rows_or_fewer_than_the_manifest_says_are_damage(
    zip_of: ZipOf, members: dict[str, bytes], archive: bytes
) -> None:
    plain = ArchiveReader(io.BytesIO(archive)).open_part().read()
    assert code_of(zip_of(with_plain(members, plain + b"x\n"))) == "archive.content_differs"
    assert code_of(zip_of(with_plain(members, plain[:-1]))) == "archive.content_differs"
    assert code_of(zip_of(with_plain(members, b""))) == "archive.content_differs"
    # A second frame behind the first is content that the manifest does not count.
    twice = {**members, "recipients.tsv.zst": members["recipients.tsv.zst"] * 2}
    assert code_of(zip_of(twice)) == "archive.content_differs"


def test_a_damaged_frame_is_damage_even_where_the_zip_file_is_whole(
    zip_of: ZipOf, members: dict[str, bytes]
) -> None:
    frame = members["recipients.tsv.zst"]
    for broken in (b"", b"not zstd", frame[:20], frame + b"tail", frame[:-1] + b"\0", frame[4:]):
        assert code_of(zip_of({**members, "recipients.tsv.zst": broken})).startswith("archive.")


def test_the_error_comes_where_the_stream_ends_for_every_way_of_reading(
    zip_of: ZipOf, members: dict[str, bytes]
) -> None:
    file = zip_of(with_part(members, sha256="0" * 64))
    ways: list[Callable[[Any], object]] = [
        lambda stream: stream.read(),
        lambda stream: list(stream),
        lambda stream: list(iter(lambda: stream.read(7), b"")),
        lambda stream: list(iter(lambda: stream.read1(7), b"")),
        lambda stream: list(iter(stream.readline, b"")),
    ]
    for read in ways:
        with pytest.raises(ArchiveDamaged):
            read(ArchiveReader(file).open_part())


def test_a_small_file_cannot_fill_the_memory_with_rows(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    bomb = zstandard.ZstdCompressor(level=3).compressobj()
    frame = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(300)) + bomb.flush()
    assert len(frame) < 100_000
    file = zip_of({**members, "recipients.tsv.zst": frame})
    tracemalloc.start()
    with pytest.raises(ArchiveDamaged) as refused:
        verify(file)
    assert refused.value.params["what"] == "bytes"
    # Stopped where the manifest's figure was passed, not after all that the file could blow up to.
    found = refused.value.params["found"]
    assert isinstance(found, int)
    assert found < 1_000_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_frame_that_asks_for_a_huge_window_is_refused(zip_of: ZipOf, members: dict[str, bytes]) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    bomb = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    file = zip_of({**members, "recipients.tsv.zst": bomb.compress(b"1\n") + bomb.flush()})
    assert code_of(file) == "archive.unreadable"


def test_a_huge_manifest_is_refused_before_it_is_read(
    zip_of: ZipOf, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_MANIFEST_BYTES", len(members["manifest.json"]))
    verify(zip_of(members))
    padded = {**members, "manifest.json": members["manifest.json"] + b" "}
    assert code_of(zip_of(padded)) == "archive.manifest_invalid"


def test_a_huge_directory_is_refused_before_it_is_read(zip_of: ZipOf) -> None:
    many = zip_of({f"{number:05}" + "x" * 200: b"" for number in range(5_000)})
    assert code_of(many) == "archive.unreadable"


def test_a_directory_that_claims_to_be_huge_is_refused(archive: bytes) -> None:
    claimed = bytearray(archive)
    struct.pack_into("<L", claimed, len(archive) - 22 + 12, 0x7FFFFFFF)
    assert code_of(bytes(claimed)) == "archive.unreadable"


def test_members_compressed_or_encrypted_by_the_zip_file_are_refused(
    zip_of: ZipOf, members: dict[str, bytes], archive: bytes
) -> None:
    assert code_of(zip_of(members, compression=zipfile.ZIP_DEFLATED)) == "archive.manifest_invalid"
    encrypted = bytearray(archive)
    at = archive.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    assert code_of(bytes(encrypted)) == "archive.unreadable"


def test_an_error_of_the_disk_is_not_called_damage(archive: bytes) -> None:
    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        verify(FailingDisk(archive))


def test_reading_through_random_rubbish_raises_nothing_but_refusals(
    archive_of: Callable[[Iterable[bytes]], bytes],
) -> None:
    choice = random.Random(42)
    archive = archive_of([b"1\n"])
    for _ in range(1_500):
        rubbish = bytearray(archive)
        for _ in range(choice.randint(1, 6)):
            rubbish[choice.randrange(len(rubbish))] = choice.choice([0, 1, 0x7F, 0x80, 0xFF])
        try:
            verify(io.BytesIO(rubbish))
        except (ArchiveDamaged, ArchiveTooNew):
            continue
