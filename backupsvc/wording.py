"""What people read when something is refused: one sentence per code, in their language."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from backupsvc.errors import Refusal

# Parameters that are codes themselves and read as words.
WORDS: dict[str, dict[str, str | Promise]] = {
    "permission": {
        "view": _("look into this account"),
        "edit": _("change lists and recipients, import and delete"),
        "restore": _("make and restore backups"),
        "export": _("download recipients' data"),
        "manage": _("change settings and delete backups"),
        "members": _("decide who belongs to the account"),
    },
    "field": {
        "encoding": _("encoding"),
        "delimiter": _("delimiter"),
        "quote": _("quotation mark"),
        "header": _("column names"),
        "first_line": _("first line"),
        "sheet": _("sheet"),
        "email": _("e-mail address"),
        "status": _("status"),
        "registered": _("registered"),
        "activated": _("activated"),
        "deactivated": _("unsubscribed"),
        "source": _("source"),
        "signup_ip": _("sign-up IP address"),
        "tags": _("tags"),
    },
    "state": {
        "draft": _("being prepared"),
        "staging": _("being read"),
        "preview": _("waiting for confirmation"),
        "queued": _("waiting for another change of this list"),
        "active": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
        "writing": _("still being written"),
        "expired": _("expired"),
    },
}

TEXTS: dict[str, str | Promise] = {
    "account.forbidden": _("Your role does not allow you to %(permission)s."),
    "account.name_empty": _("The account needs a name."),
    "account.not_found": _("There is no such account, or you do not belong to it."),
    "account.only_operators_create": _("Only the operator of this server can make accounts."),
    "account.retention_out_of_range": _(
        "Backups can be kept for %(least)s to %(most)s days. Enter a number between them."
    ),
    "account.slug_invalid": _(
        "“%(slug)s” cannot be a short name. Use small letters a to z, digits and single hyphens, at "
        "most 50 characters."
    ),
    "account.slug_taken": _(
        "There is already an account with the short name “%(slug)s”. Choose another one."
    ),
    "account.time_zone_unknown": _("“%(time_zone)s” is not a time zone. Use a name such as Europe/Berlin."),
    "address.hidden_characters": _(
        "The address holds invisible characters. Type it again instead of copying it."
    ),
    "address.invalid": _("This is not an e-mail address that mail can be sent to."),
    "address.missing": _("The e-mail address is missing."),
    "address.no_at_sign": _("An e-mail address needs an @."),
    "address.role": _(
        "%(role)s@ is a mailbox of a machine or of whoever handles complaints: nobody subscribes with it."
    ),
    "address.several": _("There is more than one address in this cell. Give each a row of its own."),
    "address.too_long": _("The address is too long: at most %(limit)s characters are possible."),
    "archive.content_differs": _(
        "The backup is damaged: its part %(part)s does not hold what was written (%(what)s is "
        "%(found)s instead of %(expected)s). It cannot be restored; use another backup of this list."
    ),
    "archive.damaged": _(
        "The backup is damaged (%(detail)s). It cannot be restored; use another backup of this list."
    ),
    "archive.file_checksum": _(
        "The backup is damaged: its file has changed since it was written. It cannot be restored; use "
        "another backup of this list."
    ),
    "archive.foreign": _(
        "This file is the backup of another list or account. It cannot be used here; use another "
        "backup of this list."
    ),
    "archive.manifest_invalid": _(
        "The backup's description of itself is not valid (%(detail)s). It cannot be restored; use "
        "another backup of this list."
    ),
    "archive.members_differ": _(
        "The backup is damaged: its file does not hold the parts it should hold. It cannot be "
        "restored; use another backup of this list."
    ),
    "archive.missing": _(
        "The backup's file is not there. Use another backup of this list, and ask whoever runs the "
        "server whether the storage is complete."
    ),
    "archive.not_an_archive": _(
        "This file is not a backup of this program. Choose a file that was downloaded as a backup, or "
        "import it as a list."
    ),
    "archive.row_broken": _(
        "Line %(line)s of the backup cannot be read (%(reason)s). It cannot be restored; use another "
        "backup of this list."
    ),
    "archive.too_new": _(
        "The backup was written by a newer version of the program (format %(version)s, here up to "
        "%(known)s). Update the program, then try again."
    ),
    "archive.unreadable": _(
        "The file is damaged, incomplete or not a backup (%(detail)s). Use another backup of this list."
    ),
    "attribute.bad_type": _("“%(type)s” is not a type of field. Use text, number, gender or date."),
    "attribute.name_taken": _("There is already a field called “%(name)s”. Choose another name."),
    "attribute.not_found": _("There is no such field any more."),
    "attribute.too_many": _("A list can have %(most)s fields of its own at most. Delete one first."),
    "attribute.unknown": _("This list has no field called “%(name)s”."),
    "blocklist.erased": _("An erased person cannot be unblocked: their address is no longer known here."),
    "blocklist.not_found": _("There is no such entry on the blocklist any more."),
    "change.already_ended": _("This has ended already (%(state)s): there is nothing left to stop."),
    "change.backup_not_optional": _("This change always makes a backup first."),
    "change.list_kept_changing": _(
        "The list “%(name)s” was changed by others again and again while its backup was made. Nothing "
        "was changed. Try again when it is quieter."
    ),
    "change.name_not_typed": _("To go on without a backup, type the list's name exactly: %(name)s"),
    "change.not_found": _("There is no such import, restore or deletion in this account."),
    "change.not_ready": _(
        "This cannot be confirmed now: it is %(state)s. Reload the page to see where it stands."
    ),
    "consent.reason_missing": _(
        "Say why unsubscribed people may become active again. The reason is kept in the activity log."
    ),
    "deletion.backup_missing": _(
        "Nothing was deleted: “%(name)s” has no verified backup of what it holds now."
    ),
    "deletion.not_one": _("This is not a deletion, so it cannot be undone as one."),
    "deletion.too_late": _("“%(name)s” has been removed already. Restore it from its backup instead."),
    "dialect.value": _("“%(value)s” cannot be used for: %(field)s. Choose another value."),
    "download.unknown_kind": _("“%(kind)s” is not a kind of download. Use CSV or XLSX."),
    "export.too_many_columns": _(
        "The list has more columns than an Excel file can hold (%(limit)s). Download it as CSV."
    ),
    "export.too_many_rows": _(
        "The list has more recipients than an Excel file can hold (%(limit)s). Download it as CSV."
    ),
    "export.value_too_long": _(
        "Row %(row)s, column %(column)s holds a text that is longer than a cell of an Excel file can "
        "hold. Download the list as CSV."
    ),
    "file.binary": _("This is not a text file or spreadsheet. Upload a CSV, TXT or XLSX file."),
    "file.damaged_rows": _(
        "Rows of the file that cannot be read as they are: %(count)s. They are listed with line "
        "number and reason."
    ),
    "file.empty": _("The file is empty. Choose one that holds addresses."),
    "file.encoding_guessed": _(
        "The encoding of the file was guessed (%(encoding)s). Look at the names with accents below, "
        "and choose another encoding if they look wrong."
    ),
    "file.no_address_column": _(
        "No column of the file looks like e-mail addresses. Check how the file is read, or choose the "
        "column yourself."
    ),
    "file.no_header": _("The file seems to have no line with column names, so the columns are numbered."),
    "file.no_rows": _(
        "No row of the file could be used, so there is nothing to import. See the list of rejected "
        "rows for the reasons."
    ),
    "file.preamble_skipped": _("Lines above the column names that were skipped: %(lines)s."),
    "file.sheet_unknown": _("The spreadsheet has no sheet called “%(sheet)s”. Choose another one."),
    "file.spreadsheet_locked": _(
        "The spreadsheet is protected with a password. Save it without one and upload it again."
    ),
    "file.spreadsheet_old": _(
        "This is a spreadsheet in an old format (XLS). Save it as XLSX or CSV and upload it again."
    ),
    "file.spreadsheet_too_large": _(
        "The spreadsheet is too large to be opened. Save it as CSV and upload that."
    ),
    "file.spreadsheet_unreadable": _(
        "The spreadsheet cannot be opened; it may be damaged. Save it again, as XLSX or CSV, and upload that."
    ),
    "file.too_many_columns": _(
        "The file has %(found)s columns; at most %(limit)s are possible. Remove those you do not need."
    ),
    "file.unreadable": _("The file cannot be opened."),
    "group.being_removed": _("“%(name)s” is just being removed. Try again in a few minutes."),
    "group.busy": _(
        "Another import, restore or deletion of “%(name)s” is under way. Wait until it has ended, "
        "then try again."
    ),
    "group.deleted_meanwhile": _("“%(name)s” was deleted in the meantime, so nothing was changed."),
    "group.locked": _(
        "“%(name)s” is locked: it can be neither deleted nor emptied. Unlock it in its settings first."
    ),
    "group.name_control": _("The name holds characters that cannot be shown. Type it again."),
    "group.name_empty": _("The list needs a name."),
    "group.name_taken": _("There is already a list called “%(name)s”. Choose another name."),
    "group.name_too_long": _("The name is too long: at most %(most)s characters are possible."),
    "group.not_found": _("There is no such list in this account."),
    "import.being_read": _("The file is being read just now. Wait for the preview, or stop it first."),
    "import.already_confirmed": _("This import has been started already, so it cannot be changed any more."),
    "import.bad_mode": _("“%(mode)s” is not a way to import."),
    "import.bad_status": _("New recipients can become active or unconfirmed, not “%(status)s”."),
    "import.signup_unmapped": _(
        "The file has columns with sign-up information that are not used: %(columns)s. People who "
        "unsubscribed could become active. Assign the columns, or say that you leave them out on "
        "purpose."
    ),
    "import.status_missing": _(
        "The file does not say whether new recipients have confirmed. Choose whether they become "
        "active or unconfirmed."
    ),
    "import.upload_missing": _("The uploaded file is no longer here. Upload it again."),
    "job.awaited_cancelled": _(
        "What this had to wait for was stopped, so it was not done. Nothing was changed."
    ),
    "job.parked": _(
        "This was given up after %(attempts)s tries. Ask whoever runs the server to look into its log."
    ),
    "mapping.bad_name": _(
        "“%(name)s” cannot be the name of a new field: it is empty, too long, taken, or a name with a "
        "meaning of its own."
    ),
    "mapping.no_email": _(
        "No column is assigned to the e-mail address. Choose the one that holds the addresses."
    ),
    "mapping.too_many_fields": _(
        "The list would have %(found)s fields of its own; at most %(limit)s are possible. Leave some "
        "columns out."
    ),
    "mapping.twice": _("Two columns are assigned to the same field: %(field)s. Choose one of them."),
    "mapping.unknown_column": _("The file has no such column: %(column)s. Check how the file is read."),
    "mapping.unknown_field": _("There is no field called “%(field)s” in this list."),
    "member.already_in": _("%(email)s belongs to the account already. Change the role in the list instead."),
    "member.gone": _("This person no longer belongs to the account."),
    "member.last_owner": _("%(email)s is the only owner. Make somebody else an owner first."),
    "member.not_found": _("There is no such member in this account."),
    "member.role_unknown": _("“%(role)s” is not a role. Choose owner, admin, editor or viewer."),
    "output.failed": _(
        "“%(path)s” could not be written (%(reason)s). Check that the folder is there, may be written to "
        "and has room."
    ),
    "profile.not_yours": _("You can change your own profile only."),
    "recipient.bad_status": _("A new recipient can be active or unconfirmed."),
    "recipient.blocked": _(
        "This address is on the blocklist and cannot be added. Remove it from the blocklist first, if "
        "that is right."
    ),
    "recipient.known": _("%(email)s is in this list already."),
    "recipient.not_found": _("There is no such recipient in this list any more."),
    "restore.backup_gone": _("The backup is no longer there, so nothing was restored."),
    "restore.bad_mode": _("“%(mode)s” is not a way to restore."),
    "row.character_refused": _(
        "A value holds a character that cannot be stored (%(character)s). Remove it, then try again."
    ),
    "row.nul": _(
        "The row holds a character (NUL) that is not allowed in texts. The file may be damaged here."
    ),
    "row.quote": _("A quotation mark in this row is not closed, or stands where none may be."),
    "row.several": _(
        "This row runs over %(lines)s lines and cannot be told apart: a quotation mark is not closed."
    ),
    "row.time_invalid": _(
        "“%(value)s” is not a time as backups spell it. The backup may be damaged; use another one."
    ),
    "row.too_few_fields": _("The row has %(found)s cells, but %(expected)s are expected."),
    "row.too_long": _("The row is too long to be one row. A quotation mark may not be closed."),
    "row.too_many_fields": _(
        "The row has %(found)s cells, but %(expected)s are expected. A value with the delimiter in it "
        "needs quotation marks."
    ),
    "row.undecodable": _("The row holds characters that do not fit the file's encoding."),
    "snapshot.damaged": _("This backup is damaged and cannot be restored. Use another backup of this list."),
    "snapshot.in_use": _("Somebody is just downloading or restoring this backup. Try again later."),
    "snapshot.not_complete": _("This backup cannot be used: it is %(state)s."),
    "snapshot.not_found": _("There is no such backup any more."),
    "snapshot.pinned": _("This backup is kept for good. Take the pin off first, then delete it."),
    "storage.broken": _(
        "The storage of the backups does not work (%(detail)s). Try again later, or ask whoever runs "
        "the server to check it."
    ),
    "storage.denied": _(
        "The program may not write to the storage of the backups (%(detail)s). Ask whoever runs the "
        "server to correct its permissions."
    ),
    "storage.full": _(
        "The storage of the backups is full. Make room on it or delete backups that are no longer "
        "needed, then try again."
    ),
    "storage.read_only": _(
        "The storage of the backups can only be read at the moment. Ask whoever runs the server to "
        "make it writable, then try again."
    ),
    "user.email_invalid": _("“%(email)s” is not an e-mail address. Check how it is spelled."),
    "value.control_characters": _("The value holds characters that cannot be shown. Type it again."),
    "value.date": _("“%(value)s” is not a date. Write it as 2026-12-31."),
    "value.date_ambiguous": _(
        "“%(value)s” can be read as two dates: day and month are not clear. Write it as 2026-12-31."
    ),
    "value.gender": _("“%(value)s” is not a gender that is known here."),
    "value.ip": _("“%(value)s” is not an IP address."),
    "value.number": _("“%(value)s” is not a number."),
    "value.number_ambiguous": _(
        "“%(value)s” can be read as two numbers: point or comma may be decimal or grouping. Write it "
        "without grouping."
    ),
    "value.status": _("“%(value)s” is not a status. Use active, unconfirmed, inactive or bounced."),
    "value.tag_too_long": _("A tag is too long: at most %(limit)s characters are possible."),
    "value.time": _("“%(value)s” is not a time. Write it as 2026-12-31 23:59."),
    "value.too_long": _("The value is too long: at most %(limit)s characters are possible."),
    "value.year": _("“%(value)s” has a year that cannot be meant."),
}


class UnknownCode(Exception):
    """A code without a text: a bug that tests find."""


def say(refusal: Refusal) -> str:
    """The refusal as a sentence in the reader's language."""
    return say_code(refusal.code, refusal.params)


def say_code(code: str, params: Mapping[str, object] | None = None) -> str:
    """The same for a code that was stored on a row.

    A code without a text raises while developing and testing; people get a sentence that names the code.
    """
    readable = {name: _readable(name, value) for name, value in (params or {}).items()}
    try:
        return str(TEXTS[code]) % readable
    except KeyError as missing:
        if settings.STRICT_WORDING:
            raise UnknownCode(f"{code}: {missing}") from missing
        return _now("That is not possible (%(code)s). Please tell your operator this code.") % {"code": code}


def _readable(name: str, value: object) -> object:
    if isinstance(value, str):
        return WORDS.get(name, {}).get(value, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return number_format(value, force_grouping=True)
    if isinstance(value, list | tuple):
        return ", ".join(str(_readable(name, part)) for part in value)
    return value
