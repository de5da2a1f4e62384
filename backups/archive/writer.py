"""Writes an archive in one pass, encrypted, with memory that does not grow with the list."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self

import zstandard

from backups.archive.age import EncryptingSink, encrypt
from backups.archive.manifest import (
    PLAIN_VERSION,
    VERSION,
    Manifest,
    ManifestHead,
    Part,
    member_name,
    suffix,
)

MANIFEST_MEMBER = "manifest.json"

# PostgreSQL's driver hands over row by row: hashing and compressing pay from a block of this size on.
BLOCK_BYTES = 256 * 1024
# Level 3 keeps up with the database; 19 would save a third of the bytes for a hundred times the time.
LEVEL = 3
# What the compressing thread is given at a time. By itself it takes 8 MiB and holds several of them: 43 MB
# of memory instead of 10 for half a percent of the bytes.
JOB_BYTES = 2 * 1024 * 1024


class _Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _PartStream(io.RawIOBase):
    """Counts, hashes and compresses what is written, in that order, into a member of the ZIP file."""

    def __init__(self, target: _Target, *, name: str) -> None:
        self._target = target
        self._name = name
        # A thread of its own compresses while the next rows come in: measured at half as fast again.
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, threads=1, job_size=JOB_BYTES, write_checksum=True
        )
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self._hash = hashlib.sha256()
        self._rows = 0
        self._bytes = 0
        self._last = b"\n"
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:  # what io.BufferedWriter hands over is a memoryview
        block = bytes(data)  # type: ignore[call-overload]
        if block and not self.abandoned:
            self._hash.update(block)
            self._rows += block.count(b"\n")
            self._bytes += len(block)
            self._last = block[-1:]
            self._target.write(self._compressor.compress(block))
        return len(block)

    def finish(self) -> Part:
        """End the compressed frame; the part as the manifest describes it."""
        if self._last != b"\n":
            raise ValueError(f"the last row of {self._name} has no end")
        self._target.write(self._compressor.flush())
        return Part(name=self._name, rows=self._rows, bytes=self._bytes, sha256=self._hash.hexdigest())


class ArchiveWriter:
    """Writes one archive into an empty, seekable file that the caller opens, syncs and closes.

    with ArchiveWriter(file, head=head, identity=new_identity()) as writer:
        with writer.part("recipients.tsv") as sink:
            sink.write(line)                 # whole rows of copytext, in pieces of any size
        manifest = writer.finish()

    Only `finish` makes it an archive: left before, the file has neither a manifest nor the directory
    at its end, and no reader takes it for one. `identity` is the secret key of this archive alone;
    None writes the version that was before there was encryption.
    """

    def __init__(self, file: BinaryIO, *, head: ManifestHead, identity: str | None) -> None:
        self._head = head
        self._identity = identity
        self._version = PLAIN_VERSION if identity is None else VERSION
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._parts: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        # A ZipFile writes its directory when it is closed or collected, which would complete a file
        # that was given up. Without its file it cannot. After `finish` this is already so.
        self._zip.fp = None
        return False

    @contextmanager
    def part(self, name: str) -> Iterator[BinaryIO]:
        """A stream for the rows of one part; it ends with the block.

        Raise ValueError when its last row has no end, or for a name no part may have.
        """
        if any(part.name == name for part in self._parts):
            raise ValueError(f"a second part {name!r}")
        with (
            self._member(member_name(name, version=self._version)) as member,
            self._encrypted(member) as target,
        ):
            stream = _PartStream(target, name=name)
            sink = io.BufferedWriter(stream, BLOCK_BYTES)
            try:
                yield sink
                sink.flush()
                part = stream.finish()
            finally:
                # Closing flushes; after an error there must be nothing more to fail on.
                stream.abandoned = True
                sink.close()
        self._parts.append(part)

    def finish(self) -> Manifest:
        """Write the manifest and the directory; the archive is complete in the file's buffer.

        Raise ValueError when there is no part.
        """
        if not self._parts:
            raise ValueError("an archive without a part")
        manifest = Manifest.of(self._head, parts=self._parts)
        text = manifest.to_json(version=self._version)
        with self._member(MANIFEST_MEMBER + suffix(self._version)) as member:
            member.write(text if self._identity is None else encrypt(text, identity=self._identity))
        self._zip.close()
        return manifest

    @contextmanager
    def _encrypted(self, member: _Target) -> Iterator[_Target]:
        if self._identity is None:
            yield member
            return
        sink = EncryptingSink(member, identity=self._identity)
        try:
            yield sink
            sink.finish()
        finally:
            sink.abandon()

    @contextmanager
    def _member(self, name: str) -> Iterator[BinaryIO]:
        """A member to write to. After an error it is dropped, so that the error is what is raised."""
        # The local header is rewritten with the true sizes; 64-bit fields are reserved from the start.
        member = self._zip.open(_member_info(name, self._head.taken_at), "w", force_zip64=True)
        try:
            yield member  # type: ignore[misc]
        except BaseException:
            with suppress(Exception):
                member.close()
            raise
        member.close()


def _member_info(name: str, taken_at: datetime) -> zipfile.ZipInfo:
    """The same archive of the same state has the same bytes: nothing here is taken from the clock."""
    moment = taken_at.astimezone(UTC)
    info = zipfile.ZipInfo(name, date_time=(max(moment.year, 1980), *moment.timetuple()[1:6]))
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = 3  # Unix: `unzip` then applies the mode below
    info.external_attr = 0o600 << 16
    return info
