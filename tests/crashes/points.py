"""The moments at which a process can die: before each thing that lasts. The code itself makes the list.

What lasts is a commit, a statement outside of a transaction, a change of a file or a folder, a message.
Between two of them nothing is lost by dying, so to die before each and after the last is to die anywhere.
Nothing names the steps of a change: whoever adds one that lasts has added its point.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from backupsvc.celery import app
from tests.crashes.disk import Disk

ROOT = Path(__file__).resolve().parent.parent.parent
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Statements that change no row; all others last at once when no transaction is open.
PASSING = ("SELECT", "BEGIN", "ROLLBACK", "SET ", "SAVEPOINT", "RELEASE", "PRAGMA", "DROP TABLE IF EXISTS")
# The name of an audit event of Python, and which of its arguments is the path.
FILE_EVENTS = {"os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.truncate": 0, "os.rename": 1, "os.link": 1}


class Points:
    """Counts the points that this process passes, and calls `die` at the one numbered `die_at`.

    For a forked child: what is hooked here is never let go. `die` gets the point in words.
    """

    def __init__(self, *, folder: Path, disk: Disk, die_at: int, die: Callable[[str], None]) -> None:
        self.folder = str(folder.resolve())
        self.disk = disk
        self.die_at = die_at
        self.die = die
        self.passed = 0
        self.is_listening = True

    def listen(self) -> None:
        """Hook everything that lasts, for the rest of this process."""
        sys.addaudithook(self._audited)
        connection.execute_wrappers.append(self._statement)
        fsync, fdopen, send = os.fsync, os.fdopen, app.send_task
        commit: Any = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]  # Django's own

        def noted_commit(wrapper: BaseDatabaseWrapper) -> None:
            self.at("commit")
            commit(wrapper)

        def noted_fsync(descriptor: int) -> None:
            self.at("fsync")
            fsync(descriptor)
            self.disk.synced(Path(f"/proc/self/fd/{descriptor}").resolve())

        def noted_fdopen(descriptor: int, *arguments: Any, **options: Any) -> Any:
            path = Path(f"/proc/self/fd/{descriptor}").resolve()
            file = fdopen(descriptor, *arguments, **options)
            return _File(file, points=self) if self._is_ours(path) else file

        def noted_send(*arguments: Any, **options: Any) -> Any:
            self.at("message")
            return send(*arguments, **options)

        BaseDatabaseWrapper._commit = noted_commit  # type: ignore[attr-defined]
        os.fsync = noted_fsync  # type: ignore[assignment]
        os.fdopen = noted_fdopen  # type: ignore[assignment]
        app.send_task = noted_send  # type: ignore[method-assign]

    def at(self, what: str) -> None:
        """Another point; the last one for who dies here."""
        if not self.is_listening:
            return
        self.passed += 1
        if self.passed == self.die_at:
            self.is_listening = False
            self.die(f"point {self.passed}, before {what} at {_place()}")

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_listening:
            return
        if event == "open":
            path, _mode, flags = arguments
            if isinstance(path, str | os.PathLike) and flags & WRITING and self._is_ours(path):
                self.at(f"opening {Path(path).suffix}")
                self.disk.opened(Path(path))
        elif event in FILE_EVENTS:
            path = arguments[FILE_EVENTS[event]]
            if self._is_ours(path):
                self.at(event)
                self.disk.changed(event, Path(arguments[0]), Path(path))

    def _statement(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not connection.in_atomic_block and not str(sql).lstrip().upper().startswith(PASSING):
            self.at(f"statement {str(sql)[:40]}")
        return execute(sql, params, many, context)

    def _is_ours(self, path: str | os.PathLike[str]) -> bool:
        return os.path.abspath(path).startswith(self.folder)  # noqa: PTH100  # resolving would open it


class _File:
    """A file that is being written: each write is a point."""

    def __init__(self, file: Any, *, points: Points) -> None:
        self._file = file
        self._points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        self._points.at("write")
        return int(self._file.write(data))


def _place() -> str:
    """Where in the product this happens."""
    ours = [frame for frame in traceback.extract_stack() if _is_product(frame.filename)]
    if not ours:
        return "the test itself"
    return " < ".join(
        f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno} {frame.name}"
        for frame in reversed(ours[-3:])
    )


def _is_product(file: str) -> bool:
    return file.startswith(str(ROOT)) and "/tests/" not in file and "/.venv/" not in file
