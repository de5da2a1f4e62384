"""The queue of the default mode: kombu's folder of messages, made safe for several processes.

kombu's own writes a message where others already look for it, and a worker that comes too early reads an
empty file, which it does not survive (kombu issue 1551). Its tables of queues have the same gap.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from time import time, time_ns
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)

UNFINISHED = ".unfinished"
# A message is written in milliseconds: whoever has not named it after this long is no more.
LOST_AFTER_SECONDS = 600


class Channel(filesystem.Channel):
    """One process's way to the folder."""

    # The stubs call the second argument by two names.
    def _put(self, queue: str, payload: dict[str, Any], **_options: Any) -> None:  # type: ignore[override]
        """Write a message aside and name it when it is whole.

        Raises ChannelError when the folder takes no file.
        """
        # Of one length, so that names sort by time: uptimes do not, and begin anew with the machine.
        name = f"{time_ns():019}_{uuid4()}"
        unfinished = Path(self.data_folder_out, f"{name}{UNFINISHED}")
        try:
            unfinished.write_text(dumps(payload), encoding="utf-8")
            unfinished.rename(unfinished.with_name(f"{name}.{queue}.msg"))
        except OSError as problem:
            unfinished.unlink(missing_ok=True)
            raise ChannelError(f"The queue's folder takes no message: {problem}") from problem

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """The oldest message of a queue. It belongs to the one process that could remove its file.

        A file that is none (an abrupt end of the machine can leave an empty one) is dropped: the sweep rings
        again. Raises Empty without a message, ChannelError when the folder cannot be read.
        """
        for path in self._messages(queue):
            try:
                message = path.read_bytes()
                path.unlink()
                return loads(message)
            except FileNotFoundError:
                continue
            except OSError as problem:
                raise ChannelError(f"A message in the queue's folder cannot be read: {problem}") from problem
            except ValueError:
                log.warning("dropped an unreadable message of %s bytes from queue %s", len(message), queue)
        raise Empty

    def _messages(self, queue: str) -> list[Path]:
        """The files of a queue's messages, oldest first. What was surely never finished goes, on any look."""
        paths = list(Path(self.data_folder_in).iterdir())
        for path in paths:
            if path.suffix == UNFINISHED:
                _drop_if_lost(path)
        return sorted(path for path in paths if path.name.partition(".")[2] == f"{queue}.msg")

    def get_table(self, exchange: str) -> Any:
        """The queues of an exchange, never half-written."""
        with self._alone():
            return super().get_table(exchange)

    def _queue_bind(self, *arguments: Any) -> None:
        with self._alone():
            super()._queue_bind(*arguments)

    def _delete(self, *arguments: Any, **options: Any) -> None:
        with self._alone():
            super()._delete(*arguments, **options)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process reads or writes the tables of queues meanwhile."""
        with (self.control_folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _drop_if_lost(unfinished: Path) -> None:
    """Remove what an end amid writing has left."""
    with suppress(FileNotFoundError):
        if unfinished.stat().st_mtime < time() - LOST_AFTER_SECONDS:
            unfinished.unlink()


class Transport(filesystem.Transport):
    """kombu's, with a folder that several processes may share."""

    Channel = Channel
