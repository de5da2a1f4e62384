"""Uploaded files: stored privately, read from a local path, removed when their change has ended."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import storages

from backupsvc.disk import trouble
from backupsvc.errors import Refusal

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """Where an upload lies, and what it was."""

    key: str
    size_bytes: int
    sha256: str


def store(file: BinaryIO, *, account_id: int) -> Stored:
    """Keep the file under a name of our own making: a person's file name is never a path.

    One that has just been uploaded is moved, any other is copied. Raises Refusal: disk.*
    """
    digest, size = hashlib.sha256(), 0
    with _refusals(), _rewindable(file) as source:
        while piece := source.read(CHUNK_BYTES):
            digest.update(piece)
            size += len(piece)
        source.seek(0)
        key = _save(source, key=f"{account_id}/{uuid.uuid4().hex}")
    return Stored(key=key, size_bytes=size, sha256=digest.hexdigest())


@contextmanager
def _rewindable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, or a copy of one that can be read only once, as a pipe."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        shutil.copyfileobj(file, copy, CHUNK_BYTES)
        copy.seek(0)
        yield copy


def _save(file: BinaryIO, *, key: str) -> str:
    """The key under which it lies now; half a file is not left behind, since it holds personal data."""
    try:
        # What knows its own path is moved by the storage, if that is a folder.
        saved = storages["uploads"].save(key, file if isinstance(file, File) else File(file))
        _keep_through_power_cut(saved)
    except BaseException:
        with suppress(Exception):
            storages["uploads"].delete(key)
        raise
    return saved


@contextmanager
def _refusals() -> Iterator[None]:
    """A disk without room is a Refusal (disk.*) that the page tells, with nothing left behind."""
    try:
        yield
    except OSError as problem:
        if (refusal := trouble(problem)) is None:
            raise
        raise refusal from problem


def _keep_through_power_cut(key: str) -> None:
    """A confirmed import may have to read its file again after one: its bytes, its name, its folder."""
    path = _path(key)
    for each in (path, path.parent, path.parent.parent) if path else ():
        descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _path(key: str) -> Path | None:
    """Where the upload lies on this machine; None for a storage that lies elsewhere."""
    try:
        return Path(storages["uploads"].path(key))
    except NotImplementedError:
        return None


@contextmanager
def local(key: str) -> Iterator[Path]:
    """The upload as a file on this machine. Raises Refusal when it is not there any more."""
    storage = storages["uploads"]
    if not key or not storage.exists(key):
        raise Refusal("import.upload_missing")
    if path := _path(key):
        yield path
        return
    with tempfile.NamedTemporaryFile() as copy:
        with storage.open(key) as remote:
            for piece in remote.chunks(CHUNK_BYTES):
                copy.write(piece)
        copy.flush()
        yield Path(copy.name)


def remove(key: str) -> None:
    """Remove the upload; gone already is fine."""
    if key:
        storages["uploads"].delete(key)


def remove_strays(*, before: datetime, known: Callable[[str], bool]) -> None:
    """Remove uploads older than `before` that no import refers to: their process died too early."""
    storage = storages["uploads"]
    try:
        accounts, _files = storage.listdir("")
    except FileNotFoundError:
        return
    for account in accounts:
        for name in storage.listdir(account)[1]:
            key = f"{account}/{name}"
            if storage.get_modified_time(key) < before and not known(key):
                storage.delete(key)
