"""The instance's keys, read anew each time: after a rotation no process has to be restarted.

ARCHIVE_KEY holds them where it is set. Otherwise this machine keeps them in a file of its own, which is
made once and never again while there are accounts' keys that only the lost one opens.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from backups import keys
from backups.archive import new_identity
from backupsvc.errors import Refusal, Unavailable


class KeyUnusable(Unavailable):
    """A key that is needed is missing or another one: no archive is damaged, and none can be used."""


@dataclass(frozen=True)
class Keyring:
    """The instance's keys; the first one seals, the others only open."""

    identities: tuple[str, ...]

    @property
    def current_id(self) -> str:
        """The name of the key that seals."""
        return keys.key_id(self.identities[0])

    @property
    def ids(self) -> list[str]:
        """The names of all keys, the one that seals first."""
        return [keys.key_id(identity) for identity in self.identities]

    def seal(self, identity: str, *, purpose: str) -> str:
        """A key, sealed with the current one."""
        return keys.seal(identity, purpose=purpose, by=self.identities[0])

    def unseal(self, sealed: str, *, purpose: str, key_id: str) -> str:
        """A key that was sealed by the one of this name. Raise KeyUnusable, NotThisKey."""
        for identity in self.identities:
            if keys.key_id(identity) == key_id:
                return keys.unseal(sealed, purpose=purpose, by=identity)
        raise KeyUnusable("key.instance_unknown", id=key_id, where=where())


def is_ours() -> bool:
    """Whether this machine keeps the keys in a file of its own, and may change it."""
    return not settings.ARCHIVE_KEY


def where() -> str:
    """Where a person finds the keys, or has to put them."""
    return str(settings.ARCHIVE_KEY_PATH) if is_ours() else "ARCHIVE_KEY"


def load() -> Keyring:
    """The keys there are. Raise KeyUnusable when there is none, or what is there is no key."""
    try:
        text = _path().read_text(encoding="ascii") if is_ours() else settings.ARCHIVE_KEY
        return Keyring(keys.read_key_file(text))
    except FileNotFoundError:
        raise KeyUnusable("key.instance_missing", where=where()) from None
    except OSError as exc:
        raise KeyUnusable("key.instance_unreadable", where=where(), detail=exc.strerror) from exc
    except ValueError:  # never the text of what was read
        raise KeyUnusable("key.instance_unreadable", where=where(), detail="not a key") from None


def load_or_make() -> Keyring:
    """The keys; the first one is made now. Only for an instance whose accounts have no keys yet."""
    if is_ours() and not _path().exists():
        draft = _write_draft((new_identity(),))
        try:
            # link, not rename: it fails when another process was faster, and then theirs is the key.
            with suppress(FileExistsError):
                os.link(draft, _path())
        finally:
            draft.unlink()
        _sync_folder()
    return load()


@contextmanager
def held() -> Iterator[None]:
    """While nobody else changes the keys: of two that read the file and write it, one would lose the other's
    new key, and with it all that was sealed by then. Raise Refusal where somebody does, KeyUnusable.
    """
    load()
    if not is_ours():
        yield
        return
    # Not the file itself: each change puts another one in its place.
    lock = _path().with_name(f".{_path().name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal("key.being_changed") from None
        yield
    finally:
        os.close(descriptor)


def add_new() -> Keyring:
    """Put a new key before the others. Raise KeyUnusable; for keys that are ours, while they are held."""
    return _replace((new_identity(), *load().identities))


def drop(key_id: str) -> Keyring:
    """Take a key out of the file; never the one that seals. Raise KeyUnusable; for keys that are ours, while
    they are held.
    """
    first, *others = load().identities
    return _replace((first, *(other for other in others if keys.key_id(other) != key_id)))


def _replace(identities: tuple[str, ...]) -> Keyring:
    _write_draft(identities).replace(_path())
    _sync_folder()
    return load()


def _write_draft(identities: tuple[str, ...]) -> Path:
    """A file beside the real one, on the disk before anybody can read it under its name."""
    folder = _path().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{_path().name}.{secrets.token_hex(8)}"
    lines = [
        "# Opens all backups of this installation. Keep a copy of this file apart from the server:",
        "# without it no backup can ever be read. The first key is in use.",
        f"# written: {timezone.now():%Y-%m-%dT%H:%M:%SZ}",
    ]
    for identity in identities:
        lines += [f"# public key: {keys.key_id(identity)}", identity]
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder() -> None:
    """What it seals must not outlive the key when the power fails."""
    descriptor = os.open(_path().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path() -> Path:
    path: Path = settings.ARCHIVE_KEY_PATH
    return path
