"""If a backup cannot be written, the list is untouched, and the person reads why and what to do."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from backups import storage
from backups.actions.restore import plan_restore
from backups.actions.snapshots import request_snapshot
from backups.models import Snapshot
from backupsvc.accounts.actor import Origin
from backupsvc.accounts.models import AuditEntry
from backupsvc.errors import Refusal
from backupsvc.jobs.models import ENDED, Job
from backupsvc.jobs.runner import drain
from backupsvc.wording import say_code
from recipients.actions.changes import confirm_change
from recipients.actions.deletion import delete_group
from recipients.bulk.engine import engine
from recipients.models import Change, Group, Import, Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.disks import Disk
from tests.fixtures.lists import Lists, acting, table

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"
NEWER = "email,First name\nanna@example.com,Änna\ncarl@example.com,Carl\n"
Fault = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def client(lists: Lists, client_of: ClientOf) -> Client:
    return client_of(lists.owner)


@pytest.fixture
def group(lists: Lists) -> Group:
    """A list with a backup of its former state, and none of what it holds now."""
    group = lists.group(PEOPLE)
    drain(request_snapshot(group, actor=lists.actor)[1])
    Recipient.objects.get(key="bob@example.com").delete()
    Group.objects.filter(pk=group.pk).update(revision=group.revision + 1, active_count=1)
    return Group.objects.get(pk=group.pk)


def work() -> None:
    """What workers do within a minute: jobs that broke come back after some seconds, five times at most."""
    for _try in range(6):
        Job.objects.exclude(state__in=ENDED).exclude(kind="recipients.purge_group").update(
            due_at="2020-01-01T00:00Z"
        )
        for job in Job.objects.exclude(state__in=ENDED).exclude(kind="recipients.purge_group").order_by("pk"):
            drain(job)


def at(page: str, change: Change) -> str:
    return reverse(f"recipients:{page}", args=["acme", change.pk])


def no_way(code: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


class BreaksAt(io.FileIO):
    """A file whose Nth write fails."""

    def __init__(self, descriptor: int, nth: int) -> None:
        super().__init__(descriptor, "r+b")
        self.left = nth

    def write(self, data: Any) -> int:
        self.left -= 1
        if self.left <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(data)


@pytest.fixture
def faults(archives: Path, disk_at: Callable[[Path], Disk]) -> dict[str, Fault]:
    """Each makes the archives' storage fail in one way, and mends it."""

    @contextmanager
    def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, value)
            yield

    def mounted() -> Disk:
        kept = {path.relative_to(archives): path.read_bytes() for path in archives.rglob("*.zip*")}
        kept |= {path.relative_to(archives): path.read_bytes() for path in archives.rglob("*.age")}
        disk = disk_at(archives)
        for name, content in kept.items():
            (archives / name).parent.mkdir(parents=True, exist_ok=True)
            (archives / name).write_bytes(content)
        return disk

    @contextmanager
    def full() -> Iterator[None]:
        disk = mounted()
        disk.fill()
        yield
        disk.make_room()

    @contextmanager
    def nearly_full() -> Iterator[None]:
        disk = mounted()
        disk.fill(leave=4096)
        with patched(storage, "new_key", lambda *_, **__: f"1/1/2026/9-{'x' * 32}.zip"):
            (archives / "1/1/2026").mkdir(parents=True, exist_ok=True)
            (archives / "one-page").write_bytes(b"x" * 4096)
            yield
        disk.make_room()

    @contextmanager
    def read_only() -> Iterator[None]:
        disk = mounted()
        disk.read_only(True)
        yield
        disk.read_only(False)

    @contextmanager
    def missing() -> Iterator[None]:
        aside = archives.rename(archives.with_name("aside"))
        archives.write_text("not a folder")
        yield
        archives.unlink()
        aside.rename(archives)

    @contextmanager
    def key_missing() -> Iterator[None]:
        key = Path(live.ARCHIVE_KEY_PATH)
        aside = key.rename(key.with_name("aside"))
        yield
        aside.rename(key)

    found: dict[str, Fault] = {
        "full": full,
        "nearly full": nearly_full,
        "read-only": read_only,
        "missing": missing,
        "key missing": key_missing,
        "no permission": lambda: patched(os, "open", no_way(errno.EACCES)),
        "fsync fails": lambda: patched(os, "fsync", no_way(errno.EIO)),
        "rename fails": lambda: patched(Path, "rename", no_way(errno.EIO)),
        "written is not read": lambda: patched(storage, "_forget_cached", _spoil),
    }
    for nth in (1, 2, 3):
        found[f"write {nth} fails"] = lambda nth=nth: patched(  # type: ignore[misc]
            os, "fdopen", lambda descriptor, *_: io.BufferedRandom(BreaksAt(descriptor, nth), 64)
        )
    return found


def _spoil(file: Any) -> None:
    """The disk keeps something else than it was given."""
    file.seek(-20, 2)
    file.write(b"\0" * 20)
    file.flush()


REASONS = {
    "full": "storage.full",
    "nearly full": "storage.full",
    "read-only": "storage.read_only",
    "missing": "storage.broken",
    "key missing": "key.instance_missing",
    "no permission": "storage.denied",
    "fsync fails": "storage.broken",
    "rename fails": "storage.broken",
    "written is not read": "archive.file_checksum",
    "write 1 fails": "storage.broken",
    "write 2 fails": "storage.broken",
    "write 3 fails": "storage.broken",
}


@pytest.mark.parametrize("name", REASONS)
def test_an_import_whose_backup_cannot_be_written_changes_nothing_says_why_and_can_be_tried_again(
    name: str, faults: dict[str, Fault], lists: Lists, group: Group, client: Client, archives: Path
) -> None:
    before = table(group)
    change = lists.preview(NEWER, into=group)
    with faults[name]():
        assert client.post(at("change-confirm", change), {"backup": "make"}).status_code == 302
        work()
        change.refresh_from_db()
        assert (change.state, change.error_code) == ("failed", REASONS[name])
        page = client.get(at("change-result", change)).text
    assert table(group) == before
    reason = say_code(change.error_code, change.error_params)
    assert escape(reason) in page
    assert at("change-retry", change) in page
    assert not engine().staged(change.pk)
    assert not list(archives.rglob("*.tmp"))
    assert AuditEntry.objects.get(event="import.failed").data["error"] == change.error_code

    answer = client.post(at("change-retry", change))
    again = Change.objects.latest("pk")
    assert again.pk != change.pk
    assert answer.headers["Location"] == at("change-preview", again)
    work()
    again.refresh_from_db()
    assert (again.state, again.preview["added"], again.preview["updated"]) == ("preview", 1, 1)
    assert table(group) == before
    client.post(at("change-confirm", again), {"backup": "make"})
    work()
    again.refresh_from_db()
    assert again.state == "done"
    assert {row["attributes"]["First name"] for row in table(group).values()} == {"Änna", "Carl"}
    assert Snapshot.objects.filter(change=again, state="complete", recipients=1).count() == 1


@pytest.mark.parametrize("name", ["full", "read-only", "missing", "key missing", "fsync fails"])
def test_a_deletion_whose_backup_cannot_be_written_brings_the_list_back(
    name: str, faults: dict[str, Fault], lists: Lists, group: Group, client: Client
) -> None:
    before = table(group)
    with faults[name]():
        client.post(
            reverse("recipients:group-delete", args=["acme", group.pk]),
            {"backup": "make", "typed_name": "News"},
        )
        change = Change.objects.get(kind="deletion")
        work()
        change.refresh_from_db()
        page = client.get(at("change-result", change)).text
    group.refresh_from_db()
    assert (change.state, group.is_live, table(group)) == ("failed", True, before)
    assert escape(say_code(change.error_code, change.error_params)) in page
    assert reverse("recipients:group-delete", args=["acme", group.pk]) in page


@pytest.mark.parametrize("name", ["full", "read-only", "missing", "key missing", "fsync fails"])
def test_a_restore_whose_backup_cannot_be_written_changes_nothing(
    name: str, faults: dict[str, Fault], lists: Lists, group: Group, client: Client
) -> None:
    before = table(group)
    snapshot = Snapshot.objects.filter(state="complete").latest("pk")
    change = previewed("restore", lists, group)
    with faults[name]():
        client.post(at("change-confirm", change), {"backup": "make"})
        work()
        change.refresh_from_db()
        page = client.get(at("change-result", change)).text
    assert (change.state, table(group)) == ("failed", before)
    assert escape(say_code(change.error_code, change.error_params)) in page
    assert reverse("backups:restore", args=["acme", snapshot.pk]) in page


@pytest.mark.parametrize("who", ["olivia", "adam"])
def test_after_a_failed_backup_owner_or_admin_may_go_on_without_by_typing_the_name_on_record(
    who: str, request: pytest.FixtureRequest, faults: dict[str, Fault], lists: Lists, group: Group,
    client_of: ClientOf,
) -> None:  # fmt: skip
    user = request.getfixturevalue(who)
    client = client_of(user)
    change = lists.preview(NEWER, into=group)
    with faults["missing"]():
        client.post(at("change-confirm", change), {"backup": "make"})
        work()
        client.post(at("change-retry", change))
        work()
        again = Change.objects.latest("pk")
        for typed in ("", "news"):
            client.post(at("change-confirm", again), {"skip_backup": "on", "typed_name": typed})
            again.refresh_from_db()
            assert again.state == "preview"
        client.post(at("change-confirm", again), {"skip_backup": "on", "typed_name": "News"})
        work()
    again.refresh_from_db()
    assert (again.state, again.backup_wanted, again.backup_why) == ("done", False, "declined")
    noted = AuditEntry.objects.get(event="backup.skipped")
    assert (noted.user, noted.data["change"], noted.data["why"]) == (user, again.pk, "declined")


@pytest.mark.parametrize("kind", ["import", "restore", "deletion"])
@pytest.mark.parametrize("who", ["edith", "victor"])
def test_nobody_else_goes_on_without_a_backup(
    kind: str, who: str, request: pytest.FixtureRequest, lists: Lists, group: Group, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(who))
    before = table(group)
    wish = {"skip_backup": "on", "backup": "without", "typed_name": "News"}
    if kind == "deletion":
        client.post(reverse("recipients:group-delete", args=["acme", group.pk]), wish)
        assert not Change.objects.filter(kind="deletion").exists()
    else:
        change = previewed(kind, lists, group)
        assert client.post(at("change-confirm", change), wish).status_code == 403
        change.refresh_from_db()
        assert change.state == "preview"
    assert table(group) == before
    assert not AuditEntry.objects.filter(event="backup.skipped").exists()


def test_a_restore_is_backed_up_though_somebody_asks_for_none(
    lists: Lists, group: Group, client: Client
) -> None:
    before = table(group)
    change = previewed("restore", lists, group)
    client.post(at("change-confirm", change), {"skip_backup": "on", "typed_name": "News"})
    work()
    change.refresh_from_db()
    assert (change.state, change.backup_wanted, change.backup_why) == ("done", True, "restore")
    assert table(group) != before
    assert Snapshot.objects.get(change=change).recipients == len(before)


@pytest.mark.parametrize("typed", ["", "News"])
@pytest.mark.parametrize("kind", ["import", "restore", "deletion"])
def test_the_api_never_declines_a_backup(kind: str, typed: str, lists: Lists, group: Group) -> None:
    actor = acting(lists.owner, origin=Origin.API)
    if kind == "deletion":
        act: Callable[..., object] = partial(delete_group, group)
    else:
        act = partial(confirm_change, previewed(kind, lists, group))
    with pytest.raises(Refusal, match=r"change\.backup_not_optional"):
        act(actor=actor, backup=False, typed_name=typed)
    group.refresh_from_db()
    assert group.is_live


def previewed(kind: str, lists: Lists, group: Group) -> Change:
    """An import or a restore that waits for its confirmation."""
    if kind == "import":
        return lists.preview(NEWER, into=group)
    snapshot = Snapshot.objects.filter(group=group, state="complete").latest("pk")
    restore, job = plan_restore(snapshot, actor=lists.actor)
    drain(job)
    return Change.objects.get(pk=restore.pk)


def test_trying_again_twice_leads_to_the_same_import(
    faults: dict[str, Fault], lists: Lists, group: Group, client: Client
) -> None:
    change = lists.preview(NEWER, into=group)
    with faults["missing"]():
        client.post(at("change-confirm", change), {"backup": "make"})
        work()
    first = client.post(at("change-retry", change)).headers["Location"]
    count = Change.objects.count()
    assert client.post(at("change-retry", change)).headers["Location"] == first
    assert Change.objects.count() == count
    assert at("change-retry", change) not in client.get(at("change-result", change)).text


def test_an_import_that_did_not_stop_cannot_be_tried_again(
    lists: Lists, group: Group, client: Client
) -> None:
    change = lists.load(NEWER, into=group)
    count = Change.objects.count()
    answer = client.post(at("change-retry", change), follow=True)
    assert "Only an import that has stopped" in answer.text
    assert Change.objects.count() == count
    assert Import.objects.get(pk=change.pk).upload == ""


def test_an_import_into_a_list_that_is_gone_meanwhile_is_not_tried_again(
    faults: dict[str, Fault], lists: Lists, group: Group, client: Client
) -> None:
    change = lists.preview(NEWER, into=group)
    with faults["missing"]():
        client.post(at("change-confirm", change), {"backup": "make"})
        work()
    delete_group(group, actor=lists.actor)
    answer = client.post(at("change-retry", change), follow=True)
    assert escape(say_code("group.deleted_meanwhile", {"name": "News"})) in answer.text
    assert Import.objects.get(pk=change.pk).upload
