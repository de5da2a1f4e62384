"""Support staff at work in a customer's account: every step is written down there."""

from __future__ import annotations

from django.db import transaction

from backupsvc.accounts import audit
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account


@transaction.atomic
def open_account(account: Account, *, actor: Actor) -> None:
    """Note that support staff have come in. Called once a visit; the door counts the visits."""
    require(actor, account=account, permission=Permission.VIEW)
    audit.record("support.opened", account=account, actor=actor)


@transaction.atomic
def view_page(account: Account, *, actor: Actor, path: str) -> None:
    """Note which page support staff looked at: its address, without what they searched for."""
    require(actor, account=account, permission=Permission.VIEW)
    audit.record("support.viewed", account=account, actor=actor, target=path)
