"""Lists and their changes as operators see them under /admin/: to read only, they change through actions.

Recipients are not here: whoever runs the server need not read people's data in a browser.
"""

from __future__ import annotations

from django.contrib import admin

from backupsvc.accounts.admin import ReadOnlyAdmin
from recipients.models import Attribute, Change, Group


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """The lists of all accounts, also those that are hidden or gone."""

    list_display = (
        "name",
        "account",
        "active_count",
        "inactive_count",
        "locked",
        "auto_backup",
        "changed_at",
        "hidden_at",
        "deleted_at",
    )
    list_filter = ("locked", "auto_backup")
    search_fields = ("name", "account__slug")
    list_select_related = ("account",)
    show_full_result_count = False


@admin.register(Attribute)
class AttributeAdmin(ReadOnlyAdmin):
    """The fields of accounts and lists."""

    list_display = ("name", "type", "account", "group")
    list_filter = ("type",)
    search_fields = ("name", "account__slug")
    list_select_related = ("account", "group")
    show_full_result_count = False


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """What imports, restores and deletions did; the first place to look when one got stuck."""

    list_display = (
        "id",
        "created_at",
        "account",
        "group",
        "kind",
        "mode",
        "state",
        "error_code",
        "user_label",
    )
    list_filter = ("kind", "state", "origin", "backup_why")
    search_fields = ("account__slug", "group__name", "error_code", "user_label")
    list_select_related = ("account", "group")
    # A preview holds addresses of people.
    exclude = ("preview",)
    show_full_result_count = False
