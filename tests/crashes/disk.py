"""A disk that forgets, when the power fails, whatever was not synced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Disk:
    """Keeps how to undo what is not yet on the disk for good.

    A file's bytes last from its fsync, its name from the fsync of its folder.
    """

    # Where removed files wait, on the same file system.
    attic: Path
    # (folder, how to undo what was done to one of its names), oldest first.
    names: list[tuple[Path, Callable[[], None]]] = field(default_factory=list)
    unsynced: set[Path] = field(default_factory=set)

    def opened(self, path: Path) -> None:
        """A file is about to be opened for writing."""
        self.unsynced.add(path)
        if not path.exists():
            self.names.append((path.parent, lambda: path.unlink(missing_ok=True)))

    def changed(self, event: str, path: Path, target: Path) -> None:
        """A name is about to be made, moved or taken away."""
        if event == "os.rename":
            if path in self.unsynced:
                self.unsynced = self.unsynced - {path} | {target}
            self.names.append((target.parent, lambda: _move(target, path)))
        elif event == "os.remove" and path.exists():
            kept = self.attic / f"{len(self.names)}-{path.name}"
            os.link(path, kept)
            self.names.append((path.parent, lambda: _move(kept, path)))
        elif event == "os.mkdir":
            self.names.append((path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def synced(self, path: Path) -> None:
        """A file's bytes, or a folder's names, are on the disk."""
        if path.is_dir():
            self.names = [(folder, undo) for folder, undo in self.names if folder != path]
        else:
            self.unsynced.discard(path)

    def lose_power(self) -> None:
        """Forget what was not synced: half of the bytes, and all of the names."""
        for path in self.unsynced:
            if path.exists():
                os.truncate(path, path.stat().st_size // 2)
        for _folder, undo in reversed(self.names):
            with suppress(OSError):
                undo()


def _move(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        source.rename(target)
