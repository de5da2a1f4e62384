"""The file of a backup: written, read, verified. Knows no Django; the format is docs/archive-format.md."""

from __future__ import annotations

from backups.archive.age import new_identity
from backups.archive.manifest import (
    AccountHead,
    ArchiveDamaged,
    ArchiveTooNew,
    AttributeHead,
    GroupHead,
    Manifest,
    ManifestHead,
    Part,
)
from backups.archive.reader import ArchiveReader, file_sha256, verify
from backups.archive.writer import ArchiveWriter

__all__ = [
    "AccountHead",
    "ArchiveDamaged",
    "ArchiveReader",
    "ArchiveTooNew",
    "ArchiveWriter",
    "AttributeHead",
    "GroupHead",
    "Manifest",
    "ManifestHead",
    "Part",
    "file_sha256",
    "new_identity",
    "verify",
]
