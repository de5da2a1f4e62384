"""How much memory each part of the product holds at most, read from /proc (Linux) while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY_SECONDS = 0.05
PROC = Path("/proc")


class Watch:
    """The peaks of several groups of processes, in bytes, between `start` and `stop`.

    Of a worker and the web server all that is resident counts; of the database's processes what is their
    own (its shared buffers belong to nobody).
    """

    def __init__(self, groups: dict[str, Callable[[], list[int]]]) -> None:
        self.groups = groups
        self.peaks: dict[str, int] = {}

    @contextmanager
    def peaks_of(self) -> Iterator[dict[str, int]]:
        """The highest use of any one process of each group while the block runs."""
        peaks = dict.fromkeys(self.groups, 0)
        stop = threading.Event()
        thread = threading.Thread(target=self._look, args=(peaks, stop), daemon=True)
        thread.start()
        try:
            yield peaks
        finally:
            stop.set()
            thread.join()

    def _look(self, peaks: dict[str, int], stop: threading.Event) -> None:
        turn = 0
        found: dict[str, list[int]] = {}
        while True:
            if turn % 10 == 0:
                found = {name: pids() for name, pids in self.groups.items()}
            turn += 1
            for name, pids in found.items():
                field = "RssAnon" if name == "database" else "VmRSS"
                peaks[name] = max([peaks[name], *(_resident(pid, field) for pid in pids)])
            if stop.wait(EVERY_SECONDS):
                return


def tree(pid: int) -> list[int]:
    """The process and all that it has started."""
    try:
        children = (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in tree(int(child)))]


def _resident(pid: int, field: str) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
