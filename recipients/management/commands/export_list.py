"""Write a list as CSV."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from backupsvc.accounts.access import Permission, get_account
from backupsvc.accounts.actor import operator
from backupsvc.accounts.management.operator_command import OperatorCommand
from recipients.access import find_group
from recipients.actions.exports import export_group


class Command(OperatorCommand):
    help = "Write a list as CSV that can be imported again without loss."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--account", required=True, metavar="A", help="the account's short name")
        parser.add_argument("--group", required=True, metavar="G", help="the list's name, or its id as '#9'")
        parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
        parser.add_argument(
            "--spreadsheet-safe", action="store_true", help="no cell can become a formula in a spreadsheet"
        )

    def act(self, options: dict[str, Any]) -> bool:
        """Write it."""
        actor = operator()
        account = get_account(actor, slug=options["account"], permission=Permission.EXPORT)
        group = find_group(actor, account=account, name=options["group"])
        kind = "csv-safe" if options["spreadsheet_safe"] else "csv"
        export = export_group(group, actor=actor, kind=kind)
        self.put_file(export.chunks, target=options["output"])
        return True
