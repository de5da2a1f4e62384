"""Staging: the rows of an upload read, checked and put where the merge finds them, up to the preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, cast

from django.db import transaction
from django.utils import timezone

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import Claim
from recipients import uploads
from recipients.actions.changes import WRITING, actor_of, field_types, lock_change, plan_of, seen
from recipients.actions.doubts import Noticed, doubts_of
from recipients.actions.imports import refuse_signup_left_out, specs_of
from recipients.actions.loading import Ended, Loading
from recipients.actions.surveys import hear_all, survey_of
from recipients.addresses import digest_of
from recipients.bulk.base import KeptSafe, Verdicts
from recipients.bulk.engine import engine
from recipients.imports import mapping as maps
from recipients.imports.check import Rules
from recipients.imports.dialect import Dialect
from recipients.imports.doubts import Doubt
from recipients.imports.survey import COMMA, DAY, DAYS, MONTH, POINT
from recipients.models import BlocklistEntry, Change, ChangeState, Import

# How many of the rows that stay safe a preview lists.
LISTED_ROWS = 100


def stage_import(claim: Claim) -> None:
    """Read, check and stage the upload, then count what the merge would do. Starts anew when repeated."""
    change = Change.objects.select_related("account", "user", "group").get(pk=claim.job.subject_id)
    if change.has_ended:
        # It was cancelled while its rows were read: what came in since then is to go too.
        engine().clear(change.pk)
        return
    if change.state == ChangeState.PREVIEW:
        return
    require(actor_of(change), account=change.account, permission=Permission.EDIT)
    run = Import.objects.get(pk=change.pk)
    with transaction.atomic():
        claim.guard()
        engine().clear(change.pk)
        change.rejected_rows.all().delete()
    _refuse_signup_further_down(run, change=change, claim=claim)
    with uploads.local(run.upload) as path:
        loading = Loading(
            change,
            path=path,
            dialect=Dialect.from_json(run.dialect["dialect"]),
            rules=_rules(run, change=change),
            claim=claim,
            estimate=run.dialect.get("rows_estimate") or 0,
        )
        try:
            loading.run()
        except Ended:
            engine().clear(change.pk)
            return
    if not loading.read:
        raise Refusal("file.no_rows")
    finish_staging(
        claim,
        rows=loading.read,
        rejected=loading.rejected,
        repeated=loading.repeated,
        run=run,
        noticed=loading.noticed,
    )


def _refuse_signup_further_down(run: Import, *, change: Change, claim: Claim) -> None:
    """Raise Refusal where a column that is left out says behind the rows surveyed before who is out."""
    if change.mode not in WRITING or run.leaves_signup_out:
        return
    mapping = maps.Mapping.from_json(run.mapping)
    if hear_all(run, mapping=mapping):
        with transaction.atomic():
            claim.guard()
            run.save(update_fields=["dialect"])
    refuse_signup_left_out(run, mapping=mapping)


def finish_staging(
    claim: Claim,
    *,
    rows: int,
    rejected: int,
    repeated: int = 0,
    run: Import | None = None,
    noticed: Noticed | None = None,
) -> None:
    """All rows are staged: count what the merge would do and show it. The same for every source.

    `repeated` rows were left out of staging, since a later one has the same address. For a `run` of an
    import, with what was `noticed` of its rows, it is said too what looks wrong.
    """
    claim.progress(done=rows, total=rows, step="preview")
    change = Change.objects.get(pk=claim.job.subject_id)
    state = seen(change)
    with transaction.atomic():
        claim.guard()
        engine().make_ready(plan_of(change))
    with transaction.atomic():
        # Under the fence: a worker that lost its job must not judge anew what another has judged.
        claim.guard()
        verdicts, safe = engine().preview(plan_of(change), most_kept_safe=LISTED_ROWS)
        judged = engine().judged(change.pk)
    staged = engine().staged(change.pk, addresses=verdicts.addresses)
    change.rows, change.rejected = rows, rejected
    change.duplicates = staged + repeated - verdicts.addresses
    found = (
        [] if run is None else doubts_of(run, change=change, verdicts=verdicts, noticed=noticed or Noticed())
    )
    preview = _preview(change, verdicts=verdicts, safe=safe, doubts=found, staged_by=claim.job.pk)
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
        if not current.reactivate:
            # Otherwise what the person saw who makes people active stays what the list is compared with.
            current.judged_state, current.judged_rows = state, judged
        current.save()


def _preview(
    change: Change, *, verdicts: Verdicts, safe: Sequence[KeptSafe], doubts: Sequence[Doubt], staged_by: int
) -> dict[str, Any]:
    """What is kept of a preview. The job tells it from an earlier one that somebody may still look at."""
    return {
        **{name: count for name, count in asdict(verdicts).items() if name != "shift"},
        "addresses": verdicts.addresses,
        "rows": change.rows,
        "rejected": change.rejected,
        "duplicates": change.duplicates,
        "kept_safe_rows": [asdict(row) for row in safe],
        "doubts": [[doubt.code, dict(doubt.params)] for doubt in doubts],
        "types": field_types(change),
        "staged_by": staged_by,
    }


def staging_failed(job: Job, refusal: Refusal) -> None:
    """The file could not be read to its end: back to the draft, with the reason, to be mended."""
    change = lock_change(job.subject_id)
    if change.state != ChangeState.STAGING:
        return
    change.state = ChangeState.DRAFT
    change.error_code, change.error_params = refusal.code, dict(refusal.params)
    change.save(update_fields=["state", "error_code", "error_params"])


def _rules(run: Import, *, change: Change) -> Rules:
    specs = specs_of(change)
    mapping = maps.Mapping.from_json(run.mapping)
    if change.mode not in WRITING:
        # Who is to go is named by the address alone: no other cell, however bad, keeps somebody in.
        mapping = maps.only_email(mapping)
    read_by = survey_of(run, specs=specs).chosen(run.dialect.get("orders", {}))
    return Rules(
        attributes=tuple(specs),
        mapping=mapping,
        blank=cast("Literal['keep', 'clear']", change.blank),
        new_status=cast("Literal['active', 'unconfirmed'] | None", run.new_status or None),
        now=timezone.now(),
        unescape=run.is_spreadsheet_safe,
        day_first={at: choice == DAY for at, choice in read_by.items() if choice in (DAY, MONTH)},
        digest=digest_for(change.account),
        headers=tuple(run.headers),
        zone=change.account.time_zone,
        decimal={at: choice for at, choice in read_by.items() if choice in (POINT, COMMA)},
        serial=frozenset(at for at, choice in read_by.items() if choice == DAYS),
        is_own=run.is_own,
    )


def digest_for(account: Account) -> Callable[[str], str] | None:
    """How erased people's addresses are hashed; None while there are none, which spares every row that."""
    digest_key = digest_key_of(account)
    return None if digest_key is None else partial(digest_of, digest_key=digest_key)


def digest_key_of(account: Account) -> bytes | None:
    """The key of those hashes; None while nobody was erased."""
    erased = BlocklistEntry.objects.filter(account=account, kind=BlocklistEntry.Kind.ERASED)
    return bytes.fromhex(account.digest_key) if erased.exists() else None
