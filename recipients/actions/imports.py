"""An import up to its preview: upload, how it is read, what its columns mean, and the staged rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.texts import readable
from recipients import uploads
from recipients.actions.changes import STAGE_JOBS, WRITING, lock_change
from recipients.actions.groups import check_name
from recipients.actions.remembered import remembered
from recipients.actions.surveys import hear_all, refuse_open_columns, signup_left_out, survey_again
from recipients.imports import mapping as maps
from recipients.imports.sniff import sniff
from recipients.models import (
    Attribute,
    Blank,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    Import,
    Mode,
    Status,
)
from recipients.selectors import attributes_of
from recipients.signals import change_foreseen

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
                file_name=readable(Path(file_name).name[:255]) or "upload",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
            )
            _sniff(run)
            run.save()
            change.save()
            # Whoever looks at the columns first leaves time for what the change will need.
            change_foreseen.send(sender=Change, change=change)
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
    run.leaves_signup_out = leaves_signup_out
    refuse_signup_left_out(run, mapping=chosen)
    _set_mapping(run, mapping=chosen)
    survey_again(run, specs=specs_of(run.change))
    # What was staged was read by the old mapping: it needs a new preview.
    run.change.state = ChangeState.DRAFT
    run.save()
    run.change.save()
    return run


@transaction.atomic
def set_mode(
    run: Import,
    *,
    actor: Actor,
    mode: str,
    blank: str,
    new_status: str = "",
    orders: Mapping[str, str] | None = None,
) -> Import:
    """How the rows are merged. `new_status` is what new recipients become when the file does not say.

    `orders` says for a column's number how its dates or numbers are meant, as `survey.Reading.choices`
    has it.
    """
    run = _editable(run, actor=actor)
    if mode not in Mode.values or blank not in Blank.values:
        raise Refusal("import.bad_mode", mode=mode)
    if new_status not in ("", Status.ACTIVE, Status.UNCONFIRMED):
        raise Refusal("import.bad_status", status=new_status)
    run.change.mode, run.change.blank, run.new_status = mode, blank, new_status
    if orders is not None:
        run.dialect["orders"] = dict(orders)
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
    if change.mode in WRITING:
        # The columns may never have been assigned: what is proposed was not looked at by anybody.
        refuse_signup_left_out(run, mapping=mapping)
        refuse_open_columns(run, specs=specs_of(change))
    change.state = ChangeState.STAGING
    change.error_code, change.error_params, change.preview = "", {}, {}
    change.save()
    job = enqueue(
        STAGE_JOBS[ChangeKind.IMPORT], subject_id=change.pk, account=change.account, queue=Queue.CHANGE
    )
    change_foreseen.send(sender=Change, change=change)
    return job


def needs_status(run: Import) -> bool:
    """Whether the file leaves open what new recipients become, in a mode that adds some."""
    return run.change.mode in (Mode.REFORM_AND_ADD, Mode.ADD_ONLY) and not maps.says_who_is_in(
        maps.Mapping.from_json(run.mapping), headers=run.headers, samples=run.dialect.get("sample", [])
    )


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


def refuse_signup_left_out(run: Import, *, mapping: maps.Mapping) -> None:
    """Raise Refusal("import.signup_unmapped") unless somebody said that it is on purpose."""
    left_out = signup_left_out(run, mapping=mapping)
    if left_out and not run.leaves_signup_out:
        raise Refusal("import.signup_unmapped", columns=", ".join(left_out))


def signup_in_all_rows(run: Import, *, actor: Actor, mapping: maps.Mapping) -> list[str]:
    """The columns that say in any row how people signed up or left, and that the mapping leaves out."""
    require(actor, account=run.change.account, permission=Permission.EDIT)
    if hear_all(run, mapping=mapping):
        run.save(update_fields=["dialect"])
    return signup_left_out(run, mapping=mapping)


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
    # Said of the columns as they were read before.
    run.leaves_signup_out = False
    _set_mapping(run, mapping=_proposal(run))
    survey_again(run, specs=specs_of(run.change))


def _proposal(run: Import) -> maps.Mapping:
    """What was confirmed for the same column names before, or what the columns say."""
    before = remembered(run, specs=specs_of(run.change))
    if before is None:
        return suggestion(run)
    run.dialect["remembered"] = {
        "file": before.run.file_name,
        "on": before.run.change.created_at.isoformat(),
        "orders": before.run.dialect.get("orders", {}),
    }
    return before.mapping


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
