"""What tests may find outside of Python: PostgreSQL, Redis, a browser."""

from __future__ import annotations

import os
import shutil
from urllib.parse import urlsplit

import psycopg2
import redis

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def database_url() -> str:
    """A server on which the tests make a database of their own."""
    return os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")


def redis_url() -> str:
    """A numbered Redis database that the tests may empty."""
    return os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


def why_no_database(url: str) -> str:
    """Why nobody answers there; empty when somebody does."""
    try:
        psycopg2.connect(url, connect_timeout=3).close()
    except psycopg2.Error as exc:
        return str(exc).splitlines()[0]
    return ""


def why_no_redis(url: str) -> str:
    """Why nobody answers there; empty when somebody does."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as exc:
        return str(exc)
    return ""


def browser_path() -> str | None:
    """Chromium or a relative of it: `CHROMIUM` names one, else the first on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def must_be_complete() -> bool:
    """Whether a test that cannot run is a failure."""
    return bool(os.environ.get("CI") or os.environ.get("REQUIRE_ALL"))


def without_password(url: str) -> str:
    """The address as it may be printed."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}{parts.path}"


def forget_all(url: str) -> None:
    """Empty the Redis database, as a restart without a file does."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()
