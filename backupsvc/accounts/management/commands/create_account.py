"""Make an account with its owner."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from backupsvc.accounts.actions.accounts import create_account
from backupsvc.accounts.actor import operator
from backupsvc.errors import Refusal
from backupsvc.wording import say


class Command(BaseCommand):
    """Exit codes: 0 done, 1 refused with a reason on stderr, 2 wrong usage."""

    help = "Make an account with its owner. A known owner keeps their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("slug", help="the account's short name in addresses: a-z, 0-9 and hyphens")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="who owns it")
        parser.add_argument("--password", required=True, metavar="P", help="for an owner who is new here")
        parser.add_argument("--name", default="", metavar="N", help="the account's name; else its short name")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: object, **options: Any) -> None:
        """Make it, or say why not."""
        try:
            account = create_account(
                options["slug"],
                actor=operator(),
                name=options["name"],
                owner_email=options["owner"],
                owner_password=options["password"],
            )
        except Refusal as refusal:
            self.stderr.write(say(refusal))
            sys.exit(1)
        if options["json"]:
            self.stdout.write(json.dumps({"id": str(account.pk), "slug": account.slug, "name": account.name}))
        self.stderr.write(f"Account {account.slug} belongs to {options['owner'].strip().lower()}.")
