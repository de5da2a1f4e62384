"""Changes as lists name them: what, where it stands, and where to read more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.addresses import address
from backupsvc.accounts.models import Account
from backupsvc.accounts.templatetags.ui import number
from backupsvc.jobs.selectors import newest_jobs
from backupsvc.wording import say_code
from recipients.actions.changes import NEEDS
from recipients.actions.groups import PURGE_JOB
from recipients.models import Change, ChangeKind, ChangeState, Mode
from recipients.selectors import undoable_deletions
from recipients.views.import_steps import page_of

ICONS = {
    ChangeKind.IMPORT: "file-import",
    ChangeKind.DELETION: "trash",
    ChangeKind.RESTORE: "restore",
    ChangeKind.UNDO: "arrow-back-up",
}
LEVELS = {
    ChangeState.DONE: "success",
    ChangeState.FAILED: "danger",
    ChangeState.ACTIVE: "primary",
    ChangeState.QUEUED: "primary",
}
COUNTED: tuple[tuple[str, str | Promise], ...] = (
    ("added", pgettext_lazy("count", "%(count)s added")),
    ("updated", pgettext_lazy("count", "%(count)s updated")),
    ("kept_safe", pgettext_lazy("count", "%(count)s kept safe")),
    ("rejected", pgettext_lazy("count", "%(count)s rejected")),
    ("deactivated", pgettext_lazy("count", "%(count)s unsubscribed")),
    ("deleted", pgettext_lazy("count", "%(count)s deleted")),
)
# While they are being prepared, changes wait for a person.
WAITING: dict[str, str | Promise] = {
    ChangeState.DRAFT: _("begun, not confirmed yet"),
    ChangeState.STAGING: _("being read"),
    ChangeState.PREVIEW: _("waits for confirmation"),
    ChangeState.QUEUED: _("waits for another change of this list"),
    ChangeState.ACTIVE: _("is running"),
}


@dataclass(frozen=True)
class ChangeLine:
    """A change in one line."""

    change: Change
    title: str
    url: str

    @property
    def name(self) -> str:
        """The list it concerns."""
        return self.change.group.name if self.change.group else self.change.new_group_name

    @property
    def icon(self) -> str:
        return ICONS[ChangeKind(self.change.kind)]

    @property
    def needs(self) -> str:
        """What one must be allowed to do to go on with it."""
        return NEEDS[ChangeKind(self.change.kind)].value

    @property
    def mode(self) -> str:
        """How it treated what was there; a deletion has no choice."""
        change = self.change
        return str(Mode(change.mode).label) if change.mode and change.kind != ChangeKind.DELETION else ""

    @property
    def state(self) -> str:
        return str(ChangeState(self.change.state).label)

    @property
    def level(self) -> str:
        return LEVELS.get(ChangeState(self.change.state), "secondary")

    @property
    def standing(self) -> str | Promise:
        """Where it stands, for one that has not ended."""
        return WAITING.get(self.change.state, "")

    @property
    def error(self) -> str:
        return say_code(self.change.error_code, self.change.error_params) if self.change.error_code else ""

    @property
    def backup_id(self) -> int | None:
        """The backup that was made before, while there is a page of it."""
        listed = [one.pk for one in self.change.snapshots.all() if one.is_listed]
        return self.change.snapshot_id if self.change.snapshot_id in listed else None

    @property
    def counts(self) -> str:
        """What came of it, without the zeros."""
        if self.change.state != ChangeState.DONE:
            return ""
        counts = [(text, getattr(self.change, field)) for field, text in COUNTED if self._is_told(field)]
        found = [str(text) % {"count": number(count)} for text, count in counts if count]
        if not found and self.change.mode == Mode.DEACTIVATE:
            # Whoever was not in the list is remembered.
            return gettext("nobody in the list to unsubscribe")
        return ", ".join(found) or gettext("nothing to change")

    def _is_told(self, field: str) -> bool:
        # Who was deleted or unsubscribed counts as updated too: said once.
        takes_away = self.change.deleted or self.change.deactivated
        return not (takes_away and field == "updated")


@dataclass(frozen=True)
class Undoable:
    """A deleted list that one click brings back. `until` is None while its backup is still being made."""

    change: Change
    until: datetime | None

    @property
    def has_older_backups(self) -> bool:
        """Whether other backups than that of the deletion can bring people back."""
        group, own = self.change.group, self.change.snapshot_id or 0
        return group is not None and group.snapshots.exclude(pk=own).exclude(state="expired").exists()


def line_of(change: Change, *, account: Account) -> ChangeLine:
    """The change in one line."""
    return ChangeLine(change, title_of(change), address(page_of(change), account.slug, change.pk))


def lines_of(changes: Iterable[Change], *, account: Account) -> list[ChangeLine]:
    """The same for several."""
    return [line_of(change, account=account) for change in changes]


def title_of(change: Change) -> str:
    """What kind of change, and of which file."""
    try:
        run = change.import_run
    except ObjectDoesNotExist:
        return str(ChangeKind(change.kind).label)
    return gettext("Import of %(file)s") % {"file": run.shown_name}


def undoables(account: Account) -> list[Undoable]:
    """Deleted lists whose rows are still there."""
    changes = undoable_deletions(account)
    jobs = newest_jobs(PURGE_JOB, subject_ids=[change.group_id or 0 for change in changes])
    return [
        Undoable(change, jobs[change.group_id].due_at)
        if change.state == ChangeState.DONE and change.group_id in jobs
        else Undoable(change, None)
        for change in changes
    ]
