"""The product's settings, but for static files, which nobody has collected here."""

from __future__ import annotations

from backupsvc.settings import *  # noqa: F403
from backupsvc.settings import MIDDLEWARE, STORAGES

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")
