"""Where archives lie: the one place that knows, through Django's storage "archives".

A local folder and an object store keep the same promise: under its final name there is a whole file or
none. Whatever storage says when it fails is a Refusal with a code a person can act on.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast
from uuid import uuid4

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from backups.archive import file_sha256
from backupsvc.errors import Refusal, Unavailable

T = TypeVar("T")

TMP_SUFFIX = ".tmp"

_PROBE_PREFIX = ".probe-"
_PROBE = b"a write test: this file may be deleted\n"
_BLOCK_BYTES = 1024 * 1024

# What the operating system says, in the words of our texts. Anything else is a bug and stays loud.
_CODES = {
    errno.ENOSPC: "storage.full",
    errno.EDQUOT: "storage.full",
    errno.EFBIG: "storage.full",
    errno.EROFS: "storage.read_only",
    errno.EACCES: "storage.denied",
    errno.EPERM: "storage.denied",
    errno.EIO: "storage.broken",
    errno.ESTALE: "storage.broken",
    errno.ENOTDIR: "storage.broken",
    errno.EISDIR: "storage.broken",
    errno.ENODEV: "storage.broken",
    errno.ENXIO: "storage.broken",
    errno.ENOTCONN: "storage.broken",
}


class ArchiveMissing(Refusal):
    """There is a backup, but its file is not there."""


class StorageRefused(Unavailable):
    """The storage cannot do its work now: full, read-only, closed to us or broken."""


@dataclass(frozen=True, kw_only=True)
class Written(Generic[T]):
    """A file that is now under its final name: its size and checksum, and what the producer returned."""

    size_bytes: int
    sha256: str
    result: T


def new_key(account_id: int, *, group_id: int, snapshot_id: int) -> str:
    """A key for one attempt to write a snapshot's archive; no two attempts ever share one."""
    return f"{account_id}/{group_id}/{timezone.now():%Y}/{snapshot_id}-{uuid4().hex}.zip"


def write(key: str, produce: Callable[[BinaryIO], T]) -> Written[T]:
    """Have `produce` fill an empty, seekable local file and keep it under `key`, whole or not at all.

    When this returns the file survives a power cut. Raise StorageRefused when the storage fails, and
    whatever `produce` raises; nothing is left behind then.
    """
    path = _local_path(key)
    return _write_remote(key, produce) if path is None else _write_local(path, produce)


def open(key: str) -> BinaryIO:  # noqa: A001  # read as storage.open
    """The file, for reading from any position; the caller closes it.

    Raise ArchiveMissing or StorageRefused.
    """
    path = _local_path(key)
    with _refusals(missing=key, remote=_is_remote()):
        if path is not None:
            return path.open("rb")
        with _storage().open(key, "rb") as source:
            copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  # the caller's to close
            try:
                shutil.copyfileobj(source, copy, _BLOCK_BYTES)
                copy.seek(0)
            except BaseException:
                copy.close()
                raise
            return copy


@contextmanager
def reading(key: str) -> Iterator[BinaryIO]:
    """The file, open as long as the block lasts. A disk that fails meanwhile is a StorageRefused too."""
    with closing(open(key)) as file, _refusals():
        yield file


def delete(key: str) -> None:
    """Remove the file for good; one that is not there is no error. Raise StorageRefused."""
    path = _local_path(key)
    with _refusals(remote=_is_remote()):
        if path is None:
            _storage().delete(key)
            return
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # nor is a folder that was never made
            _sync_folder(path.parent)


def size(key: str) -> int:
    """The file's size in bytes. Raise ArchiveMissing or StorageRefused."""
    with _refusals(missing=key, remote=_is_remote()):
        return _storage().size(key)


def last_written(key: str) -> datetime:
    """When the file was last written, by the storage's clock. Raise ArchiveMissing or StorageRefused."""
    with _refusals(missing=key, remote=_is_remote()):
        return _storage().get_modified_time(key)


def keys() -> Iterator[tuple[str, datetime]]:
    """Every file there is, unfinished ones (`.tmp`) too, with the time it was last written.

    For the sweep of what no snapshot refers to. Raise StorageRefused.
    """
    storage = _storage()
    folders = [""]
    with _refusals(remote=_is_remote()):
        while folders:
            folder = folders.pop()
            try:
                below, files = storage.listdir(folder)
            except FileNotFoundError:  # removed meanwhile, or nothing was ever written
                continue
            folders.extend(f"{folder}{name}/" for name in below)
            for name in filter(None, files):  # an object store may list the folder itself
                with suppress(FileNotFoundError):
                    yield f"{folder}{name}", storage.get_modified_time(f"{folder}{name}")


def probe(*, needed_bytes: int = 0) -> None:
    """Write, read and remove a small file, before a change is promised a backup.

    Raise StorageRefused when that fails, or when a local disk has less than `needed_bytes` free.
    """
    key = f"{_PROBE_PREFIX}{uuid4().hex}"
    path = _local_path(key)
    try:
        write(key, lambda file: file.write(_PROBE))
        with open(key) as file:
            if file.read() != _PROBE:
                raise StorageRefused("storage.broken", detail="what was written is not what is read")
        if path is not None and shutil.disk_usage(path.parent).free < needed_bytes:
            raise StorageRefused("storage.full")
    finally:
        delete(key)


def _storage() -> Storage:
    return storages["archives"]


def _is_remote() -> bool:
    # Not asked by `.path`: Django's storage in memory has paths, and no files at them.
    return not isinstance(_storage(), FileSystemStorage)


def _local_path(key: str) -> Path | None:
    """Where the file lies on this machine; None for a storage that lies elsewhere."""
    return None if _is_remote() else Path(_storage().path(key))


@contextmanager
def _refusals(*, missing: str = "", remote: bool = False) -> Iterator[None]:
    """Turn what the storage raises into a Refusal; FileNotFoundError only when `missing` names the key."""
    try:
        yield
    except Refusal:
        raise
    except OSError as exc:
        if missing and isinstance(exc, FileNotFoundError):
            raise ArchiveMissing("archive.missing", key=missing) from exc
        code = _CODES.get(exc.errno or 0, "storage.broken" if remote else "")
        if not code:
            raise
        raise StorageRefused(code, detail=os.strerror(exc.errno) if exc.errno else str(exc)[:200]) from exc
    except Exception as exc:
        # Each kind of object store has its own exceptions; the log keeps them as the cause.
        if not remote:
            raise
        raise StorageRefused("storage.broken", detail=f"{type(exc).__name__}: {exc}"[:200]) from exc


def _write_local(path: Path, produce: Callable[[BinaryIO], T]) -> Written[T]:
    """tmp → produce → flush → fsync → rename → fsync of the folder; any failure removes the file."""
    leftover = path.with_name(path.name + TMP_SUFFIX)
    with _refusals():
        _make_folder(path.parent)
        if path.exists():
            raise FileExistsError(f"a key is for one attempt: {path.name}")
        descriptor = os.open(leftover, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                result = produce(file)
                file.flush()
                os.fsync(file.fileno())
                written = Written(size_bytes=file.seek(0, 2), sha256=file_sha256(file), result=result)
                _forget_cached(file)
            leftover = leftover.rename(path)
            _sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
            raise
    return written


def _write_remote(key: str, produce: Callable[[BinaryIO], T]) -> Written[T]:
    """Fill a private temporary file, hand it to the storage, and ask for its size."""
    with tempfile.TemporaryFile() as unnamed:
        file = cast("BinaryIO", unnamed)
        with _refusals():  # an error in here is `produce`'s own, or the local disk's
            result = produce(file)
            written = Written(size_bytes=file.seek(0, 2), sha256=file_sha256(file), result=result)
            file.seek(0)
        with _refusals(remote=True):
            storage = _storage()
            saved = storage.save(key, File(file, name=key))
            try:
                if saved != key:
                    raise FileExistsError(f"a key is for one attempt: {key}")
                if storage.size(key) != written.size_bytes:
                    raise StorageRefused("storage.broken", detail="the size differs after writing")
            except BaseException:
                with suppress(Exception):
                    storage.delete(saved)
                raise
    return written


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it, private, so that they too survive a power cut."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)  # another writer may have been faster
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget_cached(file: BinaryIO) -> None:
    """Let the verification that follows read the disk, not the memory the file was written from."""
    if hasattr(os, "posix_fadvise"):  # not on macOS
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
