"""Files that were damaged or exchanged behind our back: verify finds each, and no restore takes one."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from backups.actions.snapshots import request_snapshot
from backups.archive.reader import file_sha256
from backups.models import ArchiveKey, Snapshot
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.jobs.runner import drain
from recipients.models import Change, Group
from tests.commands.conftest import Run
from tests.fixtures.lists import Lists, table

SEEDS = range(4)


@dataclass
class World:
    """A list with an older and a newer backup; and another account's backup of the same people."""

    archives: Path
    group: Group
    older: Snapshot
    newer: Snapshot
    foreign: Snapshot

    def path(self, snapshot: Snapshot) -> Path:
        return self.archives / snapshot.archive


def taken(lists: Lists, group: Group) -> Snapshot:
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    return Snapshot.objects.get(pk=snapshot.pk)


@pytest.fixture
def world(lists: Lists, other_account: Account, stranger: User, archives: Path) -> World:
    people = "email,First name\nanna@x.com,Anna\nbob@x.com,Bob\n"
    group = lists.group(people)
    older = taken(lists, group)
    lists.load("email,First name\nanna@x.com,Änna\n", into=group)
    newer = taken(lists, group)
    theirs = Lists(account=other_account, owner=stranger)
    foreign = taken(theirs, theirs.group(people))
    return World(archives, Group.objects.get(pk=group.pk), older, newer, foreign)


Damage = Callable[[World, Path, random.Random], None]


def flip_a_bit(_world: World, path: Path, choice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
    path.write_bytes(data)


def cut_it(_world: World, path: Path, choice: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: choice.randrange(path.stat().st_size)])


def zero_a_block(_world: World, path: Path, choice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = choice.randrange(len(data) - 16)
    data[start : start + 16] = bytes(16)
    path.write_bytes(data)


def append(_world: World, path: Path, choice: random.Random) -> None:
    path.write_bytes(path.read_bytes() + choice.randbytes(choice.randint(1, 99)))


def put_the_older_one_back(world: World, path: Path, _choice: random.Random) -> None:
    shutil.copyfile(world.path(world.older), path)


def put_another_accounts_there(world: World, path: Path, _choice: random.Random) -> None:
    shutil.copyfile(world.path(world.foreign), path)


def empty_it(_world: World, path: Path, _choice: random.Random) -> None:
    path.write_bytes(b"")


def remove_it(_world: World, path: Path, _choice: random.Random) -> None:
    path.unlink()


DAMAGES: list[Damage] = [
    flip_a_bit, cut_it, zero_a_block, append, put_the_older_one_back, put_another_accounts_there,
    empty_it, remove_it,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_or_exchanged_file_is_found_and_never_restored(
    damage: Damage, run: Run, world: World
) -> None:
    path = world.path(world.newer)
    whole, before = path.read_bytes(), table(world.group)
    for seed in SEEDS:
        damage(world, path, random.Random(seed))
        for words in (["restore", "--wait"], ["verify"], ["download"], ["compare"]):
            verb, *rest = words
            done = run("backups", verb, world.newer.pk, *rest)
            assert done.code == 1, verb
            assert done.out.count("@x.com") == 0
            assert done.err
        assert table(world.group) == before
        world.newer.refresh_from_db()
        assert world.newer.damaged_code
        # The file as it was makes it sound again, so nothing else was wrong.
        path.write_bytes(whole)
        assert run("backups", "verify", world.newer.pk).code == 0
    assert AuditEntry.objects.filter(event="backup.damaged").count() >= 1
    assert not Change.objects.filter(kind="restore", state="done").exists()
    assert run("backups", "restore", world.newer.pk, "--wait").code == 0


def test_a_file_exchanged_between_check_and_use_is_not_staged(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table(world.group)

    def sum_and_exchange(file: BinaryIO) -> str:
        found = file_sha256(file)
        shutil.copyfile(world.path(world.older), world.path(world.newer))
        return found

    monkeypatch.setattr("backups.archive.reader.file_sha256", sum_and_exchange)
    done = run("backups", "restore", world.newer.pk, "--wait", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "archive.wrong_key")
    assert table(world.group) == before


def test_rows_and_files_exchanged_together_are_still_found(run: Run, world: World) -> None:
    """Who writes to the database can point a backup at another file, with its checksum and its size."""
    mine, theirs = world.newer, world.foreign
    Snapshot.objects.filter(pk=mine.pk).update(
        archive=theirs.archive, sha256=theirs.sha256, size_bytes=theirs.size_bytes
    )
    done = run("backups", "verify", mine.pk, "--json")
    assert (done.code, done.json[0]["error"]["code"]) == (1, "archive.foreign")
    older = world.older
    Snapshot.objects.filter(pk=mine.pk).update(
        archive=older.archive, sha256=older.sha256, size_bytes=older.size_bytes
    )
    done = run("backups", "verify", mine.pk, "--json")
    assert (done.code, done.json[0]["error"]["code"]) == (1, "archive.other_state")
    assert ArchiveKey.objects.count() == 3
