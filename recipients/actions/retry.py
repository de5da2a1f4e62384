"""Trying an import again that stopped: the same upload, read the same way, up to a new preview."""

from __future__ import annotations

from django.db import transaction

from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actor import Actor
from backupsvc.errors import Refusal
from recipients.actions import imports
from recipients.actions.changes import lock_change, without_cells
from recipients.actions.groups import check_name
from recipients.models import Change, ChangeKind, ChangeState, Import

# What a person chose before; everything else of a change tells what became of it.
CHOSEN = ("account", "group", "kind", "mode", "blank", "fields", "new_attributes", "new_group_name")


def can_retry(change: Change) -> bool:
    """Whether the import stopped and its upload is still there."""
    return (
        change.kind == ChangeKind.IMPORT
        and change.state == ChangeState.FAILED
        and Import.objects.filter(pk=change.pk).exclude(upload="").exists()
    )


@transaction.atomic
def retry_import(change: Change, *, actor: Actor) -> Change:
    """A new import of the stopped one's upload, on its way to its preview. It needs a new confirmation.

    Sent twice, the second time gives the same. Raises Refusal: import.not_stopped, import.upload_missing,
    group.*
    """
    require(actor, account=change.account, permission=Permission.EDIT)
    change = lock_change(change.pk)
    if change.kind != ChangeKind.IMPORT or change.state != ChangeState.FAILED:
        raise Refusal("import.not_stopped")
    run = Import.objects.get(pk=change.pk)
    if not run.upload:
        if again := _retried(run):
            return again
        raise Refusal("import.upload_missing")
    if change.new_group_name:
        # The list that was made for it is gone with it, and its name may be taken by now.
        check_name(change.account, name=change.new_group_name)
    elif change.group is None or not change.group.is_live:
        raise Refusal("group.deleted_meanwhile", name=change.group.name if change.group else "")
    again = Change(**{name: getattr(change, name) for name in CHOSEN}, state=ChangeState.DRAFT)
    again.group = None if change.new_group_name else change.group
    again.origin, again.user, again.user_label = actor.origin, actor.user, actor.label[:200]
    again.save()
    Import.objects.filter(pk=run.pk).update(upload="", dialect=without_cells(run.dialect))
    run.pk = again.pk
    run.change = again
    run.save(force_insert=True)
    imports.stage(run, actor=actor)
    again.refresh_from_db()
    return again


def _retried(run: Import) -> Change | None:
    """The import that took over this one's upload."""
    later = Change.objects.filter(
        account=run.change.account,
        pk__gt=run.pk,
        import_run__sha256=run.sha256,
        import_run__file_name=run.file_name,
    )
    return later.order_by("pk").first()
