"""The project itself as an app: its checks and its set-up commands."""

from __future__ import annotations

from django.apps import AppConfig


class BackupsvcConfig(AppConfig):
    name = "backupsvc"

    def ready(self) -> None:
        from backupsvc import checks  # noqa: F401, PLC0415  # registers the system checks
