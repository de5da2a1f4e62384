"""An upload stops at the limit while it arrives, not after it has filled the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest

from backupsvc.disk import trouble
from backupsvc.errors import Refusal


def is_too_large(request: HttpRequest) -> bool:
    """Whether an upload of this request was cut off at `UPLOAD_LIMIT_BYTES`; its file is then missing."""
    return getattr(request, "upload_was_cut", False)


def upload_trouble(request: HttpRequest) -> Refusal | None:
    """Why the server could not keep an upload of this request, if so; its file is then missing."""
    return getattr(request, "upload_trouble", None)


class LimitedUploadHandler(FileUploadHandler):
    """Passes every chunk on to the next handler until the request holds more than is allowed."""

    received_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received_bytes += len(raw_data)
        if self.received_bytes > settings.UPLOAD_LIMIT_BYTES:
            # Read and thrown away to its end: a browser that is cut off shows no answer at all.
            self.request.upload_was_cut = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Nothing: the file is the next handler's."""


class DiskUploadHandler(TemporaryFileUploadHandler):
    """Keeps the upload in a file; a full disk is a reason that the page tells, not an error."""

    def new_file(self, *args: Any, **options: Any) -> None:
        with self._told():
            super().new_file(*args, **options)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._told():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile[Any] | None:
        """The file, written to its end."""
        with self._told():
            # What is still in memory meets the full disk here, not where nobody can tell it.
            self.file.flush()
            return super().file_complete(file_size)
        return None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            refusal = trouble(problem)
            if refusal is None:
                raise
            self.request.upload_trouble = refusal  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False) from problem
