"""What is wrong with a set-up, said when it starts and by `manage.py check`, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from backups.keys import read_key_file
from backupsvc import env


@register(Tags.security)
def debug_stays_at_home(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """DEBUG shows settings and rows to whoever causes an error."""
    if settings.DEBUG and settings.SITE_IS_SECURE:
        return [
            Error(
                "DEBUG is on for a site on https.",
                hint="Take DEBUG out of the environment: it shows code and data to everybody.",
                id="backupsvc.E001",
            )
        ]
    return []


@register(Tags.security)
def site_has_an_address(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """A SITE_URL without a host leads nobody here, and every request to its name is answered with 400."""
    if urlsplit(settings.SITE_URL).hostname:
        return []
    return [
        Error(
            f"SITE_URL is {settings.SITE_URL!r}, which is no address.",
            hint="Write it as people type it: https://backups.example.com",
            id="backupsvc.E002",
        )
    ]


@register(Tags.security)
def secret_key_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """With a server as database there may be more machines, and each would make a key of its own."""
    if uses_sqlite() or env.text("SECRET_KEY"):
        return []
    return [
        Warning(
            "SECRET_KEY comes from a file that this machine made for itself.",
            hint=f"Put the content of {settings.DATA_DIR / 'secret_key'} into SECRET_KEY or SECRET_KEY_FILE "
            "on every machine, or people are signed out whenever another machine answers.",
            id="backupsvc.W001",
        )
    ]


@register(Tags.security)
def audit_key_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """What one machine signs another must be able to verify."""
    if uses_sqlite() or env.text("AUDIT_KEY"):
        return []
    return [
        Warning(
            "AUDIT_KEY, which signs the activity log, comes from a file that this machine made for itself.",
            hint=f"Put the content of {settings.DATA_DIR / 'audit_key'} into AUDIT_KEY or AUDIT_KEY_FILE "
            "on every machine; with one machine, silence this check.",
            id="backupsvc.W005",
        )
    ]


@register(Tags.security)
def archive_key_is_a_key(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """What opens the backups: with a mistyped one, none could be made or read."""
    try:
        if settings.ARCHIVE_KEY:
            read_key_file(settings.ARCHIVE_KEY)
    except ValueError:
        return [
            Error(
                "ARCHIVE_KEY holds something that is no age identity.",
                hint="It wants one or more AGE-SECRET-KEY-1…, separated by commas; the first one is in use. "
                "`manage.py keys new --skip-checks` prints one.",
                id="backupsvc.E005",
            )
        ]
    return []


@register(Tags.security)
def archive_key_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """A key that one machine made for itself opens nothing on the others."""
    if uses_sqlite() or settings.ARCHIVE_KEY:
        return []
    return [
        Warning(
            "The key that opens the backups is in a file that this machine made for itself.",
            hint=f"With more than one machine, put the content of {settings.ARCHIVE_KEY_PATH} into "
            "ARCHIVE_KEY or ARCHIVE_KEY_FILE on every machine. With one machine, silence this check.",
            id="backupsvc.W006",
        )
    ]


@register(Tags.caches)
def cache_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """The limits on attempts to sign in count in the cache."""
    if uses_sqlite() or settings.CACHE_URL:
        return []
    return [
        Warning(
            "The cache is a folder of this machine.",
            hint="With more than one web machine set CACHE_URL=redis://…, or every machine counts "
            "attempts to sign in by itself. With one machine, silence this check.",
            id="backupsvc.W002",
        )
    ]


@register
def queue_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """A folder as the queue reaches the workers of this machine only."""
    if uses_sqlite() or not settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return []
    return [
        Warning(
            "The queue is a folder of this machine, but the database may serve several.",
            hint="Set CELERY_BROKER_URL=redis://…; with one machine, silence this check.",
            id="backupsvc.W003",
        )
    ]


@register
def redis_waits_long_enough(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Redis hands a task out again when nobody acknowledged it in time, even while it runs."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    if options.get("visibility_timeout", float("inf")) > settings.CELERY_TASK_TIME_LIMIT:
        return []
    return [
        Error(
            "The queue's visibility_timeout is not longer than the hard time limit of a task.",
            hint="Raise visibility_timeout, or a long task runs twice at once.",
            id="backupsvc.E004",
        )
    ]


@register(Tags.security, deploy=True)
def mail_is_sent(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Without mail nobody can be invited and no password reset."""
    if not settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        return []
    return [
        Warning(
            "Mail is printed to the log instead of being sent.",
            hint="Set EMAIL_URL=smtp+tls://user:password@host and DEFAULT_FROM_EMAIL.",
            id="backupsvc.W004",
        )
    ]


def uses_sqlite() -> bool:
    """Whether all that there is lives on one machine: the default mode."""
    return str(settings.DATABASES["default"]["ENGINE"]) == "django.db.backends.sqlite3"
