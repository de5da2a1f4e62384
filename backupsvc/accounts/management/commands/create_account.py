"""Make an account with its owner."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from backupsvc.accounts.actions.accounts import create_account
from backupsvc.accounts.actor import operator
from backupsvc.accounts.management.operator_command import OperatorCommand, add_json


class Command(OperatorCommand):
    help = "Make an account with its owner. A known owner keeps their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("slug", help="the account's short name in addresses: a-z, 0-9 and hyphens")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="who owns it")
        parser.add_argument("--password", required=True, metavar="P", help="for an owner who is new here")
        parser.add_argument("--name", default="", metavar="N", help="the account's name; else its short name")
        add_json(parser)

    def act(self, options: dict[str, Any]) -> bool:
        """Make it."""
        account = create_account(
            options["slug"],
            actor=operator(),
            name=options["name"],
            owner_email=options["owner"],
            owner_password=options["password"],
        )
        if self.wants_json:
            self.put_json({"id": str(account.pk), "slug": account.slug, "name": account.name})
        self.tell(f"Account {account.slug} belongs to {options['owner'].strip().lower()}.")
        return True
