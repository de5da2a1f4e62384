"""The recipients app."""

from __future__ import annotations

from django.apps import AppConfig


class RecipientsConfig(AppConfig):
    name = "recipients"

    def ready(self) -> None:
        from recipients import tasks  # noqa: F401, PLC0415  # registers the app's job handlers
