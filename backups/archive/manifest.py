"""The manifest: what an archive says about itself. Written last, so that it stands for a whole archive.

Reading is strict: a key too few, too many or of the wrong type is damage, and a version of the future is
refused by name. What a new version adds is added with a new number, never silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn, Self

from backupsvc.errors import Refusal
from recipients.bulk.copytext import COLUMNS

FORMAT = "backupsvc-archive"
# Version 1 is not encrypted; apart from that the two are the same.
PLAIN_VERSION, VERSION = 1, 2

# A part's name becomes a member's name, so it is kept to what every file system takes.
_PART_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ArchiveDamaged(Refusal):
    """The file is not, or no longer, what was written: it must never be restored."""


class ArchiveTooNew(Refusal):
    """The file was written by a newer version: not damaged, only not readable here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountHead:
    """The account the group belongs to, as it was."""

    id: int
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupHead:
    """The group with its settings, as they were."""

    id: int
    name: str
    info: str
    locked: bool
    auto_backup: bool
    created_at: datetime
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeHead:
    """One attribute's definition, and whether it is the account's or the group's own."""

    name: str
    type: str
    scope: Literal["account", "group"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One member that holds rows; `bytes` and `sha256` are those of the plain, uncompressed text."""

    name: str
    rows: int
    bytes: int
    sha256: str

    def member(self, *, version: int) -> str:
        """The name of its member in the ZIP file."""
        return member_name(self.name, version=version)


@dataclass(frozen=True, kw_only=True)
class ManifestHead:
    """What is known before the first row is written."""

    taken_at: datetime
    account: AccountHead
    group: GroupHead
    attributes: Sequence[AttributeHead]
    columns: Sequence[str] = COLUMNS


@dataclass(frozen=True, kw_only=True)
class Manifest(ManifestHead):
    """The head, and what was counted while the rows were written."""

    recipients: int
    parts: Sequence[Part]

    @classmethod
    def of(cls, head: ManifestHead, *, parts: Sequence[Part]) -> Self:
        """The manifest of an archive with this head and these parts."""
        return cls(
            taken_at=head.taken_at,
            account=head.account,
            group=head.group,
            attributes=tuple(head.attributes),
            columns=tuple(head.columns),
            recipients=sum(part.rows for part in parts),
            parts=tuple(parts),
        )

    def to_json(self, *, version: int = VERSION) -> bytes:
        """The text of `manifest.json`; indented, because in five years a person may have to read it."""
        document = {"format": FORMAT, "version": version, **asdict(self)}
        return json.dumps(document, indent=2, ensure_ascii=False, default=_time_text).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, version: int = VERSION) -> Self:
        """The manifest that `to_json` wrote for this version.

        Raise ArchiveTooNew for a later version, ArchiveDamaged for anything else that is not exact.
        """
        try:
            document = json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise _damaged("it is not JSON") from exc
        _check_version(document, expected=version)
        manifest = cls(**{name: read(document, name) for name, read in _DOCUMENT.items()})
        manifest._check_sums()
        return manifest

    def _check_sums(self) -> None:
        names = [part.name for part in self.parts]
        if not names or len(set(names)) != len(names):
            raise _damaged("parts: at least one, each with its own name")
        if self.recipients != sum(part.rows for part in self.parts):
            raise _damaged("recipients: not the sum of the parts' rows")


def member_name(part_name: str, *, version: int) -> str:
    """The name of a part's member in the ZIP file. Raise ValueError for a name no part may have."""
    if not _PART_NAME.fullmatch(part_name):
        raise ValueError(f"not a name for a part: {part_name!r}")
    return f"{part_name}.zst" + suffix(version)


def suffix(version: int) -> str:
    """What the names of a version's members end with, behind what they hold."""
    return "" if version == PLAIN_VERSION else ".age"


def _time_text(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"not for a manifest: {value!r}")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _damaged(detail: str) -> ArchiveDamaged:
    return ArchiveDamaged("archive.manifest_invalid", detail=detail)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two values under one name: readers would disagree about which one counts.
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"not JSON: {text}")


def _check_version(document: object, *, expected: int) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArchiveDamaged("archive.not_an_archive")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise _damaged("version: missing or not a number")
    if version > VERSION:
        raise ArchiveTooNew("archive.too_new", version=version, known=VERSION)
    if version != expected:
        raise _damaged(f"version: {version} in a file of version {expected}")
    _check_keys(document, {"format", "version", *_DOCUMENT}, where="the document")


def _check_keys(value: object, expected: set[str], *, where: str) -> None:
    if not isinstance(value, dict):
        raise _damaged(f"{where}: not an object")
    if value.keys() != expected:
        raise _damaged(f"{where}: missing or unknown keys {sorted(value.keys() ^ expected)}"[:300])


_Reader = Callable[[Mapping[str, Any], str], Any]


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder[name]
    if not isinstance(value, str):
        raise _damaged(f"{name}: not a text")
    return value


def _matching(pattern: re.Pattern[str]) -> _Reader:
    def read(holder: Mapping[str, Any], name: str) -> str:
        value = _text(holder, name)
        if not pattern.fullmatch(value):
            raise _damaged(f"{name}: not of its form")
        return value

    return read


def _whole_number(holder: Mapping[str, Any], name: str) -> int:
    value = holder[name]
    if type(value) is not int or value < 0:  # True is an int, and no count
        raise _damaged(f"{name}: not a whole number")
    return value


def _flag(holder: Mapping[str, Any], name: str) -> bool:
    value = holder[name]
    if not isinstance(value, bool):
        raise _damaged(f"{name}: neither true nor false")
    return value


def _time(holder: Mapping[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(holder, name))
    except ValueError as exc:
        raise _damaged(f"{name}: not a time") from exc
    if moment.utcoffset() != timedelta(0):
        raise _damaged(f"{name}: not a time in UTC")
    return moment.astimezone(UTC)


def _columns(holder: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if holder[name] != list(COLUMNS):
        raise _damaged(f"{name}: not those of this version")
    return COLUMNS


def _one(kind: type, readers: Mapping[str, _Reader]) -> _Reader:
    def read(holder: Mapping[str, Any], name: str) -> Any:
        value = holder[name]
        _check_keys(value, set(readers), where=name)
        return kind(**{key: reader(value, key) for key, reader in readers.items()})

    return read


def _several(kind: type, readers: Mapping[str, _Reader]) -> _Reader:
    one = _one(kind, readers)

    def read(holder: Mapping[str, Any], name: str) -> tuple[Any, ...]:
        values = holder[name]
        if not isinstance(values, list):
            raise _damaged(f"{name}: not a list")
        return tuple(one({name: value}, name) for value in values)

    return read


_DOCUMENT: Mapping[str, _Reader] = {
    "taken_at": _time,
    "account": _one(AccountHead, {"id": _whole_number, "slug": _text, "name": _text}),
    "group": _one(
        GroupHead,
        {
            "id": _whole_number,
            "name": _text,
            "info": _text,
            "locked": _flag,
            "auto_backup": _flag,
            "created_at": _time,
            "revision": _whole_number,
        },
    ),
    "attributes": _several(
        AttributeHead, {"name": _text, "type": _text, "scope": _matching(re.compile("account|group"))}
    ),
    "columns": _columns,
    "recipients": _whole_number,
    "parts": _several(
        Part,
        {
            "name": _matching(_PART_NAME),
            "rows": _whole_number,
            "bytes": _whole_number,
            "sha256": _matching(_SHA256),
        },
    ),
}
