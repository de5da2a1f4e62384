"""Writes to fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Q

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account, AuditEntry
from backupsvc.errors import Refusal
from recipients.actions.groups import lock_fields, lock_group, raise_revision
from recipients.bulk.engine import engine
from recipients.imports.mapping import check_name
from recipients.models import MOST_ATTRIBUTES, UNDER_WAY, Attribute, AttributeType, Change, ChangeKind, Group
from recipients.selectors import attributes_of


@transaction.atomic
def create_attribute(
    account: Account,
    *,
    actor: Actor,
    name: str,
    type: str = AttributeType.TEXT,  # noqa: A002  # the field's word
    group: Group | None = None,
) -> Attribute:
    """A new field of the account (every list has it) or of one list. Raises Refusal for a bad name."""
    require(actor, account=account, permission=Permission.EDIT)
    lock_fields(account.pk)
    attribute = add_attribute(account, name=name, type=type, group=group)
    for changed in _groups_with(attribute):
        raise_revision(lock_group(changed.pk))
    record(
        "attribute.created",
        account=account,
        actor=actor,
        group_id=group.pk if group else None,
        target=attribute.name,
        type=attribute.type,
    )
    return attribute


def add_attribute(account: Account, *, name: str, type: str, group: Group | None) -> Attribute:  # noqa: A002
    """The row alone, checked. Call inside a transaction."""
    name = name.strip()
    check_name(name, taken=())
    if type not in AttributeType.values:
        raise Refusal("attribute.bad_type", type=type)
    # A field of the account and one of a list may not share a name: their values would.
    rivals = Attribute.objects.filter(account=account, name__iexact=name)
    if group is not None:
        rivals = rivals.filter(Q(group__isnull=True) | Q(group=group))
    if rivals.exists():
        raise Refusal("attribute.name_taken", name=name)
    if len(attributes_of(account, group=group)) >= MOST_ATTRIBUTES:
        raise Refusal("attribute.too_many", most=MOST_ATTRIBUTES)
    return Attribute.objects.create(account=account, group=group, name=name, type=type)


def ensure_attribute(
    account: Account,
    *,
    name: str,
    type: str,  # noqa: A002  # the field's word
    group: Group,
    for_all: bool,
) -> None:
    """See to it that the list has a field of exactly this name; for changes, which bring their own log entry.

    One that is there is taken as it is. A new one is for all lists only if it is to be and no list has one
    of this name yet. What was confirmed must not fail for a name, so names that differ by case alone may
    stand side by side: values go by the exact name. Call where the account's fields are locked. Raises
    Refusal.
    """
    known = attributes_of(account, group=group)
    if any(attribute.name == name for attribute in known):
        return
    check_name(name, taken=())
    if len(known) >= MOST_ATTRIBUTES:
        raise Refusal("attribute.too_many", most=MOST_ATTRIBUTES)
    is_free = not Attribute.objects.filter(account=account, name__iexact=name).exists()
    owner = None if for_all and is_free else group
    # Text holds the values of whatever type a backup may tell.
    known_type = type if type in AttributeType.values else AttributeType.TEXT
    Attribute.objects.get_or_create(account=account, group=owner, name=name, defaults={"type": known_type})


def type_of_deleted(account: Account, *, name: str) -> str:
    """The type that a field had when it was deleted, as the log has it; text when nobody knows."""
    entries = AuditEntry.objects.filter(account=account, event="attribute.deleted", target=name)
    last = entries.order_by("-pk").first()
    return str(last.data["type"]) if last else AttributeType.TEXT


@transaction.atomic
def delete_attribute(attribute: Attribute, *, actor: Actor) -> None:
    """Delete the field and its values, in every list that has it."""
    require(actor, account=attribute.account, permission=Permission.MANAGE)
    lock_fields(attribute.account_id)
    emptied = set[int]()
    # Large lists take their time: what came to be or was brought back meanwhile may have values too.
    while left := [group.pk for group in _groups_with(attribute) if group.pk not in emptied]:
        for group_id in left:
            group = lock_group(group_id)
            engine().drop_attribute(group.pk, name=attribute.name)
            raise_revision(group)
        emptied.update(left)
    record(
        "attribute.deleted",
        account=attribute.account,
        actor=actor,
        group_id=attribute.group_id,
        target=attribute.name,
        type=attribute.type,
    )
    attribute.delete()


def refuse_other_types(then: Mapping[str, str], now: Mapping[str, str], *, code: str) -> None:
    """Raise Refusal(code) for a field, by its name, whose type is another now: values of then do not fit it.

    A text holds the values of every type, and a field that is not there is made with its own.
    """
    for name, type_then in then.items():
        type_now = now.get(name, type_then)
        if type_now not in (type_then, AttributeType.TEXT):
            raise Refusal(code, name=name, type_then=type_then, type_now=type_now)


def _groups_with(attribute: Attribute) -> Iterable[Group]:
    if attribute.group is not None:
        return [attribute.group]
    # A list that a restore is just bringing back counts as deleted until the restore is committed.
    under_way = Change.objects.filter(account=attribute.account, state__in=UNDER_WAY, kind=ChangeKind.RESTORE)
    is_there = Q(deleted_at__isnull=True) | Q(pk__in=under_way.values("group"))
    return Group.objects.filter(is_there, account=attribute.account).order_by("pk")
