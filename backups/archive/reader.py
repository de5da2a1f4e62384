"""Reads an archive and believes nothing: every length, count and checksum is compared while reading.

Memory stays bounded whatever the file says, because people may also hand in a file of their own.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

import zstandard

from backups.archive.age import DecryptingStream, Undecryptable, decrypt
from backups.archive.manifest import PLAIN_VERSION, VERSION, ArchiveDamaged, Manifest, Part, suffix
from backups.archive.writer import BLOCK_BYTES, MANIFEST_MEMBER

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
# What level 3 writes needs 2 MiB; a hostile frame may ask for gigabytes.
MAX_WINDOW_BYTES = 8 * 1024 * 1024
# No step of reading the ZIP structure of an archive needs more than this at once: its directory has a
# few lines. A directory that claims to be larger is refused before it is read.
_MAX_READ_BYTES = 1024 * 1024


class ArchiveReader:
    """Reads one archive from a seekable file that the caller opens and closes.

    `identity` is the secret key it was written with; None for one of the version that is not encrypted.
    Raise ArchiveDamaged when the file is not a complete archive of this key, ArchiveTooNew when its
    version is not known here. The rows are checked when they are read: nothing of a part counts until
    its stream has been read to the end without an error.
    """

    def __init__(self, file: BinaryIO, *, identity: str | None = None) -> None:
        self._identity = identity
        self._version = PLAIN_VERSION if identity is None else VERSION
        with _damage_named():
            self._zip = zipfile.ZipFile(cast("IO[bytes]", _BoundedFile(file)))
            self.manifest = Manifest.from_json(self._manifest_text(), version=self._version)
        self._check_members()

    def open_part(self, index: int = 0) -> BinaryIO:
        """A stream of the plain text of one part: `read(size)`, or line by line.

        Its reads raise ArchiveDamaged, at the latest where the stream ends.
        """
        part = self.manifest.parts[index]
        with _damage_named():
            member = self._zip.open(part.member(version=self._version))
        source = member if self._identity is None else DecryptingStream(member, identity=self._identity)
        return io.BufferedReader(_PartStream(cast("IO[bytes]", source), part=part), BLOCK_BYTES)

    def _manifest_text(self) -> bytes:
        members = self._zip.infolist()
        name = members[-1].filename if members else ""
        if name not in (MANIFEST_MEMBER, MANIFEST_MEMBER + suffix(VERSION)):
            raise ArchiveDamaged("archive.not_an_archive")
        if name != MANIFEST_MEMBER + suffix(self._version):
            # A file that was never encrypted is not the one that this key was made for.
            raise ArchiveDamaged("archive.no_key" if self._identity is None else "archive.wrong_key")
        info = members[-1]
        if info.file_size > MAX_MANIFEST_BYTES or info.compress_type != zipfile.ZIP_STORED:
            raise ArchiveDamaged("archive.manifest_invalid", detail="too large, or compressed")
        with self._zip.open(info) as stream:
            if self._identity is not None:
                return decrypt(stream, identity=self._identity, most_bytes=MAX_MANIFEST_BYTES)
            return b"".join(iter(lambda: stream.read(BLOCK_BYTES), b""))

    def _check_members(self) -> None:
        members = self._zip.infolist()
        parts = [part.member(version=self._version) for part in self.manifest.parts]
        expected = [*parts, MANIFEST_MEMBER + suffix(self._version)]
        if [info.filename for info in members] != expected:
            raise ArchiveDamaged("archive.members_differ", expected=expected)
        for info in members:
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise ArchiveDamaged("archive.unreadable", detail=f"{info.filename} is not stored as it is")


def verify(
    file: BinaryIO,
    *,
    identity: str | None = None,
    expected_sha256: str | None = None,
    take_rows: Callable[[BinaryIO], object] | None = None,
) -> Manifest:
    """Read everything, check everything; the manifest.

    With the whole file's checksum every changed bit is found, also in the fields of the ZIP structure
    that no reader looks at. `take_rows` is given the stream of the first part, to use what is read anyway:
    it reads to the end, and nothing of it counts before that. Raise ArchiveDamaged or ArchiveTooNew.
    """
    if expected_sha256 is not None:
        found = file_sha256(file)
        if found != expected_sha256:
            raise ArchiveDamaged("archive.file_checksum", expected=expected_sha256, found=found)
    reader = ArchiveReader(file, identity=identity)
    for index in range(len(reader.manifest.parts)):
        with reader.open_part(index) as stream:
            if take_rows is not None and index == 0:
                take_rows(stream)
            while stream.read(BLOCK_BYTES):
                pass
    return reader.manifest


def file_sha256(file: BinaryIO) -> str:
    """The checksum over the whole file, read from its start; hexadecimal."""
    file.seek(0)
    total = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        total.update(block)
    return total.hexdigest()


class _DiskFailed(Exception):
    """Carries an error of the disk past the ZIP library, which would call it a bad file."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class _BoundedFile:
    """The file, except that no single read may be large enough to fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_READ_BYTES:
            raise ArchiveDamaged("archive.unreadable", detail="its directory is too large")
        try:
            return self._file.read(_MAX_READ_BYTES if size < 0 else size)
        except OSError as exc:
            raise _DiskFailed(exc) from exc


class _PartStream(io.RawIOBase):
    """Decompresses a part, and raises ArchiveDamaged unless the end is what the manifest says.

    There are checks on the way: the ZIP library compares a checksum over the stored bytes when it gives
    the last of them, age authenticates each block, zstandard compares a checksum over the plain bytes.
    But the last ends a frame that was cut without a word, so what decides is the manifest.
    """

    def __init__(self, member: IO[bytes], *, part: Part) -> None:
        self._part = part
        self._member = member
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._plain = decompressor.stream_reader(member, read_size=BLOCK_BYTES)
        self._hash = hashlib.sha256()
        self._rows = 0
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self._member.close()

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        with _damage_named():
            size = self._plain.readinto(buffer)
        block = bytes(buffer[:size])
        self._bytes += size
        if self._bytes > self._part.bytes:
            raise self._differs("bytes", expected=self._part.bytes, found=self._bytes)
        self._hash.update(block)
        self._rows += block.count(b"\n")
        if not size:
            self._check_end()
        return size

    def _check_end(self) -> None:
        for what, expected, found in (
            ("bytes", self._part.bytes, self._bytes),
            ("sha256", self._part.sha256, self._hash.hexdigest()),
            ("rows", self._part.rows, self._rows),
        ):
            if found != expected:
                raise self._differs(what, expected=expected, found=found)

    def _differs(self, what: str, *, expected: object, found: object) -> ArchiveDamaged:
        return ArchiveDamaged(
            "archive.content_differs", part=self._part.name, what=what, expected=expected, found=found
        )


@contextmanager
def _damage_named() -> Iterator[None]:
    """Say ArchiveDamaged for whatever the libraries raise about a file that is not what it claims."""
    try:
        yield
    except _DiskFailed as exc:
        raise exc.error from None
    except Undecryptable as exc:
        raise ArchiveDamaged("archive.wrong_key") from exc
    except (
        zipfile.BadZipFile,
        zstandard.ZstdError,
        struct.error,
        EOFError,
        KeyError,  # no such member
        NotImplementedError,  # a way of compressing or a ZIP version nobody asked for
        OSError,  # a position no file can have
        OverflowError,
        RuntimeError,  # an encrypted member
        ValueError,  # a position before the start; a name that is not text
    ) as exc:
        raise ArchiveDamaged("archive.unreadable", detail=str(exc)[:200]) from exc
