"""What people read when something is refused: one sentence per code, in their language.

One file although it is long: it is one table, and whoever adds a code sees how the others are worded.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backupsvc.errors import Refusal

_TYPES: dict[str, str | Promise] = {
    "text": _("Text"),
    "number": _("Number"),
    "gender": _("Gender"),
    "date": _("Date"),
}
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
    "type_then": _TYPES,
    "type_now": _TYPES,
}

TEXTS: dict[str, str | Promise] = {
    "account.forbidden": _("Your role does not allow you to %(permission)s."),
    "account.name_empty": _("The account needs a name."),
    "account.name_too_long": _("The name is too long: at most %(most)s characters are possible."),
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
    "address.look_alike": _(
        "The address holds a character that only looks like a plain one: %(character)s. Type it again "
        "instead of copying it."
    ),
    "address.misspelled": _(
        "This is not an address as it stands. Perhaps %(suggestion)s is meant: correct it, if so."
    ),
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
    "archive.key_broken": _(
        "The backup cannot be opened: its key is damaged. It cannot be restored; use another backup of "
        "this list."
    ),
    "archive.no_key": _(
        "The backup cannot be opened: it is encrypted, and its key is gone. It cannot be restored; use "
        "another backup of this list."
    ),
    "archive.other_state": _(
        "This file holds another state of the list than the one that was backed up. It cannot be "
        "restored; use another backup of this list."
    ),
    "archive.wrong_key": _(
        "The backup is damaged: its file is not the one that was written with this backup's key. It "
        "cannot be restored; use another backup of this list."
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
    "blocklist.undo_over": _(
        "This removal cannot be undone any more. Block the address or domain anew, if that is right."
    ),
    "change.already_ended": _("This has ended already (%(state)s): there is nothing left to stop."),
    "change.backup_not_optional": _("This change always makes a backup first."),
    "change.type_changed": _(
        "The field “%(name)s” was of the type %(type_then)s when the rows were checked, and is of the type "
        "%(type_now)s now. Nothing was changed. Begin again, so that its values are checked for that."
    ),
    "change.list_kept_changing": _(
        "The list “%(name)s” was changed by others again and again while its backup was made. Nothing "
        "was changed. Try again when it is quieter."
    ),
    "change.name_not_typed": _("To go on without a backup, type the list's name exactly: %(name)s"),
    "change.not_found": _("There is no such import, restore or deletion in this account."),
    "change.not_ready": _(
        "This cannot be confirmed now: it is %(state)s. Reload the page to see where it stands."
    ),
    "change.preview_outdated": _(
        "This was prepared anew since you looked at it. Here is the newest preview: look at it, then go on."
    ),
    "consent.list_changing": _(
        "Other changes of this list have not ended yet. Nobody can be made active again before they have: "
        "wait, then make the preview again."
    ),
    "consent.list_moved": _(
        "The list has changed since its preview: others may become active than you saw. Nothing was "
        "changed. Make the preview again, or go on without making people active."
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
    "doubt.backup_shrunk": _(
        "The file comes from here, but has far fewer rows than the list has recipients: %(rows)s to "
        "%(list)s. Part of it may be missing."
    ),
    "doubt.duplicates": _(
        "%(count)s of %(rows)s rows hold an address that stands in the file again further down. Is the right "
        "column assigned to the e-mail address?"
    ),
    "doubt.far_fewer": _("Far fewer rows in the file than recipients in the list: %(rows)s to %(list)s."),
    "doubt.far_more": _("The file has %(rows)s rows, the list %(list)s recipients: far more."),
    "doubt.left_elsewhere": _(
        "People in this file who have unsubscribed from one of your lists, or whose mail came back: "
        "%(count)s. The file does not say which list it came from, so they would get mail from this one. "
        "Restore the backup itself, and who left its list stays unsubscribed."
    ),
    "doubt.mended": _(
        "Addresses that had something around them, which was taken off: %(count)s, for example %(examples)s."
    ),
    "doubt.name_says_out": _(
        "“%(file)s” sounds like people who unsubscribed or whose mail came back, but %(count)s people would "
        "be active afterwards. If they are out, give everybody the status unsubscribed, under “The same "
        "value for everybody”."
    ),
    "doubt.moved": _(
        "People whom these rows take out are in the list under another address, since theirs was changed: "
        "%(count)s, for example %(examples)s. They stay in as they are. If they are to go, take them out "
        "under the new address too."
    ),
    "doubt.out_rejected": _(
        "Rows that cannot be used, although they say that somebody has unsubscribed or that their mail came "
        "back: %(count)s. They unsubscribe nobody. Mend these rows and import them as well."
    ),
    "doubt.overruled": _(
        "People with several rows, one of which says that they have unsubscribed or that their mail came "
        "back, but not the last: %(count)s, for example %(examples)s. The last row counts, so they may get "
        "mail. If they are out, take their later rows out of the file."
    ),
    "doubt.rejected": _("%(count)s of %(rows)s rows cannot be used. Was the file read as it is meant?"),
    "doubt.replaced": _(
        "In %(count)s rows characters got lost before the file came here: “%(example)s”. They stay lost; "
        "save the file again as UTF-8, or choose another encoding."
    ),
    "doubt.signs_off": _(
        "%(count)s of %(list)s active recipients would be unsubscribed by what the file says. Does "
        "it mean that?"
    ),
    "doubt.slips": _(
        "Addresses that look misspelled: %(count)s (%(examples)s). They are imported as they are."
    ),
    "doubt.takes_most": _("This takes %(count)s of the %(list)s recipients out of the list."),
    "doubt.twice_encoded": _(
        "In %(count)s rows letters with accents look wrong: “%(example)s”. Choose another encoding, or save "
        "the file again as UTF-8."
    ),
    "doubt.unsplit": _(
        "Everything stands in one column, although most rows hold the mark “%(mark)s”. Choose what separates "
        "the columns."
    ),
    "doubt.zone_unclear": _(
        "The time zone in the name of the column “%(column)s”, %(named)s, is not clear and not applied: the "
        "column's times are read in the time zone of the account, %(zone)s. To have it applied, write it as "
        "UTC+1 or Europe/Berlin, for example."
    ),
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
    "disk.broken": _(
        "The server's disk does not work (%(detail)s), so nothing was changed. Ask whoever runs the server "
        "to check it, then try again."
    ),
    "disk.denied": _(
        "The program may not write to the server's disk (%(detail)s), so nothing was changed. Ask whoever "
        "runs the server to make it writable, then try again."
    ),
    "disk.full": _(
        "The server's disk is full, so nothing was changed. Ask whoever runs the server to make room, then "
        "try again."
    ),
    "file.archive": _("This is an archive of files. Unpack it, and upload the list that is in it."),
    "file.backslashes": _(
        "Cells with a backslash before a quotation mark: %(count)s. They are read as they stand, with the "
        "backslash."
    ),
    "file.binary": _("This is not a text file or spreadsheet. Upload a CSV, TXT or XLSX file."),
    "file.characters_lost": _(
        "Characters that were lost before this file was written, and stand as �: %(count)s. Export the "
        "list again if you can."
    ),
    "file.damaged_rows": _(
        "Rows of the file that cannot be read as they are: %(count)s. They are listed with line "
        "number and reason."
    ),
    "file.delimiter_guessed": _(
        "It is not sure what separates the columns. Look at the sample below, and choose another mark if "
        "the columns look wrong."
    ),
    "file.doubly_encoded": _(
        "Characters that look as if the file had been encoded twice (%(example)s): %(count)s places. "
        "Export the list again as UTF-8 if you can; otherwise they come in as they are."
    ),
    "file.empty": _("The file is empty. Choose one that holds addresses."),
    "file.encoding_few": _(
        "Only line %(lines)s holds characters beyond plain letters, so the encoding (%(encoding)s) is a "
        "guess. Look there whether they are right, and choose another encoding if not."
    ),
    "file.encoding_guessed": _(
        "The encoding of the file was guessed (%(encoding)s). Look at the names with accents below, "
        "and choose another encoding if they look wrong."
    ),
    "file.error_cells": _(
        "Cells of the sheet that show an error such as #N/A: %(count)s. They come in as that text."
    ),
    "file.header_damaged": _(
        "Line %(line)s with the column names is damaged. Check whether each name stands above its column."
    ),
    "file.header_rows": _("The column names take up %(count)s lines."),
    "file.header_width": _(
        "The line with the column names has %(names)s names, but the rows have %(columns)s cells. Check "
        "whether each name stands above its column."
    ),
    "file.hidden_rows": _(
        "Rows that the spreadsheet hides, by hand or by a filter: %(count)s. They are read like all others; "
        "if they are people who are out, delete these rows first, or give their status a column."
    ),
    "file.markup": _(
        "This is a web page or document, not a list, whatever its name says. Open it in a spreadsheet "
        "program, save it as XLSX or CSV, and upload that."
    ),
    "file.merged_cells": _(
        "Cells that were merged over several rows: %(count)s. Their text counts for the first row alone; "
        "undo the merging in the spreadsheet if it is meant for all."
    ),
    "file.no_address_column": _(
        "No column of the file looks like e-mail addresses. Check how the file is read, or choose the "
        "column yourself."
    ),
    "file.no_header": _("The file seems to have no line with column names, so the columns are numbered."),
    "file.no_rows": _(
        "Nothing stands below the column names of the file, so there is nothing to import. Choose one that "
        "holds addresses."
    ),
    "file.output_is_source": _(
        "What is read in it would be written over a file that is read here. Choose another folder."
    ),
    "file.output_taken": _(
        "A file of this name was read already, and what was read in it would be lost. Choose another folder."
    ),
    "file.preamble_skipped": _("Lines above the column names that were skipped: %(lines)s."),
    "file.second_table": _(
        "Another table seems to begin at line %(line)s. Its rows are not read with this one."
    ),
    "file.sheet_unknown": _("The spreadsheet has no sheet called “%(sheet)s”. Choose another one."),
    "file.sheets_unread": _(
        "Only the sheet “%(sheet)s” is read. There are others with content: %(others)s. Choose another one, "
        "or upload the file once for each of them."
    ),
    "file.spreadsheet_locked": _(
        "The spreadsheet is protected with a password. Save it without one and upload it again."
    ),
    "file.spreadsheet_old": _(
        "This is a document in an old format that cannot be read. Save it as XLSX or CSV and upload it again."
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
    "file.uncalculated_cells": _(
        "Cells with a formula whose result is not in the file: %(count)s. They are read as #FORMULA?, and "
        "rows that need them are rejected. Open the file in a spreadsheet program, save it, and upload it "
        "again."
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
    "import.dates_unclear": _(
        "Dates such as %(example)s can be read in two ways, and nothing in these columns says which: "
        "%(columns)s. Choose whether the day or the month comes first."
    ),
    "import.numbers_unclear": _(
        "Numbers such as %(example)s can be read in two ways, and nothing in these columns says which: "
        "%(columns)s. Choose whether the point or the comma stands before the fraction."
    ),
    "import.bad_mode": _("“%(mode)s” is not a way to import."),
    "import.bad_status": _("New recipients can become active or unconfirmed, not “%(status)s”."),
    "import.signup_unmapped": _(
        "The file has columns with sign-up information that are left out, or kept as a field only: "
        "%(columns)s. People who unsubscribed could become active. Assign the columns, or say that this is "
        "on purpose."
    ),
    "import.status_missing": _(
        "The file does not say whether new recipients have confirmed. Choose whether they become "
        "active or unconfirmed."
    ),
    "import.not_stopped": _("Only an import that has stopped can be tried again."),
    "import.upload_missing": _("The uploaded file is no longer here. Upload it again."),
    "job.awaited_cancelled": _(
        "What this had to wait for was stopped, so it was not done. Nothing was changed."
    ),
    "job.parked": _(
        "This was given up after %(attempts)s tries. Ask whoever runs the server to look into its log."
    ),
    "key.account_broken": _(
        "The key of the account %(account)s cannot be opened, so none of its backups can be made or read. "
        "Bring the database's row of that key back from a copy."
    ),
    "key.being_changed": _(
        "The keys are being changed just now, by another command. Try again when it has ended."
    ),
    "key.in_use": _("This key is in use: it has sealed the keys of %(accounts)s accounts. Rotate first."),
    "key.instance_missing": _(
        "The key that opens the backups is not there (%(where)s), so none can be made or read. Nothing was "
        "changed. Whoever runs the server has to put it back from the copy that was kept."
    ),
    "key.instance_unknown": _(
        "The key that opens the backups of this account is another one than the one that is there "
        "(%(where)s). Nothing was changed. Whoever runs the server has to put back the key %(id)s."
    ),
    "key.instance_unreadable": _(
        "The key that opens the backups cannot be read (%(where)s: %(detail)s). Nothing was changed. Whoever "
        "runs the server has to put it right."
    ),
    "key.not_encrypted": _("This backup is from the time before encryption: it has no key."),
    "key.not_found": _("There is no such key here: %(id)s"),
    "key.not_ours": _("The keys are in ARCHIVE_KEY: take the old one out there, then start anew."),
    "key.put_new_first": _(
        "All keys of accounts are sealed with the first key of ARCHIVE_KEY. To change it, put a new one "
        "before it (manage.py keys new prints one), start everything anew, and rotate again."
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
    "restore.other_type": _(
        "In the backup the field “%(name)s” is of the type %(type_then)s, but the field that has this name "
        "now is of the type %(type_now)s and cannot hold its values. Download the backup and import it, "
        "with another name for this column; or delete the field, then restore."
    ),
    "row.character_refused": _(
        "A value holds a character that cannot be stored (%(character)s). Remove it, then try again."
    ),
    "row.header_again": _("The row repeats the column names; it is no recipient."),
    "row.note": _("The row looks like a note below the table, not like a recipient."),
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
    "row.too_few_fields": _("Too few cells: %(found)s instead of %(expected)s."),
    "row.too_long": _("The row is too long to be one row. A quotation mark may not be closed."),
    "row.too_many_fields": _(
        "Too many cells: %(found)s instead of %(expected)s. A value with the delimiter in it needs "
        "quotation marks."
    ),
    "row.undecodable": _("The row holds characters that do not fit the file's encoding."),
    "purge.clock_back": _(
        "No old backup is removed: the clock went back by %(hours)s hours. Put the clock right; removing "
        "goes on by itself when it has been steady for a day, or with: manage.py backups purge --go-on"
    ),
    "purge.clock_forward": _(
        "No old backup is removed: the clock went forward by %(hours)s hours since the last time. If it is "
        "right, removing goes on by itself after a steady day, or with: manage.py backups purge --go-on"
    ),
    "purge.too_many": _(
        "No old backup is removed: %(due)s would go at once, but only %(foreseen)s were to be expected. "
        "Find out why; if it is right, go on with: manage.py backups purge --go-on"
    ),
    "snapshot.damaged": _("This backup is damaged and cannot be restored. Use another backup of this list."),
    "snapshot.being_written": _("This backup is still being written. Delete it when it is there."),
    "snapshot.in_use": _(
        "The change that this backup was made for is still under way. Delete the backup when it has ended."
    ),
    "snapshot.not_complete": _("This backup cannot be used: it is %(state)s."),
    "snapshot.not_found": _("There is no such backup any more."),
    "snapshot.pinned": _("This backup is kept for good. Take the pin off first, then delete it."),
    "snapshot.rows_wait": _(
        "“%(name)s” is deleted, but its recipients are still there for %(hours)s hours after that, and this "
        "backup stays as long. Undo the deletion first, or delete the backup when they are gone."
    ),
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
    "value.status": _("“%(value)s” is not a status. Use active, unconfirmed, unsubscribed or bounced."),
    "value.tag_too_long": _("A tag is too long: at most %(limit)s characters are possible."),
    "value.time": _("“%(value)s” is not a time. Write it as 2026-12-31 23:59."),
    "value.too_long": _("The value is too long: at most %(limit)s characters are possible."),
    "value.uncalculated": _(
        "The cell holds a formula whose result is not in the file. Open the file in a spreadsheet program, "
        "save it, and upload it again."
    ),
    "value.year": _("“%(value)s” has a year that could be of two centuries. Write it with four figures."),
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
        sentence = gettext("That is not possible (%(code)s). Please tell your operator this code.")
        return sentence % {"code": code}


def _readable(name: str, value: object) -> object:
    if isinstance(value, str):
        return WORDS.get(name, {}).get(value, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return number_format(value, force_grouping=True)
    if isinstance(value, list | tuple):
        return ", ".join(str(_readable(name, part)) for part in value)
    return value
