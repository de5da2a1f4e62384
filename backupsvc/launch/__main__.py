"""`python -m backupsvc.launch`: set up what is missing, then run everything until Ctrl-C.

Environment: HOST and PORT (127.0.0.1:8000), DATA_DIR, WEB_WORKERS, WORKERS, and all of .env.example.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backupsvc import env, settings
from backupsvc.launch import assets, messages, supervisor


class CannotStart(Exception):
    """Something a person has to change first."""


def main() -> int:
    """Check, set up, run; the exit code."""
    host, port = env.text("HOST", "127.0.0.1"), env.number("PORT", 8000)
    folder = env.private_folder(settings.DATA_DIR / "run")
    with _only_one(folder / "lock"):
        refuse_taken_port(host, port)
        with _in_turn():
            assets.fetch()
            messages.compile_all()
            _manage("prepare")
        # What listens on every address is asked on the loopback one.
        asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
        return supervisor.run(
            supervisor.programs(
                bind=_address(host, port),
                web_workers=env.number("WEB_WORKERS", 2),
                workers=env.number("WORKERS", 2),
            ),
            folder=folder,
            health_url=f"http://{_address(asked, port)}/healthz",
            when_ready=f"\n  backupsvc runs at {settings.SITE_URL}\n"
            f"  Its data are in {settings.DATA_DIR}. Ctrl-C stops it.\n",
        )


def refuse_taken_port(host: str, port: int) -> None:
    """Raise CannotStart when the address cannot be listened on, before anything is changed."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the web server does: an address that was just given up is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise CannotStart(
            f"cannot listen on {_address(host, port)}: {exc.strerror}.\n"
            f"Stop what uses the port, or take another one: PORT={port + 1} make run"
        ) from None


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the data folder: two beats and two sets of workers on one SQLite file get in each other's way."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"it already runs with the data in {settings.DATA_DIR}.\n"
                "Stop it first, or give this one a folder of its own: DATA_DIR=/some/folder make run"
            ) from None
        yield


@contextmanager
def _in_turn() -> Iterator[None]:
    """One set-up at a time: services with data of their own still share the files of this installation."""
    with (Path(sys.prefix) / ".set-up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _manage(*arguments: str) -> None:
    """One of Django's commands, in a process of its own."""
    if subprocess.run([sys.executable, "manage.py", *arguments], cwd=supervisor.ROOT, check=False).returncode:
        raise CannotStart(f"`manage.py {' '.join(arguments)}` failed, see above")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # While setting up, every wish to end is one: what runs below is ended too.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    os.chdir(supervisor.ROOT)
    try:
        sys.exit(main())
    except (CannotStart, assets.AssetsMissing, env.BadEnvironment) as exc:
        sys.exit(f"backupsvc: {exc}")
    except KeyboardInterrupt:
        sys.exit(130)
