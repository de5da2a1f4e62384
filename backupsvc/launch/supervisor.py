"""Web server, worker and beat under one supervisor, started and stopped as one.

The chain is: this process → supervisord → programs. This process owns the terminal: Ctrl-C, SIGTERM
and a closed terminal (SIGHUP, which supervisord would take for "reload") all end in one orderly stop.
supervisord starts again what dies. Every link ends when the one before it is killed (`child.py`), so
nothing is left running.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
CHILD = Path(__file__).with_name("child.py")
BIN = Path(sys.executable).parent
STARTS_WITHIN_SECONDS = 60
# The worker gives way when both want a core: somebody waits for a page, nobody for a row. No more than
# this, since a page that writes to SQLite waits while the worker writes.
NICE = ("nice", "-n", "5")


@dataclass(frozen=True)
class Program:
    """One program to keep running; lower priorities start earlier and stop later."""

    name: str
    command: list[str]
    priority: int
    # After so many seconds a program that was asked to stop is killed with all its children.
    stops_within_seconds: int


def programs(*, bind: str, web_workers: int, workers: int) -> list[Program]:
    """What the service consists of on one machine."""
    python = str(BIN / "python")
    celery = [python, "-m", "celery", "--quiet", "--app", "backupsvc"]
    return [
        Program(
            "web",
            [
                # The rest stands in gunicorn.conf.py.
                *(python, "-m", "gunicorn", "backupsvc.wsgi", f"--bind={bind}"),
                *(f"--workers={web_workers}", "--log-level=warning"),
            ],
            priority=1,
            stops_within_seconds=20,
        ),
        Program(
            "worker",
            [
                *(
                    *NICE,
                    *celery,
                    "worker",
                    "--queues=snapshot,change,maintenance",
                    f"--concurrency={workers}",
                ),
                *("--without-gossip", "--without-mingle", "--loglevel=INFO"),
            ],
            priority=2,
            # A job that is cut off starts again later; people who press Ctrl-C do not wait longer.
            stops_within_seconds=20,
        ),
        Program(
            "beat", [*celery, "beat", "--pidfile=", "--loglevel=INFO"], priority=3, stops_within_seconds=5
        ),
    ]


def config(wanted: list[Program], folder: Path) -> str:
    """supervisord's configuration: everything in the foreground, nothing listening."""
    lines = [
        "; Written at every start.",
        "[supervisord]",
        "nodaemon=true",
        # Its log goes to a file: what the programs say is what people want to see.
        "silent=true",
        f"logfile={_value(folder / 'supervisord.log')}",
        "logfile_maxbytes=1MB",
        "logfile_backups=1",
        f"pidfile={_value(folder / 'supervisord.pid')}",
        f"directory={_value(ROOT)}",
        "umask=077",
    ]
    if os.geteuid() == 0:
        lines.append("user=root")
    for program in wanted:
        command = [sys.executable, str(CHILD), *program.command]
        lines += [
            "",
            f"[program:{program.name}]",
            f"command={_value(shlex.join(command))}",
            f"priority={program.priority}",
            "autorestart=true",
            "startsecs=2",
            # Its waits grow by a second each time: about an hour and a half in all.
            "startretries=100",
            "stopsignal=TERM",
            f"stopwaitsecs={program.stops_within_seconds}",
            # TERM for the main process alone: it lets its children finish, which TERM would end at once.
            "stopasgroup=false",
            "killasgroup=true",
            "stdout_logfile=/dev/fd/1",
            "stdout_logfile_maxbytes=0",
            "redirect_stderr=true",
        ]
    # One group stops together; separate programs would be stopped one after another.
    names = ",".join(program.name for program in wanted)
    lines += ["", "[group:backupsvc]", f"programs={names}"]
    return "\n".join(lines) + "\n"


def run(wanted: list[Program], *, folder: Path, health_url: str, when_ready: str) -> int:
    """Start everything, say so once the web server answers, and return when all has stopped.

    Returns 0 after a stop that somebody asked for, 1 when the programs ended by themselves.
    """
    path = folder / "supervisord.conf"
    path.write_text(config(wanted, folder), encoding="utf-8")
    stop = _StopOnSignal()
    supervisor = subprocess.Popen(
        [sys.executable, str(CHILD), sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        # Out of the terminal's reach: Ctrl-C is ours to hear.
        start_new_session=True,
    )
    stop.forward_to(supervisor)
    if _answers(health_url, supervisor):
        print(when_ready, flush=True)
    elif supervisor.poll() is None and not stop.asked:
        print(f"backupsvc: nothing answers at {health_url} yet; still trying.", file=sys.stderr, flush=True)
    supervisor.wait()
    return 0 if stop.asked else 1


class _StopOnSignal:
    """Turns the signals that end a terminal program into one SIGTERM for the supervisor."""

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def forward_to(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self.asked:
            process.terminate()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._process is not None:
            self._process.terminate()


def _answers(url: str, supervisor: subprocess.Popen[bytes]) -> bool:
    """Whether the web server answers before the time is up or everything has ended."""
    give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < give_up_at and supervisor.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # an address of our own
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
    return False


def _value(value: object) -> str:
    """As supervisord reads it back: a lone % would start an expansion."""
    return str(value).replace("%", "%%")
