"""A plugin of pytest: switch off the safeguard that `MUTANT` names, in this process alone.

Each function here breaks the product the way a careless change would. The product knows nothing of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest


@dataclass(frozen=True)
class Mutant:
    """A safeguard that can be switched off, and the tests of which at least one must notice."""

    name: str
    switch_off: Callable[[pytest.MonkeyPatch], None]
    tests: tuple[str, ...]


class _Without:
    """A module with some of its functions replaced, for who imported it by name."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _no_fsync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("backups.storage.os", _Without(os, fsync=lambda _descriptor: None))


def _no_rename(patch: pytest.MonkeyPatch) -> None:
    """The file is written under its final name from the first byte on."""
    patch.setattr("backups.storage.TMP_SUFFIX", "")


def _no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("backupsvc.jobs.runner.Claim._update", lambda _claim, **_values: None)


def _no_sweep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("backupsvc.jobs.tasks.sweep", lambda: 0)


def _apply_before_verify(patch: pytest.MonkeyPatch) -> None:
    """The change does not wait for its backup."""
    patch.setattr("backups.receivers.wait_for", lambda _job, **_options: None)
    for module in ("changes", "deletion"):
        patch.setattr(f"recipients.actions.{module}.holds_sound_backup", lambda _change, **_options: True)


def _no_reading_back(patch: pytest.MonkeyPatch) -> None:
    """A backup is complete when it was written, whatever can be read of it."""
    from backups.actions import archives  # noqa: PLC0415  # Django is set up only now
    from backups.archive import ArchiveReader  # noqa: PLC0415

    def believe(file: Any, *, expected_sha256: str | None = None, **options: Any) -> Any:
        return ArchiveReader(file, **options).manifest

    patch.setattr(archives, "verify_archive", believe)


def _no_last_reading(patch: pytest.MonkeyPatch) -> None:
    """A deletion's backup counts as sound when the rows go, whatever has become of it since."""
    from backups import receivers  # noqa: PLC0415  # Django is set up only now

    patch.setattr(receivers, "is_just_verified", lambda _snapshot: True)


def _errors_swallowed_by_signals(patch: pytest.MonkeyPatch) -> None:
    from recipients.signals import change_requested, rows_about_to_go  # noqa: PLC0415

    for signal in (change_requested, rows_about_to_go):
        patch.setattr(signal, "send", signal.send_robust)


def _policy_read_late(patch: pytest.MonkeyPatch) -> None:
    """The switches count as they stand when the job runs."""
    from backups import receivers  # noqa: PLC0415
    from recipients.actions import changes  # noqa: PLC0415

    check = changes.holds_sound_backup

    def check_as_it_is_now(change: Any, *, group: Any, job: Any) -> bool:
        change.account.refresh_from_db()
        change.backup_wanted = receivers._decide(change, group=group).wanted
        return check(change, group=group, job=job)

    patch.setattr(changes, "holds_sound_backup", check_as_it_is_now)


def _no_access_check_in_the_worker(patch: pytest.MonkeyPatch) -> None:
    """Who was allowed to ask stays allowed."""
    from backupsvc.jobs import runner  # noqa: PLC0415
    from recipients.actions import changes, deletion  # noqa: PLC0415

    work, working = runner.run, []

    def noted(job_id: int) -> bool:
        working.append(job_id)
        try:
            return work(job_id)
        finally:
            working.pop()

    patch.setattr(runner, "run", noted)
    for module in (changes, deletion):
        check = module.require

        def require(actor: Any, *, check: Any = check, **options: Any) -> Any:
            return None if working else check(actor, **options)

        patch.setattr(module, "require", require)


def _no_consent_rule(patch: pytest.MonkeyPatch) -> None:
    """What a file says about consent is done, whatever the person had said."""
    from recipients.actions import changes, staging  # noqa: PLC0415

    plan_of = changes.plan_of
    for module in (changes, staging):
        patch.setattr(
            module, "plan_of", lambda change, **how: replace(plan_of(change, **how), reactivate=True)
        )


def _no_revision_check(patch: pytest.MonkeyPatch) -> None:
    """Any backup of the list will do, however old it is by now."""
    for module in ("changes", "deletion"):
        patch.setattr(f"recipients.actions.{module}.holds_sound_backup", lambda _change, **_options: True)


def _no_second_look_at_an_empty_list(patch: pytest.MonkeyPatch) -> None:
    """The preview's judgement counts though the list was empty then and holds people now."""
    from recipients.actions import changes, staging  # noqa: PLC0415

    seen = changes.seen
    for module in (changes, staging):
        patch.setattr(module, "seen", lambda change: seen(change).rpartition(":")[0])


KILLED = "tests/crashes/test_killed.py::test_nothing_is_lost_at_any_point"
POWER = "tests/crashes/test_power.py::test_nothing_is_lost_when_the_power_fails_at_any_point"
IMPORTS = "tests/recipients/actions/test_imports.py"
DELETION = "tests/recipients/actions/test_deletion.py"

MUTANTS = (
    Mutant("no fsync", _no_fsync, (f"{POWER}[snapshot]",)),
    Mutant("no fence", _no_fence, ("tests/jobs/test_runner.py",)),
    Mutant("no sweep", _no_sweep, (f"{KILLED}[snapshot]",)),
    Mutant("apply before verify", _apply_before_verify, (f"{KILLED}[delete]",)),
    Mutant("no rename", _no_rename, ("tests/backups/test_storage.py",)),
    Mutant("errors swallowed by signals", _errors_swallowed_by_signals, (DELETION,)),
    Mutant("policy read late", _policy_read_late, (IMPORTS,)),
    Mutant("no access check in the worker", _no_access_check_in_the_worker, (IMPORTS,)),
    Mutant("no consent rule", _no_consent_rule, (f"{KILLED}[confirmed import, reform_and_add]",)),
    Mutant("no revision check", _no_revision_check, (IMPORTS,)),
    Mutant(
        "no second look at an empty list",
        _no_second_look_at_an_empty_list,
        ("tests/recipients/bulk/test_strangers.py",),
    ),
    Mutant("no reading back", _no_reading_back, ("tests/backups/actions/test_snapshots.py",)),
    Mutant("no last reading", _no_last_reading, (DELETION,)),
)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Django is set up and every test is loaded: break the product for good."""
    name = os.environ.get("MUTANT")
    for mutant in MUTANTS:
        if mutant.name == name:
            mutant.switch_off(pytest.MonkeyPatch())
