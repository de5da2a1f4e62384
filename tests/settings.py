"""The product's settings on temporary ground: a test never touches anybody's data, mail or queue.

`DATABASE_URL` chooses the engine of a run, SQLite without it; `.env` is not read.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# One folder per process, so that the workers of pytest-xdist do not meet.
TEST_DATA_DIR = Path(tempfile.mkdtemp(prefix="backupsvc-test-"))
atexit.register(shutil.rmtree, TEST_DATA_DIR, ignore_errors=True)
for name in (
    "SECRET_KEY",
    "AUDIT_KEY",
    "ARCHIVE_KEY",
    "SITE_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "SNAPSHOT_STORAGE_URL",
    "EMAIL_URL",
):
    os.environ.pop(name, None)
os.environ |= {"ENV_FILE": "", "DATA_DIR": str(TEST_DATA_DIR), "DEBUG": "0"}

from backupsvc.settings import *  # noqa: E402, F403
from backupsvc.settings import DATABASES, MIDDLEWARE, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: locks and journal behave as they do for people, and other processes see it.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DATA_DIR / "test.sqlite3")}
    # A test's database need not survive a power cut.
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
else:
    # Several runs may share a server; each drops its own.
    DATABASES["default"]["TEST"] = {"NAME": f"test_backupsvc_{os.getpid()}"}
    # A connection that outlives its thread keeps the database from being dropped.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
# Files as they lie in the tree: nothing has been collected.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")
# The real one takes 0.2 seconds a sign-in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STRICT_WORDING = True
