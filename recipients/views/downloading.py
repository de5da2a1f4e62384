"""Taking a list out as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST

from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.access import get_group
from recipients.actions.exports import Download, export_group
from recipients.exports import KINDS
from recipients.views.told import told_next


@require_POST
@account_view(Permission.EXPORT)
def download(request: AccountRequest, account: Account, group_id: int, kind: str) -> HttpResponseBase:
    """The list as it is now. POST, because it is written down in the log."""
    if kind not in KINDS:
        raise Http404
    group = get_group(request.actor, account=account, group_id=group_id, permission=Permission.EXPORT)
    with told_next(request):
        return attachment(begun(export_group(group, actor=request.actor, kind=kind)))
    return redirect("recipients:group-show", account.slug, group.pk)


def begun(file: Download) -> Download:
    """The file, begun before the answer is: what is refused now can still be said on a page."""
    first = next(file.chunks, b"")
    return replace(file, chunks=_stream(first, file.chunks))


def _stream(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def attachment(file: Download) -> StreamingHttpResponse:
    """The file on its way, never shown in the browser and never kept by it."""
    response = StreamingHttpResponse(file.chunks, content_type=file.content_type)
    headers = {
        "Content-Disposition": content_disposition_header(True, file.file_name) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        # Whatever a list holds: should a browser ever show it, nothing in it runs.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    for header, value in headers.items():
        response.headers[header] = value
    return response
