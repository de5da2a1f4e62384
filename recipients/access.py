"""The doors to groups, recipients and changes: not there and not yours give the same NotFound."""

from __future__ import annotations

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound
from backupsvc.texts import is_whole
from recipients.models import Attribute, BlocklistEntry, Change, Group, Recipient


def get_group(
    actor: Actor,
    *,
    account: Account,
    group_id: int,
    permission: Permission = Permission.VIEW,
    deleted: bool = False,
) -> Group:
    """A live group of the account; with `deleted` also a hidden one. Raises NotFound, Forbidden."""
    require(actor, account=account, permission=permission)
    group = Group.objects.filter(account=account, pk=group_id).first()
    if group is None or not (group.is_live or deleted):
        raise NotFound("group.not_found")
    return group


def find_group(actor: Actor, *, account: Account, name: str, deleted: bool = False) -> Group:
    """The group that a command names: by its exact name, or by its id as #2024. Raises NotFound.

    Digits alone are a name, whether there is such a list or not any more: whoever deletes the list "2024"
    twice does not mean the one that has this id. With `deleted`, a live group of the name comes before the
    newest deleted one.
    """
    require(actor, account=account, permission=Permission.VIEW)
    groups = Group.objects.filter(account=account)
    if not is_whole(name):
        raise NotFound("group.not_found", name=name)
    if is_group_id(name):
        group = groups.filter(pk=int(name[1:])).first()
    else:
        group = groups.filter(name=name, hidden_at__isnull=True).first()
        if group is None and deleted:
            group = groups.filter(name=name).order_by("-pk").first()
    if group is None or not (group.is_live or deleted):
        raise NotFound("group.not_found", name=name)
    return group


def is_group_id(name: str) -> bool:
    """Whether a command names a group by its id."""
    return name.startswith("#") and row_number(name[1:]) is not None


def get_change(
    actor: Actor, *, account: Account, change_id: int, permission: Permission = Permission.VIEW
) -> Change:
    """A change of the account. Raises NotFound, Forbidden."""
    require(actor, account=account, permission=permission)
    change = Change.objects.filter(account=account, pk=change_id).select_related("group", "account").first()
    if change is None:
        raise NotFound("change.not_found")
    return change


def get_recipient(
    actor: Actor, *, group: Group, recipient_id: int, permission: Permission = Permission.VIEW
) -> Recipient:
    """A recipient of a live group. Raises NotFound, Forbidden."""
    require(actor, account=group.account, permission=permission)
    recipient = Recipient.objects.filter(group=group, pk=recipient_id).first()
    if recipient is None or not group.is_live:
        raise NotFound("recipient.not_found")
    return recipient


def get_attribute(
    actor: Actor, *, account: Account, attribute_id: int, permission: Permission = Permission.VIEW
) -> Attribute:
    """A field of the account or of one of its groups. Raises NotFound, Forbidden."""
    require(actor, account=account, permission=permission)
    attribute = Attribute.objects.filter(account=account, pk=attribute_id).first()
    if attribute is None:
        raise NotFound("attribute.not_found")
    return attribute


def get_blocklist_entry(
    actor: Actor, *, account: Account, entry_id: int, permission: Permission = Permission.VIEW
) -> BlocklistEntry:
    """A blocked address of the account or of one of its groups. Raises NotFound, Forbidden."""
    require(actor, account=account, permission=permission)
    entry = BlocklistEntry.objects.filter(account=account, pk=entry_id).first()
    if entry is None:
        raise NotFound("blocklist.not_found")
    return entry
