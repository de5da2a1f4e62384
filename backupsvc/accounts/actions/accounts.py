"""Accounts: making one, and the settings that hold for all of it."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from django.core.validators import MaxValueValidator
from django.db import transaction

from backupsvc.accounts import audit
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actions.members import find_or_create_user
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import NAME_LENGTH, Account, Member, Role
from backupsvc.errors import Forbidden, Refusal

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@transaction.atomic
def create_account(
    slug: str,
    *,
    actor: Actor,
    name: str = "",
    owner_email: str,
    owner_password: str | None = None,
) -> Account:
    """A new account with its owner. The operator's work: people with a sign-in are refused.

    A known owner keeps their password. Refusals: account.slug_invalid, account.slug_taken,
    account.name_too_long, user.*
    """
    if actor.user is not None and not actor.user.is_superuser:
        raise Forbidden("account.only_operators_create")
    if not SLUG.fullmatch(slug) or len(slug) > 50:
        raise Refusal("account.slug_invalid", slug=slug)
    if Account.objects.filter(slug=slug).exists():
        raise Refusal("account.slug_taken", slug=slug)
    name = name.strip() or slug
    _check_settings({"name": name})
    account = Account.objects.create(slug=slug, name=name)
    owner, _created = find_or_create_user(owner_email, password=owner_password)
    Member.objects.create(account=account, user=owner, role=Role.OWNER)
    audit.record("account.created", account=account, actor=actor, target=account.name, owner=owner.email)
    return account


@transaction.atomic
def change_settings(
    account: Account,
    *,
    actor: Actor,
    auto_backup: bool | None = None,
    backup_api_changes: bool | None = None,
    retention_days: int | None = None,
    support_may_download: bool | None = None,
    name: str | None = None,
    time_zone: str | None = None,
) -> Account:
    """Change what is given and differs; the log keeps old and new values.

    Whether support staff may download personal data is the owner's decision alone.
    Refusals: account.retention_out_of_range, account.time_zone_unknown, account.name_empty,
    account.name_too_long
    """
    require(actor, account=account, permission=Permission.MANAGE)
    account = Account.objects.select_for_update().get(pk=account.pk)
    wanted = {
        "auto_backup": auto_backup,
        "backup_api_changes": backup_api_changes,
        "retention_days": retention_days,
        "support_may_download": support_may_download,
        "name": name.strip() if name is not None else None,
        "time_zone": time_zone,
    }
    new = {
        key: value for key, value in wanted.items() if value is not None and value != getattr(account, key)
    }
    _check_settings(new)
    if "support_may_download" in new:
        require(actor, account=account, permission=Permission.MEMBERS)
    if not new:
        return account
    old = {key: getattr(account, key) for key in new}
    for key, value in new.items():
        setattr(account, key, value)
    account.save(update_fields=list(new))
    audit.record("account.settings_changed", account=account, actor=actor, old=old, new=new)
    return account


def most_retention_days() -> int:
    """The longest time a backup can be kept, as the model says."""
    field = Account._meta.get_field("retention_days")
    return max(int(v.limit_value) for v in field.validators if isinstance(v, MaxValueValidator))


def _check_settings(new: dict[str, Any]) -> None:
    most = most_retention_days()
    if "retention_days" in new and not 1 <= new["retention_days"] <= most:
        raise Refusal("account.retention_out_of_range", least=1, most=most)
    if "time_zone" in new and new["time_zone"] not in zoneinfo.available_timezones():
        raise Refusal("account.time_zone_unknown", time_zone=new["time_zone"])
    if "name" in new and not new["name"]:
        raise Refusal("account.name_empty")
    if "name" in new and len(new["name"]) > NAME_LENGTH:
        raise Refusal("account.name_too_long", most=NAME_LENGTH)
