"""Writes to groups: making, settings, bringing a deleted one back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.audit import record
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import ENDED, Job, JobState
from backupsvc.jobs.runner import cancel
from backupsvc.texts import is_whole
from recipients.models import Change, ChangeKind, ChangeState, Group, Recipient, Status
from recipients.selectors import IN_STATUS

PURGE_JOB = "recipients.purge_group"
NAME_LENGTH = 255
# A deletion that hides its list: until its backup is there, and from then on.
STANDING = (ChangeState.ACTIVE, ChangeState.DONE)
# Advisory locks of PostgreSQL (transactions of long merges would keep a row of the account from everybody):
# held together by whoever locks a list, and by one alone who makes or deletes fields.
FIELDS = 1_702
HOLD_FIELDS = (
    "SELECT pg_advisory_xact_lock_shared(%s, hashint8(account_id)) FROM recipients_group WHERE id = %s"
)
LOCK_FIELDS = "SELECT pg_advisory_xact_lock(%s, hashint8(%s))"


def lock_group(group_id: int) -> Group:
    """The group's row, locked until the transaction ends: the one place where changes of a list queue up.

    The fields of its account stay as they are meanwhile. Other lists are free, and rows that refer to this
    one can be written.
    """
    _lock(HOLD_FIELDS, group_id)
    groups = Group.objects.select_for_update(of=("self",), no_key=True)
    return groups.select_related("account").get(pk=group_id)


def lock_fields(account_id: int) -> None:
    """Until the transaction ends nobody else locks a list of the account. Call before any list is locked."""
    _lock(LOCK_FIELDS, account_id)


def _lock(statement: str, number: int) -> None:
    # SQLite has one writer, and needs no lock.
    if connection.features.has_select_for_update:
        with connection.cursor() as cursor:
            cursor.execute(statement, [FIELDS, number])


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
    if not is_whole(name) or any(ord(character) < 32 for character in name):
        raise Refusal("group.name_control")
    others = Group.objects.filter(account=account, name=name, hidden_at__isnull=True)
    if (others.exclude(pk=group.pk) if group else others).exists():
        raise Refusal("group.name_taken", name=name)
    return name


@contextmanager
def _refused_if_taken(name: str) -> Iterator[None]:
    """Around the write of a checked name: somebody else may have taken it since, and the database knows."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise Refusal("group.name_taken", name=name) from exc


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
    name = check_name(account, name=name)
    with _refused_if_taken(name):
        group = Group.objects.create(account=account, name=name, info=info.strip())
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
    with _refused_if_taken(group.name):
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

    What would remove its rows is called off, and so is its deletion where all of them are there still.
    Raises Refusal while its rows are being removed.
    """
    group = lock_group(group.pk)
    if group.is_live:
        return group
    check_not_being_removed(group)
    # One that is running has not touched a row yet, and looks at the list once more before it does.
    for job in Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk).exclude(state__in=ENDED):
        cancel(job)
    deletion = last_deletion(group)
    if deletion and group.deleted_at is None and deletion.state in STANDING:
        call_off_deletion(deletion)
    group.hidden_at = group.deleted_at = None
    name = group.name
    try:
        _save_called(group, name=name)
    except Refusal:
        # Somebody took the name between the look and the write: it is seen by now, and there are others.
        _save_called(group, name=name)
    recount(group)
    raise_revision(group)
    record("group.revived", account=group.account, actor=actor, group_id=group.pk, target=group.name)
    return group


def _save_called(group: Group, *, name: str) -> None:
    """Save a list that is shown again, under its name or one like it. Raises Refusal."""
    group.name = free_name(group.account, name=name)
    with _refused_if_taken(group.name):
        group.save(update_fields=["name", "hidden_at", "deleted_at"])


def check_not_being_removed(group: Group) -> None:
    """Raise Refusal while the rows of the list, which is locked, are just being removed."""
    running = Job.objects.filter(kind=PURGE_JOB, subject_id=group.pk, state=JobState.RUNNING)
    if group.deleted_at is not None and running.exists():
        raise Refusal("group.being_removed", name=group.name)


def last_deletion(group: Group) -> Change | None:
    """The deletion that hid the list, if it is hidden; earlier ones were undone, or restored from."""
    return Change.objects.filter(group=group, kind=ChangeKind.DELETION).order_by("-pk").first()


def call_off_deletion(deletion: Change) -> None:
    """The list is there again with all its rows: nothing of it was deleted."""
    deletion.state = ChangeState.CANCELLED
    deletion.ended_at = timezone.now()
    deletion.deleted = deletion.updated = 0
    deletion.save(update_fields=["state", "ended_at", "deleted", "updated"])


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
