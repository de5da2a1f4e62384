"""Giving log entries their places in the chain, and writing its head down outside the database.

Not in the transactions that write entries: a chain has one end, and whoever writes to it would make all
others wait until a long merge commits. So entries are signed at once and sealed a few seconds later, in
the order in which they became visible.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from backupsvc.accounts import anchors, chain
from backupsvc.accounts.anchors import Anchor, AnchorUnreadable
from backupsvc.accounts.models import AuditEntry, AuditSeal

log = logging.getLogger(__name__)

BATCH = 500
# An entry whose transaction took so long that this many others overtook it waits for the hourly search.
LOOKED_BACK = 10_000
COLUMNS = ("pk", "signature", "key_id", *chain.SIGNED)


def seal_log(*, thoroughly: bool = False) -> int:
    """Seal the entries that have no place in the chain yet; how many. Harmless from several places at once.

    `thoroughly` looks for them in the whole log; otherwise among the newest.
    """
    sealed = 0
    while newly := _seal_batch(thoroughly=thoroughly):
        sealed += newly
    if sealed:
        _keep_head()
    return sealed


def anchor_log() -> Anchor | None:
    """Write the head of the chain to the log of the server and to a file; None while there is none."""
    seal_log(thoroughly=True)
    seal = _last()
    if seal is None:
        return None
    anchor = _anchor_of(seal)
    anchors.keep(anchor)
    log.info("audit log anchored", extra={"position": anchor.position, "digest": anchor.digest})
    return anchor


def unsealed(*, thoroughly: bool = True) -> QuerySet[AuditEntry]:
    """The entries that have no place in the chain yet."""
    entries = AuditEntry.objects.filter(seal=None).order_by("pk")
    if thoroughly:
        return entries
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return entries.filter(pk__gt=newest - LOOKED_BACK)


def _seal_batch(*, thoroughly: bool) -> int:
    try:
        with transaction.atomic():
            last = AuditSeal.objects.select_for_update().order_by("-position").first()
            entries = list(unsealed(thoroughly=thoroughly).values(*COLUMNS)[:BATCH])
            AuditSeal.objects.bulk_create(_seals(entries, last=last, now=timezone.now()))
            return len(entries)
    except IntegrityError:
        # Somebody else sealed the same entries at the same time: theirs count.
        return 0


def _seals(entries: list[dict[str, Any]], *, last: AuditSeal | None, now: datetime) -> Iterator[AuditSeal]:
    position, digest = (last.position, last.digest) if last else (0, chain.BEGINNING)
    key_id = chain.newest_key_id()
    for entry in entries:
        position += 1
        digest = chain.link(
            digest, position=position, sealed_at=now, entry_id=entry["pk"], entry=entry, key_id=key_id
        )
        yield AuditSeal(position=position, entry_id=entry["pk"], sealed_at=now, key_id=key_id, digest=digest)


def _keep_head() -> None:
    """Note the newest end after every sealing."""
    seal = _last()
    if seal is None:
        return
    with suppress(AnchorUnreadable):
        former = anchors.head()
        if former and not AuditSeal.objects.filter(position=former.position, digest=former.digest).exists():
            # The evidence that the end was cut off must not be written over.
            log.error("the end of the audit log is missing", extra={"position": former.position})
            anchors.keep(former)
    anchors.keep_head(_anchor_of(seal))


def _last() -> AuditSeal | None:
    return AuditSeal.objects.order_by("-position").first()


def _anchor_of(seal: AuditSeal) -> Anchor:
    return Anchor(position=seal.position, digest=seal.digest, at=seal.sealed_at.isoformat())
