"""Taking a backup out as a file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from backups.access import get_snapshot
from backups.actions import downloads
from backups.views.told import back, told
from backupsvc.accounts.access import Permission
from backupsvc.accounts.models import Account
from backupsvc.accounts.views.door import AccountRequest, account_view
from recipients.actions.exports import Download

# Names longer than file systems take are cut by some browsers in the middle of the ending.
LONGEST_NAME = 80


@require_POST
@account_view(Permission.EXPORT)
def download(request: AccountRequest, account: Account, snapshot_id: int, kind: str) -> HttpResponseBase:
    """The backup as a file of that kind. POST, because it is written down in the log."""
    snapshot = get_snapshot(request.actor, account=account, snapshot_id=snapshot_id)
    with told(request):
        file = downloads.download(snapshot, actor=request.actor, kind=kind)
        # Made before the answer begins: what is refused now can still be said on a page.
        first = next(file.chunks, b"")
        return _attachment(file, first, name=snapshot.group_name)
    return back(request, account)


def _attachment(file: Download, first: bytes, *, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_stream(first, file.chunks), content_type=file.content_type)
    headers = {
        "Content-Disposition": _disposition(file.file_name, name=name),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        # Whatever a list holds: should a browser ever show it, nothing in it runs.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    for header, value in headers.items():
        response.headers[header] = value
    return response


def _stream(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _disposition(file_name: str, *, name: str) -> str:
    """The file's name in plain letters, and once more in the list's own script."""
    plain = slugify(name) or "list"
    ending = file_name.removeprefix(plain)
    own = slugify(name, allow_unicode=True)[:LONGEST_NAME] or "list"
    return (
        f'attachment; filename="{plain[:LONGEST_NAME]}{ending}"; '
        f"filename*=UTF-8''{quote(own + ending, safe='')}"
    )
