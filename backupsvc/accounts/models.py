"""Users, accounts, members, and the audit log."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.base import ModelBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts import chain

if TYPE_CHECKING:
    from collections.abc import Iterable

# CleverReach keeps its backups 30 days; ours do unless the account says otherwise.
DEFAULT_RETENTION_DAYS = 30
# Of an account's name.
NAME_LENGTH = 200


class UserManager(BaseUserManager["User"]):
    """Users are known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A new user; the address is stored in lower case so that nobody is there twice."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """An operator, who may also open the admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who can sign in."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, blank=True)
    is_active = models.BooleanField(_("can sign in"), default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_support = models.BooleanField(
        _("support staff"),
        default=False,
        help_text=_("May look into every account and restore for it; each step is in that account's log."),
    )
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """The name, or the address when there is none."""
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()


def new_digest_key() -> str:
    """A random key, 256 bits in hex, for the hashes of erased people."""
    return secrets.token_hex(32)


class Account(models.Model):
    """A customer. Nothing crosses an account's border."""

    slug = models.SlugField(_("short name"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    time_zone = models.CharField(_("time zone"), max_length=50, default="Europe/Berlin")
    auto_backup = models.BooleanField(_("automatic backups"), default=True)
    backup_api_changes = models.BooleanField(_("back up changes made through the API"), default=False)
    retention_days = models.PositiveIntegerField(
        _("days a backup is kept"),
        default=DEFAULT_RETENTION_DAYS,
        # A policy of zero days would purge a backup before its own change has ended.
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
    )
    support_may_download = models.BooleanField(_("support staff may download"), default=False)
    digest_key = models.CharField(max_length=64, default=new_digest_key, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    members: models.Manager[Member]

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(retention_days__gte=1), name="account_keeps_backups"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class Member(models.Model):
    """A user's role in an account."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "user"], name="member_once_in_account"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class AppendOnly(Exception):
    """Somebody tried to change or remove what was written down. A bug, never a user's mistake."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Refuses the bulk ways around `AuditEntry.save` and `AuditEntry.delete`."""

    def update(self, **_fields: object) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_create(self, *_entries: object, **_options: object) -> NoReturn:
        raise AppendOnly


def new_salt() -> str:
    """128 random bits in hex: two entries are never the same, so a copy of one shows."""
    return secrets.token_hex(16)


class AuditEntry(models.Model):
    """One thing that happened, with old and new values; bulk work is one entry with counts.

    `data` holds ids, counts and names of things, never a recipient's address. An entry is signed when
    it is written and gets its place in the chain (`AuditSeal`) soon after; the database itself refuses
    to change or remove it (`guard.py`).
    """

    # None: it concerns the whole installation, and operators read it.
    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="audit_entries")
    at = models.DateTimeField(default=timezone.now)
    # Not SET_NULL: an entry never changes. Whoever leaves loses the sign-in, not the name in the log.
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    user_label = models.CharField(max_length=200)
    origin = models.CharField(max_length=10)
    event = models.CharField(max_length=60)
    group_id = models.BigIntegerField(null=True)
    target = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    salt = models.CharField(max_length=32, default=new_salt, unique=True, editable=False)
    key_id = models.CharField(max_length=8, editable=False)
    signature = models.CharField(max_length=64, editable=False)

    seal: AuditSeal

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="audit_by_account"),
            models.Index(fields=["account", "group_id", "-id"], name="audit_by_group"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.event}"

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Insert only: a written entry never changes."""
        if not self._state.adding or force_update or update_fields is not None:
            raise AppendOnly
        self.key_id, self.signature = chain.sign({name: getattr(self, name) for name in chain.SIGNED})
        super().save(force_insert=True, using=using)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> NoReturn:
        """Nobody deletes an entry."""
        raise AppendOnly


class AuditSeal(models.Model):
    """A log entry's place in the chain, given by `actions.sealing` after its transaction has committed.

    `digest` is made of the one before it and of the whole entry, so that nothing can be changed, removed
    or put in between without every later digest being wrong. Positions count from 1 without a gap.
    """

    position = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="seal")
    sealed_at = models.DateTimeField()
    key_id = models.CharField(max_length=8)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["position"]

    def __str__(self) -> str:
        return f"{self.position}: {self.digest[:12]}"
