"""Writes to groups: making, settings, bringing a deleted one back."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import ENDED, Job
from backupsvc.jobs.runner import cancel
from recipients.models import Group, Recipient, Status
from recipients.selectors import IN_STATUS

PURGE_JOB = "recipients.purge_group"
NAME_LENGTH = 255


def lock_group(group_id: int) -> Group:
    """The group's row, locked until the transaction ends: the one place where changes of a list queue up."""
    return Group.objects.select_for_update().select_related("account").get(pk=group_id)


def raise_revision(group: Group, *, shift: dict[str, int] | None = None) -> None:
    """Note that the list changed, with how many recipients came to (or left) each status."""
    counts = {f"{status}_count": F(f"{status}_count") + by for status, by in (shift or {}).items() if by}
    Group.objects.filter(pk=group.pk).update(revision=F("revision") + 1, changed_at=timezone.now(), **counts)
    group.refresh_from_db()


def check_name(account: Account, *, name: str, group: Group | None = None) -> str:
    """The name without blanks around it. Raises Refusal when it is empty, too long or taken."""
    name = name.strip()
    if not name:
        raise Refusal("group.name_empty")
    if len(name) > NAME_LENGTH:
        raise Refusal("group.name_too_long", most=NAME_LENGTH)
    if any(ord(character) < 32 for character in name):
        raise Refusal("group.name_control")
    others = Group.objects.filter(account=account, name=name, hidden_at__isnull=True)
    if (others.exclude(pk=group.pk) if group else others).exists():
        raise Refusal("group.name_taken", name=name)
    return name


@transaction.atomic
def create_group(
    account: Account,
    *,
    actor: Actor,
    name: str,
    info: str = "",
    permission: Permission = Permission.EDIT,
) -> Group:
    """A new, empty list. `permission` is what the change that needs it asks for."""
    require(actor, account=account, permission=permission)
    group = Group.objects.create(account=account, name=check_name(account, name=name), info=info.strip())
    record("group.created", account=account, actor=actor, group_id=group.pk, target=group.name)
    return group


@transaction.atomic
def change_group(
    group: Group,
    *,
    actor: Actor,
    name: str | None = None,
    info: str | None = None,
    locked: bool | None = None,
    auto_backup: bool | None = None,
) -> Group:
    """Change what is given. Locking and the backup switch need the right to manage."""
    require(actor, account=group.account, permission=Permission.EDIT)
    group = lock_group(group.pk)
    wanted: dict[str, object] = {}
    if name is not None:
        wanted["name"] = check_name(group.account, name=name, group=group)
    if info is not None:
        wanted["info"] = info.strip()
    if locked is not None:
        wanted["locked"] = locked
    if auto_backup is not None:
        wanted["auto_backup"] = auto_backup
    changed = {field: value for field, value in wanted.items() if getattr(group, field) != value}
    if {"locked", "auto_backup"} & set(changed):
        require(actor, account=group.account, permission=Permission.MANAGE)
    if not changed:
        return group
    old = {field: getattr(group, field) for field in changed}
    for field, value in changed.items():
        setattr(group, field, value)
    group.save(update_fields=list(changed))
    raise_revision(group)
    record(
        "group.settings_changed",
        account=group.account,
        actor=actor,
        group_id=group.pk,
        target=group.name,
        old=old,
        new=changed,
    )
    return group


def revive_group(group: Group, *, actor: Actor) -> Group:
    """Show a hidden or deleted list again, with the rows it still has. Call inside a transaction.

    Raises Refusal while its rows are being removed.
    """
    group = lock_group(group.pk)
    if group.is_live:
        return group
    for job in Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk).exclude(state__in=ENDED):
        if not cancel(job):
            raise Refusal("group.being_removed", name=group.name)
    group.name = free_name(group.account, name=group.name)
    group.hidden_at = group.deleted_at = None
    group.save(update_fields=["name", "hidden_at", "deleted_at"])
    recount(group)
    raise_revision(group)
    record("group.revived", account=group.account, actor=actor, group_id=group.pk, target=group.name)
    return group


def free_name(account: Account, *, name: str) -> str:
    """The name, or the name with a number behind it when another live list has taken it."""
    taken = set(
        Group.objects.filter(
            account=account, hidden_at__isnull=True, name__startswith=name[:200]
        ).values_list("name", flat=True)
    )
    candidate, number = name, 2
    while candidate in taken:
        candidate = _("%(name)s (restored %(number)s)") % {"name": name[:200], "number": number - 1}
        number += 1
    return candidate


def recount(group: Group) -> None:
    """Count the group's recipients by status anew (a scan: only where rows may have gone half-way)."""
    counts = {
        f"{status.value}_count": Recipient.objects.filter(IN_STATUS[status], group=group).count()
        for status in Status
    }
    Group.objects.filter(pk=group.pk).update(**counts)
