"""A change from its confirmation to its end: the same for imports, restores and deletions.

In one file although it is long: what may be confirmed, stopped or merged is one set of rules about one state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor, Origin
from backupsvc.accounts.audit import record
from backupsvc.errors import Refusal
from backupsvc.jobs import runner
from backupsvc.jobs.models import ENDED, Job, Queue
from backupsvc.jobs.queue import enqueue, wait_for
from backupsvc.jobs.runner import Claim, WaitAgain
from recipients import uploads
from recipients.actions.attributes import ensure_attribute, refuse_other_types, type_of_deleted
from recipients.actions.groups import (
    check_name,
    check_not_being_removed,
    create_group,
    lock_fields,
    lock_group,
    raise_revision,
    revive_group,
)
from recipients.bulk.base import Judged, Plan, Verdicts
from recipients.bulk.engine import engine
from recipients.imports.doubts import NAMING
from recipients.imports.mapping import ATTRIBUTE
from recipients.models import (
    UNDER_WAY,
    Blank,
    BlocklistEntry,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    Import,
    Mode,
)
from recipients.selectors import attributes_of, change_counts
from recipients.signals import change_requested

APPLY_JOB = "recipients.apply_change"
DELETE_JOB = "recipients.delete_group"
STAGE_JOBS = {ChangeKind.IMPORT: "recipients.stage_import", ChangeKind.RESTORE: "backups.stage_restore"}
# What a member must be allowed to do for each kind of change.
NEEDS = {
    ChangeKind.IMPORT: Permission.EDIT,
    ChangeKind.DELETION: Permission.EDIT,
    ChangeKind.RESTORE: Permission.RESTORE,
    ChangeKind.UNDO: Permission.RESTORE,
}
# Modes that write values; the others only take people out.
WRITING = (Mode.REFORM_AND_ADD, Mode.ADD_ONLY, Mode.UPDATE_ONLY)
# What a preview tells the merge, and who is named in it: nobody needs them afterwards.
PASSING = ("kept_safe_rows", "addresses", "leaves_new")
# How often a backup is taken again because the list moved under it, before the change gives up.
MOST_BACKUPS = 3
REASON_LENGTH = 500
# What `Import.dialect` keeps of the file's own cells.
CELLS = ("sample", "survey")


def actor_of(change: Change) -> Actor:
    """Who confirmed the change, as workers check again when the job runs."""
    return Actor(user=change.user, origin=Origin(change.origin))


def note_change(
    change: Change, event: str, *, group: Group | None, actor: Actor | None = None, **data: Any
) -> None:
    """Write into the log what became of a list's change, by who confirmed it if nobody else is named."""
    record(
        event,
        account=change.account,
        actor=actor or actor_of(change),
        group_id=group.pk if group else None,
        target=group.name if group else change.new_group_name,
        change=change.pk,
        **data,
    )


def lock_change(change_id: int) -> Change:
    """The change's row, locked until the transaction ends."""
    return Change.objects.select_for_update(of=("self",)).select_related("account", "user").get(pk=change_id)


@transaction.atomic
def confirm_change(
    change: Change,
    *,
    actor: Actor,
    backup: bool | None = None,
    promised: bool = False,
    reactivate: bool = False,
    reason: str = "",
    typed_name: str = "",
    shown: int | None = None,
) -> Job:
    """Let a previewed import or restore go: now, or after the list's other changes.

    `backup`: None as the switches say, True one although they are off, False none although they are on.
    `promised`: who confirms was told that one is made, so it is, though the switches went off since.
    `reactivate` with a `reason` makes unsubscribed people active where the rows say so, if they are still
    those of the preview. `shown`: the preview that was looked at (its "staged_by"), to refuse any other.
    Confirming twice gives the same job. Raises Refusal, NotFound, Forbidden.
    """
    require(actor, account=change.account, permission=NEEDS[ChangeKind(change.kind)])
    change = lock_change(change.pk)
    if change.state in (*UNDER_WAY, ChangeState.DONE):
        return Job.objects.filter(kind=APPLY_JOB, subject_id=change.pk).latest("pk")
    if change.state != ChangeState.PREVIEW:
        raise Refusal("change.not_ready", state=change.state)
    if shown is not None and shown != change.preview.get("staged_by", shown):
        raise Refusal("change.preview_outdated")
    group = _target(change, actor=actor)
    backup = as_promised(group, backup=backup, promised=promised)
    check_no_backup(group, actor=actor, backup=backup, typed_name=typed_name)
    under_way = list(Change.objects.filter(group=group, state__in=UNDER_WAY))
    if reactivate:
        _check_reactivation(change, actor=actor, reason=reason, is_next=not under_way)
    change.group = group
    change.state = ChangeState.QUEUED if under_way else ChangeState.ACTIVE
    change.confirmed_at = timezone.now()
    change.user, change.user_label, change.origin = actor.user, actor.label[:200], actor.origin
    change.backup_asked = backup
    change.reactivate, change.reactivate_reason = reactivate, reason.strip()[:REASON_LENGTH]
    change.save()
    return _let_go(change, group=group, actor=actor, after=under_way)


def _let_go(change: Change, *, group: Group, actor: Actor, after: Sequence[Change]) -> Job:
    # All of them: the one in front may be cancelled, and those before it go on.
    before = [job for one in after if (job := _job_of(one))]
    job = enqueue(
        APPLY_JOB,
        subject_id=change.pk,
        account=change.account,
        queue=Queue.CHANGE,
        after=before,
    )
    change_requested.send(sender=Change, change=change, job=job, after=before)
    note_change(
        change,
        f"{change.kind}.confirmed",
        group=group,
        actor=actor,
        mode=change.mode,
        backup=change.backup_wanted,
        backup_why=change.backup_why,
    )
    return job


def _check_reactivation(change: Change, *, actor: Actor, reason: str, is_next: bool) -> None:
    """An owner or admin says why, and nobody becomes active whom the preview did not count.

    `is_next`: no other change of the list is under way.
    """
    require(actor, account=change.account, permission=Permission.MANAGE)
    if not reason.strip():
        raise Refusal("consent.reason_missing")
    if not is_next:
        raise Refusal("consent.list_changing")
    _check_nobody_left(change)


def _check_nobody_left(change: Change) -> None:
    """Raise Refusal if the list is not as it was previewed: since then more people may have left it."""
    if seen(change) != change.judged_state:
        raise Refusal("consent.list_moved")


def as_promised(group: Group, *, backup: bool | None, promised: bool) -> bool | None:
    """The wish for a backup of the list, locked: one that was promised needs no switch."""
    is_on = group.account.auto_backup and group.auto_backup
    return True if promised and backup is None and not is_on else backup


def check_no_backup(group: Group, *, actor: Actor, backup: bool | None, typed_name: str) -> None:
    """Going on without a backup is an owner's or admin's explicit choice: they type the list's name.

    Commands and schedules are the operator's own; the API never makes this choice.
    """
    if backup is not False or (actor.user is None and actor.origin != Origin.API):
        return
    require(actor, account=group.account, permission=Permission.MANAGE)
    if actor.origin == Origin.API:
        raise Refusal("change.backup_not_optional")
    if typed_name.strip() != group.name:
        raise Refusal("change.name_not_typed", name=group.name)


@transaction.atomic
def cancel_change(change: Change, *, actor: Actor) -> Change:
    """Stop a change that has not been applied yet. Raises Refusal when it has ended."""
    require(actor, account=change.account, permission=NEEDS[ChangeKind(change.kind)])
    _lock_new_group(change)
    change = lock_change(change.pk)
    if change.kind == ChangeKind.DELETION or change.has_ended:
        raise Refusal("change.already_ended", state=change.state)
    was_confirmed = change.is_under_way
    change.state = ChangeState.CANCELLED
    change.ended_at = timezone.now()
    change.save(update_fields=["state", "ended_at"])
    for job in Job.objects.filter(subject_id=change.pk, kind__in=[APPLY_JOB, *STAGE_JOBS.values()]):
        runner.cancel(job)
    _drop_empty_group(change)
    clean_up(change)
    if was_confirmed:
        note_change(change, f"{change.kind}.cancelled", group=change.group, actor=actor)
    return change


@transaction.atomic
def discard_change(change: Change, *, actor: Actor) -> Change:
    """Throw away a change that nobody will confirm: its staged and rejected rows, its upload.

    Its row stays, as cancelled or failed. Harmless when repeated. Raises Refusal once it was confirmed.
    """
    require(actor, account=change.account, permission=NEEDS[ChangeKind(change.kind)])
    change = lock_change(change.pk)
    if change.confirmed_at is not None:
        raise Refusal("import.already_confirmed")
    if change.has_ended:
        clean_up(change)
    else:
        change = cancel_change(change, actor=actor)
    change.rejected_rows.all().delete()
    return change


def record_backup(change: Change, *, snapshot_id: int, revision: int) -> None:
    """Note which backup the change has, and of which revision. Called by the app that made it."""
    Change.objects.filter(pk=change.pk).update(snapshot_id=snapshot_id, backup_revision=revision)


def plan_of(change: Change, *, judged: Judged | None = None) -> Plan:
    """What the change's merge does. `judged`: if what its preview found still holds."""
    return Plan(
        change_id=change.pk,
        account_id=change.account_id,
        # No group has the id 0: a new list has no rows yet.
        group_id=change.group_id or 0,
        mode=Mode(change.mode),
        clears=change.blank == Blank.CLEAR,
        nulls=change.blank == Blank.CLEAR and change.kind == ChangeKind.IMPORT,
        fields=frozenset(change.fields),
        now=change.confirmed_at or timezone.now(),
        reactivate=change.reactivate,
        source_group_id=change.source_group_id,
        judged=judged,
    )


def seen(change: Change) -> str:
    """All that a preview of the change looks at besides its own rows: the same again, the same verdicts.

    Opt-outs come and go with recipients, so a list's revision stands for both. Whether the list is empty is
    looked at by itself: of an empty one strangers are not judged, and they must not get lost.
    """
    # A list that is made for the change has no rows yet, before and after it is made.
    ids = (change.group_id or 0, change.source_group_id or 0)
    revisions = dict(Group.objects.filter(pk__in=ids).values_list("pk", "revision"))
    blocked = BlocklistEntry.objects.filter(account=change.account_id)
    entries = blocked.aggregate(count=Count("pk"), last=Max("pk"))
    parts = (*(revisions.get(pk, 0) for pk in ids), *entries.values())
    is_held = engine().holds_anybody(ids[0])
    return ":".join(str(part or 0) for part in (*parts, int(is_held)))


def apply_change(claim: Claim) -> None:
    """Merge the staged rows into the list, in one transaction: all of them or none."""
    change = Change.objects.get(pk=claim.job.subject_id)
    if change.has_ended:
        return
    _stage_again_if_lost(change, claim=claim)
    claim.progress(done=0, total=change.rows, step="apply")
    with transaction.atomic():
        claim.guard()
        has_locked = bool(_missing_fields(change))
        if has_locked:
            lock_fields(change.account_id)
        group = lock_group(change.group_id or 0)
        change = lock_change(change.pk)
        if change.has_ended:
            return
        missing = _missing_fields(change)
        if missing and not has_locked:
            # Deleted just now. To lock the fields after the list would be the other way round.
            raise WaitAgain
        require(actor_of(change), account=change.account, permission=NEEDS[ChangeKind(change.kind)])
        _check_unlocked(change, group=group)
        _check_types(change)
        if change.reactivate:
            _check_nobody_left(change)
        waits = not holds_sound_backup(change, group=group, job=claim.job)
        if not waits:
            group = _brought_back(group, change=change)
            _make_fields(change, group=group, missing=missing)
            _merge(change, group=group)
    if waits:
        raise WaitAgain
    clean_up(change)


def _brought_back(group: Group, *, change: Change) -> Group:
    """The list, shown again if it was deleted. Not before the merge: what is stopped brings nothing back."""
    if group.is_live:
        return group
    _check_restores(change, group=group)
    return revive_group(group, actor=actor_of(change))


def holds_sound_backup(change: Change, *, group: Group, job: Job) -> bool:
    """Whether the backup is of the list as it is now; if the list has moved on, ask for another."""
    if change.backup_why == "new_list" and group.revision:
        # It was to be empty, and somebody has filled it since: decided anew.
        change.backup_wanted = None
        change_requested.send(sender=Change, change=change, job=job, after=[])
        return not change.backup_wanted
    if not change.backup_wanted or change.backup_revision == group.revision:
        return True
    if change.backups_taken >= MOST_BACKUPS:
        raise Refusal("change.list_kept_changing", name=group.name)
    change_requested.send(sender=Change, change=change, job=job, after=[])
    return False


def _merge(change: Change, *, group: Group) -> None:
    # A preview keeps people safe whom a reactivation does not.
    is_as_seen = not change.reactivate and change.judged_state == seen(change)
    holds = is_as_seen and change.judged_rows == engine().judged(change.pk)
    verdicts = engine().merge(plan_of(change, judged=_judged_by(change.preview) if holds else None))
    raise_revision(group, shift=dict(verdicts.shift or {}))
    change.state = ChangeState.DONE
    change.ended_at = timezone.now()
    set_counts(change, verdicts=verdicts)
    safe_before = change.preview.get("kept_safe", 0)
    change.preview = _without_addresses(change.preview)
    change.save()
    if change.reactivate:
        note_change(
            change,
            "consent.reactivated",
            group=group,
            count=safe_before - verdicts.kept_safe,
            reason=change.reactivate_reason,
        )
    note_change(
        change,
        f"{change.kind}.done",
        group=group,
        counts={name: count for name, count in change_counts(change).items() if count},
    )


def _judged_by(preview: dict[str, Any]) -> Judged | None:
    """What a preview has kept; None where an older version made it, which did not say how many or of whom."""
    if not {"addresses", "leaves_new"} <= preview.keys():
        return None
    return Judged(addresses=preview["addresses"], leaves_new=preview["leaves_new"])


def _missing_fields(change: Change) -> list[str]:
    """Names of fields whose values the change brings and that its list does not have yet, or no longer."""
    if change.mode not in WRITING:
        return []
    known = {attribute.name for attribute in attributes_of(change.account, group=change.group)}
    told = [field.removeprefix(ATTRIBUTE) for field in change.fields if field.startswith(ATTRIBUTE)]
    brought = dict.fromkeys([*(wanted["name"] for wanted in change.new_attributes), *told])
    return [name for name in brought if name not in known]


def field_types(change: Change) -> dict[str, str]:
    """Of which types the fields are that the change writes values into, those that it makes among them."""
    known = {
        attribute.name: attribute.type for attribute in attributes_of(change.account, group=change.group)
    }
    told = {field["name"]: field["type"] for field in change.new_attributes} | known
    return {name: type_ for name, type_ in told.items() if f"{ATTRIBUTE}{name}" in change.fields}


def _check_types(change: Change) -> None:
    """Values were checked for the fields' types of then."""
    refuse_other_types(change.preview.get("types", {}), field_types(change), code="change.type_changed")


def _make_fields(change: Change, *, group: Group, missing: list[str]) -> None:
    """Make fields that the change was confirmed with: new ones, and those that were deleted meanwhile.

    Under the list's lock, which a deletion waits for: no value comes to stand without its field.
    """
    wanted = {field["name"]: field for field in change.new_attributes}
    for name in missing:
        if name in wanted:
            type_, for_all = wanted[name]["type"], wanted[name].get("scope") != "group"
        else:
            # In this list alone: whoever deleted it for all lists does not get it back in the others.
            type_, for_all = type_of_deleted(change.account, name=name), False
        ensure_attribute(change.account, name=name, type=type_, group=group, for_all=for_all)


def _without_addresses(preview: dict[str, Any]) -> dict[str, Any]:
    """What stays of a preview when its change is over: the counts, while nobody is named."""
    kept = {key: value for key, value in preview.items() if key not in PASSING}
    kept["doubts"] = [doubt for doubt in preview.get("doubts", []) if doubt[0] not in NAMING]
    return kept


def set_counts(change: Change, *, verdicts: Verdicts) -> None:
    """Put the merge's counts on the change. Raises AssertionError when a row got lost in the counting."""
    change.added, change.updated = verdicts.added, verdicts.updated
    change.unchanged, change.kept_safe = verdicts.unchanged, verdicts.kept_safe
    change.deactivated, change.deleted = verdicts.deactivated, verdicts.deleted
    if verdicts.addresses + change.rejected + change.duplicates != change.rows:
        raise AssertionError(f"change {change.pk}: {verdicts.addresses} judged of {change.rows} rows")


def change_failed(job: Job, refusal: Refusal) -> None:
    """The job of an import or a restore failed for good: nothing was changed, and the change says why."""
    _lock_new_group(Change.objects.get(pk=job.subject_id))
    change = lock_change(job.subject_id)
    if change.has_ended:
        return
    change.state = ChangeState.FAILED
    change.ended_at = timezone.now()
    change.error_code, change.error_params = refusal.code, dict(refusal.params)
    change.save(update_fields=["state", "ended_at", "error_code", "error_params"])
    _drop_empty_group(change)
    # The upload stays for a week: what stopped it may be mended, and then it can be tried again.
    engine().clear(change.pk)
    note_change(change, f"{change.kind}.failed", group=change.group, error=refusal.code)


def clean_up(change: Change) -> None:
    """Remove what the change needed on its way: staged rows, the upload, and whom it named.

    Harmless when repeated.
    """
    engine().clear(change.pk)
    change.preview = _without_addresses(change.preview)
    change.save(update_fields=["preview"])
    run = Import.objects.filter(pk=change.pk).first()
    if run is None:
        return
    Import.objects.filter(pk=run.pk).update(upload="", dialect=without_cells(run.dialect))
    if run.upload:
        # A change that goes on because this was rolled back may have to read the file again.
        transaction.on_commit(partial(uploads.remove, run.upload))


def without_cells(dialect: dict[str, Any]) -> dict[str, Any]:
    """What stays of how a file was read: the sample and the examples are people's data, and not needed."""
    return {name: value for name, value in dialect.items() if name not in CELLS}


def _target(change: Change, *, actor: Actor) -> Group:
    """The list that the change goes into, made if need be, locked. A deleted one stays so until the merge."""
    permission = NEEDS[ChangeKind(change.kind)]
    if change.group_id is None:
        name = check_name(change.account, name=change.new_group_name)
        group = create_group(change.account, actor=actor, name=name, permission=permission)
        return lock_group(group.pk)
    group = lock_group(change.group_id)
    if not group.is_live:
        _check_restores(change, group=group)
        check_not_being_removed(group)
    _check_unlocked(change, group=group)
    return group


def _check_unlocked(change: Change, *, group: Group) -> None:
    """Nothing removes recipients from a list that is locked, whenever it was locked."""
    if group.locked and change.mode == Mode.DELETE:
        raise Refusal("group.locked", name=group.name)


def _check_restores(change: Change, *, group: Group) -> None:
    """Only a restore brings a deleted list back."""
    if change.kind != ChangeKind.RESTORE:
        raise Refusal("group.deleted_meanwhile", name=group.name)


def _job_of(change: Change) -> Job | None:
    """The job that ends the change."""
    jobs = Job.objects.filter(kind__in=[APPLY_JOB, DELETE_JOB], subject_id=change.pk)
    return jobs.order_by("-pk").first()


def _stage_again_if_lost(change: Change, *, claim: Claim) -> None:
    """PostgreSQL empties the staging table after a crash: read the source again before going on."""
    if engine().staged(change.pk) == change.staged_rows:
        return
    kind = STAGE_JOBS[ChangeKind(change.kind)]
    with transaction.atomic():
        claim.guard()
        open_job = Job.objects.filter(kind=kind, subject_id=change.pk).exclude(state__in=ENDED).first()
        job = open_job or enqueue(kind, subject_id=change.pk, account=change.account, queue=Queue.CHANGE)
        wait_for(claim.job, awaited=job, must_succeed=True)
    raise WaitAgain


def _lock_new_group(change: Change) -> None:
    """Lock the list that was made for the change, before the change: a merge takes them in this order."""
    if change.new_group_name and change.group_id:
        lock_group(change.group_id)


def _drop_empty_group(change: Change) -> None:
    """Take away the list that was made for a change that came to nothing, unless others use it by now."""
    group = change.group
    if group is None or not change.new_group_name:
        return
    if Change.objects.filter(group=group, state__in=UNDER_WAY).exclude(pk=change.pk).exists():
        return
    now = timezone.now()
    untouched = Group.objects.filter(pk=group.pk, revision=0, hidden_at=None)
    untouched.update(hidden_at=now, deleted_at=now)
