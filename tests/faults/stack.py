"""A whole production of its own in a temporary folder: PostgreSQL, Redis, web, two workers, beat."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_SECONDS = 180.0
OPEN_JOBS = (
    "SELECT count(*) FROM jobs_job WHERE state IN ('due', 'running') AND due_at < now() + interval '1 hour'"
)


@dataclass
class Stack:
    """Starts and stops what it started, and nothing else."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {name: _free_port() for name in ("postgres", "redis", "web")}
        self.database = f"postgres://postgres@127.0.0.1:{self.ports['postgres']}/postgres"
        self.site = f"http://127.0.0.1:{self.ports['web']}"
        # The operating system's user for the server may look into it.
        self.folder.chmod(0o755)
        self.environment = {
            **os.environ,
            "ENV_FILE": "",
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DATA_DIR": str(self.folder / "data"),
            "DATABASE_URL": self.database,
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "SITE_URL": self.site,
            "LOG_LEVEL": "WARNING",
        }

    def start(self) -> None:
        """Everything, on empty ground."""
        data = self.folder / "postgres"
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
        _run([*_as_postgres(), binary("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"])
        self.start_one("postgres")
        self.start_one("redis")
        self.manage("migrate", "-v0")
        for name in ("web", "worker-1", "worker-2", "beat"):
            self.start_one(name)

    def start_one(self, name: str) -> None:
        """Start this process; wait for a server until it answers."""
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            self._command(name),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        if name == "postgres":
            until(self._database_answers, what="PostgreSQL does not start")
        elif name in self.ports:
            until(lambda: _answers(self.ports[name]), what=f"{name} does not start")

    def end(self, name: str, *, how: signal.Signals = signal.SIGKILL, group: bool = True) -> None:
        """End this process, with its children unless told otherwise."""
        process = self.processes[name]
        with suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        process.wait(timeout=60)

    def stop(self) -> None:
        """End all of it; harmless when repeated."""
        for name, process in self.processes.items():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGINT if name == "postgres" else signal.SIGKILL)
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)

    def manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the product to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            check=check,
            capture_output=True,
            timeout=LONGEST_SECONDS,
        )

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """What the database says, past the product."""
        connection = psycopg2.connect(self.database, connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(question)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def findings(self) -> list[dict[str, str]]:
        """What the check of everything finds."""
        done = self.manage("fsck", "--json", check=False)
        found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
        return found

    def rest(self) -> None:
        """Wait until no work is left that could run."""
        until(lambda: self.ask(OPEN_JOBS) == [(0,)], what="the work does not come to rest")

    def children(self, name: str) -> list[int]:
        """The processes that this one has started."""
        pid = self.processes[name].pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in found.split()]

    def _command(self, name: str) -> list[str]:
        python = [sys.executable, "-m"]
        match name:
            case "postgres":
                options = ["-p", str(self.ports["postgres"]), "-h", "127.0.0.1", "-k", ""]
                return [*_as_postgres(), binary("postgres"), "-D", str(self.folder / "postgres"), *options]
            case "redis":
                where = ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(self.folder)]
                return ["redis-server", *where, "--save", ""]
            case "web":
                bind = f"127.0.0.1:{self.ports['web']}"
                return [
                    *python,
                    "gunicorn",
                    "backupsvc.wsgi",
                    "--bind",
                    bind,
                    "--workers",
                    "1",
                    "--threads",
                    "4",
                ]
            case "beat":
                return [*python, "celery", "-A", "backupsvc", "beat", "--pidfile="]
        queues = ["-Q", "snapshot,change,maintenance", "-c", "1", "-n", f"{name}@faults"]
        return [*python, "celery", "-A", "backupsvc", "worker", *queues]

    def _database_answers(self) -> bool:
        try:
            return self.ask("SELECT 1") == [(1,)]
        except psycopg2.Error:
            return False


def until(what_holds: Any, *, what: str, seconds: float = LONGEST_SECONDS) -> None:
    """Wait for it; a refusal to connect is an answer too."""
    end = time.monotonic() + seconds
    while True:
        with suppress(psycopg2.Error):
            if what_holds():
                return
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.3)


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def binary(name: str) -> str:
    """The server's program. Raise FileNotFoundError."""
    found = shutil.which(name) or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), ""
    )
    if not found:
        raise FileNotFoundError(f"PostgreSQL's {name} is not installed")
    return found


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
