"""How a person learns that an action was refused: beside the field it concerns, or on the next page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.contrib import messages
from django.forms import Form

from backupsvc.accounts.views.door import AccountRequest
from backupsvc.errors import Forbidden, NotFound, Refusal
from backupsvc.wording import say


@contextmanager
def told_on(form: Form, fields: Mapping[str, str] | None = None) -> Iterator[None]:
    """Put a refusal on the form. `fields` says by the beginning of its code which field it concerns."""
    try:
        yield
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        concerned = (name for start, name in (fields or {}).items() if refusal.code.startswith(start))
        form.add_error(next(concerned, None), say(refusal))


@contextmanager
def told_next(request: AccountRequest) -> Iterator[None]:
    """Say a refusal on the page that comes next, instead of on one of its own."""
    try:
        yield
    except (Forbidden, NotFound):
        raise
    except Refusal as refusal:
        messages.error(request, say(refusal))
