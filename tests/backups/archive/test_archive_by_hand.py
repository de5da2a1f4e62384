"""The promise of docs/archive-format.md: an archive can be read in five years, without this program."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyrage
import pytest
import zstandard
from pyrage import x25519

from backups.archive import AccountHead, AttributeHead, GroupHead, Manifest, Part, manifest
from backups.keys import key_file
from recipients.bulk.copytext import COLUMNS, encode_row

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/archive-format.md").read_text(encoding="utf-8")
MISSING_TOOLS = [tool for tool in ("bash", "age", "unzip", "zstd", "sha256sum") if shutil.which(tool) is None]

Row = list[str | None]


@pytest.fixture(scope="session")
def plain(table: list[Row]) -> bytes:
    return b"".join(map(encode_row, table))


def table_of(heading: str) -> dict[str, str]:
    """The first table under a heading of the document: first column to second."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", section, re.MULTILINE))


@pytest.mark.skipif(bool(MISSING_TOOLS), reason=f"LEFT OUT: {MISSING_TOOLS} not here")
def test_the_shell_lines_of_the_document_read_an_archive(
    encrypted: bytes, identity: str, plain: bytes, table: list[Row], tmp_path: Path
) -> None:
    (tmp_path / "backup.zip").write_bytes(encrypted)
    (tmp_path / "backup.key").write_text(key_file(identity, purpose="archive 1/2/2026/3-é.zip"))
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 4
    shown = [
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, check=True, capture_output=True
        ).stdout.decode()
        for block in blocks
    ]
    assert "recipients.tsv.zst.age" in shown[0]
    assert (tmp_path / "recipients.tsv").read_bytes() == plain
    part = json.loads(shown[0][shown[0].index("{\n") :])["parts"][0]
    assert "No errors detected" in shown[2]
    assert shown[2].splitlines()[1:] == [str(part["rows"]), f"{part['sha256']}  recipients.tsv"]
    assert shown[3].splitlines() == [row[1] for row in table]


@pytest.mark.skipif(bool(MISSING_TOOLS), reason=f"LEFT OUT: {MISSING_TOOLS} not here")
def test_unzip_takes_no_cut_file_for_a_whole_one(encrypted: bytes, tmp_path: Path) -> None:
    for length in range(0, len(encrypted), 97):
        (tmp_path / "cut.zip").write_bytes(encrypted[:length])
        done = subprocess.run(["unzip", "-tq", "cut.zip"], cwd=tmp_path, check=False, capture_output=True)
        assert done.returncode != 0


def test_three_public_libraries_read_an_archive(encrypted: bytes, identity: str, plain: bytes) -> None:
    key = x25519.Identity.from_str(identity)
    with zipfile.ZipFile(io.BytesIO(encrypted)) as file:
        assert file.testzip() is None
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        frame = pyrage.decrypt(file.read("recipients.tsv.zst.age"), [key])
        part = json.loads(pyrage.decrypt(file.read("manifest.json.age"), [key]))["parts"][0]
    parameters = zstandard.get_frame_parameters(frame)
    assert parameters.has_checksum
    assert parameters.window_size <= 8 * 1024 * 1024
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    assert decompressor.decompress(frame) == plain
    assert decompressor.eof
    assert decompressor.unused_data == b""
    assert part["sha256"] == hashlib.sha256(plain).hexdigest()


def test_the_document_names_every_column_in_order() -> None:
    assert tuple(table_of("The rows")) == COLUMNS


def test_the_document_names_every_key_of_the_manifest() -> None:
    described = table_of("The manifest")
    names = {field.name for field in fields(Manifest)}
    assert described.keys() == names | {"format", "version"}
    assert described["format"] == f'`"{manifest.FORMAT}"`'
    assert described["version"] == f"`{manifest.VERSION}`"
    kinds: Iterable[tuple[str, Any]] = [
        ("account", AccountHead),
        ("group", GroupHead),
        ("attributes", AttributeHead),
        ("parts", Part),
    ]
    for key, kind in kinds:
        for field in fields(kind):
            assert f"`{field.name}`" in described[key]


def test_the_code_of_the_format_stands_on_nothing_that_comes_and_goes() -> None:
    imported = set()
    for path in [*(ROOT / "backups/archive").glob("*.py"), ROOT / "recipients/bulk/copytext.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    foreign = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    ours = {name for name in foreign if name.startswith("backups.archive.")}
    assert foreign - ours == {"pyrage", "zstandard", "backupsvc.errors", "recipients.bulk.copytext"}
