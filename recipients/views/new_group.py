"""Making a list that is still empty; a list made of a file begins with its import."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.actions.groups import create_group
from recipients.forms.groups import NewGroupForm
from recipients.views.menu import import_address
from recipients.views.told import told_on


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.EDIT)
def create(request: AccountRequest, account: Account) -> HttpResponseBase:
    """Ask for a name, make the list, and open it."""
    form = NewGroupForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with told_on(form, {"group.name": "name"}):
            group = create_group(account, actor=request.actor, **form.cleaned_data)
            messages.success(request, _("The list “%(name)s” is there.") % {"name": group.name})
            return redirect("recipients:group-show", account.slug, group.pk)
    context = {"form": form, "import_url": import_address(account)}
    return render(request, "recipients/group_new.html", context)
