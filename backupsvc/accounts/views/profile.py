"""A person's own page."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backupsvc.accounts.actions.users import change_profile
from backupsvc.accounts.forms import ProfileForm, profile_initial
from backupsvc.accounts.views.door import SignedInRequest, signed_in_view


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def profile(request: SignedInRequest) -> HttpResponseBase:
    """Name, language, and the ways to password and two-factor sign-in."""
    initial = profile_initial(request.user, language=translation.get_language() or "en")
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        change_profile(request.actor.user or request.user, actor=request.actor, **form.cleaned_data)
        with translation.override(form.cleaned_data["language"]):
            messages.success(request, _("Your profile is saved."))
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form, "tab": "profile"})
