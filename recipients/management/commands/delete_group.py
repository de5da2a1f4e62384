"""Delete a list: backed up first, as everywhere."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from backupsvc.accounts.access import Permission, get_account
from backupsvc.accounts.actor import Origin, operator
from backupsvc.accounts.management.operator_command import OperatorCommand, add_json
from backupsvc.errors import Refusal
from backupsvc.jobs.clock import database_now
from backupsvc.jobs.runner import drain
from backupsvc.jobs.selectors import job_of
from recipients.access import find_group
from recipients.actions import deletion
from recipients.actions.changes import DELETE_JOB
from recipients.actions.groups import PURGE_JOB
from recipients.management.staged import refused_change, show_change
from recipients.models import Change, ChangeKind, ChangeState


class Command(OperatorCommand):
    help = "Delete a list. It is hidden at once; its rows go after its backup has been verified."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--account", required=True, metavar="A", help="the account's short name")
        parser.add_argument("--group", required=True, metavar="G", help="the list's name, or its id as '#9'")
        parser.add_argument(
            "--origin",
            choices=[Origin.UI.value, Origin.API.value],
            default=Origin.COMMAND.value,
            help="do as if the change came from there (it decides about the backup and the time to undo)",
        )
        parser.add_argument("--wait", action="store_true", help="return when the deletion has ended")
        add_json(parser)

    def act(self, options: dict[str, Any]) -> bool:
        """Delete it, or say why not."""
        actor = operator(options["origin"])
        account = get_account(actor, slug=options["account"], permission=Permission.EDIT)
        group = find_group(actor, account=account, name=options["group"])
        change = deletion.delete_group(group, actor=actor)
        if options["wait"]:
            change = _see_through(change)
        show_change(self, change)
        return change.state not in (ChangeState.FAILED, ChangeState.CANCELLED)

    def refused(self, refusal: Refusal, options: dict[str, Any]) -> dict[str, Any]:
        """A refused deletion in the shape of one that failed."""
        return refused_change(refusal, kind=ChangeKind.DELETION, group=options["group"])


def _see_through(change: Change) -> Change:
    """Work until the deletion stands, and until its rows are gone when nobody may undo it any more."""
    if job := job_of(DELETE_JOB, subject_id=change.pk):
        drain(job)
    purge = job_of(PURGE_JOB, subject_id=change.group_id or 0)
    if purge and purge.pk > (job.pk if job else 0) and purge.due_at <= database_now():
        drain(purge)
    return Change.objects.select_related("account", "group").get(pk=change.pk)
