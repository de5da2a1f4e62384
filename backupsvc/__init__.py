"""The Django project: wires, and what every app stands on."""

from __future__ import annotations

from backupsvc.celery import app as celery_app

__all__ = ["celery_app"]
