"""Looking into a backup: what it is, and who is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from backups.access import get_snapshot
from backups.actions.compare import contents
from backups.difference import Cells
from backups.models import Snapshot
from backups.selectors import history, row_of
from backups.views.listing import CHARTED
from backups.views.menu import Address, downloads, keeping
from backups.views.shown import shown, size_chart
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.wording import say
from recipients.bulk.copytext import COLUMNS, parse_time
from recipients.forms.people import shown_value
from recipients.models import Status

PAGE_SIZE = 50


@dataclass(frozen=True)
class Person:
    """A recipient as the backup holds them. `values` are those of the fields, in the manifest's order."""

    email: str
    status: Status
    registered: datetime | None
    unsubscribed: datetime | None
    source: str
    tags: Sequence[str]
    values: Sequence[tuple[str, str]]


@require_safe
@account_view()
def show(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """A backup's facts, the list's history around it, and its rows."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    context = _rows(request, snapshot)
    if request.htmx:
        return render(request, "backups/_people.html", context)
    (drawn,) = shown(request, [row_of(snapshot)])
    points = history(account, snapshot.group_id, limit=CHARTED)
    may_download = snapshot.is_restorable and Permission.EXPORT in request.permissions
    as_files = downloads(Address(account, snapshot)) if may_download else []
    kept = keeping(snapshot, account=account, permissions=request.permissions)
    context |= {
        "shown": drawn,
        "snapshot": snapshot,
        "group": snapshot.group,
        "chart": size_chart(snapshot.group, points, here=snapshot),
        "downloads": as_files,
        "keeping": kept,
        "more": [*as_files, *kept],
    }
    return render(request, "backups/show.html", context)


def _rows(request: AccountRequest, snapshot: Snapshot) -> dict[str, Any]:
    """A page of the backup's rows; `problem` says why there are none to see."""
    search, skip = request.GET.get("q", "").strip(), _number(request.GET.get("skip"))
    context: dict[str, Any] = {"snapshot": snapshot, "q": search, "manifest": None, "problem": ""}
    if not snapshot.is_restorable:
        return context
    try:
        found = contents(snapshot, actor=request.actor, search=search, skip=skip, limit=PAGE_SIZE + 1)
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        return {**context, "problem": say(refusal)}
    types = {attribute.name: attribute.type for attribute in found.manifest.attributes}
    return {
        **context,
        "manifest": found.manifest,
        "names": list(types),
        "people": [person(cells, types=types) for cells in found.rows[:PAGE_SIZE]],
        "previous_url": _url(request, snapshot, search, skip - PAGE_SIZE) if skip else "",
        "next_url": _url(request, snapshot, search, skip + PAGE_SIZE) if len(found.rows) > PAGE_SIZE else "",
    }


def person(cells: Cells, *, types: Mapping[str, str]) -> Person:
    """A row of copytext as people read it; `types` of the fields by their names."""
    row = dict(zip(COLUMNS, cells, strict=True))
    values: dict[str, str] = json.loads(row["attributes"] or "{}")
    return Person(
        email=row["email"] or "",
        status=_status(row),
        registered=_time(row["registered"]),
        unsubscribed=_time(row["deactivated"]),
        source=row["source"] or "",
        tags=json.loads(row["tags"] or "[]"),
        values=[(name, shown_value(values.get(name, ""), type_=type_)) for name, type_ in types.items()],
    )


def _status(row: dict[str, str | None]) -> Status:
    if row["bounced"] is not None:
        return Status.BOUNCED
    if row["deactivated"] is not None:
        return Status.INACTIVE
    return Status.UNCONFIRMED if row["activated"] is None else Status.ACTIVE


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _url(request: AccountRequest, snapshot: Snapshot, search: str, skip: int) -> str:
    path = reverse("backups:show", args=[request.account.slug, snapshot.pk])
    asked: dict[str, str | int] = {"q": search} if search else {}
    if skip > 0:
        asked["skip"] = skip
    return f"{path}?{urlencode(asked)}" if asked else path


def _number(text: str | None) -> int:
    """How many rows to leaf over; 0 for anything that is no such number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0
