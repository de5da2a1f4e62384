"""Uploaded files: stored privately, read from a local path, removed when their change has ended."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.core.files.base import File
from django.core.files.storage import storages

from backupsvc.errors import Refusal

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """Where an upload lies, and what it was."""

    key: str
    size_bytes: int
    sha256: str


def store(file: BinaryIO, *, account_id: int) -> Stored:
    """Copy the file, in pieces, under a name of our own making: a person's file name is never a path."""
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as copy:
        while piece := file.read(CHUNK_BYTES):
            digest.update(piece)
            size += len(piece)
            copy.write(piece)
        copy.seek(0)
        key = storages["uploads"].save(f"{account_id}/{uuid.uuid4().hex}", File(copy))
    return Stored(key=key, size_bytes=size, sha256=digest.hexdigest())


@contextmanager
def local(key: str) -> Iterator[Path]:
    """The upload as a file on this machine. Raises Refusal when it is not there any more."""
    storage = storages["uploads"]
    if not key or not storage.exists(key):
        raise Refusal("import.upload_missing")
    try:
        path = Path(storage.path(key))
    except NotImplementedError:
        path = None
    if path is not None:
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
