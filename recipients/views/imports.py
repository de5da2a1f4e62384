"""The way of an import up to its preview: upload, check what was read, assign the columns, pick the mode."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from backupsvc.accounts.access import Permission
from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.uploads import is_too_large, upload_trouble
from backupsvc.wording import say, say_code
from recipients.access import get_change, get_group
from recipients.actions import imports
from recipients.forms.imports import ModeForm, ReadForm, UploadForm
from recipients.forms.mapping import MappingForm
from recipients.imports.doubts import about_reading
from recipients.imports.mapping import Mapping, column_cells, fitting_type
from recipients.imports.survey import Survey
from recipients.models import Change, ChangeKind, ChangeState, Group, Import, shown_file_name
from recipients.selectors import groups_of, unfinished_changes
from recipients.views.change_lines import lines_of
from recipients.views.import_steps import page_of, steps

SAMPLE_ROWS = 8
# From which confidence on a reading is called sure, and below which unsure.
SURE, UNSURE = 0.6, 0.4
# What the survey of the rows sees and the first look at the file has said already.
SAID_ALREADY = {"doubt.replaced": "file.characters_lost", "doubt.twice_encoded": "file.doubly_encoded"}
EDITABLE = (ChangeState.DRAFT, ChangeState.PREVIEW)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def upload(request: AccountRequest, account: Account) -> HttpResponseBase:
    """Choose a file, or paste; and the list it goes into."""
    group = _asked_group(request, account)
    if request.method == "POST":
        form = UploadForm(account, group=group, data=request.POST, files=request.FILES)
        if is_too_large(request):
            form.is_valid()
            form.refuse_size()
        elif refusal := upload_trouble(request):
            form.is_valid()
            form.refuse(say(refusal))
        elif form.is_valid() and (run := _started(form, request, account)):
            return redirect("recipients:import-read", account.slug, run.pk)
    else:
        form = UploadForm(account, group=group)
    context = {
        "form": form,
        "steps": steps("import-new", account=account),
        "has_lists": groups_of(account).exists(),
        "size_limit": settings.UPLOAD_LIMIT_BYTES,
        "unfinished": lines_of(_unfinished_imports(account), account=account),
    }
    return render(request, "recipients/import_upload.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def reading(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Show what was read; each correction reads the sample anew."""
    run = _run(request, account, change_id)
    if run is None:
        return _elsewhere(request, account, change_id)
    form = ReadForm(run)
    if request.method == "POST":
        form = ReadForm(run, data=request.POST)
        if form.is_valid() and _read_again(form, request, run):
            if not (request.htmx or {"again", "automatic"} & set(request.POST)):
                return redirect("recipients:import-map", account.slug, run.pk)
            run.refresh_from_db()
            form = ReadForm(run)
    template = "recipients/_import_reading.html" if request.htmx else "recipients/import_read.html"
    return render(request, template, _reading_context(run, form, account))


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def columns(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Say what each column means. "Use all" proposes a new field for every column that has none; "by names"
    proposes what the columns say, instead of what was said of such columns before.
    """
    run = _run(request, account, change_id)
    if run is None:
        return _elsewhere(request, account, change_id)
    specs = imports.specs_of(run.change)
    form = MappingForm(run, specs=specs)
    asks_signup = run.leaves_signup_out or run.change.error_code == "import.signup_unmapped"
    if request.method == "POST" and "use_all" in request.POST:
        form = MappingForm(run, specs=specs, mapping=_with_all(run))
    elif request.method == "POST" and "by_names" in request.POST:
        form = MappingForm(run, specs=specs, mapping=imports.suggestion(run))
    elif request.method == "POST":
        form = MappingForm(run, specs=specs, data=request.POST)
        if form.is_valid():
            refusal = _mapped(form, request, run)
            if refusal is None:
                return redirect("recipients:import-mode", account.slug, run.pk)
            asks_signup = asks_signup or refusal.code == "import.signup_unmapped"
    context = {
        "form": form,
        "run": run,
        "lines": list(form.lines()),
        "signup_lines": form.signup_lines(),
        "asks_signup": asks_signup,
        "remembered": _remembered(run) if "by_names" not in request.POST else None,
        "steps": steps("import-map", account=account, change=run.change),
    }
    return render(request, "recipients/import_map.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def merging(request: AccountRequest, account: Account, change_id: int) -> HttpResponseBase:
    """Choose how the rows are merged, then have them read in the background."""
    run = _run(request, account, change_id)
    if run is None:
        return _elsewhere(request, account, change_id)
    form = ModeForm(run)
    if request.method == "POST":
        form = ModeForm(run, data=request.POST)
        if form.is_valid() and _staged(form, request, run):
            return redirect("recipients:change-preview", account.slug, run.pk)
    context = {
        "form": form,
        "run": run,
        "steps": steps("import-mode", account=account, change=run.change),
    }
    return render(request, "recipients/import_mode.html", context)


def _asked_group(request: AccountRequest, account: Account) -> Group | None:
    """The list that a link asked for with ?group=ID."""
    asked = request.GET.get("group", "")
    if not asked:
        return None
    if (group_id := row_number(asked)) is None:
        raise NotFound("group.not_found")
    return get_group(request.actor, account=account, group_id=group_id, permission=Permission.EDIT)


def _unfinished_imports(account: Account) -> list[Change]:
    return [change for change in unfinished_changes(account) if change.kind == ChangeKind.IMPORT]


def _started(form: UploadForm, request: AccountRequest, account: Account) -> Import | None:
    try:
        return imports.start_import(account, actor=request.actor, **form.wish())
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        code = refusal.code
        field = "name" if code.startswith("group.name_") else "file" if code.startswith("file.") else None
        if field == "file" and form.cleaned_data["file"] is None:
            field = "text"
        form.add_error(field, say(refusal))
        return None


def _run(request: AccountRequest, account: Account, change_id: int) -> Import | None:
    """The import, while its choices can be changed; None when it is somewhere else by now."""
    change = _import(request, account, change_id)
    if change.state not in EDITABLE:
        return None
    return Import.objects.select_related("change__account", "change__group").get(pk=change.pk)


def _import(request: AccountRequest, account: Account, change_id: int) -> Change:
    change = get_change(request.actor, account=account, change_id=change_id, permission=Permission.EDIT)
    if change.kind != ChangeKind.IMPORT:
        raise NotFound("change.not_found")
    return change


def _elsewhere(request: AccountRequest, account: Account, change_id: int) -> HttpResponse:
    return redirect(page_of(_import(request, account, change_id)), account.slug, change_id)


def _read_again(form: ReadForm, request: AccountRequest, run: Import) -> bool:
    overrides = {} if "automatic" in request.POST else form.changed()
    if overrides == run.dialect_overrides:
        return True
    try:
        imports.set_dialect(run, actor=request.actor, overrides=overrides)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        form.add_error(None, say(refusal))
        return False
    return True


def _reading_context(run: Import, form: ReadForm, account: Account) -> dict[str, Any]:
    found = run.dialect
    told = {code for code, _ in found.get("warnings", [])}
    doubts = about_reading(Survey.from_json(found.get("survey", {})))
    doubts = [doubt for doubt in doubts if SAID_ALREADY.get(doubt.code) not in told]
    sample = found.get("sample", [])[:SAMPLE_ROWS]
    return {
        "run": run,
        "form": form,
        "account": account,
        "sample": sample,
        "rows_estimate": found.get("rows_estimate"),
        "doubts": [say_code(doubt.code, doubt.params) for doubt in doubts],
        "warnings": [say_code(code, params) for code, params in found.get("warnings", [])],
        "certainty": _certainty(found, is_doubtful=bool(doubts or told & set(SAID_ALREADY.values()))),
        "steps": steps("import-read", account=account, change=run.change),
    }


def _remembered(run: Import) -> dict[str, Any] | None:
    """The file and time of the import whose mapping is proposed again."""
    found = run.dialect.get("remembered")
    return (
        {"file": shown_file_name(found["file"]), "on": datetime.fromisoformat(found["on"])} if found else None
    )


def _certainty(found: dict[str, Any], *, is_doubtful: bool) -> str:
    """How sure it is that the file was read as it is meant: sure, likely or unsure."""
    if is_doubtful or found["confidence"] < UNSURE:
        return "unsure"
    return "sure" if found["confidence"] >= SURE and not found["warnings"] else "likely"


def _with_all(run: Import) -> Mapping:
    """The proposal, with a new field of a fitting type for every column that means nothing yet."""
    proposed = imports.suggestion(run, create_missing=True)
    sample = run.dialect.get("sample", [])
    new = [
        replace(spec, type=fitting_type(spec.name, cells=column_cells(run.headers, spec.name, sample=sample)))
        for spec in proposed.new
    ]
    return replace(proposed, new=tuple(new))


def _mapped(form: MappingForm, request: AccountRequest, run: Import) -> Refusal | None:
    """Store the mapping; what speaks against it is said on the form."""
    left_out = form.cleaned_data["leave_signup_out"]
    try:
        imports.set_mapping(run, actor=request.actor, mapping=form.chosen(), leaves_signup_out=left_out)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        form.add_error(None, say(refusal))
        return refusal
    return None


def _staged(form: ModeForm, request: AccountRequest, run: Import) -> bool:
    wish = form.cleaned_data
    try:
        run = imports.set_mode(
            run,
            actor=request.actor,
            mode=wish["mode"],
            blank=wish["blank"],
            new_status=wish["new_status"],
            orders=form.orders(),
        )
        imports.stage(run, actor=request.actor)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        form.add_error(None, say(refusal))
        return False
    return True
