"""The staged rows of a change, in whichever tables they lie."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from recipients.bulk.base import BulkEngine, Overruled, Plan, Reading
from recipients.bulk.plain import ROWS
from recipients.bulk.staging import Tables, tables_of
from recipients.bulk.verdict import HAS_LEFT, Dialect
from recipients.models import Mode

# One in so many is few.
FEW = 10
# Fewer rows than these tell nothing of all.
FEWEST_SAMPLED = 30


class StagedRows(BulkEngine):
    """What PostgreSQL and SQLite read of a change before they judge it."""

    dialect: Dialect

    @abstractmethod
    def _has_table(self, name: str) -> bool: ...

    @abstractmethod
    def _drop_tables(self, tables: Tables) -> None:
        """Drop a change's own tables; those that somebody is using may stay."""

    @abstractmethod
    def _sample(self, plan: Plan) -> tuple[int, int]:
        """How many staged rows were picked from among all, and how many of their people the list holds."""

    def _winners(self, plan: Plan) -> str:
        """A SELECT of the last line of each address."""
        return self.dialect.winners.format(staged=self._staged(plan.change_id))

    def _staged(self, change_id: int) -> str:
        """A SELECT of a change's staged rows, wherever they lie."""
        plain = tables_of(change_id).plain
        rows = plain if self._has_table(plain) else "recipients_stagedrow WHERE change_id = %(change)s"
        return f"SELECT {', '.join(ROWS)} FROM {rows}"

    def _lines(self, change_id: int) -> str:
        """The same while rows that were checked are not put beside the plain ones yet."""
        return self._staged(change_id)

    def _out(self, change_id: int, *, reading: Reading | None) -> str:
        """A SELECT of the keys of those who are out by any row, in `reading`'s raw table, too."""
        return f"SELECT key FROM ({self._lines(change_id)}) AS s WHERE {HAS_LEFT}"

    def overruled(self, change_id: int, *, most: int, reading: Reading | None = None) -> Overruled:
        out, lines = self._out(change_id, reading=reading), self._lines(change_id)
        rows = self.execute(
            "SELECT count(*) OVER (), email FROM (SELECT key, email, deactivated, bounced,"
            f" row_number() OVER (PARTITION BY key ORDER BY line DESC) AS place FROM ({lines}) AS a"
            f" WHERE key IN ({out})) AS l WHERE place = 1 AND NOT {HAS_LEFT} ORDER BY key LIMIT %(most)s",
            {"change": change_id, "most": most},
        )
        return Overruled(int(str(rows[0][0])), [str(email) for _, email in rows]) if rows else Overruled()

    def _judged_rows(self, plan: Plan, *, where: str) -> str:
        """A SELECT of the staged rows that were judged so."""
        # By their keys too: PostgreSQL has both in their order, and looks the one up in the other by them.
        judged = f"SELECT key, line FROM {tables_of(plan.change_id).judged} WHERE {where}"
        rows = self._staged(plan.change_id)
        return f"SELECT s.* FROM ({judged}) AS j JOIN ({rows}) AS s ON s.key = j.key AND s.line = j.line"

    def _addresses(self, change_id: int) -> int:
        """How many different addresses are staged."""
        rows = self.execute(
            f"SELECT count(DISTINCT key) FROM ({self._staged(change_id)}) AS s", {"change": change_id}
        )
        return int(str(rows[0][0]))

    def staged(self, change_id: int, *, addresses: int | None = None) -> int:
        plain = tables_of(change_id).plain
        rows = self.execute("SELECT count(*) FROM recipients_stagedrow WHERE change_id = %s", [change_id])
        if self._has_table(plain):
            rows += self.execute(f"SELECT count(*) FROM {plain}", [])
        return sum(int(str(row[0])) for row in rows)

    def _are_mostly_new(self, plan: Plan) -> bool:
        """Whether the list is likely to know hardly any of the staged people. It decides the way alone."""
        if not self.holds_anybody(plan.group_id):
            return True
        sampled, known = self._sample(plan)
        return sampled >= FEWEST_SAMPLED and known * FEW <= sampled

    def domains(self, change_id: int, *, among: Sequence[str]) -> list[tuple[str, int]]:
        marks = ", ".join(f"%({index})s" for index in range(len(among)))
        rows = self.execute(
            f"SELECT domain, count(*) FROM ({self._staged(change_id)}) AS s WHERE domain IN ({marks})"
            " GROUP BY domain ORDER BY count(*) DESC, domain",
            {"change": change_id, **{str(index): domain for index, domain in enumerate(among)}},
        )
        return [(str(domain), int(str(count))) for domain, count in rows]

    def moved(self, plan: Plan, *, most: int) -> tuple[int, list[tuple[str, str]]]:
        # Few addresses are ever changed by hand, and in most lists none.
        changed = (
            "SELECT o.key, r.key AS new, r.email FROM recipients_optout AS o JOIN recipients_recipient AS r"
            " ON r.group_id = o.group_id AND r.key = o.moved_to"
            f" WHERE o.group_id = {int(plan.group_id)} AND o.moved_to IS NOT NULL AND r.deactivated IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM recipients_recipient AS t"
            " WHERE t.group_id = o.group_id AND t.key = o.key)"
        )
        if not self._count(f"({changed} LIMIT 1) AS c"):
            return 0, []
        only = "" if plan.mode in (Mode.DEACTIVATE, Mode.DELETE) else " WHERE s.deactivated IS NOT NULL"
        out = f"SELECT key, email FROM ({self._staged(plan.change_id)}) AS s{only}"
        rows = self.execute(
            f"SELECT count(*) OVER (), min(s.email), c.email FROM ({out}) AS s JOIN ({changed}) AS c"
            f" ON c.key = s.key WHERE c.new NOT IN (SELECT key FROM ({out}) AS n)"
            " GROUP BY c.key, c.email ORDER BY c.key LIMIT %(most)s",
            {"change": plan.change_id, "most": most},
        )
        return (int(str(rows[0][0])) if rows else 0), [(str(old), str(new)) for _, old, new in rows]

    def left_elsewhere(self, change_id: int, *, account_id: int) -> int:
        lists = "SELECT id FROM recipients_group WHERE account_id = %(account)s"
        rows = self.execute(
            f"SELECT count(DISTINCT key) FROM ({self._staged(change_id)}) AS s"
            " WHERE deactivated IS NULL AND bounced IS NULL AND key IN"
            f" (SELECT key FROM recipients_recipient WHERE group_id IN ({lists}) AND {HAS_LEFT}"
            f" UNION SELECT key FROM recipients_optout WHERE account_id = %(account)s AND {HAS_LEFT})",
            {"change": change_id, "account": account_id},
        )
        return int(str(rows[0][0]))

    def clear(self, change_id: int) -> None:
        self.execute("DELETE FROM recipients_stagedrow WHERE change_id = %s", [change_id])
        self._drop_tables(tables_of(change_id))

    def _count(self, rows: str) -> int:
        """How many rows a table has, or a table with a condition."""
        return int(str(self.execute(f"SELECT count(*) FROM {rows}", [])[0][0]))
