"""What people read when something is refused: one sentence per code, in their language."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from backupsvc.errors import Refusal

# Parameters that are codes themselves and read as words.
WORDS: dict[str, dict[str, str | Promise]] = {
    "permission": {
        "view": _("look into this account"),
        "edit": _("change lists and recipients, import and delete"),
        "restore": _("make and restore backups"),
        "export": _("download recipients' data"),
        "manage": _("change settings and delete backups"),
        "members": _("decide who belongs to the account"),
    },
}

TEXTS: dict[str, str | Promise] = {
    "account.not_found": _("There is no such account, or you do not belong to it."),
    "account.forbidden": _("Your role does not allow you to %(permission)s."),
}


class UnknownCode(Exception):
    """A code without a text: a bug that tests find."""


def say(refusal: Refusal) -> str:
    """The refusal as a sentence in the reader's language."""
    return say_code(refusal.code, refusal.params)


def say_code(code: str, params: Mapping[str, object] | None = None) -> str:
    """The same for a code that was stored on a row.

    A code without a text raises while developing and testing; people get a sentence that names the code.
    """
    readable = {name: _readable(name, value) for name, value in (params or {}).items()}
    try:
        return str(TEXTS[code]) % readable
    except KeyError as missing:
        if settings.STRICT_WORDING:
            raise UnknownCode(f"{code}: {missing}") from missing
        return _now("That is not possible (%(code)s). Please tell your operator this code.") % {"code": code}


def _readable(name: str, value: object) -> object:
    if isinstance(value, str):
        return WORDS.get(name, {}).get(value, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return number_format(value, force_grouping=True)
    if isinstance(value, list | tuple):
        return ", ".join(str(_readable(name, part)) for part in value)
    return value
