"""One recipient: what is known, and what one may do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.access import get_group, get_recipient
from recipients.actions.recipients import (
    add_recipient,
    change_recipient,
    reactivate,
    remove_recipient,
    unsubscribe,
)
from recipients.forms.people import ReasonForm, RecipientForm, shown_value
from recipients.models import Activity, Group, Recipient, Status
from recipients.selectors import activities_of, attributes_of
from recipients.views.menu import person_items
from recipients.views.told import told_next, told_on

ACTIVITIES_SHOWN = 100
ICONS = {
    Activity.Kind.OPENED: "mail-opened",
    Activity.Kind.CLICKED: "click",
    Activity.Kind.SUBSCRIBED: "user-plus",
    Activity.Kind.UNSUBSCRIBED: "user-minus",
    Activity.Kind.BOUNCED: "mail-off",
}
# Which field a refusal concerns, by the beginning of its code.
CONCERNS = {
    "address.": "email",
    "recipient.known": "email",
    "recipient.blocked": "email",
    "recipient.bad_status": "status",
    "value.tag": "tags",
}


@require_safe
@account_view()
def show(request: AccountRequest, account: Account, group_id: int, recipient_id: int) -> HttpResponseBase:
    """Fields, sign-up information, tags, and what the recipient did."""
    group, recipient = _found(request, account, group_id, recipient_id)
    activities = activities_of(recipient, limit=ACTIVITIES_SHOWN)
    consent, items = person_items(recipient, account=account, permissions=request.permissions)
    context = _context(group, recipient) | {
        "consent": consent,
        "items": items,
        "values": [
            (attribute, shown_value(recipient.attributes.get(attribute.name, ""), type_=attribute.type))
            for attribute in attributes_of(account, group=group)
        ],
        "activities": [(activity, ICONS[Activity.Kind(activity.kind)]) for activity in activities],
    }
    return render(request, "recipients/recipient.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def add(request: AccountRequest, account: Account, group_id: int) -> HttpResponseBase:
    """One more recipient. Whether they get mail is said, never assumed."""
    group = get_group(request.actor, account=account, group_id=group_id, permission=Permission.EDIT)
    attributes = attributes_of(account, group=group)
    form = RecipientForm(attributes, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with told_on(form, CONCERNS):
            recipient = add_recipient(group, actor=request.actor, **form.wish())
            _say_added(request, recipient)
            if "another" in request.POST:
                return redirect("recipients:recipient-add", account.slug, group.pk)
            return redirect("recipients:recipient-show", account.slug, group.pk, recipient.pk)
    return render(request, "recipients/recipient_edit.html", {"group": group, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def edit(request: AccountRequest, account: Account, group_id: int, recipient_id: int) -> HttpResponseBase:
    """Change address, fields, tags and source."""
    group, recipient = _found(request, account, group_id, recipient_id)
    data = request.POST if request.method == "POST" else None
    form = RecipientForm(attributes_of(account, group=group), recipient=recipient, data=data)
    if request.method == "POST" and form.is_valid():
        with told_on(form, CONCERNS):
            if wish := form.wish():
                was, recipient = recipient.status, change_recipient(recipient, actor=request.actor, **wish)
                messages.success(request, _("Saved."))
                if recipient.status != was:
                    _say_not_active(request, recipient)
            return _shown(account, group, recipient)
    return render(request, "recipients/recipient_edit.html", _context(group, recipient) | {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def stop(request: AccountRequest, account: Account, group_id: int, recipient_id: int) -> HttpResponseBase:
    """Unsubscribe, after asking: only an owner or admin takes it back."""
    group, recipient = _found(request, account, group_id, recipient_id)
    if request.method == "POST":
        with told_next(request):
            unsubscribe(recipient, actor=request.actor)
            messages.success(request, _("%(email)s is unsubscribed.") % {"email": recipient.email})
        return _shown(account, group, recipient)
    if recipient.deactivated is not None:
        return _shown(account, group, recipient)
    return render(request, "recipients/recipient_unsubscribe.html", _context(group, recipient))


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.MANAGE)
def resume(request: AccountRequest, account: Account, group_id: int, recipient_id: int) -> HttpResponseBase:
    """Make active again, with a reason."""
    group, recipient = _found(request, account, group_id, recipient_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with told_on(form, {"consent.": "reason"}):
            reactivate(recipient, actor=request.actor, reason=form.cleaned_data["reason"])
            messages.success(request, _("%(email)s is active again.") % {"email": recipient.email})
            return _shown(account, group, recipient)
    if request.method != "POST" and recipient.status == Status.ACTIVE:
        return _shown(account, group, recipient)
    context = _context(group, recipient) | {"form": form}
    return render(request, "recipients/recipient_reactivate.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def remove(request: AccountRequest, account: Account, group_id: int, recipient_id: int) -> HttpResponseBase:
    """Remove from the list, after saying what goes and what is remembered."""
    group, recipient = _found(request, account, group_id, recipient_id)
    if request.method == "POST":
        with told_next(request):
            remove_recipient(recipient, actor=request.actor)
            messages.success(request, _("%(email)s is removed from this list.") % {"email": recipient.email})
            return redirect("recipients:group-show", account.slug, group.pk)
        return _shown(account, group, recipient)
    return render(request, "recipients/recipient_remove.html", _context(group, recipient))


def _found(
    request: AccountRequest, account: Account, group_id: int, recipient_id: int
) -> tuple[Group, Recipient]:
    group = get_group(request.actor, account=account, group_id=group_id)
    return group, get_recipient(request.actor, group=group, recipient_id=recipient_id)


def _context(group: Group, recipient: Recipient) -> dict[str, Any]:
    return {"group": group, "recipient": recipient}


def _shown(account: Account, group: Group, recipient: Recipient) -> HttpResponse:
    return redirect("recipients:recipient-show", account.slug, group.pk, recipient.pk)


def _say_added(request: AccountRequest, recipient: Recipient) -> None:
    if recipient.status in (Status.INACTIVE, Status.BOUNCED):
        _say_not_active(request, recipient)
        return
    messages.success(request, _("%(email)s is added.") % {"email": recipient.email})


def _say_not_active(request: AccountRequest, recipient: Recipient) -> None:
    text = _("%(email)s is in the list, but not active: they had unsubscribed from it, or mail came back.")
    messages.warning(request, text % {"email": recipient.email})
