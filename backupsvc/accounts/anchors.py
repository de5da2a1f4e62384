"""The end of the log's chain, written down outside the database: files in AUDIT_ANCHORS_DIR.

`head.json` holds the newest end, `anchors.jsonl` one line an hour. Without them whoever owns the database
could cut off the end of the log and nobody would notice.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True)
class Anchor:
    """The end of the chain as it was at one moment."""

    position: int
    digest: str
    at: str


class AnchorUnreadable(Exception):
    """A line in the files of the anchors is not one that we wrote."""


def head() -> Anchor | None:
    """The newest end that was noted; None when there is none. Raises AnchorUnreadable."""
    return next(iter(_read(_folder() / "head.json")), None)


def anchors() -> list[Anchor]:
    """All that were kept, the hourly ones first. Raises AnchorUnreadable."""
    return [*_read(_folder() / "anchors.jsonl"), *_read(_folder() / "head.json")]


def keep_head(anchor: Anchor) -> None:
    """Note the newest end in place of the last one."""
    path = _folder() / "head.json"
    draft = path.with_name(f".head.{os.getpid()}")
    draft.write_text(_line(anchor), encoding="ascii")
    draft.replace(path)


def keep(anchor: Anchor) -> None:
    """Note an end for good. Returns when it would survive a power cut."""
    with (_folder() / "anchors.jsonl").open("a", encoding="ascii") as file:
        file.write(_line(anchor))
        file.flush()
        os.fsync(file.fileno())


def _folder() -> Path:
    folder = Path(settings.AUDIT_ANCHORS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _line(anchor: Anchor) -> str:
    return json.dumps(asdict(anchor)) + "\n"


def _read(path: Path) -> list[Anchor]:
    lines: list[str] = []
    with suppress(FileNotFoundError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [_parse(line, path=path) for line in lines]


def _parse(line: str, *, path: Path) -> Anchor:
    try:
        found = json.loads(line)
        return Anchor(position=int(found["position"]), digest=str(found["digest"]), at=str(found["at"]))
    except (ValueError, TypeError, KeyError) as exc:
        raise AnchorUnreadable(f"{path.name}: {line[:80]}") from exc
