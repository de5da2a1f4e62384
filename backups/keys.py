"""Keys that keep keys: the instance's seals the accounts', an account's seals those of its archives.

Every key is an age identity, and what is sealed is an age file as text: with the instance's key alone, the
public `age` program comes to every archive (docs/archive-format.md). Pure Python.
"""

from __future__ import annotations

import io

from backups.archive.age import Undecryptable, decrypt, encrypt, recipient_of

# A purpose and a key are a few hundred bytes.
_MAX_SEALED_BYTES = 4096
_NOTE = "# "


class NotThisKey(Exception):
    """It was sealed with another key or for another purpose, or has changed since."""


def key_id(identity: str) -> str:
    """The name of a key, which may be shown and stored: its public half. Raise ValueError for no key."""
    return recipient_of(identity)


def key_file(identity: str, *, purpose: str) -> str:
    """A key with what it is for, in the form that `age -i` reads. The purpose is one line."""
    if not purpose.isprintable():
        raise ValueError(f"a purpose is one line: {purpose!r}")
    return f"{_NOTE}{purpose}\n{identity}\n"


def seal(identity: str, *, purpose: str, by: str) -> str:
    """The key, to be opened only with the key `by`, and only for this purpose. ASCII text."""
    return encrypt(key_file(identity, purpose=purpose).encode(), identity=by, armored=True).decode("ascii")


def unseal(sealed: str, *, purpose: str, by: str) -> str:
    """The key that `seal` was given. Raise NotThisKey.

    The purpose is compared, so that a sealed key that is put in another's place opens nothing.
    """
    try:
        text = decrypt(io.BytesIO(sealed.encode()), identity=by, most_bytes=_MAX_SEALED_BYTES).decode()
    except (Undecryptable, UnicodeError) as exc:
        raise NotThisKey(purpose) from exc
    note, _, identity = text.partition("\n")
    if note != _NOTE + purpose:
        raise NotThisKey(purpose)
    return identity.strip()


def read_key_file(text: str) -> tuple[str, ...]:
    """The keys of a file as `age-keygen` writes them, one a line, commas allowed; the first one seals.

    Raise ValueError when there is none, or something that is no key.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    identities = tuple(" ".join(lines).replace(",", " ").split())
    if not identities:
        raise ValueError("no key")
    for identity in identities:
        key_id(identity)
    return identities
