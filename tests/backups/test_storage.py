"""Where archives lie. One long file, so that both kinds of storage are held to the same promises."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import resource
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import InMemoryStorage, storages
from django.utils import timezone
from pytest_django import Settings

from backups import storage
from backups.archive import ArchiveWriter, GroupHead, ManifestHead, verify
from backups.archive.manifest import AccountHead
from backups.storage import StorageRefused
from backupsvc.errors import Refusal

KEY = "12/345/2026/6-abc.zip"
CONTENT = b"what a backup holds" * 1000


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    """Where the local storage of the test lies; not made yet, as on a first start."""
    folder = tmp_path / "data" / "archives"
    settings.STORAGES = {
        **settings.STORAGES,
        "archives": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder)},
        },
    }
    return folder


@pytest.fixture
def elsewhere(settings: Settings) -> InMemoryStorage:
    """An object store, as far as the module can tell: it has no paths."""
    backend = "django.core.files.storage.InMemoryStorage"
    settings.STORAGES = {**settings.STORAGES, "archives": {"BACKEND": backend}}
    kept = storages["archives"]
    assert isinstance(kept, InMemoryStorage)
    return kept


@pytest.fixture(params=["local", "elsewhere"])
def anywhere(request: pytest.FixtureRequest) -> None:
    """Both kinds of storage: what follows holds on either."""
    request.getfixturevalue("root" if request.param == "local" else "elsewhere")


def fill(file: BinaryIO) -> str:
    file.write(CONTENT)
    return "filled"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def raising(code: int) -> Callable[..., Any]:
    """A call of the operating system that fails with this error."""

    def call(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


# What holds on every storage


@pytest.mark.usefixtures("anywhere")
def test_what_was_written_is_what_is_read() -> None:
    written = storage.write(KEY, fill)
    assert written.size_bytes == len(CONTENT)
    assert written.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert written.result == "filled"
    assert storage.size(KEY) == len(CONTENT)
    with storage.open(KEY) as file:
        assert file.read() == CONTENT
        file.seek(5)
        assert file.read(3) == CONTENT[5:8]


@pytest.mark.usefixtures("anywhere")
def test_an_archive_is_written_and_verified_with_its_checksum() -> None:
    now = timezone.now()
    head = ManifestHead(
        taken_at=now,
        account=AccountHead(id=1, slug="a", name="A"),
        group=GroupHead(id=2, name="G", info="", locked=False, auto_backup=True, created_at=now, revision=3),
        attributes=[],
    )

    def produce(file: BinaryIO) -> int:
        with ArchiveWriter(file, head=head, identity=None) as writer:
            with writer.part("recipients.tsv") as sink:
                sink.write(b"1\n2\n")
            return writer.finish().recipients

    written = storage.write(KEY, produce)
    assert written.result == 2
    with storage.open(KEY) as file:
        assert verify(file, expected_sha256=written.sha256).recipients == 2


@pytest.mark.usefixtures("anywhere")
def test_a_missing_file_is_not_found() -> None:
    for ask in (storage.open, storage.size):
        with pytest.raises(storage.ArchiveMissing) as refused:
            ask(KEY)
        assert refused.value.code == "archive.missing"


@pytest.mark.usefixtures("anywhere")
def test_deleting_twice_is_no_error() -> None:
    storage.delete(KEY)
    storage.write(KEY, fill)
    storage.delete(KEY)
    storage.delete(KEY)
    assert list(storage.keys()) == []


@pytest.mark.usefixtures("anywhere")
def test_a_producer_that_fails_leaves_nothing_and_its_own_error() -> None:
    class DatabaseGone(Exception):
        pass

    def produce(file: BinaryIO) -> None:
        file.write(CONTENT)
        raise DatabaseGone

    with pytest.raises(DatabaseGone):
        storage.write(KEY, produce)
    assert list(storage.keys()) == []


@pytest.mark.usefixtures("anywhere")
def test_a_refusal_of_the_producer_stays_what_it_is() -> None:
    def produce(file: BinaryIO) -> None:
        raise Refusal("group.gone")

    with pytest.raises(Refusal) as refused:
        storage.write(KEY, produce)
    assert refused.value.code == "group.gone"


@pytest.mark.usefixtures("anywhere")
def test_a_key_is_never_written_twice() -> None:
    storage.write(KEY, fill)
    with pytest.raises((FileExistsError, StorageRefused)):
        storage.write(KEY, lambda file: file.write(b"other"))
    with storage.open(KEY) as file:
        assert file.read() == CONTENT
    assert sorted(dict(storage.keys())) == [KEY]


@pytest.mark.usefixtures("anywhere")
def test_every_file_is_listed_with_its_time() -> None:
    assert list(storage.keys()) == []
    wanted = {"1/2/2026/3-a.zip", "1/2/2026/4-b.zip", "1/3/2025/5-c.zip", "7-d.zip"}
    for key in wanted:
        storage.write(key, fill)
    found = dict(storage.keys())
    assert found.keys() == wanted
    assert all(abs(timezone.now() - modified) < timedelta(minutes=5) for modified in found.values())


@pytest.mark.usefixtures("anywhere")
def test_a_probe_leaves_nothing_behind() -> None:
    storage.probe()
    assert list(storage.keys()) == []


def test_no_two_attempts_share_a_key() -> None:
    keys = {storage.new_key(12, group_id=345, snapshot_id=6) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"12/345/\d{4}/6-[0-9a-f]{32}\.zip", key) for key in keys)


# The local folder


def test_files_and_folders_are_private_whatever_the_umask(root: Path) -> None:
    before = os.umask(0)
    try:
        storage.write(KEY, fill)
    finally:
        os.umask(before)
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_file_gets_its_name_only_when_it_is_on_the_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir(parents=True)
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noting_fsync(descriptor: int) -> None:
        done.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noting_rename(path: Path, target: Path) -> Path:
        done.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "rename", noting_rename)
    storage.write("12/6-abc.zip", fill)
    assert done == ["fsync archives", "fsync 6-abc.zip.tmp", "rename 6-abc.zip.tmp 6-abc.zip", "fsync 12"]


def test_new_folders_survive_a_power_cut_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    storage.write(KEY, fill)
    folders = [root.parent.parent, root.parent, root, root / "12", root / "12/345", root / "12/345/2026"]
    assert [path for path in synced if path.is_dir()] == folders


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errno.ENOSPC, "storage.full"),
        (errno.EDQUOT, "storage.full"),
        (errno.EROFS, "storage.read_only"),
        (errno.EACCES, "storage.denied"),
        (errno.EIO, "storage.broken"),
    ],
)
@pytest.mark.parametrize("step", ["mkdir", "open", "fsync", "rename", "fsync folder", "read"])
def test_a_disk_that_fails_at_any_step_is_named_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: int, code: str
) -> None:
    fail = raising(error)
    match step:
        case "mkdir":
            monkeypatch.setattr(Path, "mkdir", fail)
        case "open":
            monkeypatch.setattr(storage, "_make_folder", lambda folder: folder.mkdir(parents=True))
            monkeypatch.setattr(os, "open", fail)
        case "fsync":
            monkeypatch.setattr(storage, "_make_folder", lambda folder: folder.mkdir(parents=True))
            monkeypatch.setattr(os, "fsync", fail)
        case "rename":
            monkeypatch.setattr(Path, "rename", fail)
        case "fsync folder":
            monkeypatch.setattr(storage, "_make_folder", lambda folder: folder.mkdir(parents=True))
            monkeypatch.setattr(storage, "_sync_folder", fail)
        case "read":
            monkeypatch.setattr(storage, "file_sha256", fail)
    with pytest.raises(StorageRefused) as refused:
        storage.write(KEY, fill)
    monkeypatch.undo()
    assert refused.value.code == code
    assert files_below(root.parent.parent) == []


def test_a_real_disk_limit_while_writing_is_named_and_leaves_nothing(root: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        with pytest.raises(StorageRefused) as refused:
            storage.write(KEY, lambda file: file.write(bytes(1_000_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.code == "storage.full"
    assert files_below(root) == []


def test_a_writer_that_is_killed_leaves_only_a_file_that_the_sweep_sees(root: Path) -> None:
    def die(file: BinaryIO) -> None:
        file.write(CONTENT)
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            storage.write(KEY, die)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert sorted(dict(storage.keys())) == [f"{KEY}.tmp"]
    storage.write(storage.new_key(12, group_id=345, snapshot_id=6), fill)  # a new attempt is not in its way
    storage.delete(f"{KEY}.tmp")
    assert len(list(storage.keys())) == 1


def test_a_failing_producer_leaves_no_file_even_when_removing_it_fails_quietly(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def produce(file: BinaryIO) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", raising(errno.EIO))
    with pytest.raises(KeyboardInterrupt):
        storage.write(KEY, produce)


def test_writers_in_one_new_folder_do_not_hinder_each_other(root: Path) -> None:
    keys = [storage.new_key(1, group_id=2, snapshot_id=number) for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: storage.write(key, fill), keys))
    assert dict(storage.keys()).keys() == set(keys)


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
def test_errors_while_opening_and_deleting_are_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    storage.write(KEY, fill)
    monkeypatch.setattr(Path, "open", raising(error))
    monkeypatch.setattr(Path, "unlink", raising(error))
    code = {errno.EIO: "storage.broken", errno.EACCES: "storage.denied"}[error]
    for call in (storage.open, storage.delete):
        with pytest.raises(StorageRefused) as refused:
            call(KEY)
        assert refused.value.code == code
        assert isinstance(refused.value.__cause__, OSError)


def test_an_error_that_no_text_explains_stays_loud(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "rename", raising(errno.EINVAL))
    with pytest.raises(OSError, match="Invalid argument"):
        storage.write(KEY, fill)


@pytest.mark.parametrize("key", ["../outside.zip", "/etc/passwd", "a/../../x"])
@pytest.mark.usefixtures("root")
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    for call in (storage.open, storage.delete, storage.size):
        with pytest.raises(SuspiciousFileOperation):
            call(key)
    with pytest.raises(SuspiciousFileOperation):
        storage.write(key, fill)


def test_a_file_that_goes_while_files_are_listed_is_left_out(root: Path) -> None:
    storage.write("1/a.zip", fill)
    storage.write("2/b.zip", fill)
    found = storage.keys()
    next(found)
    shutil.rmtree(root)
    assert list(found) == []


@pytest.mark.parametrize(
    ("error", "code"), [(errno.ENOSPC, "storage.full"), (errno.EROFS, "storage.read_only")]
)
def test_a_probe_says_what_a_write_would_meet(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: int, code: str
) -> None:
    monkeypatch.setattr(os, "fsync", raising(error))
    with pytest.raises(StorageRefused) as refused:
        storage.probe()
    assert refused.value.code == code


@pytest.mark.usefixtures("root")
def test_a_probe_asks_for_the_room_that_will_be_needed() -> None:
    storage.probe(needed_bytes=1)
    with pytest.raises(StorageRefused) as refused:
        storage.probe(needed_bytes=2**62)
    assert refused.value.code == "storage.full"
    assert list(storage.keys()) == []


@pytest.mark.usefixtures("root")
def test_a_probe_notices_a_disk_that_gives_back_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "open", lambda key: io.BytesIO(b"zeros"))
    with pytest.raises(StorageRefused) as refused:
        storage.probe()
    assert refused.value.code == "storage.broken"


# Storage that lies elsewhere


@pytest.fixture
def failing(elsewhere: InMemoryStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store whose library raises exceptions of its own."""

    class EndpointConnectionError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise EndpointConnectionError("could not connect")

    for name in ("save", "open", "delete", "exists", "size", "listdir"):
        monkeypatch.setattr(elsewhere, name, fail)
    return iter(())


@pytest.mark.usefixtures("failing")
def test_an_object_store_that_cannot_be_reached_is_broken() -> None:
    calls: list[Callable[[], object]] = [
        lambda: storage.write(KEY, fill),
        lambda: storage.open(KEY),
        lambda: storage.delete(KEY),
        lambda: storage.size(KEY),
        lambda: list(storage.keys()),
        storage.probe,
    ]
    for call in calls:
        with pytest.raises(StorageRefused) as refused:
            call()
        assert refused.value.code == "storage.broken"
        assert "could not connect" in str(refused.value.params["detail"])


def test_an_upload_that_arrives_short_is_removed(
    elsewhere: InMemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "size", lambda name: len(CONTENT) - 1)
    with pytest.raises(StorageRefused) as refused:
        storage.write(KEY, fill)
    assert refused.value.code == "storage.broken"
    assert not elsewhere.exists(KEY)


@pytest.mark.usefixtures("elsewhere")
def test_a_bug_of_the_producer_is_not_called_a_broken_storage() -> None:
    with pytest.raises(ZeroDivisionError):
        storage.write(KEY, lambda file: 1 // 0)
