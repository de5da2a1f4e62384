"""How seconds and memory grow with the rows; run by `make bench-docs` with the files of its runs.

Draws docs/growth.svg and writes the tables between the marks of docs/performance.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt  # it has to know first where it draws

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
MIB = 1024 * 1024
# title → the line's name in the picture
LINES = {
    "First import into an empty list": "first import",
    "Import again, nothing changed, no backup": "import again, nothing changed",
    "Import again, 1 % changed, no backup": "import again, 1 % changed",
    "Backup, written and read back": "backup",
    "Restore into an empty list": "restore",
    "Deletion of a list, with its backup, until all is gone": "deletion",
    "Verify a backup": "verify",
    "Download a backup as CSV": "download",
    "Compare a backup with the list, 1 % differs": "compare",
}


def main(paths: list[str]) -> None:
    """Everything in docs/ that is made of measurements."""
    found = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    found.sort(key=lambda one: one["rows"])
    draw([one for one in found if one["alone"]], path=DOCS / "growth.svg")
    document = DOCS / "performance.md"
    text = document.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _old, tail = rest.split(END)
    document.write_text(f"{head}{BEGIN}\n\n{tables(found)}\n{END}{tail}", encoding="utf-8")


def draw(found: list[dict[str, Any]], *, path: Path) -> None:
    """Seconds and memory over rows, both axes of seconds in powers of ten."""
    mpl.rcParams |= {"svg.hashsalt": "backupsvc", "font.size": 9}
    figure, (seconds, memory) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for title, name in LINES.items():
        works = [(one["rows"], work) for one in found if (work := _work(one, title)) is not None]
        rows = [number for number, _work in works]
        seconds.plot(rows, [work["seconds"] for _rows, work in works], marker="o", markersize=3, label=name)
        peaks = [work["peak_bytes"].get("worker", 0) / MIB for _rows, work in works]
        memory.plot(rows, peaks, marker="o", markersize=3, label=name)
    databases = [
        (one["rows"], max(work["peak_bytes"].get("database", 0) for work in one.get("postgresql", [])) / MIB)
        for one in found
        if one.get("postgresql")
    ]
    memory.plot(
        *zip(*databases, strict=True), linestyle="--", color="black", label="database's process, any work"
    )
    seconds.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds", title="Time")
    memory.set(xscale="log", xlabel="rows", ylabel="MB at most", title="Memory of one worker process", ylim=0)
    for axes in (seconds, memory):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    # Without the date of drawing: the same figures make the same file.
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def tables(found: list[dict[str, Any]]) -> str:
    """Where it was measured, each size's ratios, then seconds and memory over the rows."""
    beside = [one for one in found if not one["alone"]]
    about = beside[-1]["machine"]
    server, rounds = about.get("postgresql", "SQLite only"), beside[-1]["rounds"]
    how = "one round" if rounds == 1 else f"medians of {rounds} rounds"
    lines = [
        f"{about['cores']} cores, {about['memory_gib']} GiB of memory, {server}; {how};"
        f" load of others on the machine at the start: {about['load']:.1f}.",
        "",
    ]
    for one in beside:
        for engine, name in (("postgresql", "PostgreSQL"), ("sqlite", "SQLite")):
            if one.get(engine):
                lines += [f"### {name}, {one['rows']:,} rows", "", *_ratios(one[engine]), ""]
                lines += _written(one[engine])
                lines += [line for work in one[engine] for line in _pages(work)]
    lines += ["### Seconds over rows, PostgreSQL", "", *_over_rows(found, _seconds_of), ""]
    lines += [
        "### Megabytes at most: worker / web / database's process",
        "",
        *_over_rows(found, _peaks_of),
        "",
    ]
    return "\n".join(lines)


def _ratios(works: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| work | seconds | rows/s | beside | seconds | ratio | target |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    for work in works:
        if "p95_ms" in work["notes"]:
            continue
        rate = f"{work['rows'] / work['seconds']:,.0f}"
        cells = [work["title"], f"{work['seconds']:.2f}", rate]
        for one in work["yardsticks"] or [None]:
            lines.append("| " + " | ".join([*cells, *_beside(one, work["rows"])]) + " |")
            cells = ["", "", ""]
    return lines


def _written(works: list[dict[str, Any]]) -> list[str]:
    """What imports of a list that is there already write."""
    found = [(work["title"], work["notes"]) for work in works if "row_versions_written" in work["notes"]]
    if not found:
        return []
    lines = ["| | row versions written | bytes of write-ahead log (of the whole server) |", "|---|--:|--:|"]
    lines += [
        f"| {title} | {notes['row_versions_written']:,} | {notes['log_bytes_of_the_server']:,} |"
        for title, notes in found
    ]
    return [*lines, ""]


def _pages(work: dict[str, Any]) -> list[str]:
    """The answers of the pages, where the work was to ask for them."""
    notes = work["notes"]
    if "p95_ms" not in notes:
        return []
    return [
        f"{work['title']}: {notes['snapshots']:,} backups, a list of {notes['recipients']:,};"
        f" target {notes['target_ms']} ms, {notes['never_answered']} requests were given up.",
        "",
        "| page | ms |",
        "|---|--:|",
        *(f"| {name} | {value} |" for name, value in notes["p95_ms"].items()),
        "",
    ]


def _beside(one: dict[str, Any] | None, rows: int) -> list[str]:
    if one is None:
        return ["", "", "", ""]
    target = one["target"]
    said = "" if target is None else f"{target:g} {'✓' if one['ratio'] >= target else '✗'}"
    name = one["name"] if one["rows"] >= rows * 0.9 else f"{one['name']} ({one['rows']:,} rows)"
    return [name, f"{one['seconds']:.2f}", f"{one['ratio']:.2f}", said]


def _over_rows(found: list[dict[str, Any]], cell: Any) -> list[str]:
    sizes = [one for one in found if one["alone"]]
    lines = [
        "| work | " + " | ".join(f"{one['rows']:,}" for one in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for title in LINES:
        cells = [cell(_work(one, title)) for one in sizes]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def _seconds_of(work: dict[str, Any] | None) -> str:
    return "" if work is None else f"{work['seconds']:.2f}"


def _peaks_of(work: dict[str, Any] | None) -> str:
    if work is None:
        return ""
    return " / ".join(str(work["peak_bytes"].get(name, 0) // MIB) for name in ("worker", "web", "database"))


def _work(one: dict[str, Any], title: str) -> dict[str, Any] | None:
    return next((work for work in one.get("postgresql", []) if work["title"] == title), None)


if __name__ == "__main__":
    main(sys.argv[1:])
