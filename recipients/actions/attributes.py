"""Writes to fields."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from recipients.actions.groups import lock_group, raise_revision
from recipients.bulk.engine import engine
from recipients.imports.mapping import check_name
from recipients.models import MOST_ATTRIBUTES, Attribute, AttributeType, Group
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
    """The row alone, checked; for changes that bring their own log entry. Call inside a transaction."""
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


@transaction.atomic
def delete_attribute(attribute: Attribute, *, actor: Actor) -> None:
    """Delete the field and its values, in every list that has it."""
    require(actor, account=attribute.account, permission=Permission.MANAGE)
    for group in _groups_with(attribute):
        group = lock_group(group.pk)
        engine().drop_attribute(group.pk, name=attribute.name)
        raise_revision(group)
    record(
        "attribute.deleted",
        account=attribute.account,
        actor=actor,
        group_id=attribute.group_id,
        target=attribute.name,
        type=attribute.type,
    )
    attribute.delete()


def _groups_with(attribute: Attribute) -> Iterable[Group]:
    if attribute.group is not None:
        return [attribute.group]
    return Group.objects.filter(account=attribute.account, deleted_at__isnull=True).order_by("pk")
