"""A request that cannot be read, above all one with more pasted text than is taken."""

from __future__ import annotations

from contextlib import suppress

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.defaults import bad_request

PASTING = "recipients:import-new"


def not_read(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The page that says so; of the form where one pastes, the form with the way out.

    No view sees such a request: its form is read before, where its token is checked, and thrown away.
    """
    match = request.resolver_match
    if isinstance(exception, RequestDataTooBig) and match is not None and match.view_name == PASTING:
        # Read and thrown away to its end: a browser that is cut off shows no answer at all.
        with suppress(UnreadablePostError):
            while request.read(1 << 20):
                pass
        messages.error(request, _("This is too much text to be pasted. Save it as a file, and choose that."))
        return redirect(request.get_full_path())
    return bad_request(request, exception)
