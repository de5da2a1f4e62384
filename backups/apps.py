"""The backups app."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "backups"

    def ready(self) -> None:
        from backups import receivers, tasks  # noqa: F401, PLC0415  # connects signals, registers job handlers
