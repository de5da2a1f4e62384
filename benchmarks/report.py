"""What was measured, for people."""

from __future__ import annotations

import os
from typing import Any

MIB = 1024 * 1024


def machine() -> dict[str, object]:
    """Cores and memory, in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "memory_gib": round(memory / 1024**3), "load": os.getloadavg()[0]}


def text(found: dict[str, Any]) -> str:
    """One block for each database, one line for each piece of work and for each yardstick under it."""
    about = found["machine"]
    lines = [
        f"{about['cores']} cores, {about['memory_gib']} GiB, load {about['load']:.1f} at the start;"
        f" medians of {found['rounds']} rounds",
        "ratio: rows a second of ours ÷ theirs (1 = as fast)",
    ]
    for engine in ("postgresql", "sqlite"):
        if engine in found:
            lines += ["", engine, "=" * len(engine)]
            lines += [line for work in found[engine] for line in _work(work)]
    return "\n".join(lines)


def _work(work: dict[str, Any]) -> list[str]:
    parts = ", ".join(f"{name} {_seconds(value)}" for name, value in work["parts"].items())
    peaks = ", ".join(f"{name} {peak // MIB} MB" for name, peak in work["peak_bytes"].items())
    lines = [
        "",
        f"{work['title']}: {_seconds(work['seconds'])} for {work['rows']:,} rows,"
        f" {_rate(work['rows'], work['seconds'])}",
        f"    {parts}" + (f"; at most {peaks}" if peaks else ""),
    ]
    if work["notes"]:
        lines += [f"    {line}" for line in _notes(work["notes"])]
    return lines + [f"    {_yardstick(one, rows=work['rows'])}" for one in work["yardsticks"]]


def _notes(notes: dict[str, Any]) -> list[str]:
    plain = {name: value for name, value in notes.items() if not isinstance(value, dict)}
    tables = [found for found in notes.values() if isinstance(found, dict)]
    return [
        ", ".join(f"{name} {value}" for name, value in plain.items()),
        *(f"  {value:>8} {name}" for found in tables for name, value in found.items()),
    ]


def _yardstick(one: dict[str, Any], *, rows: int) -> str:
    ratio = f"ratio {one['ratio']:.2f}"
    if one["target"] is not None:
        met = "met" if one["ratio"] >= one["target"] else "MISSED"
        ratio += f" (target {one['target']:.2f}: {met})"
    # A tenth fewer rows are the same list without its duplicates.
    at = f" with {one['rows']:,} rows only" if one["rows"] < rows * 0.9 else ""
    return f"{one['name']}: {_seconds(one['seconds'])}{at}, {ratio}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds / 1000:.1f} k rows/s"
