"""Writes to the blocklist."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from recipients.addresses import parse_address
from recipients.models import BlocklistEntry, Group

DOMAIN = re.compile(r"\*@(?P<domain>[^@\s*]+)")


@transaction.atomic
def block(
    account: Account, *, actor: Actor, pattern: str, comment: str = "", group: Group | None = None
) -> BlocklistEntry:
    """Block an address or `*@domain`, in the account or in one list.

    Blocked already is fine; a new comment takes the place of the old.

    Raises Refusal when the pattern is neither.
    """
    require(actor, account=account, permission=Permission.EDIT)
    kind, key = _parsed(pattern.strip())
    entry, made = BlocklistEntry.objects.get_or_create(
        account=account, group=group, pattern=key, defaults={"kind": kind, "comment": comment[:255]}
    )
    if comment and not made:
        entry.comment = comment[:255]
        entry.save(update_fields=["comment"])
    if made:
        _note("blocklist.added", entry, actor=actor)
    return entry


@transaction.atomic
def unblock(entry: BlocklistEntry, *, actor: Actor) -> None:
    """Take an address or domain off the blocklist. An erased person stays on it."""
    require(actor, account=entry.account, permission=Permission.MANAGE)
    if entry.kind == BlocklistEntry.Kind.ERASED:
        raise Refusal("blocklist.erased")
    _note("blocklist.removed", entry, actor=actor)
    entry.delete()


@transaction.atomic
def put_back(
    account: Account,
    *,
    actor: Actor,
    entry_id: int,
    kind: str,
    pattern: str,
    comment: str,
    created_at: datetime,
    group: Group | None = None,
) -> BlocklistEntry:
    """Undo `unblock`: the entry as it was, in its old place. One that was made anew meanwhile stays."""
    require(actor, account=account, permission=Permission.MANAGE)
    was = {"pk": entry_id, "kind": kind, "comment": comment, "created_at": created_at}
    entry, made = BlocklistEntry.objects.get_or_create(
        account=account, group=group, pattern=pattern, defaults=was
    )
    if made:
        _note("blocklist.added", entry, actor=actor)
    return entry


def _note(event: str, entry: BlocklistEntry, *, actor: Actor) -> None:
    """Write down what happened to an entry, without whom it is about."""
    record(
        event,
        account=entry.account,
        actor=actor,
        group_id=entry.group_id,
        target=str(entry.kind),
        entry=entry.pk,
    )


def _parsed(pattern: str) -> tuple[BlocklistEntry.Kind, str]:
    match = DOMAIN.fullmatch(pattern)
    if match is None:
        return BlocklistEntry.Kind.ADDRESS, parse_address(pattern).key
    # A whole domain is spelled as the addresses' keys spell it (IDNA, lower case).
    return BlocklistEntry.Kind.DOMAIN, f"*@{parse_address('x@' + match['domain']).domain}"
