"""Writes to single recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.errors import NotFound, Refusal
from recipients.actions.groups import lock_group, raise_revision
from recipients.addresses import digest_of, parse_address
from recipients.bulk.engine import engine
from recipients.models import Activity, BlocklistEntry, Group, OptOut, Recipient, Status
from recipients.selectors import attributes_of
from recipients.times import parse_date
from recipients.values import check_text, parse_number, parse_tags
from recipients.words import parse_gender

PARSERS = {"text": check_text, "number": parse_number, "gender": parse_gender, "date": parse_date}
REASON_LENGTH = 500


@transaction.atomic
def add_recipient(
    group: Group,
    *,
    actor: Actor,
    email: str,
    status: str,
    attributes: Mapping[str, str] | None = None,
    tags: str = "",
    source: str = "",
) -> Recipient:
    """A new recipient, active or unconfirmed. Raises Refusal: bad, known or blocked address; opted out.

    Somebody who unsubscribed from this list and was removed comes back as unsubscribed.
    """
    require(actor, account=group.account, permission=Permission.EDIT)
    group = lock_group(group.pk)
    _require_live(group)
    address = parse_address(email)
    if Recipient.objects.filter(group=group, key=address.key).exists():
        raise Refusal("recipient.known", email=address.email)
    _refuse_blocked(group, key=address.key, domain=address.domain)
    if status not in (Status.ACTIVE, Status.UNCONFIRMED):
        raise Refusal("recipient.bad_status")
    opted_out = OptOut.objects.filter(group=group, key=address.key).first()
    now = timezone.now()
    recipient = Recipient.objects.create(
        account=group.account,
        group=group,
        key=address.key,
        email=address.email,
        registered=now,
        activated=now if status == Status.ACTIVE else None,
        deactivated=opted_out.deactivated if opted_out else None,
        bounced=opted_out.bounced if opted_out else None,
        source=check_text(source.strip())[:255],
        tags=parse_tags(tags),
        attributes=_values(group, given=attributes or {}, old={}),
    )
    raise_revision(group, shift={recipient.status.value: 1})
    record(
        "recipient.added",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipient=recipient.pk,
        status=recipient.status.value,
    )
    return recipient


@transaction.atomic
def change_recipient(
    recipient: Recipient,
    *,
    actor: Actor,
    email: str | None = None,
    attributes: Mapping[str, str] | None = None,
    tags: str | None = None,
    source: str | None = None,
) -> Recipient:
    """Change what is given. A new address must not belong to another recipient of the list.

    Who is unsubscribed or bounced, or unsubscribes later, stays so under the old address too, and who takes
    the address of somebody who is becomes so: an edit makes nobody active.
    """
    group, recipient = _locked(recipient, actor=actor, permission=Permission.EDIT)
    was, changed = recipient.status, list[str]()
    if email is not None and email.strip() != recipient.email:
        address = parse_address(email)
        rivals = Recipient.objects.filter(group=group, key=address.key).exclude(pk=recipient.pk)
        if rivals.exists():
            raise Refusal("recipient.known", email=address.email)
        _refuse_blocked(group, key=address.key, domain=address.domain)
        if address.key != recipient.key:
            _remember_opt_out(recipient)
            changed += _take_opt_out(recipient, key=address.key)
            _follow(recipient, to=address.key)
        recipient.key, recipient.email = address.key, address.email
        changed += ["key", "email"]
    if attributes is not None:
        recipient.attributes = _values(group, given=attributes, old=recipient.attributes)
        changed.append("attributes")
    if tags is not None:
        recipient.tags = parse_tags(tags)
        changed.append("tags")
    if source is not None:
        recipient.source = check_text(source.strip())[:255]
        changed.append("source")
    _save(group, recipient=recipient, actor=actor, changed=changed, was=was)
    return recipient


@transaction.atomic
def unsubscribe(recipient: Recipient, *, actor: Actor) -> Recipient:
    """Deactivate a recipient now; unsubscribed already is fine and keeps its time."""
    group, recipient = _locked(recipient, actor=actor, permission=Permission.EDIT)
    if recipient.deactivated is not None:
        return recipient
    was = recipient.status
    recipient.deactivated = timezone.now()
    _save(group, recipient=recipient, actor=actor, changed=["deactivated"], was=was)
    _note(recipient, kind=Activity.Kind.UNSUBSCRIBED, at=recipient.deactivated)
    return recipient


@transaction.atomic
def reactivate(recipient: Recipient, *, actor: Actor, reason: str) -> Recipient:
    """Make an unsubscribed, unconfirmed or bounced recipient active: an owner's or admin's own decision."""
    group, recipient = _locked(recipient, actor=actor, permission=Permission.MANAGE)
    if not reason.strip():
        raise Refusal("consent.reason_missing")
    _refuse_blocked(group, key=recipient.key, domain=recipient.key.rpartition("@")[2])
    was = recipient.status
    OptOut.objects.filter(group=group, key=recipient.key).delete()
    # At another time it was somebody else, who has had the old address since.
    theirs = OptOut.objects.filter(group=group, moved_to=recipient.key, deactivated=recipient.deactivated)
    theirs.update(deactivated=None)
    recipient.deactivated = recipient.bounced = None
    recipient.activated = recipient.activated or timezone.now()
    _save(group, recipient=recipient, actor=actor, changed=["deactivated", "bounced", "activated"], was=was)
    record(
        "consent.reactivated",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipient=recipient.pk,
        count=1,
        reason=reason.strip()[:REASON_LENGTH],
    )
    return recipient


@transaction.atomic
def remove_recipient(recipient: Recipient, *, actor: Actor) -> None:
    """Remove a recipient and its activities; an unsubscription is remembered."""
    group, recipient = _locked(recipient, actor=actor, permission=Permission.EDIT)
    if group.locked:
        raise Refusal("group.locked", name=group.name)
    _remember_opt_out(recipient)
    status, pk = recipient.status, recipient.pk
    recipient.delete()
    raise_revision(group, shift={status.value: -1})
    record(
        "recipient.removed",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipient=pk,
        status=status.value,
    )


def _locked(recipient: Recipient, *, actor: Actor, permission: Permission) -> tuple[Group, Recipient]:
    require(actor, account=recipient.account, permission=permission)
    group = lock_group(recipient.group_id)
    _require_live(group)
    found = Recipient.objects.filter(pk=recipient.pk, group=group).first()
    if found is None:
        raise NotFound("recipient.not_found")
    return group, found


def _require_live(group: Group) -> None:
    if not group.is_live:
        raise NotFound("group.not_found")


def _remember_opt_out(recipient: Recipient) -> None:
    """Let an unsubscription or a bounce outlive the recipient's row, or its address."""
    if recipient.deactivated is None and recipient.bounced is None:
        return
    OptOut.objects.update_or_create(
        group_id=recipient.group_id,
        key=recipient.key,
        defaults={
            "account_id": recipient.account_id,
            "deactivated": recipient.deactivated,
            "bounced": recipient.bounced,
        },
    )


def _take_opt_out(recipient: Recipient, *, key: str) -> list[str]:
    """Give the recipient what is remembered of the address; the fields that changed."""
    opted_out = OptOut.objects.filter(group=recipient.group_id, key=key).first()
    changed = []
    for name in ("deactivated", "bounced"):
        if getattr(recipient, name) is None and (at := getattr(opted_out, name, None)):
            setattr(recipient, name, at)
            changed.append(name)
    return changed


def _follow(recipient: Recipient, *, to: str) -> None:
    """Let the addresses that the recipient has had point to the next one."""
    told = OptOut.objects.filter(group=recipient.group_id)
    told.filter(moved_to=recipient.key).update(moved_to=to)
    OptOut.objects.update_or_create(
        group_id=recipient.group_id,
        key=recipient.key,
        defaults={"account_id": recipient.account_id, "moved_to": to},
    )
    # Back to an earlier one: it points to itself.
    told.filter(key=to).update(moved_to=None)


def _refuse_blocked(group: Group, *, key: str, domain: str) -> None:
    digest = digest_of(key, digest_key=bytes.fromhex(group.account.digest_key))
    entries = BlocklistEntry.objects.filter(account=group.account, pattern__in=[key, f"*@{domain}", digest])
    if any(entry.group_id in (None, group.pk) for entry in entries):
        raise Refusal("recipient.blocked")


def _values(group: Group, *, given: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    """The old values with the given ones laid over them, each checked by its type; empty takes one away."""
    types = {attribute.name: attribute.type for attribute in attributes_of(group.account, group=group)}
    values = dict(old)
    for name, text in given.items():
        if name not in types:
            raise Refusal("attribute.unknown", name=name)
        if text.strip():
            values[name] = PARSERS[types[name]](text)
        else:
            values.pop(name, None)
    return values


def _save(group: Group, *, recipient: Recipient, actor: Actor, changed: Sequence[str], was: Status) -> None:
    recipient.change_id = None
    recipient.save(update_fields=[*changed, "change_id"])
    if recipient.deactivated is not None:
        engine().follow_opt_outs(group.pk)
    shift = {was.value: -1, recipient.status.value: 1} if recipient.status != was else {}
    raise_revision(group, shift=shift)
    record(
        "recipient.changed",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        recipient=recipient.pk,
        fields=list(changed),
        status=recipient.status.value,
    )


def _note(recipient: Recipient, *, kind: Activity.Kind, at: datetime) -> None:
    Activity.objects.create(recipient=recipient, kind=kind, at=at)
