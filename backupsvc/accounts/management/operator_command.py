"""How all commands of this product speak and end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from backupsvc.errors import Refusal
from backupsvc.texts import readable
from backupsvc.wording import say

# What stands for stdin or stdout where a file is asked for.
STREAM = "-"


class StdoutClosed(Exception):
    """Whoever read our output has left (`| head`): nothing to tell, and nobody to tell it to."""


class OperatorCommand(BaseCommand):
    """Exit codes: 0 done, 1 refused or failed with a reason on stderr, 2 wrong usage.

    With --json stdout gets exactly one JSON document, also of a refusal. Bugs stay loud.
    """

    wants_json = False

    def act(self, options: dict[str, Any]) -> bool:
        """Do the work; whether it was done. May raise Refusal."""
        raise NotImplementedError

    def refused(self, refusal: Refusal, options: dict[str, Any]) -> dict[str, Any]:
        """The JSON document of a refusal."""
        return {"error": error_json(refusal)}

    def handle(self, *_args: object, **options: Any) -> None:
        """Do the work and end with its exit code."""
        self.wants_json = bool(options.get("json"))
        try:
            is_done = self._act(options)
        except StdoutClosed:
            # What Python still holds for stdout would fail once more when it ends.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            is_done = False
        if not is_done:
            sys.exit(1)

    def _act(self, options: dict[str, Any]) -> bool:
        try:
            return self.act(options)
        except Refusal as refusal:
            if self.wants_json:
                self.put_json(self.refused(refusal, options))
            self.tell(say(refusal))
            return False

    def answer(self, document: object, *, people: str) -> None:
        """Print the result: the document with --json, else what people read."""
        if self.wants_json:
            self.put_json(document)
        else:
            self.put(people)

    def tell(self, text: str) -> None:
        """Say something beside the result."""
        self.stderr.write(text)

    def put(self, text: str) -> None:
        """Write text to stdout. Raises StdoutClosed."""
        try:
            self.stdout.write(readable(text))
            self.stdout.flush()
        except BrokenPipeError as closed:
            raise StdoutClosed from closed

    def put_json(self, document: object) -> None:
        """Write the one document to stdout. Raises StdoutClosed."""
        self.put(json.dumps(document, ensure_ascii=False))

    def put_file(self, chunks: Iterable[bytes], *, target: str | None) -> None:
        """Write a file to stdout (no target) or under its name, whole or not at all.

        Raises Refusal("output.failed"), StdoutClosed.
        """
        if target not in (None, STREAM):
            _write_whole(chunks, path=Path(target))
            return
        stream = getattr(self.stdout, "buffer", None)
        try:
            for chunk in chunks:
                if stream is None:  # the caller gave us a stream of text
                    self.stdout.write(chunk.decode(), ending="")
                else:
                    stream.write(chunk)
            self.stdout.flush() if stream is None else stream.flush()
        except BrokenPipeError as closed:
            raise StdoutClosed from closed


def add_json(parser: ArgumentParser) -> None:
    """The switch that every command with a result has."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def error_json(refusal: Refusal) -> dict[str, str]:
    """A refusal as JSON documents hold it."""
    return {"code": refusal.code, "message": say(refusal)}


def table(rows: Iterable[Sequence[object]], *, head: Sequence[str] = ()) -> str:
    """Lines with aligned columns; the last column is as wide as it wants."""
    lines = [[str(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not lines:
        return ""
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _write_whole(chunks: Iterable[bytes], *, path: Path) -> None:
    """Write under another name first: a half-written file must not look like a whole one."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as problem:
        raise _failed(path, problem) from problem
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                _write(file, chunk, path=path)
            _write(file, b"", path=path, sync=True)
        try:
            Path(draft).replace(path)
        except OSError as problem:
            raise _failed(path, problem) from problem
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise


def _write(file: Any, chunk: bytes, *, path: Path, sync: bool = False) -> None:
    # Only our own writing: an OSError of the source is a bug of its own and stays loud.
    try:
        file.write(chunk)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise _failed(path, problem) from problem


def _failed(path: Path, problem: OSError) -> Refusal:
    return Refusal("output.failed", path=str(path), reason=problem.strerror or str(problem))
