from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import pytest

from backups.archive import (
    AccountHead,
    ArchiveWriter,
    AttributeHead,
    GroupHead,
    ManifestHead,
    new_identity,
)
from recipients.bulk.copytext import encode_row

Row = list[str | None]


@pytest.fixture(scope="session")
def head() -> ManifestHead:
    return ManifestHead(
        taken_at=datetime(2026, 11, 23, 18, 31, 20, 123456, tzinfo=UTC),
        account=AccountHead(id=12, slug="gelato", name="Gelateria »Sole« & Söhne"),
        group=GroupHead(
            id=345,
            name="Newsletter\n\u2028\\N 🍦",
            info='said "hello"',
            locked=True,
            auto_backup=False,
            created_at=datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC),
            revision=7,
        ),
        attributes=[
            AttributeHead(name="firstname", type="text", scope="account"),
            AttributeHead(name="età", type="number", scope="group"),
        ],
    )


@pytest.fixture(scope="session")
def table() -> list[Row]:
    """Three recipients who tell missing from empty and hold what a format could stumble over."""
    return [
        [
            "a@x.it",
            "A@x.it",
            "2026-01-02 03:04:05.678+00",
            "2026-01-02 03:04:05+00",
            None,
            None,
            "",
            "",
            "[]",
            "{}",
        ],
        [
            "b@x.it",
            "b@x.it",
            None,
            None,
            "2026-11-23 18:31:20+00",
            None,
            "shop\tnew\r\n",
            "10.0.0.1",
            '["vip"]',
            '{"firstname":"  Bèa\\\\N","età":"30"}',
        ],
        [
            "c@x.it",
            "c@x.it",
            None,
            None,
            None,
            "2026-11-23 18:31:20+00",
            "\\.",
            "::1",
            "[]",
            '{"firstname":""}',
        ],
    ]


@pytest.fixture(scope="session")
def archive_of(head: ManifestHead) -> Callable[..., bytes]:
    """The bytes of an archive with these lines, encrypted when there is an identity."""

    def build(lines: Iterable[bytes], *, identity: str | None = None) -> bytes:
        file = io.BytesIO()
        with ArchiveWriter(file, head=head, identity=identity) as writer:
            with writer.part("recipients.tsv") as sink:
                for line in lines:
                    sink.write(line)
            writer.finish()
        return file.getvalue()

    return build


@pytest.fixture(scope="session")
def archive(archive_of: Callable[..., bytes], table: list[Row]) -> bytes:
    """Of the version that is not encrypted: what is inside can be changed by hand."""
    return archive_of(map(encode_row, table))


@pytest.fixture(scope="session")
def identity() -> str:
    return new_identity()


@pytest.fixture(scope="session")
def encrypted(archive_of: Callable[..., bytes], table: list[Row], identity: str) -> bytes:
    return archive_of(map(encode_row, table), identity=identity)


@pytest.fixture(scope="session")
def members(archive: bytes) -> dict[str, bytes]:
    """The archive's members, in their order, to build a file that is almost an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="session")
def zip_of() -> Callable[..., io.BytesIO]:
    """A ZIP file of these members: what somebody else might hand in."""

    def build(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", compression) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return target

    return build
