"""The keys of accounts and archives: made, opened, shown and destroyed."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from backups import keyring
from backups.archive import ArchiveDamaged, new_identity
from backups.keyring import KeyUnusable
from backups.keys import NotThisKey, key_file, key_id, seal, unseal
from backups.models import AccountKey, ArchiveKey, PreparedArchive, Snapshot
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal


def new_archive_key(account: Account, *, archive: str) -> ArchiveKey:
    """A key for an archive that will be written; the caller saves it with the snapshot. Raise KeyUnusable."""
    key = _account_key(account)
    sealed = seal(new_identity(), purpose=archive_purpose(archive), by=open_account_key(key))
    return ArchiveKey(archive=archive, account_key=key, sealed=sealed)


def open_archive_key(key: ArchiveKey) -> str:
    """The identity that opens the archive. Raise KeyUnusable, or ArchiveDamaged when this key is broken."""
    try:
        return unseal(key.sealed, purpose=archive_purpose(key.archive), by=open_account_key(key.account_key))
    except NotThisKey as exc:
        raise ArchiveDamaged("archive.key_broken") from exc


def identity_of(snapshot: Snapshot | PreparedArchive) -> str | None:
    """The identity that opens the archive; None for one of the time before encryption.

    Raise as `open_archive_key`.
    """
    key = ArchiveKey.objects.select_related("account_key__account").filter(archive=snapshot.archive).first()
    if key is None:
        return None
    if key.account_key.account_id != snapshot.account_id:
        raise ArchiveDamaged("archive.foreign")
    return open_archive_key(key)


def destroy_key(archive: str) -> bool:
    """Whether there was a key; from now on no copy of the archive can be read."""
    destroyed, _ = ArchiveKey.objects.filter(archive=archive).delete()
    return bool(destroyed)


@transaction.atomic
def reveal_key(snapshot: Snapshot, *, actor: Actor) -> str:
    """The archive's key as a file for `age -i`, to read the archive without this program. On record.

    Raise Refusal.
    """
    require(actor, account=snapshot.account, permission=Permission.EXPORT)
    if not snapshot.archive:
        raise Refusal("snapshot.not_complete", state=snapshot.state)
    identity = identity_of(snapshot)
    if identity is None:
        raise Refusal("key.not_encrypted")
    record(
        "backup.key_shown",
        account=snapshot.account,
        actor=actor,
        group_id=snapshot.group_id,
        target=snapshot.group_name,
        snapshot=snapshot.pk,
    )
    return key_file(identity, purpose=archive_purpose(snapshot.archive))


def prepare_keys() -> str | None:
    """Make the instance's key if there never was one; where it lies then. Raise KeyUnusable.

    A lost key is never replaced by a new one, which would only hide that it is lost.
    """
    if AccountKey.objects.exists():
        check_instance_keys()
        return None
    is_first = keyring.is_ours() and not _is_there()
    keyring.load_or_make()
    return keyring.where() if is_first else None


def check_instance_keys() -> None:
    """Whether the instance's keys open the accounts': one of each is tried. Raise KeyUnusable."""
    sealers = AccountKey.objects.order_by().values_list("instance_key_id", flat=True).distinct()
    for name in list(sealers):
        key = AccountKey.objects.select_related("account").filter(instance_key_id=name).first()
        if key is not None:
            open_account_key(key)


def broken_account_keys() -> Iterator[tuple[AccountKey, KeyUnusable]]:
    """The accounts' keys that cannot be opened, each with the reason."""
    for key in AccountKey.objects.select_related("account").order_by("pk").iterator():
        try:
            open_account_key(key)
        except KeyUnusable as refusal:
            yield key, refusal


def _account_key(account: Account) -> AccountKey:
    key = AccountKey.objects.filter(account=account).first()
    if key is not None:
        return key
    ring = keyring.load() if AccountKey.objects.exists() else keyring.load_or_make()
    identity = new_identity()
    key, _ = AccountKey.objects.get_or_create(
        account=account,
        defaults={
            "instance_key_id": ring.current_id,
            "key_id": key_id(identity),
            "sealed": ring.seal(identity, purpose=account_purpose(account.pk)),
        },
    )
    return key


def open_account_key(key: AccountKey) -> str:
    """The account's identity, which seals the keys of its archives. Raise KeyUnusable."""
    ring = keyring.load()
    try:
        identity = ring.unseal(
            key.sealed, purpose=account_purpose(key.account_id), key_id=key.instance_key_id
        )
    except NotThisKey as exc:
        raise KeyUnusable("key.account_broken", account=key.account.slug) from exc
    if key_id(identity) != key.key_id:
        raise KeyUnusable("key.account_broken", account=key.account.slug)
    return identity


def account_purpose(account_id: int) -> str:
    """What an account's key is sealed for."""
    return f"account {account_id}"


def archive_purpose(archive: str) -> str:
    """What an archive's key is sealed for."""
    return f"archive {archive}"


def _is_there() -> bool:
    try:
        keyring.load()
    except KeyUnusable as refusal:
        if refusal.code == "key.instance_missing":
            return False
        raise
    return True
