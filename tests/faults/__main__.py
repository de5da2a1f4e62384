"""`python -m tests.faults [N [SECONDS [SEED]]]`: so many faults under load; exit code 0: nothing was lost."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.run import run

if __name__ == "__main__":
    number, seconds, seed = [*map(int, sys.argv[1:]), *(200, 5400, 1)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory(prefix="backupsvc-faults-") as folder:
        report = run(Path(folder), number=number, longest_seconds=seconds, seed=seed)
    print(report)
    sys.exit(bool(report.problems))
