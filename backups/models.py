"""Snapshots: what a group was at one moment, and the archive that holds it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account, AuditEntry, User
from recipients.models import Change, Group, shown_file_name


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


class ExpiredWhy(models.TextChoices):
    DUE = "due", _("its time was over")
    DELETED = "deleted", _("deleted by hand")


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
    # Why it is expired: its time was over, or somebody deleted it.
    expired_why = models.CharField(max_length=10, choices=ExpiredWhy.choices, blank=True)
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
            # With the state, so that a list's newest complete one is found in the index alone.
            models.Index(fields=["account", "group", "-id", "state"], name="snapshot_by_group"),
            models.Index(fields=["account", "state"], name="snapshot_by_state"),
            models.Index(fields=["archive"], name="snapshot_by_archive"),
            models.Index(fields=["state", "expires_at"], name="snapshot_by_expiry"),
            models.Index(fields=["state", "verified_at"], name="snapshot_by_verification"),
            # The page of all backups asks for them each time: a few, or none, of very many.
            models.Index(fields=["account"], condition=~models.Q(damaged_code=""), name="snapshot_damaged"),
        ]

    def __str__(self) -> str:
        return f"{self.group_name} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_listed(self) -> bool:
        """Whether there is a page of it."""
        return self.state != SnapshotState.EXPIRED

    @property
    def is_restorable(self) -> bool:
        return self.state == SnapshotState.COMPLETE and not self.damaged_code

    @property
    def shown_detail(self) -> str:
        return shown_file_name(self.detail) if self.cause == Cause.IMPORT else self.detail


class PreparedArchive(models.Model):
    """The archive of a list that is about to change, written while the change's rows are still read.

    No backup, and shown nowhere: the snapshot that the confirmed change asks for takes the archive over,
    if the list has not moved since. What nobody took over goes within a day.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+")
    group_name = models.CharField(max_length=255)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    # As in Snapshot; empty until the archive was read back.
    archive = models.CharField(max_length=200, blank=True, db_index=True)
    revision = models.PositiveBigIntegerField(null=True)
    recipients = models.PositiveBigIntegerField(null=True)
    size_bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    verified_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.group_name} {self.created_at:%Y-%m-%d %H:%M}"


class AccountKey(models.Model):
    """An account's key, which seals the keys of its archives; sealed itself by one of the instance."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="archive_key")
    # The public halves, as names: the key that sealed this one, and this one (compared when it is opened).
    instance_key_id = models.CharField(max_length=100)
    key_id = models.CharField(max_length=100)
    sealed = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    sealed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("key of an account")
        verbose_name_plural = _("keys of accounts")

    def __str__(self) -> str:
        return f"{self.account_id} {self.key_id}"


class ArchiveKey(models.Model):
    """The key of one archive. It goes with the last snapshot that refers to the archive.

    No name of the key is kept: whoever knew its public half could write a file that passes for ours.
    """

    # As in Snapshot.archive. An archive without a key is of the time before encryption.
    archive = models.CharField(max_length=200, unique=True)
    account_key = models.ForeignKey(AccountKey, on_delete=models.PROTECT, related_name="archive_keys")
    sealed = models.TextField()

    class Meta:
        verbose_name = _("key of a backup")
        verbose_name_plural = _("keys of backups")

    def __str__(self) -> str:
        return self.archive


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
    """What went, and when: the ledger that stays when a snapshot is purged. Holds no personal data.

    Its values are in the log's entry too, which cannot be changed unnoticed.
    """

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
    # When the archive's key was destroyed: from then on no copy of the file can be read.
    key_destroyed_at = models.DateTimeField(null=True)
    # When the file was really gone: storage may fail after the row went, and then the next run repeats it.
    unlinked_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=20)
    purged_by = models.CharField(max_length=200, blank=True)
    # None in what was purged before the log had an entry for each.
    entry = models.OneToOneField(AuditEntry, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.snapshot_id} {self.purged_at:%Y-%m-%d}"


class PurgeGuard(models.Model):
    """What the purge knew when it last ran, so that a wrong clock or a wrong date is noticed. One row.

    `held_code` not empty: the purge has stopped; `actions.purge_guard` says when it goes on.
    """

    seen_at = models.DateTimeField()
    # The machine's start that `uptime_seconds` count from.
    boot = models.CharField(max_length=64, blank=True)
    uptime_seconds = models.FloatField(default=0)
    # The last run that was not held, and how many backups it foresaw to be due before `foreseen_until`.
    good_at = models.DateTimeField(null=True)
    foreseen = models.PositiveBigIntegerField(null=True)
    foreseen_until = models.DateTimeField(null=True)
    held_code = models.CharField(max_length=60, blank=True)
    held_params = models.JSONField(default=dict)
    held_since = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("state of the purge")
        verbose_name_plural = _("state of the purge")

    def __str__(self) -> str:
        return self.held_code or "going"
