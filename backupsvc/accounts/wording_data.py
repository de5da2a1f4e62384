"""What the activity log calls the values beside an event. Names are stable; texts are translated."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LABELS: dict[str, str | Promise] = {
    "added": _("added"),
    "auto_backup": _("automatic backups"),
    "backup": _("backup"),
    "backup_api_changes": _("backups of changes through the API"),
    "backup_why": _("because"),
    "cause": _("cause"),
    "change": _("change no."),
    "count": _("number"),
    "counts": _("result"),
    "deactivated": _("unsubscribed"),
    "deleted": _("deleted"),
    "duplicates": _("twice in the file"),
    "entry": _("entry no."),
    "fields": _("fields"),
    "info": _("description"),
    "kept_safe": _("kept unsubscribed or blocked"),
    "kind": _("kind"),
    "locked": _("locked"),
    "mode": _("mode"),
    "name": _("name"),
    "owner": _("owner"),
    "reason": _("reason"),
    "recipient": _("recipient no."),
    "recipients": _("recipients"),
    "rejected": _("rejected"),
    "retention_days": _("days a backup is kept"),
    "role": _("role"),
    "rows": _("rows read"),
    "size_bytes": _("bytes"),
    "snapshot": _("backup no."),
    "status": _("status"),
    "support_may_download": _("support staff may download"),
    "time_zone": _("time zone"),
    "type": _("type"),
    "unchanged": _("unchanged"),
    "updated": _("updated"),
    "why": _("because"),
}

# Values that are codes themselves.
VALUES: dict[str, dict[str, str | Promise]] = {
    "role": {"owner": _("Owner"), "admin": _("Admin"), "editor": _("Editor"), "viewer": _("Viewer")},
    "mode": {
        "reform_and_add": _("Reform and add"),
        "add_only": _("Add only"),
        "update_only": _("Update only"),
        "deactivate": _("Deactivate"),
        "delete": _("Delete"),
    },
    "status": {
        "active": _("Active"),
        "unconfirmed": _("Unconfirmed"),
        "inactive": _("Unsubscribed"),
        "bounced": _("Bounced"),
    },
    "cause": {
        "import": _("Before an import"),
        "deletion": _("Before a deletion"),
        "restore": _("Before a restore"),
        "undo": _("Before an undo"),
        "manual": _("Made by hand"),
        "schedule": _("Scheduled"),
        "api": _("Before a change through the API"),
    },
    "type": {"text": _("Text"), "number": _("Number"), "gender": _("Gender"), "date": _("Date")},
    # What changed of a recipient.
    "fields": {
        "key": _("e-mail address"),
        "email": _("e-mail address"),
        "attributes": _("fields"),
        "tags": _("tags"),
        "source": _("source"),
        "activated": _("confirmation"),
        "deactivated": _("unsubscription"),
        "bounced": _("bounce"),
    },
    "kind": {"csv": "CSV", "csv-safe": _("CSV for spreadsheets"), "xlsx": "Excel"},
    "target": {"address": _("address"), "domain": _("domain")},
    "why": {
        "asked": _("somebody asked for one"),
        "declined": _("somebody chose to go without"),
        "restore": _("every restore has one"),
        "new_list": _("the list is new"),
        "api": _("backups of changes through the API are on"),
        "api_off": _("backups of changes through the API are off"),
        "account_off": _("automatic backups of the account are off"),
        "group_off": _("automatic backups of the list are off"),
        "on": _("automatic backups are on"),
    },
}
VALUES["backup_why"] = VALUES["why"]
