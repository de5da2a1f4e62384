"""Applying a plan: the steps that PostgreSQL and SQLite share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import connection

from recipients.bulk.base import BulkEngine, KeptSafe, Plan, Verdicts
from recipients.bulk.verdict import VALUES, Dialect, classified
from recipients.models import Mode, compact_json

WRITTEN = ("key", "email", *VALUES)
ATTRIBUTE = "attribute:"
DIGESTS_AT_ONCE = 5_000


class SetBasedEngine(BulkEngine):
    """Judges all rows into a temporary table, then writes from it."""

    dialect: Dialect

    def preview(self, plan: Plan, *, most_kept_safe: int) -> tuple[Verdicts, list[KeptSafe]]:
        self._judge(plan)
        try:
            safe = self.execute(
                "SELECT line, email, why FROM verdict WHERE verdict = 'safe' ORDER BY line LIMIT %s",
                [most_kept_safe],
            )
            return self._counted(plan), [KeptSafe(int(str(row[0])), str(row[1]), str(row[2])) for row in safe]
        finally:
            self._forget()

    def merge(self, plan: Plan) -> Verdicts:
        self._judge(plan)
        try:
            verdicts = self._counted(plan)
            if plan.mode == Mode.DELETE:
                self._remove_judged(plan)
            else:
                self._update_judged(plan)
                self._insert_judged(plan)
                if plan.reactivate:
                    self._forget_opt_outs(plan)
            return verdicts
        finally:
            self._forget()

    def remove_batch(self, group_id: int, *, most: int) -> int:
        rows = self.execute(
            "SELECT id FROM recipients_recipient WHERE group_id = %s ORDER BY key LIMIT %s", [group_id, most]
        )
        self._remember_opt_outs(
            "SELECT account_id, group_id, key, deactivated, bounced FROM"
            " (SELECT * FROM recipients_recipient WHERE group_id = %s ORDER BY key LIMIT %s) AS r"
            " WHERE deactivated IS NOT NULL OR bounced IS NOT NULL",
            [group_id, most],
        )
        batch = "SELECT id FROM recipients_recipient WHERE group_id = %s ORDER BY key LIMIT %s"
        self.execute(f"DELETE FROM recipients_activity WHERE recipient_id IN ({batch})", [group_id, most])
        self.execute(f"DELETE FROM recipients_recipient WHERE id IN ({batch})", [group_id, most])
        return len(rows)

    def set_digests(self, change_id: int, *, digest: Callable[[str], str]) -> None:
        last = 0
        while rows := self.execute(
            "SELECT id, key FROM recipients_stagedrow WHERE change_id = %s AND id > %s ORDER BY id LIMIT %s",
            [change_id, last, DIGESTS_AT_ONCE],
        ):
            last = int(str(rows[-1][0]))
            self.execute_many(
                "UPDATE recipients_stagedrow SET digest = %s WHERE id = %s",
                [(digest(str(key)), pk) for pk, key in rows],
            )

    def execute_many(self, statement: str, parameters: Iterable[tuple[object, ...]]) -> None:
        """Run one statement for each tuple of parameters."""
        with connection.cursor() as cursor:
            cursor.executemany(statement, parameters)  # type: ignore[arg-type]  # an iterator does

    def drop_attribute(self, group_id: int, *, name: str) -> None:
        self.execute(
            f"UPDATE recipients_recipient SET attributes ="
            f" {self.dialect.cleared_and_merged.format(old='attributes', new=self.dialect.empty_object)}"
            " WHERE group_id = %(group)s",
            {"group": group_id, "cleared": self.cleared_parameter({name: None})},
        )

    def _judge(self, plan: Plan) -> None:
        self._forget()
        select = classified(plan, dialect=self.dialect)
        self.execute(f"CREATE TEMPORARY TABLE verdict AS {select}", self._parameters(plan))

    def _forget(self) -> None:
        self.execute("DROP TABLE IF EXISTS verdict", [])

    def _parameters(self, plan: Plan) -> dict[str, object]:
        cleared = {name.removeprefix(ATTRIBUTE): None for name in plan.fields if name.startswith(ATTRIBUTE)}
        return {
            "change": plan.change_id,
            "account": plan.account_id,
            "group": plan.group_id,
            "source_group": plan.source_group_id,
            "now": plan.now,
            "cleared": self.cleared_parameter(cleared),
        }

    def cleared_parameter(self, cleared: dict[str, None]) -> object:
        """The attributes that an empty cell clears, as `dialect.cleared_and_merged` wants them."""
        return compact_json(cleared)

    def _counted(self, plan: Plan) -> Verdicts:
        counted = self.execute(
            "SELECT verdict, writes, old_status, new_status, count(*) FROM verdict"
            " GROUP BY verdict, writes, old_status, new_status",
            [],
        )
        totals = {"added": 0, "updated": 0, "unchanged": 0, "safe": 0}
        shift: dict[str, int] = {}
        written = 0
        for verdict, writes, old, new, number in counted:
            count = int(str(number))
            totals[str(verdict)] += count
            if not writes:
                continue
            written += count
            if old is not None:
                shift[str(old)] = shift.get(str(old), 0) - count
            if plan.mode != Mode.DELETE:
                shift[str(new)] = shift.get(str(new), 0) + count
        return Verdicts(
            added=totals["added"],
            updated=totals["updated"],
            unchanged=totals["unchanged"],
            kept_safe=totals["safe"],
            deactivated=written if plan.mode == Mode.DEACTIVATE else 0,
            deleted=written if plan.mode == Mode.DELETE else 0,
            shift=shift,
        )

    def _update_judged(self, plan: Plan) -> None:
        assignments = ", ".join(f"{name} = v.n_{name}" for name in VALUES)
        self.execute(
            f"UPDATE recipients_recipient SET email = v.email, {assignments}, change_id = %s"
            " FROM verdict v WHERE v.writes = 1 AND v.rid = recipients_recipient.id",
            [plan.change_id],
        )

    def _insert_judged(self, plan: Plan) -> None:
        self.execute(
            f"INSERT INTO recipients_recipient (account_id, group_id, change_id, {', '.join(WRITTEN)})"
            f" SELECT %s, %s, %s, key, email, {', '.join(f'n_{name}' for name in VALUES)}"
            " FROM verdict WHERE writes = 1 AND rid IS NULL ORDER BY key",
            [plan.account_id, plan.group_id, plan.change_id],
        )

    def _remove_judged(self, plan: Plan) -> None:
        gone = "SELECT rid FROM verdict WHERE writes = 1"
        self._remember_opt_outs(
            "SELECT account_id, group_id, key, deactivated, bounced FROM recipients_recipient"
            f" WHERE id IN ({gone}) AND (deactivated IS NOT NULL OR bounced IS NOT NULL)",
            [],
        )
        self.execute(f"DELETE FROM recipients_activity WHERE recipient_id IN ({gone})", [])
        self.execute(f"DELETE FROM recipients_recipient WHERE id IN ({gone})", [])

    def _remember_opt_outs(self, select: str, parameters: Sequence[object]) -> None:
        self.execute(
            "INSERT INTO recipients_optout (account_id, group_id, key, deactivated, bounced)"
            f" {select} ON CONFLICT (group_id, key) DO UPDATE"
            " SET deactivated = excluded.deactivated, bounced = excluded.bounced",
            parameters,
        )

    def _forget_opt_outs(self, plan: Plan) -> None:
        """Who was made active again by an explicit choice is no longer remembered as opted out."""
        self.execute(
            "DELETE FROM recipients_optout WHERE group_id = %s AND key IN"
            " (SELECT key FROM verdict WHERE writes = 1 AND new_status = 'active')",
            [plan.group_id],
        )
