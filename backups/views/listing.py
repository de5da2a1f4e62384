"""The overview of all backups: the heart of the product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from backups.access import get_snapshot
from backups.chart import Chart
from backups.forms import FilterForm
from backups.models import Snapshot
from backups.selectors import (
    Filters,
    Shelf,
    damaged,
    group_page,
    groups_to_choose,
    groups_without_backup,
    histories,
    history,
    overview,
    row_of,
    shelves,
    totals,
    unprotected_groups,
    visible,
)
from backups.views.shown import Shown, shown, size_chart
from backupsvc.accounts.models import Account
from backupsvc.accounts.templatetags.ui import number
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import NotFound
from recipients.models import Group

# How many of a list's backups its large chart shows.
CHARTED = 100


@dataclass(frozen=True)
class Section:
    """A list with some of its `total` backups, and its chart."""

    group: Group
    rows: Sequence[Shown]
    total: int
    chart: Chart | None

    @property
    def way_back(self) -> Snapshot | None:
        """The newest backup that brings a deleted list back."""
        sound = [shown.snapshot for shown in self.rows if shown.snapshot.is_restorable]
        # That of a list whose rows are gone, made before a restore that was stopped, has nobody in it.
        filled = (snapshot for snapshot in sound if snapshot.recipients)
        return None if self.group.is_live else next(filled, next(iter(sound), None))

    @property
    def size(self) -> str:
        """How many recipients the list has, in words."""
        count = self.group.recipients_count
        text = ngettext("%(shown)s recipient now", "%(shown)s recipients now", count)
        return text % {"shown": number(count)}

    @property
    def has_more(self) -> bool:
        return self.total > len(self.rows)


@require_safe
@account_view()
def backups(request: AccountRequest, account: Account) -> HttpResponseBase:
    """The backups of all lists."""
    return _page(request, account, name="backups:list")


@require_safe
@account_view()
def extras(request: AccountRequest, account: Account) -> HttpResponseBase:
    """The same page under My account › Extras."""
    return _page(request, account, name="backups:extras")


@require_safe
@account_view()
def row(request: AccountRequest, account: Account, snapshot_id: int) -> HttpResponseBase:
    """One row by itself: what the page asks for while a backup is being written."""
    try:
        snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    except NotFound:
        if not request.htmx:
            raise
        return HttpResponse()  # deleted meanwhile: the row goes from the page
    if not request.htmx:
        return redirect("backups:show", account.slug, snapshot_id)
    (drawn,) = shown(request, [row_of(snapshot)])
    return render(request, "backups/_row.html", {"shown": drawn})


def _page(request: AccountRequest, account: Account, *, name: str) -> HttpResponseBase:
    stock = shelves(account)
    form = FilterForm(request.GET, groups=groups_to_choose(stock))
    filters = form.filters()
    page_url = reverse(name, args=[account.slug])
    before_id = form.before_id()
    if filters.group_id is not None:
        found = _one_list(request, account, filters=filters, before_id=before_id)
    else:
        found = _all_lists(request, account, stock, filters=filters, before_id=before_id)
    context: dict[str, Any] = {
        "form": form,
        "page_url": page_url,
        "tab": "backups" if name == "backups:extras" else "",
        "is_filtered": filters != Filters(),
        **found,
    }
    # The filters as they were understood, so that a link never carries on what was mistyped.
    kept = form.kept()
    # All of one list, whose number the template adds: counted under these filters, so shown under them.
    context["all_url"] = f"{page_url}?{urlencode({**kept, 'list': ''})}"
    context["first_url"] = f"{page_url}?{urlencode(kept)}" if before_id else ""
    context["next_url"] = ""
    if context["next_id"] is not None:
        context["next_url"] = f"{page_url}?{urlencode({**kept, 'before': context['next_id']})}"
    context["found_count"] = sum(section.total for section in context["sections"])
    # Of one list all backups are counted, not those of the page.
    context["is_part"] = (context["first_url"] or context["next_url"]) and not context["is_one_list"]
    if request.htmx:
        return render(request, "backups/_found.html", context)
    context["totals"] = totals(account, stock)
    context["damaged"] = damaged(account)
    context["unprotected"] = unprotected_groups(stock)
    return render(request, "backups/list.html", context)


def _all_lists(
    request: AccountRequest,
    account: Account,
    stock: Sequence[Shelf],
    *,
    filters: Filters,
    before_id: int | None,
) -> dict[str, Any]:
    listed, next_id = overview(account, stock, filters=filters, before_id=before_id)
    lines = histories(account, [entry.group.pk for entry in listed])
    drawn = iter(shown(request, [row for entry in listed for row in entry.rows]))
    sections = [
        Section(
            entry.group,
            [next(drawn) for _row in entry.rows],
            entry.total,
            size_chart(entry.group, lines.get(entry.group.pk, [])),
        )
        for entry in listed
    ]
    is_first = before_id is None and filters == Filters()
    without = groups_without_backup(account, stock) if is_first else []
    return {"sections": sections, "without": without, "next_id": next_id, "is_one_list": False}


def _one_list(
    request: AccountRequest,
    account: Account,
    *,
    filters: Filters,
    before_id: int | None,
) -> dict[str, Any]:
    """All backups of one list, page by page, below a large chart."""
    group = Group.objects.get(pk=filters.group_id or 0, account=account)
    rows, next_id = group_page(account, filters=filters, before_id=before_id)
    points = history(account, group.pk, limit=CHARTED)
    total = visible(account, filters=filters).count()
    section = Section(group, shown(request, rows), total, size_chart(group, points))
    sections = [section] if rows else []
    return {"sections": sections, "without": [], "next_id": next_id, "is_one_list": True, "chosen": group}
