"""An entry of the log as people read it: what, which thing, old and new values, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext

from backupsvc.accounts.actor import Origin
from backupsvc.accounts.models import AuditEntry
from backupsvc.accounts.templatetags.ui import number
from backupsvc.accounts.wording import EVENTS
from backupsvc.accounts.wording_data import LABELS, VALUES
from backupsvc.wording import say_code

ICONS = {
    "account": "settings",
    "member": "user",
    "support": "lifebuoy",
    "group": "users",
    "attribute": "forms",
    "recipient": "user-edit",
    "blocklist": "ban",
    "import": "file-import",
    "restore": "restore",
    "undo": "arrow-back-up",
    "consent": "shield-half",
    "backup": "archive",
}
# Events that somebody should look into.
BAD = frozenset({"failed", "damaged", "deletion_failed"})
# Which one it was, among many of its kind: never counted.
NUMBERS = frozenset({"change", "entry", "recipient", "snapshot"})
# Ids of accounts and lists mean nothing to a reader, and what the line already says is not said twice.
SILENT = frozenset(
    {"old", "new", "error", "error_code", "error_params", "code", "params", "sha256", "created_at", "due_at"}
)


@dataclass(frozen=True)
class Line:
    """One line of the log, ready for the page."""

    entry: AuditEntry
    text: str | Promise
    target: str
    icon: str
    is_bad: bool
    is_support: bool
    who: str | Promise
    address: str
    origin: str | Promise
    error: str
    changes: list[tuple[str, str, str]]
    facts: list[tuple[str, str]]


def line_of(entry: AuditEntry) -> Line:
    """The entry in words. Unknown events and values (of a newer version) still show, as they were written."""
    noun, _dot, verb = entry.event.partition(".")
    return Line(
        entry=entry,
        text=EVENTS.get(entry.event, entry.event),
        # Who was blocked is not written down, only whether it was an address or a domain.
        target=readable("target", entry.target) if noun == "blocklist" else entry.target,
        icon=ICONS.get(noun, "point"),
        is_bad=verb in BAD,
        is_support=entry.origin == Origin.SUPPORT,
        who=_who(entry),
        address=_address(entry),
        origin=_origin(entry),
        error=_error(entry.data),
        changes=_changes(entry.data),
        facts=[
            (label_of(key), readable(key, value))
            for key, value in entry.data.items()
            if key not in SILENT and not key.endswith(("_id", "_ids")) and value is not False and value
        ],
    )


def label_of(key: str) -> str:
    """What a value is called."""
    return str(LABELS.get(key, key.replace("_", " ")))


def readable(key: str, value: Any) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    if key in NUMBERS:
        return str(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(readable(key, part) for part in value))
    if isinstance(value, Mapping):
        return ", ".join(f"{label_of(name)}: {readable(name, part)}" for name, part in value.items())
    if value is None or value == "":
        return gettext("empty")
    return str(VALUES.get(key, {}).get(value, value))


def _changes(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    old, new = data.get("old"), data.get("new")
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = list(dict.fromkeys([*old, *new]))
        return [(label_of(key), readable(key, old.get(key)), readable(key, new.get(key))) for key in keys]
    if old is not None or new is not None:
        return [("", readable("", old), readable("", new))]
    return []


def _error(data: Mapping[str, Any]) -> str:
    code = data.get("error_code") or data.get("error") or data.get("code")
    params = data.get("error_params") or data.get("params") or {}
    return say_code(code, params) if isinstance(code, str) and isinstance(params, Mapping) else ""


def _who(entry: AuditEntry) -> str | Promise:
    # The operator's label is a word: it was written in the language of the command, and is read in another.
    if entry.user_id is None and entry.origin in Origin.values:
        return Origin(entry.origin).label
    return entry.user_label


def _address(entry: AuditEntry) -> str:
    # Names are chosen by those who have them, and may be another's.
    if entry.user is None or entry.user.email == entry.user_label:
        return ""
    return entry.user.email


def _origin(entry: AuditEntry) -> str | Promise:
    # The operator's own work is signed with its origin already.
    if entry.user_id is None or entry.origin in (Origin.UI, Origin.SUPPORT):
        return ""
    return Origin(entry.origin).label if entry.origin in Origin.values else entry.origin
