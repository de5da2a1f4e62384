"""The lists of an account, and one list with its recipients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.access import get_group
from recipients.forms.people import shown_value
from recipients.models import Attribute, ChangeKind, Group, Recipient, Status
from recipients.selectors import (
    IN_STATUS,
    MOST_LOOKED_AT,
    RecipientsPage,
    attributes_of,
    changes_of,
    going_on,
    groups_page,
    recipients_page,
)
from recipients.views.change_lines import ChangeLine, lines_of, undoables
from recipients.views.menu import Item, import_address, page_items, row_items

LISTS_SHOWN = 50
RECIPIENTS_SHOWN = 50
# More columns than these do not fit beside an address.
ATTRIBUTES_SHOWN = 4
LONGEST_SEARCH = 320
CHANGES_SHOWN = 50
# For so long a change that failed is said again where people begin.
FAILURES_TOLD = timedelta(days=2)


@dataclass(frozen=True)
class ListRow:
    """A list among the others."""

    group: Group
    items: Sequence[Item]

    @property
    def shares(self) -> list[tuple[str, float]]:
        """Its statuses and their parts of the whole, in percent with a point, for the bar."""
        total = self.group.recipients_count
        return [(status, count * 100 / total) for status, count in counts_of(self.group) if count]


@dataclass(frozen=True)
class Segment:
    """A status to choose, with how many have it."""

    value: str
    label: str | Promise
    count: int
    url: str
    is_current: bool


@require_safe
@account_view()
def groups(request: AccountRequest, account: Account) -> HttpResponseBase:
    """All lists, and what is going on with them."""
    search = _asked(request, "q")
    after, before = _asked(request, "after"), _asked(request, "before")
    page, has_previous, has_next = groups_page(
        account, search=search, after=after, before=before, limit=LISTS_SHOWN
    )
    rows = [
        ListRow(group, row_items(group, account=account, permissions=request.permissions)) for group in page
    ]
    path = reverse("recipients:groups", args=[account.slug])
    chosen = {"q": search} if search else {}
    context = {
        "rows": rows,
        "q": search,
        "previous_url": _page_url(path, chosen, before=page[0].name if page and has_previous else ""),
        "next_url": _page_url(path, chosen, after=page[-1].name if page and has_next else ""),
    }
    if request.htmx:
        return render(request, "recipients/_groups_rows.html", context)
    context |= {
        "deleted": undoables(account),
        **_going_on(account),
        "import_url": import_address(account),
    }
    return render(request, "recipients/groups.html", context)


@require_safe
@account_view()
def group(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """One list: its recipients by address, found by status or part of the address."""
    shown = get_group(request.actor, account=account, group_id=group_id)
    search = _asked(request, "q")
    status = _asked(request, "status")
    status = status if status in IN_STATUS else ""
    page, is_start = _found(request, shown, search=search, status=status)
    path = reverse("recipients:group-show", args=[account.slug, shown.pk])
    chosen = {name: value for name, value in (("q", search), ("status", status)) if value}
    anywhere = {**chosen, "anywhere": "1"}
    if search and not is_start and shown.recipients_count > MOST_LOOKED_AT:
        chosen = anywhere
    columns = attributes_of(account, group=shown)[:ATTRIBUTES_SHOWN]
    context: dict[str, Any] = {
        "group": shown,
        "rows": [(recipient, _values(recipient, columns)) for recipient in page.items],
        "columns": columns,
        "q": search,
        "status": status,
        "previous_url": _page_url(path, chosen, before=page.previous_key),
        "next_url": _page_url(path, chosen, after=page.next_key),
        "anywhere_url": f"{path}?{urlencode(anywhere)}" if is_start else "",
        "is_cut_off": page.is_cut_off,
        "segments": _segments(shown, path=path, search=search, status=status),
    }
    if request.htmx:
        return render(request, "recipients/_recipients.html", context)
    context |= _around(request, account, shown)
    return render(request, "recipients/group.html", context)


@require_safe
@account_view()
def changes(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """What imports, restores and deletions did to a list."""
    shown = get_group(request.actor, account=account, group_id=group_id)
    before_id = row_number(request.GET.get("before"))
    found = changes_of(account, group=shown, before_id=before_id, limit=CHANGES_SHOWN + 1)
    path = reverse("recipients:group-changes", args=[account.slug, shown.pk])
    older = str(found[CHANGES_SHOWN - 1].pk) if len(found) > CHANGES_SHOWN else ""
    context = {
        "group": shown,
        "lines": lines_of(found[:CHANGES_SHOWN], account=account),
        "previous_url": path if before_id is not None else "",
        "next_url": _page_url(path, {}, before=older),
        "items": page_items(shown, account=account, permissions=request.permissions),
        "import_url": import_address(account, group=shown),
        "tab": "changes",
    }
    return render(request, "recipients/group_changes.html", context)


def _found(request: AccountRequest, group: Group, *, search: str, status: str) -> tuple[RecipientsPage, bool]:
    """The page that is asked for, and whether it holds only addresses that begin with the search.

    In a long list an index answers at once how addresses begin; any part is looked for when none does, or
    when somebody asks for it.
    """
    place = {"after_key": _asked(request, "after"), "before_key": _asked(request, "before")}

    def page(*, is_start: bool) -> RecipientsPage:
        return recipients_page(
            group, search=search, status=status, is_start=is_start, limit=RECIPIENTS_SHOWN, **place
        )

    if search and group.recipients_count > MOST_LOOKED_AT and not _asked(request, "anywhere"):
        found = page(is_start=True)
        if found.items or any(place.values()):
            return found, True
    return page(is_start=False), False


def counts_of(group: Group) -> list[tuple[str, int]]:
    """How many recipients have each status."""
    return [(status.value, getattr(group, f"{status.value}_count")) for status in Status]


def _asked(request: AccountRequest, name: str) -> str:
    """A text out of the address, without the one character that PostgreSQL refuses."""
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST_SEARCH]


def _around(request: AccountRequest, account: Account, group: Group) -> dict[str, Any]:
    """What the page says around the recipients."""
    return {
        **_going_on(account, group=group),
        "items": page_items(group, account=account, permissions=request.permissions),
        "import_url": import_address(account, group=group),
        "tab": "recipients",
    }


def _going_on(account: Account, *, group: Group | None = None) -> dict[str, list[ChangeLine]]:
    found = going_on(account, group=group, failed_since=timezone.now() - FAILURES_TOLD)
    return {
        # Deletions stand among the deleted lists.
        "running": lines_of(
            (change for change in found.running if change.kind != ChangeKind.DELETION), account=account
        ),
        "unfinished": lines_of(found.unfinished, account=account),
        "failed": lines_of(found.failed, account=account),
    }


def _page_url(path: str, chosen: dict[str, str], **place: str) -> str:
    """The address of another page; "" where there is none."""
    return f"{path}?{urlencode(chosen | place)}" if all(place.values()) else ""


def _segments(group: Group, *, path: str, search: str, status: str) -> list[Segment]:
    names: list[tuple[str, str | Promise, int]] = [("", _("All"), group.recipients_count)]
    names += [(value, Status(value).label, count) for value, count in counts_of(group)]
    return [
        Segment(value, label, count, _segment_url(path, search=search, status=value), value == status)
        for value, label, count in names
    ]


def _segment_url(path: str, *, search: str, status: str) -> str:
    chosen = {name: value for name, value in (("q", search), ("status", status)) if value}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def _values(recipient: Recipient, columns: Sequence[Attribute]) -> list[tuple[str, str]]:
    """Name and value of the fields that have a column."""
    return [
        (column.name, shown_value(recipient.attributes.get(column.name, ""), type_=column.type))
        for column in columns
    ]
