"""Groups, their recipients, and the changes that alter many rows of a group.

One file although it is long: the rows explain each other, and a split would only add imports among them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account, User


class CompactJSON(DjangoJSONEncoder):
    """The one spelling of JSON in bulk columns: no blanks, no escapes.

    SQLite compares JSON as text, so two spellings of one value would look like a change.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False, "separators": (",", ":")})


# One encoder for all rows: json.dumps would make one for each (a tenth of the time of an import).
_encode = CompactJSON().encode


def compact_json(value: object) -> str:
    """The value as the bulk columns spell it."""
    return _encode(value)


class KeyField(models.CharField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Text that is compared byte by byte, never by a language's rules.

    PostgreSQL's default collation made a bulk load twice as slow as "C"; SQLite compares bytes anyway.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """The column's type, with the collation where the database has one of that name."""
        parameters = super().db_parameters(connection)
        if connection.features.has_native_uuid_field:  # PostgreSQL's family; SQLite has no collation "C"
            parameters["collation"] = "C"
        return parameters


class Group(models.Model):
    """A recipient list.

    live ──delete──▶ hidden (`hidden_at`; its rows are still there, Undo works) ──▶ gone (`deleted_at`)
    The row stays when the list is gone: backups and log entries refer to it, and a restore revives it.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="groups")
    name = models.CharField(_("name"), max_length=255)
    info = models.TextField(_("description"), blank=True)
    locked = models.BooleanField(
        _("locked"), default=False, help_text=_("A locked list can be neither deleted nor emptied.")
    )
    auto_backup = models.BooleanField(_("automatic backups"), default=True)
    revision = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    hidden_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    # Counts are kept by the actions, so that no page has to scan millions of rows.
    active_count = models.PositiveBigIntegerField(default=0)
    unconfirmed_count = models.PositiveBigIntegerField(default=0)
    inactive_count = models.PositiveBigIntegerField(default=0)
    bounced_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("recipient list")
        verbose_name_plural = _("recipient lists")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(hidden_at__isnull=True),
                name="group_name_once_in_account",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def recipients_count(self) -> int:
        return self.active_count + self.unconfirmed_count + self.inactive_count + self.bounced_count

    @property
    def is_live(self) -> bool:
        return self.hidden_at is None


class AttributeType(models.TextChoices):
    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    GENDER = "gender", _("Gender")
    DATE = "date", _("Date")


# CleverReach allows 45 own fields per list (its help article 202372851).
MOST_ATTRIBUTES = 45


class Attribute(models.Model):
    """A custom field, of the account (group None: every list has it) or of one group.

    Its values always belong to the recipient in its group, under the attribute's name.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="attributes")
    group = models.ForeignKey(Group, null=True, on_delete=models.CASCADE, related_name="attributes")
    name = models.CharField(_("name"), max_length=100)
    type = models.CharField(
        _("type"), max_length=10, choices=AttributeType.choices, default=AttributeType.TEXT
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("field")
        verbose_name_plural = _("fields")
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(group__isnull=True),
                name="attribute_once_in_account",
            ),
            models.UniqueConstraint(fields=["group", "name"], name="attribute_once_in_group"),
        ]

    def __str__(self) -> str:
        return self.name


class Status(models.TextChoices):
    ACTIVE = "active", _("Active")
    UNCONFIRMED = "unconfirmed", _("Unconfirmed")
    INACTIVE = "inactive", _("Unsubscribed")
    BOUNCED = "bounced", _("Bounced")


# Whoever gets no mail: the few that people look for, and the condition of their index.
NOT_ACTIVE = (
    models.Q(activated__isnull=True) | models.Q(deactivated__isnull=False) | models.Q(bounced__isnull=False)
)


class Recipient(models.Model):
    """One address in one group. `key` is what makes two addresses the same; `email` is what was typed.

    `change_id` is the change that last touched the row (None: a single edit).
    """

    # Without foreign keys in the database: checking two for every row took as long as writing it
    # (docs/decisions/0019-no-foreign-keys-of-recipients.md). Accounts and groups are never removed.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    group = models.ForeignKey(
        Group, on_delete=models.PROTECT, related_name="recipients", db_index=False, db_constraint=False
    )
    # COLLATE "C" on PostgreSQL (bytes order): measured twice as fast as the default on a bulk load.
    key = KeyField(max_length=320)
    email = models.CharField(_("e-mail address"), max_length=320)
    registered = models.DateTimeField(_("registered"), null=True, blank=True)
    activated = models.DateTimeField(_("activated"), null=True, blank=True)
    deactivated = models.DateTimeField(_("unsubscribed"), null=True, blank=True)
    bounced = models.DateTimeField(_("bounced"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=255, blank=True)
    signup_ip = models.CharField(_("sign-up IP address"), max_length=45, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True, encoder=CompactJSON)
    attributes = models.JSONField(_("fields"), default=dict, blank=True, encoder=CompactJSON)
    change_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "key"], name="recipient_once_in_group"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["group", "key"], condition=NOT_ACTIVE, name="recipient_not_active"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def status(self) -> Status:
        """Bounced before all, so that a file's status column alone brings everything back."""
        if self.bounced is not None:
            return Status.BOUNCED
        if self.deactivated is not None:
            return Status.INACTIVE
        return Status.ACTIVE if self.activated is not None else Status.UNCONFIRMED


class Activity(models.Model):
    """What a recipient did. Never part of a backup; stays with a recipient who is updated in place."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("opened a mailing")
        CLICKED = "clicked", _("clicked a link")
        SUBSCRIBED = "subscribed", _("signed up")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        BOUNCED = "bounced", _("mail came back")

    recipient = models.ForeignKey(
        Recipient, on_delete=models.CASCADE, related_name="activities", db_constraint=False
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField(default=timezone.now)
    detail = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"


class BlocklistEntry(models.Model):
    """Who must never come back: an address key, `*@domain`, or an erased person's keyed hash."""

    class Kind(models.TextChoices):
        ADDRESS = "address", _("address")
        DOMAIN = "domain", _("domain")
        ERASED = "erased", _("erased person")

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="blocklist")
    group = models.ForeignKey(Group, null=True, on_delete=models.CASCADE, related_name="blocklist")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    pattern = KeyField(_("address"), max_length=330)
    comment = models.CharField(_("comment"), max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("blocked address")
        verbose_name_plural = _("blocklist")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "pattern"],
                condition=models.Q(group__isnull=True),
                name="blocked_once_in_account",
            ),
            models.UniqueConstraint(fields=["group", "pattern"], name="blocked_once_in_group"),
        ]

    def __str__(self) -> str:
        return str(self.pattern)


class OptOut(models.Model):
    """An unsubscription that outlives its recipient's row.

    Written when an unsubscribed or bounced recipient is removed, and for those of a file of people to
    unsubscribe who are not in the list, so that an import or a restore of an older backup cannot bring the
    person back as active. Also written, for then without a time, when a recipient's address is changed.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = KeyField(max_length=320)
    deactivated = models.DateTimeField(null=True)
    bounced = models.DateTimeField(null=True)
    # The address that the recipient has now: whoever unsubscribes with it has unsubscribed with this one too.
    moved_to = KeyField(max_length=320, null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "key"], name="optout_once_in_group")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["group", "moved_to"],
                name="optout_by_new_address",
                condition=models.Q(moved_to__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.group_id}:{self.pk}"


class ChangeKind(models.TextChoices):
    IMPORT = "import", _("Import")
    DELETION = "deletion", _("Deletion")
    RESTORE = "restore", _("Restore")
    UNDO = "undo", _("Undo")


class Mode(models.TextChoices):
    REFORM_AND_ADD = "reform_and_add", _("Reform and add")
    ADD_ONLY = "add_only", _("Add only")
    UPDATE_ONLY = "update_only", _("Update only")
    DEACTIVATE = "deactivate", _("Deactivate")
    DELETE = "delete", _("Delete")


# Modes that add those whom the list does not know.
ADDING = (Mode.REFORM_AND_ADD, Mode.ADD_ONLY)


class ChangeState(models.TextChoices):
    DRAFT = "draft", _("being prepared")
    STAGING = "staging", _("being read")
    PREVIEW = "preview", _("waiting for your confirmation")
    QUEUED = "queued", _("waiting for another change of this list")
    ACTIVE = "active", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("stopped")
    CANCELLED = "cancelled", _("cancelled")


UNDER_WAY = (ChangeState.QUEUED, ChangeState.ACTIVE)
OVER = (ChangeState.DONE, ChangeState.FAILED, ChangeState.CANCELLED)


class Blank(models.TextChoices):
    KEEP = "keep", _("An empty cell keeps the old value")
    CLEAR = "clear", _("An empty cell empties the field")


class Change(models.Model):
    """Anything that alters many rows of a group: one run, from the first click to its result.

    draft ─▶ staging ─▶ preview ─confirm─▶ (queued ─▶) active ─▶ done | failed
      └────────┴───────────┴──────────────────┴──▶ cancelled
    A deletion starts as active. One active change per group, held by a partial unique index.
    Whether a backup is wanted is decided when the change is confirmed and stored here.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="changes")
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=10, choices=ChangeKind.choices)
    mode = models.CharField(max_length=20, choices=Mode.choices, blank=True)
    blank = models.CharField(max_length=10, choices=Blank.choices, default=Blank.KEEP)
    state = models.CharField(max_length=10, choices=ChangeState.choices, default=ChangeState.DRAFT)
    origin = models.CharField(max_length=10)
    # PROTECT: a change without a user is the operator's own, which may do everything.
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    user_label = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    # The fields the source gives ("email", "status", "attribute:Name" …): all others keep their values.
    fields = models.JSONField(default=list)
    # Fields to be made with the change: [{"name", "type", "scope"}].
    new_attributes = models.JSONField(default=list)
    new_group_name = models.CharField(max_length=255, blank=True)
    # The group the rows came from (a restore): its later opt-outs win, wherever the rows go.
    source_group_id = models.BigIntegerField(null=True)
    staged_rows = models.PositiveBigIntegerField(null=True)
    # The state that the preview looked at, and how many addresses it judged; see `actions.changes.seen`.
    judged_state = models.CharField(max_length=100, blank=True)
    judged_rows = models.PositiveBigIntegerField(null=True)
    # What the preview found, in the words of `COUNTS`, for the person to compare with the result.
    preview = models.JSONField(default=dict)

    # An explicit choice of an owner or admin: make unsubscribed people active again, and why.
    reactivate = models.BooleanField(default=False)
    reactivate_reason = models.CharField(max_length=500, blank=True)

    # A person's own wish for this change (None: what the switches say); then what was decided and why.
    backup_asked = models.BooleanField(null=True)
    backup_wanted = models.BooleanField(null=True)
    backup_why = models.CharField(max_length=20, blank=True)
    # The group's revision that the backup holds; apply compares it with the group's own.
    backup_revision = models.PositiveBigIntegerField(null=True)
    # The snapshot made for this change, as the backups app numbers it.
    snapshot_id = models.BigIntegerField(null=True)
    backups_taken = models.PositiveSmallIntegerField(default=0)

    rows = models.PositiveBigIntegerField(default=0)
    added = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    kept_safe = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    deactivated = models.PositiveBigIntegerField(default=0)
    deleted = models.PositiveBigIntegerField(default=0)

    error_code = models.CharField(max_length=60, blank=True)
    error_params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="change_by_account"),
            # Pages ask for the few that are not over among years of them.
            models.Index(fields=["account", "state"], name="change_by_state"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group"],
                condition=models.Q(state="active"),
                name="one_active_change_per_group",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.state})"

    @property
    def has_ended(self) -> bool:
        return self.state in OVER

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


# A file name for what was pasted; there the few rows are meant.
PASTED_NAME = "pasted.txt"


def shown_file_name(name: str) -> str:
    """The name of an import's file as people read it: what was pasted never was one."""
    return gettext("pasted text") if name == PASTED_NAME else name


class Import(models.Model):
    """What an import was made of: the uploaded file, how it was read, and how its columns were mapped."""

    change = models.OneToOneField(
        Change, primary_key=True, on_delete=models.CASCADE, related_name="import_run"
    )
    # The key in the uploads storage; emptied when the upload has been removed.
    upload = models.CharField(max_length=200, blank=True)
    file_name = models.CharField(max_length=255)
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    # Dialect as `imports.dialect` spells it, the person's corrections, and what sniffing found.
    dialect = models.JSONField(default=dict)
    dialect_overrides = models.JSONField(default=dict)
    headers = models.JSONField(default=list)
    is_own = models.BooleanField(default=False)
    is_spreadsheet_safe = models.BooleanField(default=False)
    mapping = models.JSONField(default=dict)
    # Active or unconfirmed: what new recipients become when the file does not say. No silent default.
    new_status = models.CharField(max_length=12, blank=True)
    # A person said that sign-up columns of the file are left out on purpose.
    leaves_signup_out = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")

    def __str__(self) -> str:
        return self.file_name

    @property
    def shown_name(self) -> str:
        return shown_file_name(self.file_name)


class StagedRow(models.Model):
    """A checked row of a change, waiting to be merged. Touches nothing live; unlogged on PostgreSQL."""

    change_id = models.BigIntegerField()
    line = models.BigIntegerField()
    key = KeyField(max_length=320)
    email = models.CharField(max_length=320)
    domain = KeyField(max_length=255)
    digest = KeyField(max_length=64, blank=True)
    registered = models.DateTimeField(null=True)
    activated = models.DateTimeField(null=True)
    deactivated = models.DateTimeField(null=True)
    bounced = models.DateTimeField(null=True)
    # Whether the row itself names the status; if not, only its times are looked at.
    says_status = models.BooleanField(default=False)
    source = models.CharField(max_length=255, null=True)  # noqa: DJ001  # NULL: the row says nothing
    signup_ip = models.CharField(max_length=45, null=True)  # noqa: DJ001
    tags = models.JSONField(null=True, encoder=CompactJSON)
    attributes = models.JSONField(encoder=CompactJSON)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["change_id", "key", "line"], name="staged_by_key")]

    def __str__(self) -> str:
        return f"{self.change_id}:{self.line}"


class RejectedRow(models.Model):
    """A row that could not be used: where, why, and its cells, so that it can be mended and sent again."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="rejected_rows")
    line = models.BigIntegerField()
    column = models.CharField(max_length=255, blank=True)
    code = models.CharField(max_length=60)
    params = models.JSONField(default=dict)
    cells = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["line", "id"]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"
