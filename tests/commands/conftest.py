"""Commands called as a person calls them: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(db: None, archives: Path, uploads: Path, anchors_dir: Path) -> Run:
    def run_command(*words: object) -> Done:
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command(*map(str, words), stdout=out, stderr=err)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except CommandError as wrong:
            code = wrong.returncode
            err.write(str(wrong))
        return Done(code, out.getvalue(), err.getvalue())

    return run_command


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str], Path]:
    """A list file with this text."""

    def write(text: str, name: str = "people.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
