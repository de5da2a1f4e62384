"""`python -m tests.mutation [NAME…]`: switch each safeguard off in turn; the tests must notice.

First the same tests run with all safeguards on: a test that fails anyway notices nothing. Exit code 0
only when every safeguard was missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.mutation.switched_off import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent
PASSED, FAILED = 0, 1


def main(names: list[str]) -> int:
    """Run and tell; the exit code."""
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    tests = list(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
    _tell("all safeguards on", "…")
    if _pytest("", tests) != PASSED:
        _tell("all safeguards on", "the tests fail anyway: mend them first")
        return 1
    missed = 0
    for mutant in chosen:
        began = time.monotonic()
        code = _pytest(mutant.name, list(mutant.tests))
        verdict = {PASSED: "NOT NOTICED", FAILED: "noticed"}.get(code, f"BROKE ({code})")
        missed += code != FAILED
        _tell(mutant.name, f"{verdict} after {time.monotonic() - began:.0f} s")
    print(f"{len(chosen) - missed} of {len(chosen)} switched off safeguards were noticed.")
    return 1 if missed or not chosen else 0


def _pytest(mutant: str, tests: list[str]) -> int:
    """The exit code of the tests with that safeguard off."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutation.switched_off", *tests]
    if mutant:
        command.append("--exitfirst")
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        env=os.environ | {"MUTANT": mutant},
        capture_output=bool(mutant),
    )
    return done.returncode


def _tell(name: str, words: str) -> None:
    print(f"{name:32} {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
