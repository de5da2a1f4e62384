"""A few faults on real servers: the long run (`make faults`) finds them in working order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.run import run

pytestmark = [pytest.mark.redis, pytest.mark.postgres]
FAULTS, SECONDS = 4, 240


def test_nothing_is_lost_in_a_few_faults_under_load(tmp_path: Path) -> None:
    report = run(tmp_path, number=FAULTS, longest_seconds=SECONDS, seed=3, slow=False)
    assert not report.problems
    assert sum(report.survived.values()) > 0
    assert report.acknowledged > 0
