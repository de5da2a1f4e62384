"""Archives written ahead: while a change is got ready, so that its backup costs no time of its own.

A person who tells what a file's columns mean is in no hurry, reading the rows touches no list, and a preview
is looked at for a while. So the archive is written beside all of it, and the backup of the confirmed change
finds it ready. It is only ever an advance: whatever goes wrong with it, the backup is made as if nobody had
tried.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from backups.actions.archives import archived
from backups.models import ArchiveKey, PreparedArchive, Snapshot, SnapshotState
from backupsvc.errors import Refusal
from backupsvc.jobs.models import ENDED, Job, Queue
from backupsvc.jobs.queue import enqueue
from backupsvc.jobs.runner import Claim
from recipients.models import OVER, Change, Group

log = logging.getLogger(__name__)

PREPARE_JOB = "backups.prepare_archive"
# Who has not confirmed by then gets a backup when he does.
KEPT = timedelta(hours=24)


def prepare(change: Change, *, group: Group) -> None:
    """Have the list's archive written now. Call inside the transaction that foresees the change."""
    if same_as(group) or prepared_for(group) or jobs_preparing(group).exists():
        return
    prepared = PreparedArchive.objects.create(
        account=group.account, group=group, group_name=group.name, change=change
    )
    enqueue(PREPARE_JOB, subject_id=prepared.pk, account=group.account, queue=Queue.SNAPSHOT)


def same_as(group: Group) -> Snapshot | None:
    """The last sound snapshot of the list as it is now, locked until the transaction ends."""
    return (
        Snapshot.objects.select_for_update()
        .filter(
            group=group,
            revision=group.revision,
            state=SnapshotState.COMPLETE,
            damaged_code="",
            group_name=group.name,
        )
        # Not one that is not encrypted: those of that time shall come to their end.
        .filter(Exists(ArchiveKey.objects.filter(archive=OuterRef("archive"))))
        .order_by("-pk")
        .first()
    )


def prepared_for(group: Group) -> PreparedArchive | None:
    """The archive that was prepared of the list as it is now, locked until the transaction ends."""
    ready = PreparedArchive.objects.select_for_update().exclude(archive="")
    return ready.filter(group=group, revision=group.revision, group_name=group.name).order_by("-pk").first()


def jobs_preparing(group: Group) -> QuerySet[Job]:
    """The work that will have prepared an archive of the list when it has ended."""
    coming = PreparedArchive.objects.filter(group=group, archive="").exclude(change__state__in=OVER)
    jobs = Job.objects.filter(kind=PREPARE_JOB, subject_id__in=coming.values("pk"))
    return jobs.exclude(state__in=ENDED)


def prepare_archive(claim: Claim) -> None:
    """Write the archive and read it back; if that cannot be done now, let it be."""
    coming = PreparedArchive.objects.select_related("account", "change")
    prepared = coming.filter(pk=claim.job.subject_id, archive="").first()
    if prepared is None:
        return
    try:
        if not prepared.change.has_ended:
            _write(prepared, claim=claim)
            return
    except (Refusal, OSError) as problem:
        # The backup itself will say so, to somebody who waits for it.
        log.info("archive not prepared", extra={"group": prepared.group_id, "problem": str(problem)})
    with transaction.atomic():
        claim.guard()
        PreparedArchive.objects.filter(pk=prepared.pk).delete()


def _write(prepared: PreparedArchive, *, claim: Claim) -> None:
    with (
        archived(prepared.account, group_id=prepared.group_id, attempt_of=prepared.pk) as written,
        transaction.atomic(),
    ):
        claim.guard()
        written.keep_for(prepared)
        prepared.verified_at = timezone.now()
        prepared.save()
