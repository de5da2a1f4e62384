"""The accounts app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from backupsvc.accounts.guard import protect


class AccountsConfig(AppConfig):
    name = "backupsvc.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the signals; have the log protected whenever the database was migrated."""
        from backupsvc.accounts import receivers  # noqa: F401, PLC0415  # connects signals

        post_migrate.connect(protect, sender=self, dispatch_uid="accounts.protect")
