"""The database itself refuses to change or remove what was written down.

The triggers are put in place after every `migrate`, not by one migration: SQLite drops a table's
triggers whenever a later migration rebuilds the table.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# Tables of these models take new rows only.
APPEND_ONLY = ("accounts.AuditEntry", "accounts.AuditSeal")
REFUSAL = "this table is append-only"


def protect(using: str = "default", **_signal: Any) -> None:
    """Put the triggers in place. Harmless when repeated."""
    connection = connections[using]
    there = connection.introspection.table_names()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
        for table in tables():
            if table in there:
                for statement in _statements(connection, table):
                    cursor.execute(statement)


def unprotected(connection: BaseDatabaseWrapper) -> list[str]:
    """The tables whose rows the database would let go."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND pg_table_is_visible(c.oid)"
            )
        else:
            cursor.execute("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
        there = set(cursor.fetchall())
    return [table for table in tables() if any((table, name) not in there for name in trigger_names(table))]


def tables() -> list[str]:
    """The names of the tables that take new rows only."""
    return [apps.get_model(label)._meta.db_table for label in APPEND_ONLY]


def trigger_names(table: str) -> tuple[str, str]:
    """What the triggers of a table are called: the one of its rows, and the one for all rows at once."""
    return f"{table}_no_update", f"{table}_no_delete"


_POSTGRESQL_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION refuse_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '%: {REFUSAL}', TG_TABLE_NAME; END $$
"""


def _statements(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    on_update, on_delete = trigger_names(table)
    if connection.vendor == "postgresql":
        run = f'ON "{table}" FOR EACH STATEMENT EXECUTE FUNCTION refuse_append_only()'
        return [
            f"CREATE OR REPLACE TRIGGER {on_update} BEFORE UPDATE {run}",
            f"CREATE OR REPLACE TRIGGER {on_delete} BEFORE DELETE OR TRUNCATE {run}",
        ]
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: {REFUSAL}'); END"
    return [
        f'CREATE TRIGGER IF NOT EXISTS {on_update} BEFORE UPDATE ON "{table}" {refuse}',
        f'CREATE TRIGGER IF NOT EXISTS {on_delete} BEFORE DELETE ON "{table}" {refuse}',
    ]
