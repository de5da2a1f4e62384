"""What commands do with a change: from its staged rows to its end, and how they show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.management.operator_command import OperatorCommand, table
from backupsvc.errors import Refusal
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from backupsvc.wording import say_code
from recipients.actions.changes import confirm_change, discard_change
from recipients.imports.doubts import SERIOUS
from recipients.models import Change, ChangeState, Import
from recipients.selectors import change_json, rejected_rows

SHOWN_REJECTS = 20
# What people read instead of the state's name.
STATES = {
    "preview": "this is what would happen; nothing was changed",
    "queued": "waits for another change of the list",
    "active": "goes on in the background",
}
COUNTS = {
    "rows": "rows read",
    "added": "added",
    "updated": "updated",
    "unchanged": "unchanged",
    "kept_safe": "kept unsubscribed or blocked",
    "rejected": "rejected",
    "duplicates": "twice in the source",
    "deactivated": "unsubscribed",
    "deleted": "deleted",
}


def finish_staged(
    command: OperatorCommand,
    change: Change,
    *,
    actor: Actor,
    job: Job,
    options: dict[str, Any],
    backup: bool | None = None,
) -> bool:
    """Stage here, then show the preview (--dry-run) or confirm, and with --wait see it through.

    What is not confirmed leaves nothing behind. Whether it was done.
    """
    with discarded_on_error(change, actor=actor):
        drain(job)
        change = _fresh(change)
        is_ready = change.state == ChangeState.PREVIEW
        if options["dry_run"] or not is_ready:
            show_change(command, change, state="" if is_ready else ChangeState.FAILED.value)
            discard_change(change, actor=actor)
            return is_ready
        # When the change is over nobody is named any longer, and those that name somebody are gone.
        doubts = change.preview["doubts"]
        job = confirm_change(change, actor=actor, backup=backup)
    if options["wait"]:
        drain(job)
    change = _fresh(change)
    show_change(command, change, doubts=doubts)
    return change.state not in (ChangeState.FAILED, ChangeState.CANCELLED)


@contextmanager
def discarded_on_error(change: Change, *, actor: Actor) -> Iterator[None]:
    """A command that is refused or stopped half-way leaves no upload and no staged rows."""
    try:
        yield
    except BaseException:
        discard_change(change, actor=actor)
        raise


def show_change(
    command: OperatorCommand,
    change: Change,
    *,
    state: str = "",
    doubts: Sequence[tuple[str, Mapping[str, Any]]] | None = None,
) -> None:
    """Print the change: JSON or a table; the first rejected rows always go to people, and so do the doubts,
    those of its preview as it is if no others are given.
    """
    document = change_json(change)
    document["state"] = state or document["state"]
    lines = [(label, document[name]) for name, label in COUNTS.items() if document[name] or name == "rows"]
    head = f"{change.get_kind_display()} {change.pk}, {document['group']}: "
    head += STATES.get(document["state"], document["state"])
    command.answer(document, people=f"{head}\n{table([*lines, ('backup', document['backup'] or 'none')])}")
    if document["error"]:
        command.tell(document["error"]["message"])
    _tell_doubts(command, change, doubts=change.preview.get("doubts", []) if doubts is None else doubts)
    _tell_rejects(command, change, count=document["rejected"])


def refused_change(refusal: Refusal, *, kind: str, group: str, mode: str = "") -> dict[str, Any]:
    """The JSON of a change that was refused before there was one."""
    change = Change(
        kind=kind,
        mode=mode,
        new_group_name=group,
        state=ChangeState.FAILED,
        error_code=refusal.code,
        error_params=dict(refusal.params),
    )
    return change_json(change) | {"id": None}


def _tell_doubts(
    command: OperatorCommand, change: Change, *, doubts: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """What the wizard would warn of: how the file was read, and what looks wrong about its rows."""
    run = Import.objects.filter(pk=change.pk).first()
    warnings = run.dialect.get("warnings", []) if run else []
    # The serious ones are among the preview's doubts.
    warnings = [(code, params) for code, params in warnings if code not in SERIOUS]
    tell_all(command, [*doubts, *warnings])


def tell_all(command: OperatorCommand, doubts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Print doubts and warnings, each by its code and what its text names."""
    for code, params in doubts:
        command.tell(f"{'Look at this' if code in SERIOUS else 'Note'}: {say_code(code, params)}")


def _tell_rejects(command: OperatorCommand, change: Change, *, count: int) -> None:
    rows = list(islice(rejected_rows(change), SHOWN_REJECTS))
    if not rows:
        return
    reasons = [(row.line, row.column, say_code(row.code, row.params)) for row in rows]
    command.tell(table(reasons, head=("line", "column", "why it was rejected")))
    if count > len(rows):
        command.tell(f"… and {count - len(rows)} more.")


def _fresh(change: Change) -> Change:
    return Change.objects.select_related("account", "group", "user").get(pk=change.pk)
