"""Keys that keep keys, and the file that holds the instance's."""

from __future__ import annotations

import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from backups import keyring
from backups.archive import new_identity
from backups.keyring import KeyUnusable
from backups.keys import NotThisKey, key_file, key_id, read_key_file, seal, unseal

MISSING_TOOLS = [tool for tool in ("age", "age-keygen") if shutil.which(tool) is None]


@pytest.fixture
def key_path(tmp_path: Path, settings: Settings) -> Path:
    """Where this test keeps the instance's key; nothing is there yet."""
    settings.ARCHIVE_KEY_PATH = tmp_path / "keys" / "archive.key"
    return tmp_path / "keys" / "archive.key"


def test_a_sealed_key_opens_with_its_key_and_for_its_purpose() -> None:
    key, by = new_identity(), new_identity()
    sealed = seal(key, purpose="archive 1/2/2026/3-x.zip", by=by)
    assert key not in sealed
    assert sealed.isascii()
    assert unseal(sealed, purpose="archive 1/2/2026/3-x.zip", by=by) == key
    for purpose, other in (("archive 1/2/2026/4-x.zip", by), ("archive 1/2/2026/3-x.zip", new_identity())):
        with pytest.raises(NotThisKey):
            unseal(sealed, purpose=purpose, by=other)


def test_a_changed_sealed_key_opens_nothing() -> None:
    key, by = new_identity(), new_identity()
    sealed = seal(key, purpose="account 1", by=by)
    for position in range(len(sealed)):
        changed = sealed[:position] + ("B" if sealed[position] == "A" else "A") + sealed[position + 1 :]
        with pytest.raises(NotThisKey):
            unseal(changed, purpose="account 1", by=by)
    for broken in ("", sealed[:-40], sealed[40:], "no key at all", "ä"):
        with pytest.raises(NotThisKey):
            unseal(broken, purpose="account 1", by=by)


@pytest.mark.skipif(bool(MISSING_TOOLS), reason=f"LEFT OUT: {MISSING_TOOLS} not here")
def test_the_age_program_makes_keys_for_us_and_opens_what_we_seal(tmp_path: Path) -> None:
    made = subprocess.run(["age-keygen"], check=True, capture_output=True, text=True).stdout
    (by,) = read_key_file(made)
    assert f"# public key: {key_id(by)}" in made
    (tmp_path / "by.key").write_text(made)
    key = new_identity()
    opened = subprocess.run(
        ["age", "-d", "-i", tmp_path / "by.key"],
        input=seal(key, purpose="account 1", by=by),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert opened == key_file(key, purpose="account 1")
    assert read_key_file(opened) == (key,)


def test_a_purpose_is_one_line() -> None:
    key_file(new_identity(), purpose="archive ä")
    with pytest.raises(ValueError, match="one line"):
        key_file(new_identity(), purpose="archive\nAGE-SECRET-KEY-1")


@pytest.mark.parametrize("text", ["", "# a note only\n", "secret", "AGE-SECRET-KEY-1QQQ", "age1qqqq"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the message must not repeat a secret, so it says little
        read_key_file(text)


def test_the_first_key_is_made_once_private_and_by_one_of_many(key_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: keyring.load_or_make(), range(8)))
    assert len({ring.current_id for ring in rings}) == 1
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_path.parent.stat().st_mode) == 0o700
    assert [path.name for path in key_path.parent.iterdir()] == ["archive.key"]
    assert "Keep a copy" in key_path.read_text()


def test_a_missing_or_broken_key_file_is_refused_by_name(key_path: Path) -> None:
    with pytest.raises(KeyUnusable) as refused:
        keyring.load()
    assert (refused.value.code, refused.value.params) == ("key.instance_missing", {"where": str(key_path)})
    keyring.load_or_make()
    secret = key_path.read_text().split()[-1]
    key_path.write_text(secret[:-1])
    with pytest.raises(KeyUnusable) as refused:
        keyring.load()
    assert refused.value.code == "key.instance_unreadable"
    assert "AGE-SECRET" not in str(refused.value)


def test_a_new_key_comes_first_and_the_old_ones_still_open(key_path: Path) -> None:
    old = keyring.load_or_make()
    sealed = old.seal(new_identity(), purpose="account 1")
    new = keyring.add_new()
    assert new.ids == [new.current_id, old.current_id]
    assert keyring.load() == new
    new.unseal(sealed, purpose="account 1", key_id=old.current_id)
    left = keyring.drop(old.current_id)
    assert left.ids == [new.current_id]
    with pytest.raises(KeyUnusable) as refused:
        left.unseal(sealed, purpose="account 1", key_id=old.current_id)
    assert refused.value.code == "key.instance_unknown"
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600


def test_keys_in_the_environment_win_and_are_not_ours(key_path: Path, settings: Settings) -> None:
    one, two = new_identity(), new_identity()
    settings.ARCHIVE_KEY = f"{one},{two}"
    assert keyring.load().identities == (one, two)
    assert keyring.load_or_make().identities == (one, two)
    assert not keyring.is_ours()
    assert not key_path.exists()
    settings.ARCHIVE_KEY = "one that is no key"
    with pytest.raises(KeyUnusable) as refused:
        keyring.load_or_make()
    assert refused.value.params["where"] == "ARCHIVE_KEY"
