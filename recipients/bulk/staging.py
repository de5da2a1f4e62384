"""Where the rows of a change lie before they are merged, besides the staging table that all share.

A file's plain rows lie in a table of the change's own: one for each address, with the values that they
give, in the order of their addresses, in which everything after reads them. The tables go with the change;
what a dead process leaves behind, the sweep drops.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "recipients_staging_"


class Tables(NamedTuple):
    """The names of one change's own tables and view.

    raw: a file's rows as text, while it is loaded. keyed: rows by key, as an archive has them; without a
    key, with their cells, those that the check must look at. plain: a view of those with a key as staged
    rows, or a table of staged rows where nothing is loaded as text. judged: what the preview found for
    each address that does not stay as it is.
    """

    raw: str
    keyed: str
    plain: str
    judged: str


def tables_of(change_id: int) -> Tables:
    """The names of a change's own tables."""
    return Tables(*(f"{PREFIX}{change_id}_{name}" for name in Tables._fields))


def half_of(table: str) -> str:
    """The name of the table that holds what a second connection wrote of it; it is read with the table."""
    return f"{table}_half"


def checked_of(table: str) -> str:
    """The name of the table that holds the rows of it which the check had to look at; it is read with it."""
    return f"{table}_checked"


def change_of(table: str) -> int | None:
    """The id of the change that a table belongs to; None when it is no such table."""
    number = table.removeprefix(PREFIX).partition("_")[0]
    return int(number) if table.startswith(PREFIX) and number.isdigit() else None
