"""`make bench`: the product beside its yardsticks, in one run, in turn, three times and more.

What is in: everything from the request with the upload to the end of the work, over HTTP, with the
worker in processes of its own: every check, the preview's counts, the log, the backup where one is
wanted. What is out: the start of Python (worker and web server are warm), the minutes in which a person
would read a page, and the making of the lists. Yardsticks get their rows ready made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from backupsvc.launch.supervisor import ROOT
from benchmarks import ground, report

# What the memory and the growth over the rows are measured with: every step, once each.
STEPS = ("import", "again", "snapshot", "restore", "delete", "look")
WORKS = ("import", "fill", "again", "snapshot", "restore", "delete", "purge", "look", "others", "pages")
ALIASES = {"memory": STEPS}
DATABASE = "postgres://postgres@127.0.0.1/backupsvc_bench"
BROKER = "redis://127.0.0.1:6379/6"


def main() -> int:
    """Run on every database that is there; the exit code."""
    options = _options()
    files = Path(os.environ.get("BENCH_FILES") or Path(tempfile.gettempdir(), "backupsvc-bench"))
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = os.environ.get("BENCH_DATABASE_URL") or DATABASE
    found: dict[str, object] = {
        "machine": report.machine(),
        "rows": options.rows,
        "rounds": options.rounds,
        "alone": options.alone,
    }
    for name in options.engine:
        print(f"{name}, {options.rows:,} rows", file=sys.stderr, flush=True)
        if name == "sqlite":
            found[name] = _run(options, files=files, database_url="")
        elif why := ground.why_no_database(url):
            print(f"  left out: {why}", file=sys.stderr)
        else:
            found["machine"] = {**report.machine(), "postgresql": ground.version(url)}
            with ground.database(url):
                found[name] = _run(options, files=files, database_url=url)
    print(json.dumps(found, indent=2) if options.json else report.text(found))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the lists (ROWS)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is done (ROUNDS)")
    parser.add_argument(
        "--work",
        type=lambda text: text.split(","),
        default=list(WORKS),
        help=f"which of {','.join((*WORKS, *ALIASES))}",
    )
    parser.add_argument(
        "--engine",
        type=lambda text: text.split(","),
        default=["postgresql", "sqlite"],
        help="which of postgresql,sqlite (ENGINE)",
    )
    parser.add_argument(
        "--alone", action="store_true", help="without the yardsticks: seconds and memory only"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    options.work = [name for asked in options.work for name in ALIASES.get(asked, (asked,))]
    if unknown := set(options.work) - set(WORKS):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    return options


def _run(options: argparse.Namespace, *, files: Path, database_url: str) -> object:
    broker = ground.reachable_broker(os.environ.get("BENCH_BROKER_URL") or BROKER)
    with tempfile.TemporaryDirectory(prefix="backupsvc-bench-") as folder:
        output = Path(folder, "found.json")
        command = [
            *(sys.executable, "-m", "benchmarks.session", "--rows", str(options.rows)),
            *("--rounds", str(options.rounds), "--files", str(files), "--output", str(output)),
            *("--work", *[name for name in WORKS if name in options.work]),
            *(["--alone"] if options.alone else []),
        ]
        env = ground.environment(data_dir=Path(folder), database_url=database_url, broker_url=broker)
        code = subprocess.run(command, check=False, env=env, cwd=ROOT).returncode
        if code:
            log = Path(folder, "log.txt")
            tail = log.read_text(errors="replace")[-4000:] if log.exists() else ""
            sys.exit(f"The run stopped.\n{tail}")
        return json.loads(output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
