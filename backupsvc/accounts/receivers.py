"""What follows from how people sign in. Connected once, here."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import password_reset

from backupsvc.accounts.actions.users import prove_address
from backupsvc.accounts.models import User


def note_proven_address(user: User, **_signal: Any) -> None:
    """Whoever chose a password by a mailed link, an invitation's too, has read the mail."""
    prove_address(user)


password_reset.connect(note_proven_address, dispatch_uid="accounts.note_proven_address")
