"""Write what the importer reads in list files as canonical CSV. Knows no database."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from backupsvc.errors import Refusal
from backupsvc.texts import readable
from backupsvc.wording import say, say_code
from recipients.imports.reader import read
from recipients.imports.sniff import Sniffed, sniff
from recipients.values import SAFE_MARKER, unescape_formula

_CHUNK_CHARS = 1 << 20


class Command(BaseCommand):
    help = "Write what the importer reads in FILE… as UTF-8 comma CSV, header first."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument(
            "--output-dir", metavar="D", type=Path, help="write a file of the same name into D"
        )
        parser.add_argument("--sheet", metavar="NAME", help="the sheet of a spreadsheet to read")
        parser.add_argument("--json", action="store_true", help="print one JSON document about all files")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path | None = options["output_dir"]
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.sources: list[Path] = options["files"]
        self.written = list[Path]()
        self.overrides = {"sheet": options["sheet"]} if options["sheet"] else {}
        reports = [self._read(path, folder=folder, as_json=options["json"]) for path in options["files"]]
        if options["json"]:
            self.stdout.write(readable(json.dumps(reports, ensure_ascii=False)))
        if not all(report["ok"] for report in reports):
            raise CommandError("Not every file could be read.", returncode=1)

    def _read(self, path: Path, *, folder: Path | None, as_json: bool) -> dict[str, Any]:
        """Read one file whole, and only then put its output in place. Returns its report."""
        report: dict[str, Any] = {"file": str(path), "ok": False}
        try:
            target = folder and self._target(path, folder=folder)
            with tempfile.TemporaryFile("w+", encoding="utf-8", newline="", dir=folder) as copy:
                report |= self._convert(path, target=copy)
                copy.seek(0)
                if target:
                    _put(copy, target=target)
                    self.written.append(target)
                elif not as_json:
                    while text := copy.read(_CHUNK_CHARS):
                        self.stdout.write(text, ending="")
        except Refusal as refusal:
            report |= {"code": refusal.code, "message": say(refusal)}
            self.stderr.write(f"{path}: {refusal.code}: {say(refusal)}")
        except OSError as error:
            report |= {"code": "file.unreadable", "message": str(error)}
            self.stderr.write(f"{path}: {error}")
        return report

    def _target(self, path: Path, *, folder: Path) -> Path:
        """Where the file's copy goes: over no file that is read here, and over no other's copy."""
        target = folder / path.name
        if _is_one_of(target, self.sources):
            raise Refusal("file.output_is_source")
        if _is_one_of(target, self.written):
            raise Refusal("file.output_taken")
        return target

    def _convert(self, path: Path, *, target: TextIO) -> dict[str, Any]:
        found = sniff(path, name=path.name, overrides=self.overrides)
        for code, params in found.warnings:
            # Whether it can be imported is not the question here.
            if code != "file.no_address_column":
                self.stderr.write(f"{path}: {code}: {say_code(code, params)}")
        writer = csv.writer(target)
        is_safe = found.is_spreadsheet_safe
        kept = [at for at, name in enumerate(found.headers) if not (is_safe and name == SAFE_MARKER)]
        writer.writerow([found.headers[at] for at in kept])
        rows, rejected = 0, []
        for row in read(path, dialect=found.dialect):
            if row.problem:
                problem = {"line": row.line, "code": row.problem.code, "message": say(row.problem)}
                self.stderr.write("{path}:{line}: {code}: {message}".format(path=path, **problem))
                rejected.append(problem)
                continue
            cells = [row.cells[at] for at in kept]
            writer.writerow([unescape_formula(cell) for cell in cells] if is_safe else cells)
            rows += 1
        return {"ok": True, **_described(found), "rows": rows, "rejected": rejected}


def _described(found: Sniffed) -> dict[str, Any]:
    described = found.dialect.to_json()
    return described | {
        "headers": found.headers,
        "confidence": round(found.confidence, 3),
        "warnings": [{"code": code, **params} for code, params in found.warnings],
        "is_own": found.is_own,
        "sheets": found.sheets,
    }


def _is_one_of(path: Path, others: Iterable[Path]) -> bool:
    """Whether it is one of these files, whatever way leads there."""
    return path.exists() and any(other.exists() and path.samefile(other) for other in others)


def _put(copy: TextIO, *, target: Path) -> None:
    """Write under another name first: a half-written file must not look like a whole one."""
    draft = target.with_name(f".{target.name}.part")
    with draft.open("w", encoding="utf-8", newline="") as stream:
        shutil.copyfileobj(copy, stream, _CHUNK_CHARS)
    draft.replace(target)
