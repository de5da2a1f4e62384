"""Keys, signatures and links of the log: what an entry is, spelt so that a change of it shows.

Plain values in, hex digests out; of Django only the settings, which hold the keys. How it is used:
docs/decisions/0012-the-log-is-a-chain.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings

# The columns of an entry that its signature covers; its number is covered by its seal.
SIGNED = (
    "account_id",
    "at",
    "user_id",
    "user_label",
    "origin",
    "event",
    "group_id",
    "target",
    "data",
    "salt",
)
# What the first seal follows.
BEGINNING = "0" * 64


class KeyUnknown(Exception):
    """Something was signed with a key that this installation does not have (any more)."""


def sign(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The newest key's id, and the signature of an entry with these columns."""
    key_id = next(iter(_keys()))
    return key_id, signature(entry, key_id=key_id)


def signature(entry: Mapping[str, Any], *, key_id: str) -> str:
    """HMAC-SHA256 of the entry. Raises KeyUnknown."""
    return _hmac(key_id, "entry", {name: entry[name] for name in SIGNED})


def link(
    before: str, *, position: int, sealed_at: datetime, entry_id: int, entry: Mapping[str, Any], key_id: str
) -> str:
    """h(n) = HMAC(key, h(n-1) and all of the entry, at this place of the chain). Raises KeyUnknown."""
    content = {name: entry[name] for name in SIGNED}
    place = {"before": before, "position": position, "sealed_at": sealed_at, "id": entry_id}
    return _hmac(key_id, "seal", {**place, "entry": content})


def newest_key_id() -> str:
    """The id of the key that new entries are signed with."""
    return next(iter(_keys()))


def canonical(value: object) -> str:
    """The one spelling of a value, the same before it went into a database and after it came back."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _hmac(key_id: str, purpose: str, content: Mapping[str, Any]) -> str:
    key = _keys().get(key_id)
    if key is None:
        raise KeyUnknown(key_id)
    return hmac.new(key, f"{purpose}\n{canonical(content)}".encode(), hashlib.sha256).hexdigest()


def _keys() -> dict[str, bytes]:
    """The keys by their ids, the newest first."""
    return _derived((settings.AUDIT_KEY, *settings.AUDIT_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _derived(secrets: tuple[str, ...]) -> dict[str, bytes]:
    return dict(_derive(secrets))


def _derive(secrets: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for secret in secrets:
        key = hmac.new(secret.encode(), b"backupsvc audit log", hashlib.sha256).digest()
        # From the key, not from the secret: an id that is stored must not help to guess it.
        yield hashlib.sha256(key).hexdigest()[:8], key


def _plain(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return {"number": str(value)}
    if isinstance(value, float | Decimal):
        # PostgreSQL gives 1e22 back as an integer and 1.50 as it was written: one number, one spelling.
        return {"number": format(Decimal(str(value)).normalize() + 0, "f")}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value)
