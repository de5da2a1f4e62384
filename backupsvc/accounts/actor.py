"""Who acts, and from where. Origin is an argument, never a thread-local."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import User


class Origin(models.TextChoices):
    UI = "ui", _("web application")
    API = "api", _("API")
    COMMAND = "command", _("command line")
    SCHEDULE = "schedule", _("schedule")
    SUPPORT = "support", _("support")


@dataclass(frozen=True)
class Actor:
    """A signed-in user, or (user None) the operator's own shell and schedule, which may do everything.

    A request always passes its signed-in user; views refuse anonymous ones before an Actor is made.
    """

    user: User | None
    origin: Origin

    @property
    def label(self) -> str:
        """The name that audit entries and backups show, kept when the user is gone."""
        if self.user is None:
            return str(Origin(self.origin).label)
        return self.user.name or self.user.email


def operator(origin: str = Origin.COMMAND) -> Actor:
    """The actor of commands and schedules."""
    return Actor(user=None, origin=Origin(origin))
