"""What a person changes about themselves. Not part of any account, so no account's log has it."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import User
from backupsvc.errors import Forbidden


@transaction.atomic
def change_profile(user: User, *, actor: Actor, name: str | None = None, language: str | None = None) -> User:
    """Change one's own name and language; only what is given changes."""
    if actor.user is not None and actor.user.pk != user.pk:
        raise Forbidden("profile.not_yours")
    if name is not None:
        user.name = name
    if language is not None:
        user.language = language
    user.save(update_fields=["name", "language"])
    return user


@transaction.atomic
def prove_address(user: User) -> None:
    """Note that the user reads the mail to their address: only then allauth offers a second factor."""
    address, _created = EmailAddress.objects.get_or_create(user=user, email=user.email)
    address.set_verified()
    address.set_as_primary(conditional=True)
