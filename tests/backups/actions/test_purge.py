"""Old backups go neither early nor late, and the ledger proves what went."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from backups import storage
from backups.actions.purge import delete_snapshot, purge_due
from backups.actions.purge_guard import Reading, clock_problem
from backups.actions.snapshots import lease, pin, request_snapshot
from backups.models import PurgeEntry, PurgeGuard, Snapshot
from backups.tasks import purge
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import AuditEntry
from backupsvc.errors import Refusal
from backupsvc.jobs.clock import Uptime, uptime
from backupsvc.jobs.models import Heartbeat
from backupsvc.jobs.runner import drain
from recipients.models import Recipient
from tests.fixtures.clock import REAL_NOW, MovedClock
from tests.fixtures.lists import Lists

PEOPLE = "email\nanna@example.com\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(monkeypatch)


@pytest.fixture
def snapshot(lists: Lists) -> Snapshot:
    """A backup that is to be kept for 30 days."""
    snapshot, job = request_snapshot(lists.group(PEOPLE), actor=lists.actor)
    drain(job)
    return Snapshot.objects.get(pk=snapshot.pk)


def many(snapshot: Snapshot, count: int) -> None:
    """As many backups of the same archive, all due with it."""
    rows = [Snapshot(**Snapshot.objects.filter(pk=snapshot.pk).values().get() | {"id": None})] * count
    for row in rows:
        row.pk = None
        row.save(force_insert=True)


def scheduled(clock: MovedClock, *, days: float, every_hours: float = 1) -> None:
    """The scheduler works for so long."""
    for _turn in range(int(days * 24 / every_hours)):
        clock.goes_on(hours=every_hours)
        purge()


def held() -> str:
    return PurgeGuard.objects.values_list("held_code", flat=True).get()


def test_with_the_scheduler_at_work_a_backup_is_there_for_30_days_and_gone_a_day_later(
    snapshot: Snapshot, archives: Path, clock: MovedClock
) -> None:
    scheduled(clock, days=29.9, every_hours=6)
    snapshot.refresh_from_db()
    assert snapshot.is_restorable
    assert (archives / snapshot.archive).exists()
    scheduled(clock, days=1.1)
    assert not Snapshot.objects.exists()
    assert not (archives / snapshot.archive).exists()
    entry = PurgeEntry.objects.get()
    assert snapshot.expires_at + timedelta(hours=12) <= entry.purged_at
    assert entry.purged_at <= snapshot.expires_at + timedelta(hours=24)
    assert (entry.snapshot_id, entry.sha256, entry.recipients) == (snapshot.pk, snapshot.sha256, 1)
    assert (entry.created_at, entry.expired_at) == (snapshot.created_at, snapshot.expires_at)
    assert (entry.why, entry.purged_by, entry.file_removed) == ("due", "schedule", True)
    assert entry.unlinked_at is not None
    assert entry.entry == AuditEntry.objects.get(event="backup.purged")


def test_what_somebody_deleted_says_so_in_the_ledger(
    snapshot: Snapshot, lists: Lists, clock: MovedClock
) -> None:
    delete_snapshot(snapshot, actor=lists.actor)
    scheduled(clock, days=0.6)
    assert PurgeEntry.objects.get().why == "deleted"


def test_a_pin_saves_it_from_the_purge_and_a_day_after_it_was_let_go(
    snapshot: Snapshot, lists: Lists, clock: MovedClock
) -> None:
    scheduled(clock, days=29.99, every_hours=6)
    pin(snapshot, actor=lists.actor, pinned=True)
    scheduled(clock, days=5)
    assert Snapshot.objects.get().is_restorable
    pin(snapshot, actor=lists.actor, pinned=False)
    scheduled(clock, days=0.9)
    assert Snapshot.objects.get().is_restorable
    scheduled(clock, days=1)
    assert not Snapshot.objects.exists()


def test_a_lease_keeps_it_through_its_time_and_the_grace(snapshot: Snapshot, clock: MovedClock) -> None:
    lease(snapshot, for_=timedelta(days=32))
    scheduled(clock, days=31.9, every_hours=6)
    assert Snapshot.objects.get().is_restorable
    scheduled(clock, days=1)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize("days", [0.5, 2, 31, 400])
def test_a_clock_that_is_set_forward_removes_nothing(
    days: float, snapshot: Snapshot, archives: Path, clock: MovedClock
) -> None:
    scheduled(clock, days=29.6, every_hours=6)
    clock.is_set(days=days)
    purge()
    assert held() == "purge.clock_forward"
    assert Snapshot.objects.get().is_restorable
    with pytest.raises(Refusal, match=r"purge\.clock_forward"):
        purge_due(actor=operator())
    noted = AuditEntry.objects.get(event="purge.held")
    assert noted.account is None
    assert noted.data["error_params"]["hours"] == pytest.approx(days * 24, abs=0.1)
    assert (archives / snapshot.archive).exists()


def test_a_clock_that_was_put_right_again_has_cost_nothing(snapshot: Snapshot, clock: MovedClock) -> None:
    purge()
    clock.is_set(days=40)
    scheduled(clock, days=0.5)
    clock.is_set(days=-40)
    purge()
    assert held() == "purge.clock_back"
    scheduled(clock, days=1.1)
    assert held() == ""
    assert AuditEntry.objects.filter(event="purge.released").count() == 1
    assert Snapshot.objects.get().is_restorable


def test_what_expired_under_a_wrong_clock_that_was_believed_comes_back(
    snapshot: Snapshot, lists: Lists, clock: MovedClock
) -> None:
    other, job = request_snapshot(lists.group(PEOPLE, name="Other"), actor=lists.actor)
    drain(job)
    clock.is_set(days=30.2)
    delete_snapshot(other, actor=lists.actor)
    assert purge_due(actor=operator()) == 0
    assert set(Snapshot.objects.values_list("state", flat=True)) == {"expired"}
    clock.is_set(days=-30.2)
    purge()
    snapshot.refresh_from_db()
    assert snapshot.is_restorable
    assert Snapshot.objects.get(pk=other.pk).state == "expired"


def test_an_operator_who_has_looked_lets_it_go_on(snapshot: Snapshot, clock: MovedClock) -> None:
    purge()
    clock.is_set(days=31)
    purge()
    assert purge_due(actor=operator(), go_on=True) == 1
    assert held() == ""
    assert [entry.event for entry in AuditEntry.objects.filter(account=None).order_by("pk")] == [
        "purge.held",
        "purge.released",
    ]


def test_a_machine_that_was_off_for_a_weekend_needs_nobody(snapshot: Snapshot, clock: MovedClock) -> None:
    scheduled(clock, days=29, every_hours=6)
    clock.goes_on(days=2.9)
    clock.boot = "the next morning"
    purge()
    assert held() == ""
    assert not Snapshot.objects.exists()


def test_a_machine_that_was_off_for_weeks_waits_a_day(snapshot: Snapshot, clock: MovedClock) -> None:
    purge()
    clock.goes_on(days=40)
    clock.boot = "after the holidays"
    purge()
    assert held() == "purge.clock_forward"
    scheduled(clock, days=0.9)
    assert Snapshot.objects.get().is_restorable
    scheduled(clock, days=0.3)
    assert not Snapshot.objects.exists()


def test_far_more_than_foreseen_stop_it_until_an_operator_has_looked(
    snapshot: Snapshot, clock: MovedClock, lists: Lists
) -> None:
    many(snapshot, 30)
    clock.goes_on(minutes=1)
    purge()
    Snapshot.objects.update(expires_at=clock.now() - timedelta(days=1))
    clock.goes_on(hours=1)
    purge()
    assert (held(), PurgeGuard.objects.get().held_params) == ("purge.too_many", {"due": 31, "foreseen": 0})
    scheduled(clock, days=2)
    assert Snapshot.objects.filter(state="complete").count() == 31
    assert AuditEntry.objects.filter(event="purge.held").count() == 1
    assert purge_due(actor=operator(), go_on=True) == 31


def test_as_many_as_were_foreseen_go_at_once(snapshot: Snapshot, clock: MovedClock) -> None:
    many(snapshot, 60)
    scheduled(clock, days=31, every_hours=6)
    assert held() == ""
    assert not Snapshot.objects.exists()


def test_a_held_purge_is_no_good_purge_and_leaves_files_of_nobody(
    snapshot: Snapshot, archives: Path, clock: MovedClock
) -> None:
    purge()
    (archives / "orphan.zip.tmp").write_bytes(b"half")
    before = Heartbeat.objects.get(name="purge").at
    clock.is_set(days=31)
    purge()
    assert (archives / "orphan.zip.tmp").exists()
    assert Heartbeat.objects.get(name="purge").at == before


def test_a_file_that_cannot_be_removed_is_tried_again_and_keeps_no_other(
    snapshot: Snapshot, lists: Lists, archives: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.group(PEOPLE, name="Other")
    other, job = request_snapshot(lists.group(PEOPLE, name="Third"), actor=lists.actor)
    drain(job)
    delete = storage.delete

    def broken(key: str) -> None:
        if key == snapshot.archive:
            raise storage.StorageRefused("storage.broken", detail="EIO")
        delete(key)

    monkeypatch.setattr(storage, "delete", broken)
    scheduled(clock, days=31, every_hours=6)
    assert not Snapshot.objects.exists()
    assert (archives / snapshot.archive).exists()
    assert PurgeEntry.objects.get(snapshot_id=snapshot.pk).unlinked_at is None
    assert PurgeEntry.objects.get(snapshot_id=other.pk).unlinked_at is not None
    monkeypatch.setattr(storage, "delete", delete)
    scheduled(clock, days=0.1)
    assert not (archives / snapshot.archive).exists()
    assert PurgeEntry.objects.get(snapshot_id=snapshot.pk).unlinked_at is not None


@pytest.mark.parametrize(
    ("passed", "up", "problem"),
    [
        ({"hours": 1}, {"hours": 1}, None),
        ({"hours": 1, "minutes": 9}, {"hours": 1}, None),
        ({"hours": 1, "minutes": 11}, {"hours": 1}, "purge.clock_forward"),
        ({"minutes": 49}, {"hours": 1}, "purge.clock_back"),
        ({"days": 2}, None, None),
        ({"days": 3, "seconds": 1}, None, "purge.clock_forward"),
        ({"days": 4}, {"days": 4}, "purge.clock_forward"),
        ({"minutes": -11}, None, "purge.clock_back"),
        ({"minutes": -9}, None, None),
    ],
)
def test_the_way_from_one_reading_to_the_next(
    passed: dict[str, float], up: dict[str, float] | None, problem: str | None
) -> None:
    now = REAL_NOW()
    before = Reading(now, Uptime("a", 100.0))
    seconds = 100.0 + (timedelta(**up).total_seconds() if up else 0.0)
    after = Reading(now + timedelta(**passed), Uptime("a" if up else "b", seconds))
    found = clock_problem(before, after)
    assert (found and found[0]) == problem


def test_linux_tells_how_long_it_has_been_up() -> None:
    if not Path("/proc/sys/kernel/random/boot_id").exists():
        pytest.skip("not Linux")
    first, second = uptime(), uptime()
    assert first.boot == second.boot != ""
    assert 0 < first.seconds <= second.seconds


def test_nothing_of_a_person_is_in_the_ledger(snapshot: Snapshot, clock: MovedClock) -> None:
    scheduled(clock, days=31, every_hours=6)
    text = str(PurgeEntry.objects.values().get()) + str(AuditEntry.objects.values_list("data", flat=True))
    assert "anna" not in text
    assert Recipient.objects.filter(key="anna@example.com").exists()
