"""A change from its preview to its result: imports, restores and deletions alike."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.jobs.selectors import job_of
from backupsvc.wording import say, say_code
from recipients.access import get_change
from recipients.actions.changes import NEEDS, STAGE_JOBS, cancel_change, confirm_change
from recipients.actions.exports import export_rejected
from recipients.actions.retry import can_retry, retry_import
from recipients.forms.changes import ConfirmForm
from recipients.imports.doubts import Doubt
from recipients.models import Change, ChangeKind, ChangeState, Import, Mode
from recipients.rejects import problems
from recipients.selectors import undoable_deletions
from recipients.views.backup_note import backup_note
from recipients.views.downloading import attachment
from recipients.views.import_steps import page_of, steps
from recipients.views.outcome import outcome
from recipients.views.running import standing


@require_safe
@account_view()
def preview(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Read the rows, then show what would happen. Polled while they are being read."""
    change = get_change(request.actor, account=account, change_id=change_id)
    if change.state == ChangeState.STAGING:
        return _staging(request, account, change)
    if request.htmx:
        return HttpResponseClientRedirect(_address("change-preview", account, change))
    if change.state == ChangeState.DRAFT and change.error_code:
        return render(request, "recipients/change_unread.html", _context(request, account, change))
    if change.state != ChangeState.PREVIEW:
        return redirect(page_of(change), account.slug, change.pk)
    return _preview(request, account, change, _form(change))


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def confirm(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Let the change go. Sent twice, the second time leads to the same progress."""
    if request.method != "POST":
        # A form that was refused stands at this address: whoever asks for it anew wants the change's page.
        change = get_change(request.actor, account=account, change_id=change_id)
        return redirect(page_of(change), account.slug, change.pk)
    change = _mine(request, account, change_id)
    form = ConfirmForm(data=request.POST, is_doubtful=_is_doubtful(change))
    if change.state == ChangeState.PREVIEW and not form.is_valid():
        return _preview(request, account, change, form)
    try:
        confirm_change(change, actor=request.actor, **form.wish() if form.is_valid() else {})
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        change.refresh_from_db()
        if change.state != ChangeState.PREVIEW or refusal.code == "change.preview_outdated":
            messages.error(request, say(refusal))
            return redirect(page_of(change), account.slug, change.pk)
        form.add_error("typed_name" if refusal.code == "change.name_not_typed" else None, say(refusal))
        return _preview(request, account, change, form)
    return redirect("recipients:change-progress", account.slug, change.pk)


@require_safe
@account_view()
def progress(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """How far it is. Can be left and found again; leads to the result by itself."""
    change = get_change(request.actor, account=account, change_id=change_id)
    if not change.is_under_way:
        if request.htmx:
            return HttpResponseClientRedirect(reverse(page_of(change), args=[account.slug, change.pk]))
        return redirect(page_of(change), account.slug, change.pk)
    context = _context(request, account, change) | {"standing": standing(change), "outcome": outcome(change)}
    template = "recipients/_change_work.html" if request.htmx else "recipients/change_progress.html"
    return render(request, template, context)


@require_safe
@account_view()
def result(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """What happened, or why nothing did."""
    change = get_change(request.actor, account=account, change_id=change_id)
    if not change.has_ended:
        return redirect(page_of(change), account.slug, change.pk)
    context = _context(request, account, change) | {
        "outcome": outcome(change),
        "problems": problems(change),
        "error": say_code(change.error_code, change.error_params) if change.error_code else "",
        "can_undo": change in undoable_deletions(account),
        "can_retry": can_retry(change),
        # The backups app's row, as Django knows it from here: this app must not import it.
        "backup": change.snapshots.filter(pk=change.snapshot_id or 0).first(),
        "backup_off": change.backup_wanted is False and change.backup_why != "new_list",
    }
    return render(request, "recipients/change_result.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def cancel(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Stop a change that is not written yet; ask first where somebody's work would be lost."""
    change = _mine(request, account, change_id)
    if request.method != "POST" or _is_to_be_asked(request, change):
        return _cancel(request, account, change)
    try:
        cancel_change(change, actor=request.actor)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        messages.error(request, say(refusal))
    else:
        messages.success(request, _("Stopped. The list was not changed."))
    change.refresh_from_db()
    return redirect(page_of(change), account.slug, change.pk)


@require_POST
@account_view(Permission.EDIT)
def retry(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Try an import again that stopped: its upload is read again, up to a new preview."""
    change = _mine(request, account, change_id)
    try:
        change = retry_import(change, actor=request.actor)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        messages.error(request, say(refusal))
    return redirect(page_of(change), account.slug, change.pk)


@require_POST
@account_view(Permission.EXPORT)
def rejected(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """The rows that could not be used, as a file to mend. POST, because it is written down in the log."""
    change = get_change(request.actor, account=account, change_id=change_id, permission=Permission.EXPORT)
    return attachment(export_rejected(change, actor=request.actor))


def _is_to_be_asked(request: AccountRequest, change: Change) -> bool:
    """Whether it is somebody else's, or all the work is in it already; not again for what was answered."""
    if change.has_ended or change.kind == ChangeKind.DELETION:
        return False
    is_ready = change.kind == ChangeKind.IMPORT and change.state == ChangeState.PREVIEW
    # An answer is for the state that was asked about: a preview may have been confirmed meanwhile.
    return (is_ready or change.user_id != request.user.pk) and request.POST.get("sure") != change.state


def _cancel(request: AccountRequest, account: Account, change: Change) -> HttpResponse:
    if change.has_ended or change.kind == ChangeKind.DELETION:
        return redirect(page_of(change), account.slug, change.pk)
    context = _context(request, account, change) | {
        "is_mine": change.user_id == request.user.pk,
        "stay_url": reverse(page_of(change), args=[account.slug, change.pk]),
    }
    return render(request, "recipients/change_cancel.html", context)


def _form(change: Change) -> ConfirmForm:
    initial = {"backup": ConfirmForm.MAKE, "shown": change.preview.get("staged_by")}
    return ConfirmForm(initial=initial, is_doubtful=_is_doubtful(change))


def _doubts(change: Change) -> list[Doubt]:
    return [Doubt(code, params) for code, params in change.preview.get("doubts", [])]


def _is_doubtful(change: Change) -> bool:
    """Whether something looks so wrong that somebody has to say that it was seen."""
    return any(doubt.is_serious for doubt in _doubts(change))


def _mine(request: AccountRequest, account: Account, change_id: int) -> Change:
    """The change, for somebody who may do with it what its kind needs."""
    change = get_change(request.actor, account=account, change_id=change_id)
    needed = NEEDS[ChangeKind(change.kind)]
    return get_change(request.actor, account=account, change_id=change_id, permission=needed)


def _name(change: Change) -> str:
    return change.group.name if change.group else change.new_group_name


def _address(name: str, account: Account, change: Change) -> str:
    return reverse(f"recipients:{name}", args=[account.slug, change.pk])


def _context(request: AccountRequest, account: Account, change: Change) -> dict[str, Any]:
    """What every page of a change knows."""
    is_import = change.kind == ChangeKind.IMPORT
    return {
        "account": account,
        "change": change,
        "name": _name(change),
        "run": Import.objects.filter(pk=change.pk).first() if is_import else None,
        "is_import": is_import,
        "is_restore": change.kind == ChangeKind.RESTORE,
        "is_deletion": change.kind == ChangeKind.DELETION,
        "is_new": bool(change.new_group_name),
        "may_act": NEEDS[ChangeKind(change.kind)] in request.permissions,
        "error": say_code(change.error_code, change.error_params) if change.error_code else "",
        "steps": steps("change-preview", account=account, change=change) if is_import else [],
    }


def _staging(request: AccountRequest, account: Account, change: Change) -> HttpResponse:
    job = job_of(STAGE_JOBS[ChangeKind(change.kind)], subject_id=change.pk)
    context = _context(request, account, change) | {
        "job": job,
        "is_counting": job is not None and job.step == "preview",
    }
    template = "recipients/_change_reading.html" if request.htmx else "recipients/change_reading.html"
    return render(request, template, context)


def _preview(request: AccountRequest, account: Account, change: Change, form: ConfirmForm) -> HttpResponse:
    found = outcome(change)
    writes = found.counts["added"] + found.counts["updated"] + found.counts["kept_safe"]
    safe_rows = change.preview.get("kept_safe_rows", [])
    context = _context(request, account, change) | {
        "form": form,
        "outcome": found,
        "safe_rows": safe_rows,
        "safe_more": found.counts["kept_safe"] - len(safe_rows),
        "has_blocked": any(row["why"] == "blocked" for row in safe_rows),
        "all_unsubscribed": found.counts["kept_safe"] == len(safe_rows)
        and all(row["why"] == "unsubscribed" for row in safe_rows),
        # Blocked and erased people have no such choice.
        "may_reactivate": Permission.MANAGE in request.permissions
        and any(row["why"] != "blocked" for row in safe_rows),
        "doubts": [(say_code(doubt.code, doubt.params), doubt.is_serious) for doubt in _doubts(change)],
        "is_doubtful": _is_doubtful(change),
        "problems": problems(change),
        "backup": backup_note(change),
        "writes": writes,
        # Whom the list does not know, a file of people to unsubscribe keeps from coming in as active.
        "remembers": change.mode == Mode.DEACTIVATE and not writes and found.counts["unchanged"],
    }
    return render(request, "recipients/change_preview.html", context)
