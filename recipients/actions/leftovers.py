"""What changes leave on their way is personal data too: it goes after a week."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from recipients import uploads
from recipients.actions.changes import CELLS, clean_up, lock_change
from recipients.bulk.engine import engine
from recipients.models import Change, ChangeState, Import, RejectedRow, StagedRow

# Uploads, staged and rejected rows hold what backups hold, but nobody asked for them to be kept.
KEPT = timedelta(days=7)
# A request that writes its upload for longer than this has died.
UPLOAD_TIME = timedelta(days=1)


def sweep_leftovers() -> int:
    """End imports and restores that nobody went on with; how many.

    Rejected rows go too, and what is left of changes that failed: an import could have been tried again.
    """
    before = timezone.now() - KEPT
    abandoned = Change.objects.filter(
        state__in=[ChangeState.DRAFT, ChangeState.STAGING, ChangeState.PREVIEW], created_at__lt=before
    )
    ended = sum(_end(pk) for pk in abandoned.values_list("pk", flat=True))
    RejectedRow.objects.filter(change__ended_at__lt=before).delete()
    for change in naming_people(ended_before=before) | _with_upload(ended_before=before):
        clean_up(change)
    for change_id in {*unowned_tables(), *_unowned_rows()}:
        engine().clear(change_id)
    _drop_cut_off_uploads()
    uploads.remove_strays(before=before, known=_is_known)
    return ended


def naming_people(*, ended_before: datetime) -> QuerySet[Change]:
    """Changes that ended before then and still hold addresses of their preview, or cells of their file."""
    # Only a preview that nobody has tidied has this key, even when it lists nobody.
    named = Q(preview__has_key="kept_safe_rows") | Q(import_run__dialect__has_any_keys=CELLS)
    return Change.objects.filter(named, ended_at__lt=ended_before)


def _with_upload(*, ended_before: datetime) -> QuerySet[Change]:
    return Change.objects.filter(import_run__upload__gt="", ended_at__lt=ended_before)


def unowned_tables() -> list[int]:
    """The ids of changes that have ended, or are not there, but whose own tables are."""
    return sorted(_not_open(engine().owners()))


def _unowned_rows() -> set[int]:
    """The same of those whose rows are in the staging table that all share."""
    return _not_open(StagedRow.objects.order_by().values_list("change_id", flat=True).distinct())


def _not_open(change_ids: Iterable[int]) -> set[int]:
    """Those of the ids whose change has ended, or is not there."""
    ids = set(change_ids)
    return ids - set(Change.objects.filter(pk__in=ids, ended_at=None).values_list("pk", flat=True))


def _is_known(upload: str) -> bool:
    return Import.objects.filter(upload=upload).exists()


@transaction.atomic
def _end(change_id: int) -> bool:
    change = lock_change(change_id)
    if change.is_under_way or change.has_ended:
        return False
    change.state = ChangeState.CANCELLED
    change.ended_at = timezone.now()
    change.save(update_fields=["state", "ended_at"])
    change.rejected_rows.all().delete()
    clean_up(change)
    return True


def _drop_cut_off_uploads() -> None:
    """Remove the temporary files of web processes that were killed while somebody uploaded."""
    before = (timezone.now() - UPLOAD_TIME).timestamp()
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
