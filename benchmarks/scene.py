"""The account of a run, its lists, and the tables of the yardsticks: all that is set up unmeasured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from backupsvc.accounts.actions.accounts import create_account
from backupsvc.accounts.actor import operator
from backupsvc.accounts.models import User
from benchmarks.people import ATTRIBUTES, list_file
from benchmarks.visitor import Visitor
from recipients.actions.attributes import create_attribute
from recipients.actions.groups import create_group
from recipients.models import Group, Recipient

RAW = "bench_raw"
SLUG = "bench"
WARM_UP_ROWS = 200
# From here on a checkpoint that falls into a measurement would show.
MANY_ROWS = 300_000
# Everything of a recipient's row that is not its id: what a raw COPY brings.
COLUMNS = (
    "account_id, group_id, key, email, registered, activated, deactivated, bounced, source, signup_ip,"
    " tags, attributes, change_id"
)


class Scene:
    """One database with one account, and the files of one size of list."""

    def __init__(self, *, rows: int, files: Path) -> None:
        self.rows, self.files = rows, files
        call_command("migrate", verbosity=0)
        self.account = create_account(
            SLUG, actor=operator(), name="Benchmark", owner_email="owner@example.com", owner_password="x" * 12
        )
        for name, kind in ATTRIBUTES.items():
            create_attribute(self.account, actor=operator(), name=name, type=kind)
        self.user = User.objects.get(email="owner@example.com")
        self.visitor: Visitor
        self._filled: Group | None = None
        self._taken = 0

    def arrive(self) -> None:
        """Sign in, and let every worker do something once: its start is no part of the work."""
        self.visitor = Visitor(self.account, self.user)
        for _ in range(4):
            group = self.empty_group()
            self.visitor.import_file(list_file(self.files, rows=WARM_UP_ROWS), group=group)
            self.visitor.back_up(group)

    @property
    def is_postgres(self) -> bool:
        return connection.vendor == "postgresql"

    def file(self, *, first: int = 0, changed: float = 0.0, rows: int | None = None) -> Path:
        return list_file(self.files, rows=rows or self.rows, first=first, changed=changed)

    def empty_group(self, *, backup: bool = True) -> Group:
        """A new list without anybody in it."""
        self._taken += 1
        group = create_group(self.account, actor=operator(), name=f"List {self._taken}")
        Group.objects.filter(pk=group.pk).update(auto_backup=backup)
        return group

    def filled_group(self) -> Group:
        """The list that the file without changes was imported into, as it is after earlier work."""
        if self._filled is None or not Recipient.objects.filter(group=self._filled).exists():
            self._filled = self.empty_group()
            self.visitor.import_file(self.file(), group=self._filled)
        self._filled.refresh_from_db()
        return self._filled

    def keep_filled(self, group: Group) -> None:
        """The list holds the file without changes: later work need not import it again."""
        self._filled = group

    def copy_of_filled(self, *, backup: bool = True) -> Group:
        """Another list with the same people, made by the database alone."""
        source, copy = self.filled_group(), self.empty_group(backup=backup)
        columns = COLUMNS.replace("group_id", "%s", 1)
        self.execute(
            f"INSERT INTO recipients_recipient ({COLUMNS}) SELECT {columns} FROM recipients_recipient"
            " WHERE group_id = %s ORDER BY key",
            [copy.pk, source.pk],
        )
        Group.objects.filter(pk=copy.pk).update(
            active_count=source.active_count,
            unconfirmed_count=source.unconfirmed_count,
            inactive_count=source.inactive_count,
            bounced_count=source.bounced_count,
            revision=1,
        )
        copy.refresh_from_db()
        return copy

    def drop_rows(self, *groups: Group) -> None:
        """Take lists away without a trace."""
        for group in groups:
            self.execute("DELETE FROM recipients_recipient WHERE group_id = %s", [group.pk])

    def keep_only_filled(self) -> None:
        """Take all other lists' rows away."""
        self.execute(
            "DELETE FROM recipients_recipient WHERE group_id <> %s", [self._filled.pk if self._filled else 0]
        )

    def forget_filled(self) -> None:
        """The filled list is not any more what its file says."""
        self._filled = None
        self.empty_all()

    def empty_all(self) -> None:
        """No recipient in any list."""
        self._filled = None
        self.execute(
            "TRUNCATE recipients_recipient CASCADE"
            if self.is_postgres
            else "DELETE FROM recipients_recipient"
        )

    def settle(self) -> None:
        """What earlier work left to the database to do later is done before the clock starts."""
        if self.is_postgres:
            for table in ("recipients_recipient", "recipients_stagedrow", "recipients_rejectedrow"):
                self.execute(f"VACUUM (ANALYZE) {table}")
            if self.rows >= MANY_ROWS:
                self.execute("CHECKPOINT")
        else:
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def fresh_raw_table(self) -> None:
        """An empty table like the recipients' own: the same columns and indexes."""
        self.execute(f"DROP TABLE IF EXISTS {RAW}")
        if self.is_postgres:
            self.execute(f"CREATE TABLE {RAW} (LIKE recipients_recipient INCLUDING ALL)")
            return
        made = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'recipients_recipient' AND sql NOT NULL"
        for name, statement in self.execute(f"{made} ORDER BY type DESC"):
            ours = str(statement).replace('"recipients_recipient"', f'"{RAW}"')
            self.execute(ours.replace(f'"{name}"', f'"{RAW}_{name}"'))

    def fill_raw_table(self, group: Group) -> None:
        """The list's rows in the table of the yardsticks, in the order of their keys."""
        self.fresh_raw_table()
        self.execute(
            f"INSERT INTO {RAW} ({COLUMNS}) SELECT {COLUMNS} FROM recipients_recipient WHERE group_id = %s"
            " ORDER BY key",
            [group.pk],
        )

    def execute(self, statement: str, parameters: list[Any] | None = None) -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def number(self, statement: str) -> int:
        """The one number that PostgreSQL answers; 0 on SQLite, which has no such facts."""
        return int(str(self.execute(statement)[0][0])) if self.is_postgres else 0

    def backends(self) -> list[int]:
        """The database's own processes that serve this database (none for SQLite)."""
        if not self.is_postgres:
            return []
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return [int(str(row[0])) for row in rows]
