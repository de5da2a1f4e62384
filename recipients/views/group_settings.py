"""A list's settings: General, Fields, Blocklist."""

from __future__ import annotations

from copy import copy

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.addresses import row_number
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from backupsvc.errors import NotFound
from recipients.access import get_attribute, get_blocklist_entry, get_group
from recipients.actions.attributes import create_attribute, delete_attribute
from recipients.actions.blocklist import block, put_back, unblock
from recipients.actions.groups import change_group
from recipients.forms.settings import THIS_LIST, BlockForm, FieldForm, SettingsForm
from recipients.models import MOST_ATTRIBUTES, Attribute, Group
from recipients.selectors import attributes_of, blocklist_page, holders_of
from recipients.views.backup_note import loss_of
from recipients.views.told import told_next, told_on
from recipients.views.unblocked import find, forget, remember, unblocked


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def general(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """Name, description, lock and automatic backups. Who may not change them reads them."""
    group = _group(request, account, group_id)
    may_manage = Permission.MANAGE in request.permissions
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(group, may_manage=may_manage, data=data)
    if request.method == "POST" and form.is_valid():
        with told_on(form, {"group.name": "name"}):
            wish = {name: form.cleaned_data[name] for name in form.changed_data}
            change_group(group, actor=request.actor, **wish)
            messages.success(request, _("The settings are saved."))
            return redirect("recipients:group-settings", account.slug, group.pk)
    context = {"group": group, "form": form, "tab": "general", "may_manage": may_manage}
    return render(request, "recipients/group_settings.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def fields(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """The list's fields and those of all lists."""
    group = _group(request, account, group_id)
    form = FieldForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with told_on(form, {"attribute.name": "name", "mapping.bad_name": "name"}):
            made = create_attribute(
                account,
                actor=request.actor,
                name=form.cleaned_data["name"],
                type=form.cleaned_data["type"],
                group=_scope(form, group),
            )
            messages.success(request, _("The field “%(name)s” is there.") % {"name": made.name})
            return redirect("recipients:group-fields", account.slug, group.pk)
    context = {
        "group": group,
        "form": form,
        "tab": "fields",
        "attributes": attributes_of(account, group=group),
        "most": MOST_ATTRIBUTES,
    }
    return render(request, "recipients/group_fields.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.MANAGE)
def field_delete(
    request: AccountRequest, account: Account, group_id: int, attribute_id: int
) -> HttpResponseBase:
    """Say which lists lose values, and when each was backed up; ask; delete."""
    group = _group(request, account, group_id)
    attribute = _attribute(request, account, group, attribute_id)
    if request.method == "POST":
        with told_next(request):
            delete_attribute(attribute, actor=request.actor)
            messages.success(
                request, _("The field “%(name)s” and its values are deleted.") % {"name": attribute.name}
            )
        return redirect("recipients:group-fields", account.slug, group.pk)
    holders = holders_of(attribute)
    context = {
        "group": group,
        "attribute": attribute,
        "is_sure": holders.is_sure,
        "loss": loss_of(account, holders.groups),
    }
    return render(request, "recipients/field_delete.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view()
def blocklist(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """Who may not come back into this list: its own entries and those of all lists."""
    group = _group(request, account, group_id)
    form = BlockForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with told_on(form, {"address.": "pattern"}):
            entry = block(
                account,
                actor=request.actor,
                pattern=form.cleaned_data["pattern"],
                comment=form.cleaned_data["comment"],
                group=_scope(form, group),
            )
            messages.success(request, _("%(pattern)s is blocked.") % {"pattern": entry.pattern})
            return redirect("recipients:group-blocklist", account.slug, group.pk)
    # PostgreSQL refuses this one character.
    search = request.GET.get("q", "").replace("\0", "").strip()
    page = blocklist_page(group, search=search, before_id=row_number(request.GET.get("before")))
    path = reverse("recipients:group-blocklist", args=[account.slug, group.pk])
    chosen = {"q": search} if search else {}
    context = {
        "group": group,
        "form": form,
        "tab": "blocklist",
        "entries": page.items,
        "unblocked": unblocked(request, account, group),
        "q": search,
        "first_url": f"{path}?{urlencode(chosen)}" if "before" in request.GET else "",
        "next_url": f"{path}?{urlencode(chosen | {'before': page.next_id})}" if page.next_id else "",
    }
    return render(request, "recipients/group_blocklist.html", context)


@require_POST
@account_view(Permission.MANAGE)
def blocklist_remove(
    request: AccountRequest, account: Account, group_id: int, entry_id: int
) -> HttpResponseBase:
    """Let an address or domain in again."""
    group = _group(request, account, group_id)
    entry = get_blocklist_entry(
        request.actor, account=account, entry_id=entry_id, permission=Permission.MANAGE
    )
    if entry.group_id not in (None, group.pk):
        raise NotFound("blocklist.not_found")
    with told_next(request):
        removed = copy(entry)
        unblock(entry, actor=request.actor)
        remember(request, removed)
        text = _("%(pattern)s is no longer blocked. Nobody was added to a list by this.")
        messages.success(request, text % {"pattern": entry.pattern})
    return redirect("recipients:group-blocklist", account.slug, group.pk)


@require_POST
@account_view(Permission.MANAGE)
def blocklist_put_back(
    request: AccountRequest, account: Account, group_id: int, entry_id: int
) -> HttpResponseBase:
    """Undo a removal: the entry as it was."""
    group = _group(request, account, group_id)
    with told_next(request):
        found = find(request, account, group, entry_id)
        entry = put_back(account, actor=request.actor, group=group if found.group_id else None, **found.was)
        forget(request, entry_id)
        messages.success(request, _("%(pattern)s is blocked.") % {"pattern": entry.pattern})
    return redirect("recipients:group-blocklist", account.slug, group.pk)


def _group(request: AccountRequest, account: Account, group_id: int) -> Group:
    """The list, to read; to write it for those who may."""
    if request.method == "POST":
        require(request.actor, account=account, permission=Permission.EDIT)
    return get_group(request.actor, account=account, group_id=group_id)


def _attribute(request: AccountRequest, account: Account, group: Group, attribute_id: int) -> Attribute:
    """A field that this list has."""
    attribute = get_attribute(
        request.actor, account=account, attribute_id=attribute_id, permission=Permission.MANAGE
    )
    if attribute.group_id not in (None, group.pk):
        raise NotFound("attribute.not_found")
    return attribute


def _scope(form: FieldForm | BlockForm, group: Group) -> Group | None:
    return group if form.cleaned_data["scope"] == THIS_LIST else None
