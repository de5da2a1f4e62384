"""Rows of a spreadsheet, read in a child process that may die of it.

A spreadsheet of 1 KB can ask for more memory than there is and abort the process that opens it. So the
parser runs in a child with limits on memory, time and environment, which looks at the zip directory and
at the sheet's cell references first, and writes JSON lines: one about the sheet, one for each row, and
one at the end, without which nothing counts as read.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from backupsvc.errors import Refusal

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 120
# Counted only while we wait for the child: a slow reader of the rows is not the child's fault.
WAIT_SECONDS = 300.0

_ROOT = Path(__file__).resolve().parents[2]
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook: the names to choose from, this one's name, its last row, its rows.

    Each row is its number, as a spreadsheet program shows it, and its cells as text. `merged` counts the
    cells that reach over several rows, `errors` those that show an error such as #N/A, `uncalculated` those
    with a formula whose result is not in the file; `hidden` counts the filled rows that are not shown, by
    hand or by a filter, and read like all others. `unread` are other sheets that a person sees something in;
    they are told where no sheet was named and not all rows are asked for.
    """

    sheets: list[str]
    name: str
    last_row: int
    rows: Iterator[tuple[int, list[str]]]
    merged: int = 0
    errors: int = 0
    uncalculated: int = 0
    hidden: int = 0
    unread: list[str] = field(default_factory=list)


@contextmanager
def open_sheet(path: Path, *, sheet: str = "", limit: int = 0) -> Iterator[Sheet]:
    """Open one sheet (by default the first visible one with content), for `limit` rows (0: all).

    Raises Refusal("file.spreadsheet_…") on opening or while the rows are read.
    """
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "recipients.imports.spreadsheet_child",
            str(path.resolve()),
            sheet,
            str(limit),
        ],
        cwd=_ROOT,
        # Nothing of our environment: it holds keys, and the child reads a stranger's file.
        env={"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        messages = _messages(cast("IO[bytes]", child.stdout))
        about = next(messages)
        yield Sheet(rows=_rows(messages), **about)
    finally:
        child.kill()
        child.communicate()


def _rows(messages: Iterator[Any]) -> Iterator[tuple[int, list[str]]]:
    for message in messages:
        if message == "end":
            return
        yield message[0], message[1]


def _messages(stream: IO[bytes]) -> Iterator[Any]:
    """What the child says. Raises the Refusal it sends, or one for its death."""
    for line in _lines(stream.fileno()):
        try:
            message = json.loads(line)
        except ValueError:
            break
        if isinstance(message, dict) and "refusal" in message:
            raise Refusal(message["refusal"], **message["params"])
        yield message
        if message == "end":
            return
    raise Refusal("file.spreadsheet_unreadable")


def _lines(descriptor: int) -> Iterator[bytes]:
    left, tail = WAIT_SECONDS, b""
    while left > 0:
        asked = time.monotonic()
        if not select.select([descriptor], [], [], left)[0]:
            return
        block = os.read(descriptor, _BLOCK_BYTES)
        left -= time.monotonic() - asked
        if not block:
            return
        *lines, tail = (tail + block).split(b"\n")
        yield from lines
