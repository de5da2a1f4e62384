"""The product's settings as they are; only static files are served uncollected, by nobody."""

from __future__ import annotations

from backupsvc.settings import *  # noqa: F403
from backupsvc.settings import STORAGES

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
