"""Everything about backups from the command line."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from backups.access import find_snapshot
from backups.actions.compare import compare
from backups.actions.downloads import download
from backups.actions.keys import reveal_key
from backups.actions.purge import delete_snapshot, drop_prepared, purge_due, sweep_orphans
from backups.actions.restore import MODES, plan_restore
from backups.actions.snapshots import pin, request_snapshot
from backups.actions.verification import verify_snapshot
from backups.models import Snapshot, SnapshotState
from backups.selectors import Filters, snapshot_json, visible
from backupsvc.accounts.access import Permission, accounts_of, get_account
from backupsvc.accounts.actor import operator
from backupsvc.accounts.management.operator_command import STREAM, OperatorCommand, error_json, table
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs.runner import drain
from backupsvc.wording import say_code
from recipients.access import find_group
from recipients.management.staged import finish_staged, refused_change
from recipients.models import Change, ChangeKind, Group, Mode

COLUMNS = ("id", "group", "cause", "created", "expires", "recipients", "size_bytes", "state", "pinned")
# `verb_…` methods of the command, with what --help says about them.
VERBS = {
    "list": "show backups, newest first",
    "make": "back a list up now",
    "show": "show one backup",
    "download": "write a backup as CSV",
    "restore": "bring a backup back",
    "compare": "count what differs from another backup, or from the list as it is now",
    "verify": "read backups back and compare every checksum",
    "key": "print a backup's key, to read its file with age, unzip and zstd",
    "pin": "keep a backup until it is let go",
    "delete": "delete a backup",
    "purge": "remove what is due, and files that belong to no backup",
}


class Command(OperatorCommand):
    help = "List, make, look into, restore, check and remove backups."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line: one sub-command a verb."""
        _add_scope(parser)
        parser.set_defaults(account=None, group=None, json=False)
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        of = {name: verbs.add_parser(name, help=text, description=text) for name, text in VERBS.items()}
        for verb in of.values():
            # Given before or after the verb; what is not given after it must not undo what was before.
            _add_scope(verb, default=SUPPRESS)
        for name in ("show", "download", "restore", "compare", "key", "pin", "delete"):
            of[name].add_argument("id", metavar="ID", help="the backup's number")
        for name in ("make", "restore"):
            of[name].add_argument("--wait", action="store_true", help="return when it has ended")
        _add_restore(of["restore"])
        of["download"].add_argument("-o", "--output", metavar="FILE", help="write to FILE, not to stdout")
        of["download"].add_argument(
            "--spreadsheet-safe", action="store_true", help="no cell can become a formula in a spreadsheet"
        )
        of["compare"].add_argument("other", metavar="OTHER_ID", nargs="?", help="the later backup")
        of["verify"].add_argument("ids", metavar="ID", nargs="*", help="the backups' numbers")
        of["verify"].add_argument("--all", action="store_true", help="all that are complete")
        of["pin"].add_argument("--off", action="store_true", help="let it go")
        of["purge"].add_argument(
            "--go-on", action="store_true", help="the clock and the number of what is due were checked: go on"
        )

    def act(self, options: dict[str, Any]) -> bool:
        """Find the account, then do what the verb says."""
        if options["group"] is not None and options["account"] is None:
            raise CommandError("--group needs --account", returncode=2)
        self.actor = operator()
        self.account: Account | None = None
        if options["account"] is not None:
            self.account = get_account(self.actor, slug=options["account"])
        self.group: Group | None = None
        if options["group"] is not None and self.account is not None:
            self.group = find_group(self.actor, account=self.account, name=options["group"], deleted=True)
        done: bool = getattr(self, f"verb_{options['verb']}")(options)
        return done

    def refused(self, refusal: Refusal, options: dict[str, Any]) -> dict[str, Any]:
        """A refused restore in the shape of a change that failed; else the reason alone."""
        if options["verb"] != "restore":
            return super().refused(refusal, options)
        name = options["new"] or options["into"] or ""
        return refused_change(refusal, kind=ChangeKind.RESTORE, group=name, mode=options["mode"])

    def verb_list(self, _options: dict[str, Any]) -> bool:
        """Newest first, of one list, one account or all accounts."""
        documents = [snapshot_json(snapshot) for snapshot in self._visible()]
        rows = [[_cell(document[name]) for name in COLUMNS] for document in documents]
        self.answer(documents, people=table(rows, head=COLUMNS) if rows else "There is no backup.")
        return True

    def verb_make(self, options: dict[str, Any]) -> bool:
        """One backup by hand."""
        if self.account is None or self.group is None:
            raise CommandError("make needs --account and --group", returncode=2)
        if not self.group.is_live:
            raise NotFound("group.not_found", name=self.group.name)
        snapshot, job = request_snapshot(self.group, actor=self.actor)
        if options["wait"]:
            drain(job)
            snapshot.refresh_from_db()
        document = snapshot_json(snapshot)
        if snapshot.state != SnapshotState.FAILED:
            self.answer(document, people=_lines(document))
            return True
        message = say_code(snapshot.error_code, snapshot.error_params)
        document["error"] = {"code": snapshot.error_code, "message": message}
        self.answer(document, people=_lines(document))
        self.tell(message)
        return False

    def verb_show(self, options: dict[str, Any]) -> bool:
        """All that is known about one."""
        return self._show(self._snapshot(options["id"]))

    def verb_download(self, options: dict[str, Any]) -> bool:
        """The file that the page gives."""
        if self.wants_json and options["output"] in (None, STREAM):
            raise CommandError("download --json needs -o: stdout can hold only one of the two", returncode=2)
        snapshot = self._snapshot(options["id"], permission=Permission.EXPORT)
        kind = "csv-safe" if options["spreadsheet_safe"] else "csv"
        file = download(snapshot, actor=self.actor, kind=kind)
        self.put_file(file.chunks, target=options["output"])
        if self.wants_json:
            self.put_json(snapshot_json(snapshot))
        return True

    def verb_restore(self, options: dict[str, Any]) -> bool:
        """Plan, preview, confirm; or only the preview."""
        snapshot = self._snapshot(options["id"], permission=Permission.RESTORE)
        into = None
        if options["into"] is not None:
            into = find_group(self.actor, account=snapshot.account, name=options["into"])
        restore, job = plan_restore(
            snapshot, actor=self.actor, into=into, new_name=options["new"], mode=options["mode"]
        )
        change = Change.objects.get(pk=restore.pk)
        return finish_staged(self, change, actor=self.actor, job=job, options=options)

    def verb_compare(self, options: dict[str, Any]) -> bool:
        """What came, went and changed since the backup."""
        snapshot = self._snapshot(options["id"])
        other = None
        if options["other"] is not None:
            other = find_snapshot(self.actor, name=options["other"], account=snapshot.account)
        found = compare(snapshot, actor=self.actor, other=other)
        counts = {name: getattr(found, name) for name in ("added", "removed", "changed", "unchanged")}
        self.answer(counts, people=table(counts.items()))
        return True

    def verb_verify(self, options: dict[str, Any]) -> bool:
        """Each is read to its end; whether all are sound."""
        if bool(options["ids"]) == options["all"]:
            raise CommandError("verify needs the numbers of backups, or --all", returncode=2)
        if options["all"]:
            snapshots = [each for each in self._visible() if each.state == SnapshotState.COMPLETE]
        else:
            snapshots = [self._snapshot(name, permission=Permission.RESTORE) for name in options["ids"]]
        documents = [self._verified(snapshot) for snapshot in snapshots]
        bad = [document for document in documents if document["error"]]
        self.answer(documents, people=f"{len(documents) - len(bad)} of {len(documents)} backups are sound.")
        for document in bad:
            self.tell(f"{document['id']}: {document['error']['message']}")
        return not bad

    def verb_key(self, options: dict[str, Any]) -> bool:
        """For the day on which there is only the file; on record."""
        snapshot = self._snapshot(options["id"], permission=Permission.EXPORT)
        text = reveal_key(snapshot, actor=self.actor)
        document = {"id": str(snapshot.pk), "file": snapshot.archive, "key": text.splitlines()[-1]}
        self.answer(document, people=text.rstrip())
        return True

    def verb_pin(self, options: dict[str, Any]) -> bool:
        """Kept for good, or let go."""
        snapshot = self._snapshot(options["id"], permission=Permission.RESTORE)
        return self._show(pin(snapshot, actor=self.actor, pinned=not options["off"]))

    def verb_delete(self, options: dict[str, Any]) -> bool:
        """Gone from every list now, from storage later."""
        snapshot = self._snapshot(options["id"], permission=Permission.MANAGE)
        delete_snapshot(snapshot, actor=self.actor)
        return self._show(Snapshot.objects.select_related("group").get(pk=snapshot.pk))

    def verb_purge(self, options: dict[str, Any]) -> bool:
        """What the scheduler does every hour; files without a backup belong to no account."""
        purged = purge_due(actor=self.actor, account=self.account, go_on=options["go_on"])
        orphans = 0 if self.account else sweep_orphans()
        drop_prepared()
        people = f"{purged} backups were removed for good, and {orphans} files that belonged to none."
        self.answer({"purged": purged, "orphans": orphans}, people=people)
        return True

    def _snapshot(self, name: str, *, permission: Permission = Permission.VIEW) -> Snapshot:
        snapshot = find_snapshot(self.actor, name=name, account=self.account, permission=permission)
        if self.group is not None and snapshot.group_id != self.group.pk:
            raise NotFound("snapshot.not_found")
        return snapshot

    def _visible(self) -> list[Snapshot]:
        accounts = [self.account] if self.account else accounts_of(self.actor)
        filters = Filters(group_id=self.group.pk if self.group else None)
        found = [
            snapshot
            for account in accounts
            for snapshot in visible(account, filters=filters).select_related("group", "account")
        ]
        return sorted(found, key=lambda snapshot: -snapshot.pk)

    def _show(self, snapshot: Snapshot) -> bool:
        document = snapshot_json(snapshot)
        self.answer(document, people=_lines(document))
        return True

    def _verified(self, snapshot: Snapshot) -> dict[str, Any]:
        error = None
        try:
            snapshot = verify_snapshot(snapshot, actor=self.actor)
        except Refusal as refusal:
            error = error_json(refusal)
            snapshot = Snapshot.objects.select_related("group").get(pk=snapshot.pk)
        return {**snapshot_json(snapshot), "ok": error is None, "error": error}


def _add_scope(parser: ArgumentParser, **options: Any) -> None:
    parser.add_argument("--account", metavar="A", help="the account's short name", **options)
    parser.add_argument("--group", metavar="G", help="the list's name, or its id as '#9'", **options)
    parser.add_argument("--json", action="store_true", help="print one JSON document", **options)


def _add_restore(parser: ArgumentParser) -> None:
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--into", metavar="G", help="into this list; else into its own, deleted or not")
    target.add_argument("--new", metavar="NAME", help="into a new list")
    modes = [mode.value for mode in MODES]
    parser.add_argument("--mode", choices=modes, default=Mode.REFORM_AND_ADD.value)
    parser.add_argument("--dry-run", action="store_true", help="show what would happen, change nothing")


def _lines(document: dict[str, Any]) -> str:
    return table([(name, _cell(value)) for name, value in document.items() if name != "error"])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
