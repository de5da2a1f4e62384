"""The doors to accounts: who may see one, and do what in it."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import QuerySet

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account, Member, Role
from backupsvc.errors import Forbidden, NotFound


class Permission(StrEnum):
    """What a role may do. One name per kind of act."""

    VIEW = "view"  # look at lists, backups, the log
    EDIT = "edit"  # lists, recipients, imports, deletion of a list
    RESTORE = "restore"  # make a backup, restore one, keep (pin) one
    EXPORT = "export"  # take personal data out: downloads
    MANAGE = "manage"  # switches, retention, deleting a backup, reactivating with a reason
    MEMBERS = "members"  # who belongs to the account


EVERYTHING = frozenset(Permission)
OF_ROLE: dict[str, frozenset[Permission]] = {
    Role.OWNER: EVERYTHING,
    Role.ADMIN: EVERYTHING - {Permission.MEMBERS},
    Role.EDITOR: frozenset({Permission.VIEW, Permission.EDIT, Permission.RESTORE, Permission.EXPORT}),
    Role.VIEWER: frozenset({Permission.VIEW}),
}
# Support may look and restore; the owner decides whether it may also take personal data out.
OF_SUPPORT = frozenset({Permission.VIEW, Permission.RESTORE})


def permissions(actor: Actor, *, account: Account) -> frozenset[Permission]:
    """All that the actor may do in the account; empty for strangers."""
    user = actor.user
    if user is None:
        return EVERYTHING
    if not user.is_active:
        return frozenset()
    member = Member.objects.filter(account=account, user=user).first()
    granted = OF_ROLE[member.role] if member else frozenset()
    if user.is_support:
        granted |= OF_SUPPORT
        if account.support_may_download:
            granted |= {Permission.EXPORT}
    return granted


def acts_as_support(actor: Actor, *, account: Account) -> bool:
    """Whether the actor is in the account only because support staff may."""
    user = actor.user
    return (
        user is not None
        and user.is_support
        and not Member.objects.filter(account=account, user=user).exists()
    )


def require(actor: Actor, *, account: Account, permission: Permission) -> None:
    """Raise NotFound to strangers and Forbidden to those who may look but not do this."""
    granted = permissions(actor, account=account)
    if not granted:
        raise NotFound("account.not_found")
    if permission not in granted:
        raise Forbidden("account.forbidden", permission=permission.value)


def get_account(actor: Actor, *, slug: str, permission: Permission = Permission.VIEW) -> Account:
    """The account, if it is there and the actor may do `permission` in it.

    Raises NotFound (not there or not theirs) or Forbidden (theirs to see only).
    """
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        raise NotFound("account.not_found")
    require(actor, account=account, permission=permission)
    return account


def accounts_of(actor: Actor) -> QuerySet[Account]:
    """The accounts the actor may open, by name. Support staff find accounts on their own page."""
    accounts = Account.objects.order_by("name", "id")
    if actor.user is None:
        return accounts
    return accounts.filter(members__user=actor.user)
