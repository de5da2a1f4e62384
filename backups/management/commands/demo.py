"""An account to look around in."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.utils import timezone

from backups.management.demo.story import FOUNDED, Story
from backupsvc.accounts import audit
from backupsvc.accounts.actions.accounts import create_account
from backupsvc.accounts.actions.members import find_or_create_user
from backupsvc.accounts.actions.sealing import seal_log
from backupsvc.accounts.actions.users import change_profile
from backupsvc.accounts.actor import operator
from backupsvc.accounts.management.operator_command import OperatorCommand, table
from backupsvc.accounts.models import Account, Member, Role, User

SLUG = "demo"
PASSWORD = "demo"  # noqa: S105  # meant to be known; never given where others can reach the site
# Who there is: what they may do (support belongs to no account), name, language.
CAST = {
    "owner": (Role.OWNER, "Olivia Owner", "en"),
    "admin": (Role.ADMIN, "Anton Admin", "de"),
    "editor": (Role.EDITOR, "Elena Editor", "it"),
    "viewer": (Role.VIEWER, "Victor Viewer", "en"),
    "support": (None, "Sam Support", "en"),
}


class Command(OperatorCommand):
    help = "Make the account “demo” with lists and a month of backups, once; say who can sign in."

    def act(self, options: dict[str, Any]) -> bool:
        """Make it if it is not there; print the people either way."""
        password = PASSWORD
        if not Account.objects.filter(slug=SLUG).exists():
            # A site with an address of its own may be open to the world.
            password = secrets.token_urlsafe(9) if settings.SITE_IS_SECURE else PASSWORD
            self.tell("Making the demo account …")
            with audit.dated_back(FOUNDED):
                account, cast = _cast(password)
            Story(account, cast=cast, now=timezone.now()).tell()
            seal_log()
        self.put(_who_can_sign_in(password))
        return True


def _cast(password: str) -> tuple[Account, dict[str, User]]:
    """The account and its people."""
    operators = operator()
    account = create_account(
        SLUG,
        actor=operators,
        name="Demo Letters",
        owner_email=_address("owner"),
        owner_password=password,
    )
    cast = {}
    for word, (role, name, language) in CAST.items():
        user, _made = find_or_create_user(_address(word), password=password)
        change_profile(user, actor=operators, name=name, language=language)
        if role is None:
            user.is_support = True
            user.save(update_fields=["is_support"])
        elif role != Role.OWNER:
            # Not `add_member`: it would write to them, and nobody reads these mailboxes.
            Member.objects.create(account=account, user=user, role=role)
            audit.record("member.added", account=account, actor=operators, target=user.email, role=role)
        cast[word] = user
    return account, cast


def _who_can_sign_in(password: str) -> str:
    users = {user.email: user for user in User.objects.filter(email__in=[_address(word) for word in CAST])}
    rows = []
    for word, (role, _name, _language) in CAST.items():
        user = users.get(_address(word))
        if user is not None and user.is_active:
            is_known = user.check_password(password)
            may = role.label if role else "Support"
            rows.append((user.email, password if is_known else "(changed)", may, user.name))
    return f"Sign in at {settings.SITE_URL}\n\n{table(rows, head=('address', 'password', 'role', 'name'))}"


def _address(word: str) -> str:
    return f"{word}@{SLUG}.example"
