"""Runs a scenario in a process that dies at a point, brings the work to rest, and looks at everything."""

from __future__ import annotations

import gc
import json
import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections
from django.utils import timezone

from backups.actions.preparing import KEPT as KEPT_PREPARED
from backups.actions.purge import ORPHAN_AGE
from backups.invariants import check_all
from backups.models import PreparedArchive
from backupsvc.celery import app
from recipients.actions.leftovers import KEPT as UPLOADS_KEPT
from recipients.models import Group, Import
from tests.crashes import model
from tests.crashes.bell import Bell, work_to_rest
from tests.crashes.disk import Disk
from tests.crashes.points import Points
from tests.crashes.scenarios import Play, Scenario
from tests.crashes.world import Kept, let_leases_end
from tests.fixtures.lists import lose_staged_rows

DIED, BROKE = 137, 1
MOST_POINTS = 500


@dataclass
class Ended:
    """How the process ended, and what it had said before."""

    code: int
    was_told: bool
    words: str

    @property
    def died(self) -> bool:
        return self.code == DIED


@dataclass
class Harness:
    """One scenario, prepared and kept; each run starts from there."""

    scenario: Scenario
    play: Play
    kept: Kept
    folder: Path  # of archives and uploads
    others: dict[int, list[tuple[object, ...]]]
    opted_out: set[str]
    runs: int = 0

    def every_point(self, *, power: bool = False) -> int:
        """Die at the first point, at the second, and so on until a run comes through; how many there are."""
        for point in range(1, MOST_POINTS):
            ended = self.once(die_at=point, power=power)
            if not ended.died:
                return point - 1
        raise AssertionError(f"{self.scenario.name} has no end")

    def once(self, *, die_at: int, then_at: int = 0, power: bool = False) -> Ended:
        """One run. `then_at`: the process that takes up the work dies too, at its point of that number.

        `power`: not the process alone but the machine stops. Files lose what was not synced, and the
        database its staged rows: where it can, it does not log them.
        """
        self.runs += 1
        self.kept.bring_back()
        ended = self._in_child(lambda: self.scenario.act(self.play), die_at=die_at, power=power)
        words = f"{self.scenario.name}, died at {ended.words}"
        try:
            self._check_at_once()
            if power:
                lose_staged_rows()
            if then_at:
                second = self._in_child(lambda: work_to_rest(self.play.bell), die_at=then_at, power=power)
                words += f", then at {second.words}"
                self._check_at_once()
            work_to_rest(self.play.bell)
            self._check_at_rest(ended.was_told)
        except Exception as problem:
            raise AssertionError(f"{words} (told: {ended.was_told}): {problem!r}") from problem
        return ended

    def _check_at_once(self) -> None:
        """Before anybody puts anything right: no row is in danger, no change is half done."""
        scenario, group_id = self.scenario, self.play.group_id
        assert model.is_safe(scenario.before, group_id=group_id), (
            "rows are neither in the list nor in a backup"
        )
        now = model.people_of(group_id)
        if now not in (scenario.before, scenario.after):
            assert scenario.in_batches, f"neither before nor after: {now}"
            assert now.items() <= scenario.before.items(), now
        if now != scenario.before:
            assert model.holds_state(scenario.before, group_id=group_id), "changed without a backup"

    def _check_at_rest(self, was_told: bool) -> None:
        scenario, group_id = self.scenario, self.play.group_id
        now = model.people_of(group_id)
        allowed = [scenario.after] if was_told else [scenario.before, scenario.after, scenario.otherwise]
        assert now in allowed, now
        self._sweep_up()
        scenario.at_rest(self.play, was_told)
        assert self.opted_out <= model.opted_out(group_id), "an opt-out is forgotten"
        back = {
            key for key in self.opted_out if now.get(key, model.Person("inactive")).status not in model.OUT
        }
        assert not back, f"opted out, and back: {back}"
        assert everybody(but=group_id, among=self.others) == self.others, "another list was changed"
        assert model.unreadable() == []
        findings = [str(finding) for finding in check_all()]
        assert not findings, findings

    def _sweep_up(self) -> None:
        """After days nothing is left that belongs to nothing."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                aged = path.stat().st_mtime - max(ORPHAN_AGE, UPLOADS_KEPT).total_seconds() - 60
                os.utime(path, (aged, aged))
        PreparedArchive.objects.update(created_at=timezone.now() - 2 * KEPT_PREPARED)
        for task in ("backups.purge", "backups.verify", "recipients.sweep"):
            self.play.bell.call(task)
        assert model.stray_files() == []
        uploads = {path.name for path in (self.folder / "uploads").rglob("*") if path.is_file()}
        known = {Path(key).name for key in Import.objects.values_list("upload", flat=True)}
        assert uploads <= known, "an upload belongs to nothing"

    def _in_child(self, act: Callable[[], None], *, die_at: int, power: bool) -> Ended:
        """Do it in a process of its own, with all that this one has loaded; it dies at the point."""
        let_leases_end()
        connections.close_all()
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            gc.disable()  # or the child copies every page that a collection looks at
            os.close(reader)
            _Doomed(self, writer=writer, power=power).run(act, die_at=die_at)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as said:
            words = [json.loads(line) for line in said]
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.play.bell.messages.clear()
        last = str(words[-1]) if words else ""
        if code not in (0, DIED):
            raise AssertionError(f"{self.scenario.name} broke: {last}")
        return Ended(code, was_told="told" in words, words=last)


class _Doomed:
    """What runs in the child; it never comes back."""

    def __init__(self, harness: Harness, *, writer: int, power: bool) -> None:
        self.harness = harness
        self.writer = writer
        self.power = power
        attic = harness.folder.parent / "attic"
        attic.mkdir(exist_ok=True)
        for left in attic.iterdir():
            left.unlink()
        self.disk = Disk(attic)

    def run(self, act: Callable[[], None], *, die_at: int) -> None:
        try:
            logging.getLogger("backupsvc.jobs.runner").addHandler(_Broken(self))
            self.harness.play.told = lambda: self.say("told")
            Points(folder=self.harness.folder, disk=self.disk, die_at=die_at, die=self.die).listen()
            act()
            self.say("the end")
            os._exit(0)
        except BaseException:
            self.say(traceback.format_exc())
            os._exit(BROKE)

    def say(self, words: str) -> None:
        os.write(self.writer, f"{json.dumps(words)}\n".encode())

    def die(self, point: str) -> None:
        if self.power:
            self.disk.lose_power()
        self.say(point)
        os._exit(DIED)


class _Broken(logging.Handler):
    """A job that breaks is a bug, also when another try would mend it."""

    def __init__(self, doomed: _Doomed) -> None:
        super().__init__(logging.ERROR)
        self.doomed = doomed

    def emit(self, record: logging.LogRecord) -> None:
        self.doomed.say(logging.Formatter().format(record))
        os._exit(BROKE)


def everybody(*, but: int, among: dict[int, Any] | None = None) -> dict[int, list[tuple[object, ...]]]:
    """Each list's people to the last value, without that one's."""
    groups = Group.objects.exclude(pk=but)
    if among is not None:
        groups = groups.filter(pk__in=among)
    return {group.pk: model.every_value(group.pk) for group in groups}


def ring_here(bell: Bell, monkeypatch: Any) -> None:
    """Have this process's messages go to the bell."""
    app.loader.import_default_modules()
    monkeypatch.setattr(app, "send_task", bell.send_task)
