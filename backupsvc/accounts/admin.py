"""What operators see under /admin/. Accounts change through actions, so most of it is to read."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.models import Group as AuthGroup
from django.db.models import Model
from django.http import HttpRequest

from backupsvc.accounts.models import Account, AuditEntry, Member, User

# Rights come from roles in accounts; Django's own groups would only mislead: "Group" means a list here.
admin.site.unregister(AuthGroup)
# The admin's own form would let an operator in without the second factor and without rate limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """To look at, never to change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is made here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who can sign in, who is support staff, who is an operator."""

    list_display = ("email", "name", "is_active", "is_support", "is_staff", "last_login")
    list_filter = ("is_active", "is_support", "is_staff")
    search_fields = ("email", "name")
    fields = (
        "email",
        "name",
        "language",
        "is_active",
        "is_support",
        "is_staff",
        "is_superuser",
        "last_login",
    )
    readonly_fields = ("email", "last_login")
    ordering = ("email",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by invitation or by command."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Take the sign-in away instead: what a user did stays under their name."""
        return False


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Member
    fields = ("user", "role", "created_at")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Owners invite people, and their log says so."""
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """The customers and their settings."""

    list_display = ("name", "slug", "auto_backup", "retention_days", "created_at")
    search_fields = ("name", "slug", "members__user__email")
    exclude = ("digest_key",)
    inlines = (MemberInline,)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The log of all accounts."""

    list_display = ("at", "account", "event", "target", "user_label", "origin")
    list_filter = ("origin", "event")
    search_fields = ("account__slug", "target", "user_label")
    list_select_related = ("account",)
    show_full_result_count = False
