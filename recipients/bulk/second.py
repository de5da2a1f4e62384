"""A second connection to the database: half of a change's work, done while the first does the other half.

PostgreSQL gives a statement that writes one core. Where a change's own tables are written, which nobody
else reads and which are made anew when anything fails, two statements on two connections take two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from threading import Condition, Lock
from types import TracebackType
from typing import BinaryIO, ParamSpec, TypeVar

from django.db import OperationalError, connection

from recipients.bulk.base import Piece
from recipients.bulk.crowd import is_crowded

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Shared(Iterator[Piece]):
    """What two threads take turns to take from. What making the next one raises is raised to who asked for
    it; the other finds the end."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces, self._lock = pieces, Lock()

    def __next__(self) -> Piece:
        with self._lock:
            return next(self._pieces)


class Spool:
    """What one thread writes to a file while another reads it, and waits for what is still to come.

    The file is theirs alone; one that is closed raises ValueError, in either.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written, self._read, self._is_whole = 0, 0, False
        self._changed = Condition()

    def write(self, data: bytes, /) -> None:
        """Add to the end."""
        with self._changed:
            self._file.seek(self._written)
            self._written += self._file.write(data)
            self._changed.notify()

    def close(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._is_whole = True
            self._changed.notify()

    def read(self, size: int, /) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._is_whole or self._read < self._written)
            self._file.seek(self._read)
            data = self._file.read(min(size, self._written - self._read))
        self._read += len(data)
        return data


class Second:
    """A thread with a connection of its own, opened when it is first asked for and closed at the end.

    It sees what is committed and nothing that the first connection has open; what it writes is committed
    by itself. So it is there only where it sees `needed`, a table or an index. Without it, where the server
    takes no further connection, and while many others use the database, the first one does all of the work.
    """

    def __init__(self, *, needed: str) -> None:
        self._needed = needed
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="second")

    def __enter__(self) -> Second:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Waits for what it does: nothing of a change may be written when its worker has given it up.
        self._thread.submit(_close).result()
        self._thread.shutdown()

    @property
    def is_there(self) -> bool:
        """Whether it can be had, sees what it needs, and takes no core from others just now."""
        return self._can_be_had and not is_crowded()

    @cached_property
    def _can_be_had(self) -> bool:
        try:
            return self.start(self._sees_what_it_needs).result()
        except OperationalError:
            return False

    def start(
        self, work: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
    ) -> Future[Result]:
        """Begin with the work, on the second connection; its result, or what it raised, comes later."""
        return self._thread.submit(work, *given, **named)

    def _sees_what_it_needs(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [self._needed])
            found = cursor.fetchone()
        return bool(found and found[0])


def _close() -> None:
    # Named within the thread: `connection` is another one in each.
    connection.close()
