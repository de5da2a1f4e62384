from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.archive import (
    AccountHead,
    ArchiveDamaged,
    ArchiveTooNew,
    AttributeHead,
    GroupHead,
    Manifest,
    ManifestHead,
    Part,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.integers(0, 2**63)
TIME = st.datetimes(timezones=st.just(UTC))
MANIFEST = st.builds(
    lambda head, parts: Manifest.of(head, parts=parts),
    st.builds(
        ManifestHead,
        taken_at=TIME,
        account=st.builds(AccountHead, id=NUMBER, slug=TEXT, name=TEXT),
        group=st.builds(
            GroupHead,
            id=NUMBER,
            name=TEXT,
            info=TEXT,
            locked=st.booleans(),
            auto_backup=st.booleans(),
            created_at=TIME,
            revision=NUMBER,
        ),
        attributes=st.lists(
            st.builds(AttributeHead, name=TEXT, type=TEXT, scope=st.sampled_from(["account", "group"]))
        ).map(tuple),
    ),
    st.lists(
        st.builds(
            Part,
            name=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,99}", fullmatch=True),
            rows=NUMBER,
            bytes=NUMBER,
            sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda part: part.name,
    ),
)


@given(MANIFEST)
def test_every_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.fixture
def document(head: ManifestHead) -> dict[str, Any]:
    part = Part(name="recipients.tsv", rows=1, bytes=2, sha256="0" * 64)
    loaded: dict[str, Any] = json.loads(Manifest.of(head, parts=[part]).to_json())
    return loaded


def read(document: object) -> Manifest:
    return Manifest.from_json(json.dumps(document).encode())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every key and every entry of a list in the document."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [found for key, below in entries for found in [(*path, key), *places(below, (*path, key))]]


def holder_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def test_every_key_is_needed(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for path in places(document):
        if isinstance(path[-1], str):
            broken = json.loads(text)
            del holder_of(broken, path)[path[-1]]
            with pytest.raises(ArchiveDamaged):
                read(broken)


def test_no_key_is_unknown(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for path in [*places(document), ("x",)]:
        broken = json.loads(text)
        holder = holder_of(broken, path)
        if isinstance(holder, dict):
            holder["unheard_of"] = 1
            with pytest.raises(ArchiveDamaged):
                read(broken)


@pytest.mark.parametrize("other", [None, True, 1.0, -1, [], {}, [1], {"a": 1}, "\x00", 10**400])
def test_no_value_may_be_of_another_type(document: dict[str, Any], other: object) -> None:
    text = json.dumps(document)
    for path in places(document):
        broken = json.loads(text)
        holder = holder_of(broken, path)
        same_type = type(holder[path[-1]]) is type(other)
        holder[path[-1]] = other
        if same_type and other in (True, "\x00", 10**400, []):
            continue  # a value that may be meant: checked by the tests of single keys
        with pytest.raises((ArchiveDamaged, ArchiveTooNew)):
            read(broken)


@pytest.mark.parametrize(
    "changes",
    [
        {"taken_at": "2026-11-23T18:31:20"},
        {"taken_at": "2026-11-23T18:31:20+01:00"},
        {"taken_at": "yesterday"},
        {"columns": ["email"]},
        {"recipients": 2},
        {"parts": []},
        {"version": 0},
        {"version": "1"},
        {"version": True},
        {"attributes": [{"name": "a", "type": "text", "scope": "world"}]},
        {"parts": [{"name": "../x", "rows": 1, "bytes": 2, "sha256": "0" * 64}]},
        {"parts": [{"name": "x", "rows": 1, "bytes": 2, "sha256": "0" * 63}]},
        {"parts": [{"name": "x", "rows": 1, "bytes": 2, "sha256": "0" * 64 + "\n"}]},
    ],
)
def test_a_value_out_of_its_form_is_damage(document: dict[str, Any], changes: dict[str, Any]) -> None:
    read(document)
    with pytest.raises(ArchiveDamaged) as refused:
        read({**document, **changes})
    assert refused.value.code == "archive.manifest_invalid"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"format": 1, "format": 1}', b"[" * 100_000, b"1" * 10_000]
)
def test_what_is_not_json_is_damage(text: bytes) -> None:
    with pytest.raises(ArchiveDamaged):
        Manifest.from_json(text)


def test_a_key_that_is_there_twice_is_damage(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    Manifest.from_json(text.encode())
    with pytest.raises(ArchiveDamaged):
        Manifest.from_json(text.replace('"revision": 7', '"revision": 7, "revision": 7').encode())


def test_a_later_version_is_too_new_whatever_its_keys(document: dict[str, Any]) -> None:
    with pytest.raises(ArchiveTooNew):
        read({"format": document["format"], "version": 3})


def test_times_are_written_in_utc_whatever_their_zone(head: ManifestHead) -> None:
    rome = timezone(timedelta(hours=1))
    taken = ManifestHead(
        taken_at=datetime(2026, 11, 24, 0, 30, tzinfo=rome),
        account=head.account,
        group=head.group,
        attributes=(),
    )
    part = Part(name="recipients.tsv", rows=0, bytes=0, sha256="0" * 64)
    text = Manifest.of(taken, parts=[part]).to_json()
    assert b'"taken_at": "2026-11-23T23:30:00Z"' in text


def test_a_time_without_a_zone_is_a_bug(head: ManifestHead) -> None:
    taken = ManifestHead(
        taken_at=head.taken_at.replace(tzinfo=None), account=head.account, group=head.group, attributes=()
    )
    part = Part(name="recipients.tsv", rows=0, bytes=0, sha256="0" * 64)
    with pytest.raises(TypeError):
        Manifest.of(taken, parts=[part]).to_json()
