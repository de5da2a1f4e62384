"""An import up to its preview: upload, how it is read, what its columns mean, and the staged rows."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from django.db import transaction
from django.utils import timezone

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import Claim
from recipients import uploads
from recipients.actions.changes import STAGE_JOBS, actor_of, lock_change, plan_of
from recipients.actions.groups import check_name
from recipients.bulk.base import Reject, Stage
from recipients.bulk.engine import engine
from recipients.imports import mapping as maps
from recipients.imports.check import Rejected, Rules, StagedRow, checker
from recipients.imports.dialect import Dialect
from recipients.imports.reader import read
from recipients.imports.sniff import sniff
from recipients.models import (
    Attribute,
    Blank,
    BlocklistEntry,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    Import,
    Mode,
    Status,
)
from recipients.selectors import attributes_of
from recipients.values import column_day_first

# Rows in one transaction of staging: enough for speed, few enough that progress moves.
BATCH_ROWS = 5_000
# How many of the rows that stay safe a preview lists.
LISTED_ROWS = 100
# Cells of a date column that are looked at to tell 3/4 from 4/3.
DATE_CELLS = 20_000
DATED = ("registered", "activated", "deactivated")
EDITABLE = (ChangeState.DRAFT, ChangeState.PREVIEW)


def start_import(
    account: Account,
    *,
    actor: Actor,
    file: BinaryIO,
    file_name: str,
    group: Group | None = None,
    new_group_name: str = "",
) -> Import:
    """Store the upload and find out how to read it. Touches no list.

    The rows go into `group`, or into a new list of `new_group_name`. Raises Refusal: file.*, group.*.
    """
    require(actor, account=account, permission=Permission.EDIT)
    if group is None:
        new_group_name = check_name(account, name=new_group_name)
    stored = uploads.store(file, account_id=account.pk)
    try:
        if not stored.size_bytes:
            raise Refusal("file.empty")
        with transaction.atomic():
            change = Change.objects.create(
                account=account,
                group=group,
                new_group_name="" if group else new_group_name,
                kind=ChangeKind.IMPORT,
                mode=Mode.REFORM_AND_ADD,
                origin=actor.origin,
                user=actor.user,
                user_label=actor.label[:200],
            )
            run = Import(
                change=change,
                upload=stored.key,
                file_name=Path(file_name).name[:255] or "upload",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
            )
            _sniff(run)
            run.save()
            change.save()
    except BaseException:
        uploads.remove(stored.key)
        raise
    return run


def pasted(text: str) -> BinaryIO:
    """Pasted text as a file."""
    return io.BytesIO(text.encode())


@transaction.atomic
def set_dialect(run: Import, *, actor: Actor, overrides: Mapping[str, object]) -> Import:
    """Read the upload as the person says (fields of `Dialect`; {} for automatic); the mapping starts anew."""
    run = _editable(run, actor=actor)
    run.dialect_overrides = dict(overrides)
    _sniff(run)
    run.save()
    run.change.save()
    return run


@transaction.atomic
def set_mapping(
    run: Import, *, actor: Actor, mapping: Mapping[str, Any], leaves_signup_out: bool = False
) -> Import:
    """What each column means, as `imports.mapping.Mapping` spells it.

    Raises Refusal: mapping.*; import.signup_unmapped when columns that say who unsubscribed are left out
    without `leaves_signup_out`: importing them as active would mail people who said no.
    """
    run = _editable(run, actor=actor)
    chosen = maps.Mapping.from_json(mapping)
    maps.validate(chosen, headers=run.headers, attributes=specs_of(run.change))
    left_out = maps.unmapped_signup(run.headers, chosen)
    if left_out and not leaves_signup_out:
        raise Refusal("import.signup_unmapped", columns=", ".join(left_out))
    run.leaves_signup_out = leaves_signup_out
    _set_mapping(run, mapping=chosen)
    # What was staged was read by the old mapping: it needs a new preview.
    run.change.state = ChangeState.DRAFT
    run.save()
    run.change.save()
    return run


@transaction.atomic
def set_mode(run: Import, *, actor: Actor, mode: str, blank: str, new_status: str = "") -> Import:
    """How the rows are merged. `new_status` is what new recipients become when the file does not say."""
    run = _editable(run, actor=actor)
    if mode not in Mode.values or blank not in Blank.values:
        raise Refusal("import.bad_mode", mode=mode)
    if new_status not in ("", Status.ACTIVE, Status.UNCONFIRMED):
        raise Refusal("import.bad_status", status=new_status)
    run.change.mode, run.change.blank, run.new_status = mode, blank, new_status
    run.change.state = ChangeState.DRAFT
    run.save()
    run.change.save()
    return run


@transaction.atomic
def stage(run: Import, *, actor: Actor) -> Job:
    """Read and check all rows in the background, up to the preview. Raises Refusal for a missing choice."""
    require(actor, account=run.change.account, permission=Permission.EDIT)
    if lock_change(run.change.pk).state == ChangeState.STAGING:
        # Asked for twice: two jobs would mix their rows.
        return Job.objects.filter(kind=STAGE_JOBS[ChangeKind.IMPORT], subject_id=run.change.pk).latest("pk")
    run = _editable(run, actor=actor)
    change = run.change
    mapping = maps.Mapping.from_json(run.mapping)
    maps.validate(mapping, headers=run.headers, attributes=specs_of(change))
    if needs_status(run) and not run.new_status:
        raise Refusal("import.status_missing")
    change.state = ChangeState.STAGING
    change.error_code, change.error_params, change.preview = "", {}, {}
    change.save()
    return enqueue(
        STAGE_JOBS[ChangeKind.IMPORT], subject_id=change.pk, account=change.account, queue=Queue.CHANGE
    )


def needs_status(run: Import) -> bool:
    """Whether the file leaves open what new recipients become, in a mode that adds some."""
    says = {"status", "activated"} & maps.Mapping.from_json(run.mapping).targets
    return not says and run.change.mode in (Mode.REFORM_AND_ADD, Mode.ADD_ONLY)


def specs_of(change: Change) -> list[maps.AttributeSpec]:
    """The fields that the change's list has, as the mapping knows them."""
    return [_spec(attribute) for attribute in attributes_of(change.account, group=change.group)]


def suggestion(run: Import, *, create_missing: bool = False) -> maps.Mapping:
    """What the columns mean as far as their names and cells tell."""
    return maps.suggest(
        run.headers,
        samples=run.dialect.get("sample", []),
        attributes=specs_of(run.change),
        create_missing=create_missing or run.is_own,
    )


def stage_import(claim: Claim) -> None:
    """Read, check and stage the upload, then count what the merge would do. Starts anew when repeated."""
    change = Change.objects.select_related("account", "user", "group").get(pk=claim.job.subject_id)
    if change.has_ended or change.state == ChangeState.PREVIEW:
        return
    require(actor_of(change), account=change.account, permission=Permission.EDIT)
    run = Import.objects.get(pk=change.pk)
    with transaction.atomic():
        claim.guard()
        engine().clear(change.pk)
        change.rejected_rows.all().delete()
    with uploads.local(run.upload) as path:
        read_rows, rejected = _stage_rows(run, change=change, path=path, claim=claim)
    if not read_rows:
        raise Refusal("file.no_rows")
    finish_staging(claim, rows=read_rows, rejected=rejected)


def finish_staging(claim: Claim, *, rows: int, rejected: int) -> None:
    """All rows are staged: count what the merge would do and show it. The same for every source."""
    claim.progress(done=rows, total=rows, step="preview")
    change = Change.objects.get(pk=claim.job.subject_id)
    staged, distinct = engine().staged(change.pk)
    change.rows, change.rejected, change.duplicates = rows, rejected, staged - distinct
    verdicts, safe = engine().preview(plan_of(change), most_kept_safe=LISTED_ROWS)
    counts = {name: count for name, count in asdict(verdicts).items() if name != "shift"}
    preview = {
        **counts,
        "rows": rows,
        "rejected": rejected,
        "duplicates": change.duplicates,
        "kept_safe_rows": [asdict(row) for row in safe],
    }
    with transaction.atomic():
        claim.guard()
        current = lock_change(change.pk)
        if current.has_ended:
            engine().clear(change.pk)
            return
        if current.state == ChangeState.STAGING:
            current.state = ChangeState.PREVIEW
            current.preview = preview
        current.rows, current.rejected, current.duplicates = rows, rejected, change.duplicates
        current.staged_rows = staged
        current.save()


def staging_failed(job: Job, refusal: Refusal) -> None:
    """The file could not be read to its end: back to the draft, with the reason, to be mended."""
    change = lock_change(job.subject_id)
    if change.state != ChangeState.STAGING:
        return
    change.state = ChangeState.DRAFT
    change.error_code, change.error_params = refusal.code, dict(refusal.params)
    change.save(update_fields=["state", "error_code", "error_params"])


def _stage_rows(run: Import, *, change: Change, path: Path, claim: Claim) -> tuple[int, int]:
    """How many rows were read, and how many rejected."""
    dialect = Dialect.from_json(run.dialect["dialect"])
    check = checker(_rules(run, change=change, path=path, dialect=dialect))
    estimate = run.dialect.get("rows_estimate")
    bounced_at = timezone.now()
    done = rejected = 0
    rows = read(path, dialect=dialect)
    while chunk := [check(row) for row in islice(rows, BATCH_ROWS)]:
        good = [_stage_row(row, bounced_at=bounced_at) for row in chunk if isinstance(row, StagedRow)]
        bad = [_reject(row) for row in chunk if isinstance(row, Rejected)]
        with transaction.atomic():
            claim.guard()
            engine().stage(change.pk, rows=good)
            engine().stage_rejects(change.pk, rejects=bad)
        done, rejected = done + len(chunk), rejected + len(bad)
        claim.progress(done=done, total=max(done, estimate or 0), step="read")
    return done, rejected


def _rules(run: Import, *, change: Change, path: Path, dialect: Dialect) -> Rules:
    mapping = maps.Mapping.from_json(run.mapping)
    return Rules(
        attributes=tuple(specs_of(change)),
        mapping=mapping,
        blank=cast("Literal['keep', 'clear']", change.blank),
        new_status=cast("Literal['active', 'unconfirmed'] | None", run.new_status or None),
        now=timezone.now(),
        unescape=run.is_spreadsheet_safe,
        day_first={} if run.is_own else _day_first(path, dialect=dialect, mapping=mapping, change=change),
        digest=digest_for(change.account),
        headers=tuple(run.headers),
        zone=change.account.time_zone,
    )


def _day_first(
    path: Path, *, dialect: Dialect, mapping: maps.Mapping, change: Change
) -> dict[int, bool | None]:
    """For each column of dates, whether the day comes first: its cells decide by majority."""
    dates = {spec.name for spec in (*specs_of(change), *mapping.new) if spec.type == "date"}
    dated = {*DATED, *(f"{maps.ATTRIBUTE}{name}" for name in dates)}
    columns = [index for index, target in enumerate(mapping.columns) if target in dated]
    if not columns:
        return {}
    rows = [row.cells for row in islice(read(path, dialect=dialect), DATE_CELLS) if row.problem is None]
    return {
        index: column_day_first([cells[index] for cells in rows if index < len(cells) and cells[index]])
        for index in columns
    }


def digest_for(account: Account) -> Callable[[str], str] | None:
    """How erased people's addresses are hashed; None while there are none, which spares every row that."""
    erased = BlocklistEntry.objects.filter(account=account, kind=BlocklistEntry.Kind.ERASED)
    return partial(_digest, account.digest_key) if erased.exists() else None


def _digest(digest_key: str, key: str) -> str:
    """HMAC-SHA256 of an address key under the account's own key: without it nobody can guess addresses."""
    return hmac.new(bytes.fromhex(digest_key), key.encode(), hashlib.sha256).hexdigest()


def _stage_row(row: StagedRow, *, bounced_at: Any) -> Stage:
    return Stage(
        line=row.line,
        key=row.key,
        email=row.email,
        domain=row.domain,
        digest=row.digest,
        registered=row.registered,
        activated=row.activated,
        deactivated=row.deactivated,
        bounced=bounced_at if row.bounced else None,
        says_status=row.bounced is not None,
        source=row.source,
        signup_ip=row.signup_ip,
        tags=row.tags,
        attributes=row.attributes,
    )


def _reject(row: Rejected) -> Reject:
    problem = row.problem
    return Reject(row.line, row.column, problem.code, problem.params, row.cells)


def _sniff(run: Import) -> None:
    """Fill in what the upload looks like, and a first mapping."""
    with uploads.local(run.upload) as path:
        found = sniff(path, name=run.file_name, overrides=run.dialect_overrides)
    run.headers = list(found.headers)
    run.is_own, run.is_spreadsheet_safe = found.is_own, found.is_spreadsheet_safe
    run.dialect = {
        "dialect": found.dialect.to_json(),
        "sample": found.sample,
        "confidence": found.confidence,
        "warnings": [list(warning) for warning in found.warnings],
        "rows_estimate": found.rows_estimate,
        "sheets": list(getattr(found, "sheets", [])),
    }
    run.change.state = ChangeState.DRAFT
    run.change.blank = Blank.CLEAR if run.is_own else Blank.KEEP
    _set_mapping(run, mapping=suggestion(run))


def _set_mapping(run: Import, *, mapping: maps.Mapping) -> None:
    run.mapping = mapping.to_json()
    run.change.fields = sorted(mapping.targets)
    run.change.new_attributes = [{"name": spec.name, "type": spec.type} for spec in mapping.new]
    run.change.state = ChangeState.DRAFT


def _editable(run: Import, *, actor: Actor) -> Import:
    """The import, locked, with its change; only as long as it has not been confirmed."""
    require(actor, account=run.change.account, permission=Permission.EDIT)
    change = lock_change(run.change.pk)
    if change.state == ChangeState.STAGING:
        raise Refusal("import.being_read")
    if change.state not in EDITABLE:
        raise Refusal("import.already_confirmed")
    run = Import.objects.get(pk=change.pk)
    run.change = change
    return run


def _spec(attribute: Attribute) -> maps.AttributeSpec:
    return maps.AttributeSpec(attribute.name, attribute.type)  # type: ignore[arg-type]
