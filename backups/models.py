"""Snapshots: what a group was at one moment, and the archive that holds it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account, User
from recipients.models import Change, Group


class Cause(models.TextChoices):
    IMPORT = "import", _("Before an import")
    DELETION = "deletion", _("Before a deletion")
    RESTORE = "restore", _("Before a restore")
    UNDO = "undo", _("Before an undo")
    MANUAL = "manual", _("Made by hand")
    SCHEDULE = "schedule", _("Scheduled")
    API = "api", _("Before a change through the API")


class SnapshotState(models.TextChoices):
    WRITING = "writing", _("being written")
    COMPLETE = "complete", _("complete")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")


class Snapshot(models.Model):
    """The state of one group at one moment. It outlives its group.

    writing ─▶ complete (the archive was read back: restorable) ─▶ expired (invisible) ─▶ purged: the row
       └────▶ failed                                               goes, a PurgeEntry stays
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="snapshots")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="snapshots")
    group_name = models.CharField(max_length=255)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    change = models.ForeignKey(Change, null=True, on_delete=models.SET_NULL, related_name="snapshots")
    # What set it off, as people know it: the imported file's name, a note.
    detail = models.CharField(max_length=255, blank=True)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    user_label = models.CharField(max_length=200)
    origin = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=SnapshotState.choices, default=SnapshotState.WRITING)
    created_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    # Set when a verification failed: the backup is shown as damaged and cannot be restored.
    damaged_code = models.CharField(max_length=60, blank=True)
    pinned = models.BooleanField(default=False)
    # While somebody reads the archive (download, restore, verify) it is not purged.
    leased_until = models.DateTimeField(null=True)

    revision = models.PositiveBigIntegerField(null=True)
    recipients = models.PositiveBigIntegerField(null=True)
    # Snapshots of an unchanged group refer to the same archive; the last one takes the file with it.
    archive = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    error_code = models.CharField(max_length=60, blank=True)
    error_params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["account", "group", "-id"], name="snapshot_by_group"),
            models.Index(fields=["archive"], name="snapshot_by_archive"),
            models.Index(fields=["state", "expires_at"], name="snapshot_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.group_name} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_restorable(self) -> bool:
        return self.state == SnapshotState.COMPLETE and not self.damaged_code


class Restore(models.Model):
    """What a restore was made of: the snapshot, and where its rows go."""

    change = models.OneToOneField(Change, primary_key=True, on_delete=models.CASCADE, related_name="restore")
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.SET_NULL, related_name="restores")
    # Kept for the log when the snapshot is purged.
    snapshot_created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("restore")
        verbose_name_plural = _("restores")

    def __str__(self) -> str:
        return f"restore {self.pk}"


class PurgeEntry(models.Model):
    """What went, and when: the ledger that stays when a snapshot is purged. Holds no personal data."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    group_id = models.BigIntegerField()
    snapshot_id = models.BigIntegerField()
    archive = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    recipients = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField()
    expired_at = models.DateTimeField()
    purged_at = models.DateTimeField(default=timezone.now)
    # Whether the file went with it (False: another snapshot still refers to the archive).
    file_removed = models.BooleanField()
    why = models.CharField(max_length=20)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.snapshot_id} {self.purged_at:%Y-%m-%d}"
