"""A few faults on real servers: the long run (`make faults`) finds them in working order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.run import run
from tests.faults.stack import binary

pytestmark = [pytest.mark.redis, pytest.mark.postgres]
FAULTS, SECONDS = 4, 240


def test_nothing_is_lost_in_a_few_faults_under_load() -> None:
    try:
        binary("initdb")
    except FileNotFoundError as problem:
        pytest.skip(f"LEFT OUT: {problem}")
    if shutil.which("redis-server") is None:
        pytest.skip("LEFT OUT: no redis-server to stop and start")
    # Not in pytest's own folder, which the database's user may not enter.
    with tempfile.TemporaryDirectory(prefix="backupsvc-faults-") as folder:
        report = run(Path(folder), number=FAULTS, longest_seconds=SECONDS, seed=3, slow=False)
    assert not report.problems
    assert sum(report.survived.values()) > 0
    assert report.acknowledged > 0
