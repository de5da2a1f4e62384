"""Faults by lot under a small load; after each the work comes to rest and everything is looked at."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.clients import Client
from tests.faults.nemesis import FAULTS, ON_OWN_DISK, SLOW, Fault, mount_archives, unmount_archives
from tests.faults.stack import Stack

ACCOUNTS = ("acme", "bolt", "cube")
LOAD_SECONDS = (2.0, 6.0)
# How often the check must find the same, and how long after each look.
LOOKS, PAUSE_SECONDS = 3, 5.0


@dataclass
class Report:
    """What a run came to."""

    survived: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.survived.items()))
        lines = [
            f"{sum(self.survived.values())} faults survived: {faults}",
            f"{self.acknowledged} operations acknowledged, {self.refused} refused",
            f"{len(self.problems)} problems",
        ]
        return "\n".join([*lines, *self.problems])


def run(folder: Path, *, number: int, longest_seconds: float, seed: int, slow: bool = True) -> Report:
    """At most so many faults and so many seconds; stops everything that it started."""
    lot, report = random.Random(seed), Report()
    stack = Stack(folder)
    mounted = mount_archives(stack)
    try:
        stack.start()
        clients = [Client(stack, slug) for slug in ACCOUNTS]
        for client in clients:
            client.prepare()
        faults: list[Fault] = [*FAULTS, *(ON_OWN_DISK if mounted else ()), *(SLOW if slow else ())]
        order = [fault for _ in range(number // len(faults) + 1) for fault in lot.sample(faults, len(faults))]
        ends = time.monotonic() + longest_seconds
        with _at_work(clients):
            for fault in order[:number]:
                if time.monotonic() > ends or report.problems:
                    break
                time.sleep(lot.uniform(*LOAD_SECONDS))
                _one(stack, fault, lot=lot, report=report)
        stack.rest()
        report.problems += filter(None, (client.lost_or_strange() for client in clients))
        report.acknowledged = sum(len(client.told_ok) for client in clients)
        report.refused = sum(client.refused for client in clients)
    finally:
        stack.stop()
        if mounted:
            unmount_archives(stack)
    return report


def _one(stack: Stack, fault: Fault, *, lot: random.Random, report: Report) -> None:
    name = fault.__name__.replace("_", " ")
    began = time.monotonic()
    try:
        fault(stack, lot)
        stack.rest()
        stack.manage("backups", "verify", "--all", check=False)
        if found := _still_found(stack):
            raise AssertionError(f"the check goes on finding {found}")
    except Exception as problem:
        report.problems.append(f"{name}: {problem!r}")
        return
    report.survived[name] = report.survived.get(name, 0) + 1
    sys.stderr.write(f"{name}: survived, {time.monotonic() - began:.0f} s\n")


def _still_found(stack: Stack) -> list[dict[str, str]]:
    """What is found again and again: a single look at a system at work may fall between two steps."""
    found = stack.findings()
    for _ in range(LOOKS):
        if not found:
            break
        time.sleep(PAUSE_SECONDS)
        again = stack.findings()
        found = [finding for finding in found if finding in again]
    return found


@contextmanager
def _at_work(clients: list[Client]) -> Iterator[None]:
    for client in clients:
        client.thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.thread.join()
