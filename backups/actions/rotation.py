"""Changing the instance's key: every account's key is sealed anew, no archive is touched."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from backups import keyring
from backups.actions.keys import account_purpose, open_account_key
from backups.keyring import Keyring, KeyUnusable
from backups.models import AccountKey
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import NotFound, Refusal


@dataclass(frozen=True)
class InstanceKey:
    """One of the instance's keys: whether it is the one that seals, is here, and how many it has sealed."""

    id: str
    is_current: bool
    is_here: bool
    accounts: int


def instance_keys() -> list[InstanceKey]:
    """Those here, the one that seals first, and those that are missing though needed. Raise Refusal."""
    ring = keyring.load()
    counted = AccountKey.objects.order_by().values("instance_key_id").annotate(accounts=Count("pk"))
    used = {row["instance_key_id"]: row["accounts"] for row in counted}
    return [
        InstanceKey(name, name == ring.current_id, name in ring.ids, used.get(name, 0))
        for name in dict.fromkeys([*ring.ids, *used])
    ]


def rotate(*, actor: Actor) -> int:
    """Seal every account's key with the instance's current key; how many were. Raise Refusal.

    When all of them are already, a new key is made first, if it is ours to make. So a rotation that was
    killed is ended by the next call. Each account's log says when its turn was. What cannot be opened is
    left as it is, and its reason is raised when the others are done.
    """
    with keyring.held():
        ring = keyring.load()
        if not _left(ring).exists():
            if not keyring.is_ours():
                raise Refusal("key.put_new_first")
            ring = keyring.add_new()
        return _seal_all_anew(ring, actor=actor)


def _seal_all_anew(ring: Keyring, *, actor: Actor) -> int:
    count = 0
    broken: dict[int, KeyUnusable] = {}
    # More may come while we work, from a process that read the keys before.
    while left := _left(ring).exclude(pk__in=broken).order_by("pk").first():
        try:
            count += _seal_anew(left, ring=ring, actor=actor)
        except KeyUnusable as refusal:
            broken[left.pk] = refusal
    if broken:
        raise next(iter(broken.values()))
    return count


def drop(name: str) -> None:
    """Take a key that opens nothing any more out of the file. Raise Refusal."""
    if not keyring.is_ours():
        raise Refusal("key.not_ours")
    with keyring.held():
        key = next((key for key in instance_keys() if key.id == name and key.is_here), None)
        if key is None:
            raise NotFound("key.not_found", id=name)
        if key.is_current or key.accounts:
            raise Refusal("key.in_use", accounts=key.accounts)
        keyring.drop(name)


def _left(ring: Keyring) -> QuerySet[AccountKey]:
    return AccountKey.objects.exclude(instance_key_id=ring.current_id)


@transaction.atomic
def _seal_anew(key: AccountKey, *, ring: Keyring, actor: Actor) -> bool:
    identity = open_account_key(key)
    sealed = ring.seal(identity, purpose=account_purpose(key.account_id))
    # Only what opens again replaces what opened.
    if ring.unseal(sealed, purpose=account_purpose(key.account_id), key_id=ring.current_id) != identity:
        raise AssertionError("a key that was sealed opens as another one")
    # Another rotation may have been faster.
    done = AccountKey.objects.filter(pk=key.pk, sealed=key.sealed).update(
        sealed=sealed, instance_key_id=ring.current_id, sealed_at=timezone.now()
    )
    if done:
        record(
            "key.rotated",
            account=key.account,
            actor=actor,
            old=key.instance_key_id,
            new=ring.current_id,
        )
    return bool(done)
