"""An upload stops at the limit while it arrives, not after it has filled the disk."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest


def is_too_large(request: HttpRequest) -> bool:
    """Whether an upload of this request was cut off at `UPLOAD_LIMIT_BYTES`; its file is then missing."""
    return getattr(request, "upload_was_cut", False)


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
