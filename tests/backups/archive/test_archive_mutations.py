"""Ten thousand ways to damage or exchange a file: each is found, and no row of it comes back."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from backups.archive import ArchiveDamaged, ArchiveReader, ArchiveWriter, ManifestHead, new_identity, verify
from recipients.bulk.copytext import encode_row

Row = list[str | None]
Mutation = Callable[[random.Random, "Kept", "Others"], bytes]

MUTATIONS = 10_000


@dataclass(frozen=True)
class Kept:
    """An archive with what its row in the database knows of it."""

    data: bytes
    identity: str
    plain: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def members(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.data)) as file:
            return {name: file.read(name) for name in file.namelist()}


@dataclass(frozen=True)
class Others:
    """What else lies in the storage: an older state of the list, another account's, one not encrypted."""

    older: Kept
    foreign: Kept
    unencrypted: Kept

    def any(self, choice: random.Random) -> Kept:
        return choice.choice([self.older, self.foreign, self.unencrypted])


def kept(head: ManifestHead, rows: list[Row], *, is_encrypted: bool = True) -> Kept:
    identity = new_identity()
    plain = b"".join(map(encode_row, rows))
    file = io.BytesIO()
    with ArchiveWriter(file, head=head, identity=identity if is_encrypted else None) as writer:
        with writer.part("recipients.tsv") as sink:
            sink.write(plain)
        writer.finish()
    return Kept(file.getvalue(), identity, plain)


@pytest.fixture(scope="module")
def ours(head: ManifestHead, table: list[Row]) -> Kept:
    return kept(head, table)


@pytest.fixture(scope="module")
def others(head: ManifestHead, table: list[Row]) -> Others:
    older = replace(head, group=replace(head.group, revision=head.group.revision - 1))
    foreign = replace(head, account=replace(head.account, id=head.account.id + 1))
    return Others(
        older=kept(older, table[:2]),
        foreign=kept(foreign, table),
        unencrypted=kept(head, table, is_encrypted=False),
    )


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def flipped_bits(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    data = bytearray(ours.data)
    for _ in range(choice.choice([1, 1, 1, 2, 8])):
        data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
    return bytes(data)


def cut(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    start, end = sorted(choice.choices(range(len(ours.data) + 1), k=2))
    return choice.choice([ours.data[:end], ours.data[start:], ours.data[:start] + ours.data[end:]])


def zeroed(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    start, size = choice.randrange(len(ours.data)), choice.choice([1, 16, 512])
    return (ours.data[:start] + bytes(size) + ours.data[start + size :])[: len(ours.data)]


def longer(choice: random.Random, ours: Kept, others: Others) -> bytes:
    more = choice.choice([choice.randbytes(choice.randint(1, 600)), ours.data, others.any(choice).data])
    at = choice.choice([0, len(ours.data), choice.randrange(len(ours.data))])
    return ours.data[:at] + more + ours.data[at:]


def moved(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    start, middle, end = sorted(choice.sample(range(len(ours.data)), 3))
    data = ours.data
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def spliced(choice: random.Random, ours: Kept, others: Others) -> bytes:
    at = choice.randrange(len(ours.data))
    return ours.data[:at] + others.any(choice).data[at:]


def another_file(choice: random.Random, _ours: Kept, others: Others) -> bytes:
    return others.any(choice).data


def another_member(choice: random.Random, ours: Kept, others: Others) -> bytes:
    mine, theirs = ours.members, others.any(choice).members
    place = choice.randrange(2)
    name = list(mine)[place]
    return zipped({**mine, name: list(theirs.values())[place]})


def exchanged_members(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    names, contents = list(ours.members), list(ours.members.values())
    return zipped(
        choice.choice(
            [
                dict(zip(names, reversed(contents), strict=True)),
                dict(reversed(ours.members.items())),
                {names[0]: contents[0]},
                {names[1]: contents[1]},
                {**ours.members, "more": contents[0]},
            ]
        )
    )


def damaged_member(choice: random.Random, ours: Kept, _others: Others) -> bytes:
    """With a checksum of the ZIP file that fits: only the encryption can tell."""
    name, content = choice.choice(list(ours.members.items()))
    at = choice.randrange(1, len(content))
    flipped = content[:at] + bytes([content[at] ^ 1 << choice.randrange(8)]) + content[at + 1 :]
    return zipped({**ours.members, name: choice.choice([flipped, content[:at], content + content[:at]])})


KINDS: list[Mutation] = [
    flipped_bits, cut, zeroed, longer, moved, spliced,
    another_file, another_member, exchanged_members, damaged_member,
]  # fmt: skip


def found(data: bytes, *, identity: str | None, sha256: str | None, plain: bytes) -> bool:
    """Whether a restore would be refused; what it would bring back must else be what was written."""
    file = io.BytesIO(data)
    try:
        verify(file, identity=identity, expected_sha256=sha256)
        with ArchiveReader(file, identity=identity).open_part() as part:
            assert part.read() == plain
    except ArchiveDamaged as damage:
        json.dumps(damage.params)
        return True
    return False


def test_ten_thousand_mutations_are_found_and_none_is_restored(ours: Kept, others: Others) -> None:
    choice = random.Random(20261124)
    assert not found(ours.data, identity=ours.identity, sha256=ours.sha256, plain=ours.plain)
    passed: list[tuple[str, bytes]] = []
    done = 0
    while done < MUTATIONS:
        kind = KINDS[done % len(KINDS)]
        data = kind(choice, ours, others)
        if data == ours.data:
            continue
        done += 1
        assert found(data, identity=ours.identity, sha256=ours.sha256, plain=ours.plain), kind
        # Who has the key but no checksum gets what was written, or nothing (`found` compares the rows).
        if not found(data, identity=ours.identity, sha256=None, plain=ours.plain):
            passed.append((kind.__name__, data))
    # Dates, names and modes in the ZIP structure, and bytes before or behind it.
    assert {name for name, _ in passed} <= {"flipped_bits", "zeroed", "longer", "moved", "cut", "spliced"}
    assert len(passed) < MUTATIONS / 10


@pytest.mark.parametrize("kind", [another_file, another_member, exchanged_members, damaged_member])
def test_an_exchanged_file_or_part_is_found_without_its_checksum(
    ours: Kept, others: Others, kind: Mutation
) -> None:
    choice = random.Random(7)
    for _ in range(200):
        data = kind(choice, ours, others)
        assert found(data, identity=ours.identity, sha256=None, plain=ours.plain)


def test_no_key_but_its_own_opens_an_archive(ours: Kept, others: Others) -> None:
    wrong = [others.older.identity, others.foreign.identity, None, *(new_identity() for _ in range(200))]
    assert not found(ours.data, identity=ours.identity, sha256=None, plain=ours.plain)
    for identity in wrong:
        assert found(ours.data, identity=identity, sha256=ours.sha256, plain=ours.plain)
