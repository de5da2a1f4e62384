"""An upload goes to a private file and stops at the limit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from backupsvc.uploads import is_too_large

pytestmark = pytest.mark.once
KB = 1024


@pytest.fixture
def posted() -> Iterator[Callable[[int], HttpRequest]]:
    """Post a file of so many bytes; its temporary file goes with the request."""
    requests: list[HttpRequest] = []

    def post(size_bytes: int) -> HttpRequest:
        file = io.BytesIO(b"x" * size_bytes)
        file.name = "list.csv"
        requests.append(RequestFactory().post("/", {"file": file}))
        return requests[-1]

    yield post
    for request in requests:
        request.close()


def test_even_a_small_upload_is_a_private_file_on_disk(
    posted: Callable[[int], HttpRequest], settings: Settings
) -> None:
    request = posted(10)
    upload = request.FILES["file"]
    assert isinstance(upload, TemporaryUploadedFile)
    path = Path(upload.temporary_file_path())
    assert path.parent == Path(settings.FILE_UPLOAD_TEMP_DIR)
    assert path.stat().st_mode & 0o077 == 0
    assert not is_too_large(request)


def test_an_upload_over_the_limit_is_dropped_and_marked(
    posted: Callable[[int], HttpRequest], settings: Settings, tmp_path: Path
) -> None:
    settings.UPLOAD_LIMIT_BYTES, settings.FILE_UPLOAD_TEMP_DIR = 100 * KB, str(tmp_path)
    request = posted(300 * KB)
    assert "file" not in request.FILES
    assert is_too_large(request)
    assert not list(tmp_path.iterdir())
