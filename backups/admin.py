"""Backups as operators see them under /admin/: to read only, they change through actions."""

from __future__ import annotations

from django.contrib import admin

from backups.models import PurgeEntry, PurgeGuard, Restore, Snapshot
from backupsvc.accounts.admin import ReadOnlyAdmin


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """The backups of all accounts, expired ones until they are purged."""

    list_display = (
        "created_at",
        "account",
        "group_name",
        "cause",
        "state",
        "damaged_code",
        "recipients",
        "size_bytes",
        "verified_at",
        "expires_at",
        "pinned",
    )
    list_filter = ("state", "cause", "pinned", "origin")
    search_fields = ("account__slug", "group_name", "archive", "sha256")
    list_select_related = ("account",)
    show_full_result_count = False


@admin.register(Restore)
class RestoreAdmin(ReadOnlyAdmin):
    """What was brought back from which backup."""

    list_display = ("change", "snapshot", "snapshot_created_at")
    list_select_related = ("change", "snapshot")
    search_fields = ("change__account__slug",)
    show_full_result_count = False


@admin.register(PurgeEntry)
class PurgeEntryAdmin(ReadOnlyAdmin):
    """The ledger of what went for good."""

    list_display = (
        "purged_at",
        "account",
        "group_id",
        "snapshot_id",
        "recipients",
        "file_removed",
        "unlinked_at",
        "why",
        "purged_by",
    )
    list_filter = ("why", "file_removed")
    search_fields = ("account__slug", "archive", "sha256")
    list_select_related = ("account",)
    show_full_result_count = False


@admin.register(PurgeGuard)
class PurgeGuardAdmin(ReadOnlyAdmin):
    """Whether old backups are being removed, and if not, why. `manage.py backups purge --go-on` lets go."""

    list_display = ("seen_at", "good_at", "foreseen", "held_code", "held_params", "held_since")
