"""The doors to accounts: who may see one, and do what in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import QuerySet

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account, Member, Role, User
from backupsvc.errors import Forbidden, NotFound
from backupsvc.texts import readable


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


@dataclass(frozen=True)
class Visit:
    """An account that somebody is in: what they may do there, and whether only as support staff.

    `mine`: the accounts they belong to, by name.
    """

    account: Account
    permissions: frozenset[Permission]
    is_support_visit: bool
    mine: Sequence[Account] = ()


def visit(actor: Actor, *, slug: str) -> Visit:
    """The account and all that the actor may do there. Raises NotFound, Forbidden.

    One query for those who belong to it, who also belong to few others.
    """
    members = _members_of(actor)
    member = next((each for each in members if each.account.slug == slug), None)
    account = member.account if member else Account.objects.filter(slug=readable(slug)).first()
    if account is None:
        raise NotFound("account.not_found")
    found = _visit(actor, account, member, members)
    check(found.permissions, Permission.VIEW)
    return found


def usual_visit(actor: Actor) -> Visit | None:
    """The first account of those that the actor belongs to."""
    members = _members_of(actor)
    return _visit(actor, members[0].account, members[0], members) if members else None


def _members_of(actor: Actor) -> list[Member]:
    if actor.user is None:
        return []
    mine = Member.objects.filter(user=actor.user).select_related("account")
    return list(mine.order_by("account__name", "account_id"))


def _visit(actor: Actor, account: Account, member: Member | None, members: Iterable[Member]) -> Visit:
    user = actor.user
    return Visit(
        account,
        EVERYTHING if user is None else _granted(user, account, member),
        is_support_visit=user is not None and user.is_support and member is None,
        mine=[each.account for each in members],
    )


def permissions(actor: Actor, *, account: Account) -> frozenset[Permission]:
    """All that the actor may do in the account; empty for strangers."""
    user = actor.user
    if user is None:
        return EVERYTHING
    return _granted(user, account, Member.objects.filter(account=account, user=user).first())


def _granted(user: User, account: Account, member: Member | None) -> frozenset[Permission]:
    if not user.is_active:
        return frozenset()
    granted = OF_ROLE[member.role] if member else frozenset()
    if user.is_support:
        granted |= OF_SUPPORT
        if account.support_may_download:
            granted |= {Permission.EXPORT}
    return granted


def require(actor: Actor, *, account: Account, permission: Permission) -> None:
    """Raise NotFound to strangers and Forbidden to those who may look but not do this."""
    check(permissions(actor, account=account), permission)


def check(granted: frozenset[Permission], permission: Permission) -> None:
    """Raise NotFound where nothing is granted, and Forbidden where all but this may be."""
    if not granted:
        raise NotFound("account.not_found")
    if permission not in granted:
        raise Forbidden("account.forbidden", permission=permission.value)


def get_account(actor: Actor, *, slug: str, permission: Permission = Permission.VIEW) -> Account:
    """The account, if it is there and the actor may do `permission` in it.

    Raises NotFound (not there or not theirs) or Forbidden (theirs to see only).
    """
    found = visit(actor, slug=slug)
    check(found.permissions, permission)
    return found.account


def accounts_of(actor: Actor) -> QuerySet[Account]:
    """The accounts the actor may open, by name. Support staff find accounts on their own page."""
    accounts = Account.objects.order_by("name", "id")
    if actor.user is None:
        return accounts
    return accounts.filter(members__user=actor.user)
