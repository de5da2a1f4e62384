"""`python -m tests`: the whole suite on every engine that can be reached, and a word on what was not.

`TEST_DATABASE_URL` and `TEST_REDIS_URL` say where servers for tests are (defaults: this machine). A
database of its own is made on the server and dropped; of Redis the numbered database is emptied.
With `CI` or `REQUIRE_ALL` in the environment, anything left out is a failure. Further arguments go
to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import services

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Run and tell; the exit code."""
    database_url, redis_url = services.database_url(), services.redis_url()
    missing = [
        f"{name} at {services.without_password(url)} ({why})"
        for name, url, why in (
            ("PostgreSQL", database_url, services.why_no_database(database_url)),
            ("Redis", redis_url, services.why_no_redis(redis_url)),
        )
        if why
    ]
    with tempfile.TemporaryDirectory(prefix="backupsvc-left-out-") as folder:
        notes = Path(folder) / "left-out"
        # What needs Redis waits for the second run, unless there will be none.
        code = _pytest("SQLite", "" if missing else "not redis", {"DATABASE_URL": ""}, notes, arguments)
        if missing:
            with notes.open("a", encoding="utf-8") as file:
                file.write("The whole suite on PostgreSQL with Redis: no " + " and no ".join(missing) + "\n")
        else:
            second = _pytest(
                "PostgreSQL and Redis",
                "not e2e and not once",
                {"DATABASE_URL": database_url, "TEST_REDIS_URL": redis_url},
                notes,
                arguments,
            )
            code = code or second
        left_out = notes.read_text(encoding="utf-8") if notes.exists() else ""
    if left_out:
        print(f"\n{' LEFT OUT ':!^100}\n{left_out.rstrip()}\n{'':!^100}")
    return code or (1 if left_out and services.must_be_complete() else 0)


def _pytest(engine: str, markers: str, environment: dict[str, str], notes: Path, arguments: list[str]) -> int:
    print(f"\n=== Tests on {engine} ===", flush=True)
    command = [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadfile", *arguments]
    if markers:
        command += ["-m", markers]
    # Each run notes for itself; what the second leaves out counts as much as the first's.
    result = subprocess.run(
        command, cwd=ROOT, check=False, env=os.environ | environment | {"LEFT_OUT_FILE": str(notes)}
    )
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
