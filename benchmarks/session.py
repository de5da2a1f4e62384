"""One run on one database: `python -m benchmarks.session`, started by `benchmarks` in its environment.

Writes what was measured as one JSON document to the file that it is told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import django

django.setup()

from benchmarks import archives, imports, others, pages, removals, restores  # noqa: E402  # models can be loaded now, not before
from benchmarks.ground import product  # noqa: E402
from benchmarks.memory import Watch, tree  # noqa: E402
from benchmarks.scene import Scene  # noqa: E402
from benchmarks.work import Measured, Work  # noqa: E402

# In the order in which they are best done: the first fills the list that the others need.
WORKS: dict[str, Callable[[Scene], Iterator[Work]]] = {
    "import": imports.first,
    "fill": imports.fill,
    "again": imports.again,
    "snapshot": archives.snapshot,
    "restore": restores.restore,
    "delete": removals.delete,
    "purge": removals.purge,
    "look": restores.look,
    "others": others.others,
    "pages": pages.pages,
}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--work", nargs="+", choices=list(WORKS), required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    scene = Scene(rows=options.rows, files=options.files)
    found = []
    with product() as pids:
        scene.arrive()
        watch = Watch(
            {
                "worker": lambda: tree(pids["worker"]),
                "web": lambda: tree(pids["web"]),
                "database": scene.backends,
            }
        )
        for name in options.work:
            for work in WORKS[name](scene):
                print(f"  {work.title} …", file=sys.stderr, flush=True)
                found.append(
                    {"work": name, **measure(work, watch=watch, rounds=options.rounds, alone=options.alone)}
                )
    options.output.write_text(json.dumps(found), encoding="utf-8")


def measure(work: Work, *, watch: Watch, rounds: int, alone: bool) -> dict[str, object]:
    """Every way in turn, round after round; medians, ratios and the product's peaks of memory.

    `alone`: the product without its yardsticks.
    """
    ways = [Measured(way) for way in (work.product, *(() if alone else work.yardsticks))]
    ours, *others = ways
    for _ in range(rounds):
        for measured in ways:
            measured.way.before()
            with watch.peaks_of() as peaks:
                measured.rounds.append(measured.way.run())
            measured.add_peaks(peaks)
    return {
        "title": work.title,
        "rows": work.product.rows,
        "seconds": ours.seconds,
        "parts": ours.parts,
        "spread": [round(sum(parts.values()), 4) for parts in ours.rounds],
        "peak_bytes": {name: peak for name, peak in ours.peaks.items() if peak},
        "notes": work.notes(),
        "yardsticks": [
            {
                "name": other.way.name,
                "rows": other.way.rows,
                "seconds": other.seconds,
                "spread": [round(sum(parts.values()), 4) for parts in other.rounds],
                "ratio": ours.times_faster(other),
                "target": other.way.target,
            }
            for other in others
        ],
    }


if __name__ == "__main__":
    main()
