"""An upload on its way into the storage: copied as seldom as can be, and nobody loses a file of their own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import BinaryIO, cast

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile

from recipients.uploads import Stored, store

pytestmark = pytest.mark.once
LIST = b"email\n" + b"anna@example.com\n" * 10_000


@pytest.fixture
def uploaded() -> Iterator[TemporaryUploadedFile]:
    """A file as it is when its request has arrived."""
    file = TemporaryUploadedFile("people.csv", "text/csv", len(LIST), "utf-8")
    with file:
        file.write(LIST)
        file.flush()
        file.seek(0)
        yield file


def is_kept(stored: Stored, folder: Path) -> None:
    path = folder / stored.key
    assert path.read_bytes() == LIST
    assert (stored.size_bytes, stored.sha256) == (len(LIST), hashlib.sha256(LIST).hexdigest())
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_uploaded_is_moved(uploads: Path, uploaded: TemporaryUploadedFile) -> None:
    arrived = Path(uploaded.temporary_file_path())
    inode = arrived.stat().st_ino
    stored = store(cast("BinaryIO", uploaded), account_id=7)
    is_kept(stored, uploads)
    assert (uploads / stored.key).stat().st_ino == inode
    assert not arrived.exists()


def test_a_file_of_somebody_else_is_copied(uploads: Path, tmp_path: Path) -> None:
    own = tmp_path / "people.csv"
    own.write_bytes(LIST)
    with own.open("rb") as file:
        is_kept(store(file, account_id=7), uploads)
    assert own.read_bytes() == LIST


def test_a_pipe_is_read_to_its_end(uploads: Path) -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(LIST)

    # More than a pipe holds at once.
    writing = Thread(target=write)
    writing.start()
    with os.fdopen(reader, "rb") as pipe:
        is_kept(store(pipe, account_id=7), uploads)
    writing.join()
