"""What one may do with a list or a recipient: the entries of their three dots, for those who may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from backupsvc.accounts.access import Permission
from backupsvc.accounts.addresses import address
from backupsvc.accounts.models import Account
from recipients.models import Group, Recipient, Status


@dataclass(frozen=True)
class Item:
    """An entry of a menu. `post`: a form of its own; `downloads`: what it sends is a file, the page stays."""

    url: str
    text: str
    icon: str
    post: bool = False
    danger: bool = False
    downloads: bool = False
    # A line above the entry sets it apart.
    apart: bool = False


def row_items(group: Group, *, account: Account, permissions: frozenset[Permission]) -> list[Item]:
    """The menu of a list among the others."""
    items = [Item(address("recipients:group-show", account.slug, group.pk), _("Open"), "eye")]
    if Permission.EDIT in permissions:
        items.append(Item(import_address(account, group=group), _("Import into this list"), "file-import"))
    return [*items, *page_items(group, account=account, permissions=permissions)]


def page_items(group: Group, *, account: Account, permissions: frozenset[Permission]) -> list[Item]:
    """The menu on the list's own page, where one need not open it."""
    return list(_page_items(account.slug, group.pk, permissions=permissions))


def _page_items(slug: str, number: int, *, permissions: frozenset[Permission]) -> Iterator[Item]:
    def url(name: str, *after: str) -> str:
        return address(name, slug, number, *after)

    if Permission.RESTORE in permissions:
        yield Item(url("backups:make"), _("Back up now"), "camera-plus", post=True)
    if Permission.EXPORT in permissions:
        exact, safe, excel = (url("recipients:group-download", kind) for kind in ("csv", "csv-safe", "xlsx"))
        yield Item(exact, _("Download CSV"), "file-type-csv", post=True, downloads=True, apart=True)
        yield Item(safe, _("Download CSV for spreadsheets"), "file-spreadsheet", post=True, downloads=True)
        yield Item(excel, _("Download Excel"), "file-type-xls", post=True, downloads=True)
    if Permission.EDIT in permissions:
        yield Item(url("recipients:group-settings"), _("Settings"), "settings", apart=True)
        yield Item(url("recipients:group-delete"), _("Delete"), "trash", danger=True, apart=True)


def person_items(
    recipient: Recipient, *, account: Account, permissions: frozenset[Permission]
) -> tuple[Item | None, list[Item]]:
    """What changes a recipient's consent, first of all, and what else one may do with them."""

    def url(name: str) -> str:
        return address(f"recipients:recipient-{name}", account.slug, recipient.group_id, recipient.pk)

    consent, items = list[Item](), list[Item]()
    if Permission.MANAGE in permissions and recipient.status != Status.ACTIVE:
        consent.append(Item(url("reactivate"), _("Make active"), "user-check"))
    if Permission.EDIT in permissions:
        if recipient.deactivated is None:
            consent.append(Item(url("unsubscribe"), _("Unsubscribe"), "user-minus"))
        items = [*consent[1:], Item(url("remove"), _("Remove"), "trash", danger=True, apart=len(consent) > 1)]
    return next(iter(consent), None), items


def import_address(account: Account, *, group: Group | None = None) -> str:
    """Where an import begins: into a list, or without one into a new list."""
    start = reverse("recipients:import-new", args=[account.slug])
    return f"{start}?{urlencode({'group': group.pk})}" if group else start
