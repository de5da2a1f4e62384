"""A disk that is full while a file is uploaded or read: a reason on the page, and nothing left behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django.fixtures import Settings

from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import MOST_ATTEMPTS, run
from backupsvc.wording import say_code
from recipients.actions import imports
from recipients.models import Change, Import, RejectedRow
from tests.fixtures.cast import ClientOf
from tests.fixtures.disks import Disk
from tests.fixtures.lists import Lists, staged_rows, table

LIST = "email\n" + "".join(f"person{number}@example.com\n" for number in range(25_000))
FULL = say_code("disk.full", {"detail": ""})


def upload(client: Client) -> str:
    file = SimpleUploadedFile("people.csv", LIST.encode())
    answer = client.post(
        reverse("recipients:import-new", args=["acme"]), {"target": "new", "name": "New", "file": file}
    )
    return answer.headers.get("Location", "") or answer.text


@pytest.fixture
def client(lists: Lists, client_of: ClientOf) -> Client:
    return client_of(lists.owner)


@pytest.fixture
def temporary(tmp_path: Path, settings: Settings) -> Path:
    """Where the web process keeps an upload while it arrives."""
    folder = tmp_path / "arriving"
    folder.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(folder)
    return folder


def test_an_upload_that_finds_no_room_while_it_arrives(
    client: Client, temporary: Path, disk_at: Callable[[Path], Disk]
) -> None:
    disk = disk_at(temporary)
    disk.fill(leave=200_000)
    assert escape(FULL) in upload(client)
    assert not Change.objects.exists()
    assert [path.name for path in temporary.iterdir()] == ["filler"]
    disk.make_room()


def test_an_upload_into_a_folder_that_only_can_be_read(
    client: Client, temporary: Path, disk_at: Callable[[Path], Disk]
) -> None:
    disk = disk_at(temporary)
    disk.read_only(True)
    page = upload(client)
    assert "make it writable" in page
    assert not Change.objects.exists()
    disk.read_only(False)
    assert "/read/" in upload(client)


def test_an_upload_that_finds_no_room_in_the_storage(
    client: Client, uploads: Path, disk_at: Callable[[Path], Disk]
) -> None:
    disk = disk_at(uploads)
    disk.fill(leave=200_000)
    assert escape(FULL) in upload(client)
    assert not Change.objects.exists()
    assert [path.name for path in uploads.rglob("*") if path.is_file()] == ["filler"]
    disk.make_room()


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "disk.full"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "disk.broken"),
        (OperationalError("database or disk is full"), "disk.full"),
        (OperationalError("server closed the connection unexpectedly"), "job.parked"),
    ],
)
def test_reading_that_finds_no_room_leaves_nothing_and_says_why(
    problem: Exception, code: str, lists: Lists, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lists.group("email\nanna@example.com\n")
    before = table(group)
    draft = lists.draft("email\ncarl@example.com\nbad\n", into=group)
    job = imports.stage(draft, actor=lists.actor)

    def fail(*_: object, **__: object) -> None:
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr("recipients.actions.staging.finish_staging", fail)
        for _try in range(MOST_ATTEMPTS):
            Job.objects.filter(pk=job.pk).update(due_at="2020-01-01T00:00Z")
            assert run(job.pk)
    change = Change.objects.get(pk=draft.pk)
    assert (change.state, change.error_code) == ("draft", code)
    page = client.get(reverse("recipients:change-preview", args=["acme", change.pk])).text
    assert escape(say_code(change.error_code, change.error_params)) in page
    assert table(group) == before
    assert Import.objects.get(pk=change.pk).upload
    assert run(imports.stage(Import.objects.get(pk=change.pk), actor=lists.actor).pk)
    change.refresh_from_db()
    assert (change.state, change.preview["added"], change.rejected) == ("preview", 1, 1)
    assert staged_rows() == 1
    assert RejectedRow.objects.filter(change=change).count() == 1
