"""`manage.py prepare`: everything between installing a version and starting it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import CommandParser, call_command, get_commands
from django.core.management.base import BaseCommand

from backupsvc import checks, env
from backupsvc.accounts.models import Account


class Command(BaseCommand):
    help = (
        "Bring the database up to date and collect static files. An empty database of the default mode "
        "is filled with the demo, once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        self._check_keys()
        if Account.objects.exists():
            self.stdout.write(
                "Accounts are kept. More come by invitation, or by: manage.py create_account --help"
            )
        elif wants_demo(refused=options["no_demo"]):
            call_command("demo", stdout=self.stdout)
        else:
            self.stdout.write("There is no account yet. Make one: manage.py create_account --help")

    def _check_keys(self) -> None:
        """People can still look at their lists without the keys: an alarm, and no reason to stay down."""
        with suppress(SystemExit):
            call_command("keys", "check", stdout=self.stdout, stderr=self.stderr)


def wants_demo(*, refused: bool) -> bool:
    """Whether an empty database gets people with a known password: never one that others can reach."""
    is_at_home = checks.uses_sqlite() and not settings.SITE_IS_SECURE
    return not refused and env.flag("DEMO", is_at_home) and "demo" in get_commands()
