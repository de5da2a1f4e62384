"""Each kind of change, from the request to its end, with what must be there before and after."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.files.storage import storages
from django.utils import timezone

from backups.actions.restore import plan_restore
from backups.actions.snapshots import request_snapshot
from backups.models import ArchiveKey, PurgeEntry, Snapshot, SnapshotState
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import AuditEntry
from backupsvc.jobs.runner import drain
from recipients.actions import imports
from recipients.actions.changes import cancel_change, confirm_change
from recipients.actions.deletion import delete_group, undo_deletion
from recipients.actions.recipients import remove_recipient
from recipients.models import Change, ChangeKind, ChangeState, Group, Mode, Recipient
from tests.crashes import model
from tests.crashes.bell import Bell
from tests.crashes.model import IMPORT, PEOPLE, People
from tests.fixtures.lists import Lists


@dataclass
class Play:
    """What a scenario has at hand: the account's lists, the broker, and how the client is told."""

    lists: Lists
    bell: Bell
    # Called when the request is answered: from here on it must come true.
    told: Callable[[], None]
    group_id: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> Group:
        return Group.objects.get(pk=self.group_id)


@dataclass(frozen=True)
class Scenario:
    """`prepare` sets the stage; `act` is the request and the work, in the process that dies."""

    name: str
    act: Callable[[Play], None]
    # What the list holds when nothing, and when everything was done.
    before: People
    after: People
    prepare: Callable[[Play], None] = lambda _play: None
    # What it may hold besides, as long as the client was not told.
    otherwise: People | None = None
    # Whether the rows may be gone in part on the way: only when a list is deleted.
    in_batches: bool = False
    # What else must hold in the end; it gets whether the client was told.
    at_rest: Callable[[Play, bool], None] = lambda _play, _was_told: None


def _import(play: Play) -> None:
    change = _previewed(play, text=IMPORT, mode=Mode.REFORM_AND_ADD, into=play.group)
    confirm_change(change, actor=play.lists.actor)
    play.told()
    play.bell.deliver()


def _previewed(play: Play, *, text: str, mode: Mode, into: Group | None, name: str = "") -> Change:
    actor = play.lists.actor
    run = imports.start_import(
        play.lists.account,
        actor=actor,
        file=io.BytesIO(text.encode()),
        file_name="people.csv",
        group=into,
        new_group_name=name,
    )
    mapping = imports.suggestion(run, create_missing=True)
    run = imports.set_mapping(run, actor=actor, mapping=mapping.to_json())
    run = imports.set_mode(run, actor=actor, mode=mode, blank="keep", new_status="active")
    imports.stage(run, actor=actor)
    play.bell.deliver()
    return Change.objects.get(pk=run.pk)


def _import_ended(play: Play, was_told: bool) -> None:
    """Told: done, and written down once. Not told: done once or not at all."""
    done = Change.objects.filter(kind=ChangeKind.IMPORT, state=ChangeState.DONE, pk__gt=play.memory["last"])
    entries = [
        AuditEntry.objects.filter(event="import.done", data__change=change.pk).count() for change in done
    ]
    assert entries in ([1], []), entries
    assert len(entries) == 1 or not was_told


def _confirm(play: Play) -> None:
    confirm_change(Change.objects.get(pk=play.memory["change"]), actor=play.lists.actor)
    play.told()
    play.bell.deliver()


def _stage(mode: Mode) -> Callable[[Play], None]:
    def prepare(play: Play) -> None:
        _remember_last_change(play)
        play.memory["change"] = _previewed(play, text=IMPORT, mode=mode, into=play.group).pk

    return prepare


def _remember_last_change(play: Play) -> None:
    play.memory["last"] = Change.objects.latest("pk").pk


def _new_list(play: Play) -> None:
    change = _previewed(play, text=model.file_of(PEOPLE), mode=Mode.ADD_ONLY, into=None, name="Brand new")
    confirm_change(change, actor=play.lists.actor)
    play.told()
    play.bell.deliver()


def _new_list_is_whole(play: Play, was_told: bool) -> None:
    made = Group.objects.filter(name="Brand new", hidden_at=None)
    assert made.count() == 1 if was_told else made.count() <= 1
    assert all(model.people_of(group.pk) == PEOPLE for group in made)


def _cancel(play: Play) -> None:
    change = Change.objects.get(pk=play.memory["change"])
    cancel_change(change, actor=play.lists.actor)
    play.told()
    play.bell.deliver()


def _confirmed(play: Play) -> None:
    change, _job = play.lists.confirm(IMPORT, into=play.group)
    play.memory["change"] = change.pk


def _is_cancelled(play: Play, was_told: bool) -> None:
    state = Change.objects.get(pk=play.memory["change"]).state
    assert state == ChangeState.CANCELLED if was_told else state in (ChangeState.CANCELLED, ChangeState.DONE)


def _delete(play: Play) -> None:
    delete_group(play.group, actor=operator())
    play.told()
    play.bell.deliver()


def _is_deleted(play: Play, was_told: bool) -> None:
    assert not (was_told and model.is_shown(play.group_id))
    group = play.group
    assert (group.deleted_at is None) == model.is_shown(play.group_id)
    if group.deleted_at is not None:
        assert model.holds_state(PEOPLE, group_id=play.group_id)


def _hidden(play: Play) -> None:
    change = delete_group(play.group, actor=play.lists.actor)
    play.memory["change"] = change.pk
    play.bell.deliver()


def _being_hidden(play: Play) -> None:
    play.memory["change"] = delete_group(play.group, actor=play.lists.actor).pk
    play.bell.messages.clear()


def _undo(play: Play) -> None:
    undo_deletion(Change.objects.get(pk=play.memory["change"]), actor=play.lists.actor)
    play.told()
    play.bell.deliver()


def _is_undone(play: Play, was_told: bool) -> None:
    change = Change.objects.get(pk=play.memory["change"])
    assert model.is_shown(play.group_id) == (change.state == ChangeState.CANCELLED)
    assert model.is_shown(play.group_id) or not was_told


def _spoiled(play: Play) -> None:
    snapshot, job = request_snapshot(play.group, actor=play.lists.actor)
    drain(job)
    play.memory["snapshot"] = snapshot.pk
    play.lists.load(IMPORT, into=play.group)
    remove_recipient(Recipient.objects.get(group=play.group, key="emil@example.com"), actor=play.lists.actor)


def _restore(play: Play) -> None:
    actor = play.lists.actor
    restore, _job = plan_restore(Snapshot.objects.get(pk=play.memory["snapshot"]), actor=actor)
    play.bell.deliver()
    confirm_change(Change.objects.get(pk=restore.pk), actor=actor)
    play.told()
    play.bell.deliver()


def _snapshot(play: Play) -> None:
    snapshot, _job = request_snapshot(play.group, actor=play.lists.actor)
    play.memory["snapshot"] = snapshot.pk
    play.told()
    play.bell.deliver()


def _is_backed_up(play: Play, was_told: bool) -> None:
    states = set(Snapshot.objects.filter(group=play.group).values_list("state", flat=True))
    assert states == {SnapshotState.COMPLETE} if was_told else states <= {SnapshotState.COMPLETE}
    assert not states or model.holds_state(PEOPLE, group_id=play.group_id)


def _due(play: Play) -> None:
    """Five backups of five states: purged, due, pinned, wanted, and one that shares the first one's file."""
    names = ("gone", "shared", "due", "pinned", "wanted")
    for name in names:
        snapshot, job = request_snapshot(play.group, actor=play.lists.actor)
        drain(job)
        play.memory[name] = snapshot.pk
        if name != "gone":
            Group.objects.filter(pk=play.group_id).update(revision=play.group.revision + 1)
    now = timezone.now()
    of = {name: Snapshot.objects.filter(pk=play.memory[name]) for name in names}
    of["gone"].update(expires_at=now - timedelta(hours=13))
    of["shared"].update(expires_at=now - timedelta(hours=20))
    of["due"].update(expires_at=now - timedelta(hours=1))
    of["pinned"].update(expires_at=now - timedelta(days=5), pinned=True)
    assert len(set(Snapshot.objects.values_list("archive", flat=True))) == len(names) - 1


def _purge(play: Play) -> None:
    play.bell.call("backups.purge")


def _is_purged(play: Play, _was_told: bool) -> None:
    states = dict(Snapshot.objects.values_list("pk", "state"))
    kept = {name: states.get(play.memory[name]) for name in ("gone", "shared", "due", "pinned", "wanted")}
    complete, expired = SnapshotState.COMPLETE, SnapshotState.EXPIRED
    assert kept == {"gone": None, "shared": None, "due": expired, "pinned": complete, "wanted": complete}
    ledger = sorted(PurgeEntry.objects.values_list("snapshot_id", flat=True))
    assert ledger == sorted(play.memory[name] for name in ("gone", "shared"))


def _to_be_verified(play: Play) -> None:
    for name in ("sound", "damaged"):
        snapshot, job = request_snapshot(play.group, actor=play.lists.actor)
        drain(job)
        play.memory[name] = snapshot.pk
        Group.objects.filter(pk=play.group_id).update(revision=play.group.revision + 1)
    damaged = Snapshot.objects.get(pk=play.memory["damaged"])
    with storages["archives"].open(damaged.archive, "r+b") as file:
        file.write(b"damage")
    Snapshot.objects.update(verified_at=timezone.now() - timedelta(days=14))


def _verify(play: Play) -> None:
    play.bell.call("backups.verify")


def _is_verified(play: Play, _was_told: bool) -> None:
    sound = Snapshot.objects.get(pk=play.memory["sound"])
    damaged = Snapshot.objects.get(pk=play.memory["damaged"])
    assert (sound.damaged_code, bool(damaged.damaged_code)) == ("", True)
    assert sound.verified_at is not None
    assert sound.verified_at > timezone.now() - timedelta(hours=1)
    assert AuditEntry.objects.filter(event="backup.damaged", data__snapshot=damaged.pk).exists()
    # The check of everything that follows would find it too.
    storages["archives"].delete(damaged.archive)
    ArchiveKey.objects.filter(archive=damaged.archive).delete()
    damaged.delete()


SPOILED = model.after_import("reform_and_add")
SCENARIOS = [
    *(
        # Up to the preview all modes go the same way.
        Scenario(
            name=f"confirmed import, {mode.value}",
            prepare=_stage(mode),
            act=_confirm,
            before=PEOPLE,
            after=model.after_import(mode.value),
            at_rest=_import_ended,
        )
        for mode in Mode
    ),
    Scenario(
        "import", _import, PEOPLE, model.after_import("reform_and_add"), prepare=_remember_last_change,
        at_rest=_import_ended,
    ),
    Scenario("import into a new list", _new_list, PEOPLE, PEOPLE, at_rest=_new_list_is_whole),
    Scenario(
        "cancel", _cancel, PEOPLE, PEOPLE, prepare=_confirmed, at_rest=_is_cancelled,
        otherwise=model.after_import("reform_and_add"),
    ),
    Scenario("delete", _delete, before=PEOPLE, after={}, in_batches=True, at_rest=_is_deleted),
    Scenario("undo of a deletion", _undo, PEOPLE, PEOPLE, prepare=_hidden, at_rest=_is_undone),
    Scenario("undo at once", _undo, PEOPLE, PEOPLE, prepare=_being_hidden, at_rest=_is_undone),
    Scenario(
        "restore",
        _restore,
        before={key: person for key, person in SPOILED.items() if key != "emil@example.com"},
        after=PEOPLE | {key: SPOILED[key] for key in (model.GONE, "new@example.com")},
        prepare=_spoiled,
    ),
    Scenario("snapshot", _snapshot, PEOPLE, PEOPLE, at_rest=_is_backed_up),
    Scenario("purge", _purge, PEOPLE, PEOPLE, prepare=_due, at_rest=_is_purged),
    Scenario("verify", _verify, PEOPLE, PEOPLE, prepare=_to_be_verified, at_rest=_is_verified),
]  # fmt: skip
