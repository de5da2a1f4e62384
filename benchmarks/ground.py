"""Where a run happens: a database of its own, a folder of its own, and the product running in it.

The web server and the worker are started exactly as the product starts them (`launch.supervisor`), as
processes of their own, so that what is measured is what people get.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import redis

from backupsvc.launch.supervisor import CHILD, ROOT, programs

MARK = "made by make bench"
# As many as the product starts by itself; a backup can be written beside the merge that it protects.
WORKERS = WEB_WORKERS = 2
STARTS_WITHIN_SECONDS = 60


@contextmanager
def database(url: str) -> Iterator[None]:
    """The database that `url` names, made empty and dropped at the end; never one that we did not make."""
    name = urlsplit(url).path.lstrip("/")
    with closing(psycopg2.connect(_maintenance(url))) as server:
        server.autocommit = True
        _drop(server, name)
        with server.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
            cursor.execute(f"COMMENT ON DATABASE \"{name}\" IS '{MARK}'")
        try:
            yield
        finally:
            _drop(server, name)


def why_no_database(url: str) -> str:
    """Empty when the server that `url` names can be reached."""
    try:
        psycopg2.connect(_maintenance(url), connect_timeout=3).close()
    except psycopg2.Error as problem:
        return str(problem).strip()
    return ""


def version(url: str) -> str:
    """The server's name and version."""
    with closing(psycopg2.connect(_maintenance(url))) as server, server.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (found,) = cursor.fetchone() or ("",)
        return f"PostgreSQL {str(found).split()[0]}"


def _drop(server: psycopg2.extensions.connection, name: str) -> None:
    with server.cursor() as cursor:
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        )
        found = cursor.fetchone()
        if found is None:
            return
        if found[0] != MARK:
            sys.exit(f"The database {name} exists and was not made by this benchmark: name another one.")
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _maintenance(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path="/postgres"))


def environment(*, data_dir: Path, database_url: str, broker_url: str) -> dict[str, str]:
    """What the product's settings read, for one run; "" as `database_url` is SQLite."""
    return os.environ | {
        "ENV_FILE": "",
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url if database_url else "",
        "CACHE_URL": "",
        "SNAPSHOT_STORAGE_URL": "",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "DEBUG": "0",
        "LOG_LEVEL": "WARNING",
        "UPLOAD_LIMIT_MB": "4096",
        "UNDO_DELETION_HOURS": "0",
        "PORT": str(_free_port()),
    }


def reachable_broker(url: str) -> str:
    """The broker, or "" (the queue of the default mode) when nobody answers there."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2) as client:
            client.ping()
            client.flushdb()
    except redis.RedisError:
        return ""
    return url


@contextmanager
def product() -> Iterator[dict[str, int]]:
    """Web server and worker of this process's environment; the process ids by name."""
    bind = f"127.0.0.1:{os.environ['PORT']}"
    wanted = [
        each for each in programs(bind=bind, web_workers=WEB_WORKERS, workers=WORKERS) if each.name != "beat"
    ]
    log = Path(os.environ["DATA_DIR"], "log.txt")
    with log.open("wb") as output:
        running = {
            each.name: subprocess.Popen(
                [sys.executable, str(CHILD), *each.command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            for each in wanted
        }
        try:
            _await(f"http://{bind}/healthz")
            yield {name: process.pid for name, process in running.items()}
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait(timeout=60)


def _await(url: str) -> None:
    give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an address of our own
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"Nothing answers at {url}.")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
