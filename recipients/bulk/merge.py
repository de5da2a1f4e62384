"""Applying a plan: the steps that PostgreSQL and SQLite share."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection

from recipients.bulk.base import Judged, KeptSafe, Plan, Verdicts
from recipients.bulk.staged import StagedRows
from recipients.bulk.staging import tables_of
from recipients.bulk.tally import WORK, Tally, verdicts_of, work_in
from recipients.bulk.verdict import HAS_LEFT, VALUES, Dialect, classified, status_sql
from recipients.models import ADDING, Mode, compact_json

WRITTEN = ("key", "email", *VALUES)
ATTRIBUTE = "attribute:"
# All by which an empty list may know somebody: who left it, or the list that the rows come from, and who is
# blocked.
TRACES = f"""SELECT key FROM recipients_optout WHERE group_id IN (%(group)s, %(source)s)
             UNION ALL SELECT key FROM recipients_recipient WHERE group_id = %(source)s AND {HAS_LEFT}
             UNION ALL SELECT pattern FROM recipients_blocklistentry WHERE account_id = %(account)s"""
# What a preview keeps of each address for the merge.
JUDGED = "line, key, rid, verdict, writes, old_status, new_status, why, is_new"

# When whoever had the address of an opt-out before has unsubscribed with the one that they have now.
_TOLD = (
    "(SELECT deactivated FROM {table} AS t"
    " WHERE t.group_id = recipients_optout.group_id AND t.key = recipients_optout.moved_to)"
)
_TABLES = ("recipients_recipient", "recipients_optout")
FOLLOWED = f"coalesce({', '.join(_TOLD.format(table=table) for table in _TABLES)})"


class SetBasedEngine(StagedRows):
    """Judges all rows first, in few columns; then writes those that are to be written."""

    create_staging: str

    @abstractmethod
    def _judge(self, plan: Plan, *, leaves_new: bool, is_alone: bool) -> int:
        """Put what becomes of each address into the change's table of judged rows, as `Judged` says.

        How many different addresses there are: to count them takes a third as long as to judge them.
        `is_alone`: what was changed before, in the same transaction, counts, and nobody else can see it.
        """

    @abstractmethod
    def _finding(self, addresses: int, plan: Plan, *, staged: int) -> AbstractContextManager[Dialect]:
        """How the recipients of so many of the staged addresses are best found by statements of the block."""

    def preview(self, plan: Plan, *, most_kept_safe: int) -> tuple[Verdicts, list[KeptSafe]]:
        if self._is_first(plan):
            return self._all_added(plan), []
        judged = self._judge_now(plan, is_alone=False)
        verdicts = verdicts_of(self._tallies(plan, judged=judged), plan=plan, judged=judged)
        return verdicts, self._kept_safe(plan, most=most_kept_safe) if verdicts.kept_safe else []

    def _kept_safe(self, plan: Plan, *, most: int) -> list[KeptSafe]:
        """The first judged rows that stay safe, by line."""
        rows = self.execute(
            f"SELECT line, email, why FROM {tables_of(plan.change_id).judged} WHERE verdict = 'safe'"
            " ORDER BY line LIMIT %s",
            [most],
        )
        return [KeptSafe(int(str(line)), str(email), str(why)) for line, email, why in rows]

    def merge(self, plan: Plan) -> Verdicts:
        if self._is_first(plan):
            return self._filled(plan, added=self._insert_all(plan))
        judged = plan.judged if self._has_table(tables_of(plan.change_id).judged) else None
        if judged is None:
            judged = self._judge_now(plan, is_alone=True)
        tallies = self._tallies(plan, judged=judged)
        if plan.mode == Mode.DELETE:
            self._remove_judged(plan, staged=judged.addresses)
        else:
            self._write(plan, work=work_in(tallies), judged=judged)
            self.follow_opt_outs(plan.group_id)
        return verdicts_of(tallies, plan=plan, judged=judged)

    def _judge_now(self, plan: Plan, *, is_alone: bool) -> Judged:
        leaves_new = self._leaves_new(plan)
        return Judged(self._judge(plan, leaves_new=leaves_new, is_alone=is_alone), leaves_new)

    def _leaves_new(self, plan: Plan) -> bool:
        """Whether strangers are left out of what is judged: not where it matters who they are."""
        adds = plan.mode in ADDING and not plan.reactivate
        return adds and self._are_mostly_new(plan)

    def _write(self, plan: Plan, *, work: Mapping[str, int], judged: Judged) -> None:
        """Write what was judged; `work` says how many rows there are of each kind."""
        staged = judged.addresses
        if not plan.reactivate and work["add"]:
            count = self._insert_new(plan, count=work["add"], judged=judged)
            if count != work["add"]:
                raise AssertionError(f"change {plan.change_id}: {count} of {work['add']} people were added")
        if plan.reactivate:
            # Before they are active: after that nobody can tell which opt-outs were theirs.
            self._forget_opt_outs(plan)
        self._update_judged(plan, count=work["update"], staged=staged)
        if plan.mode == Mode.DEACTIVATE:
            self._remember_absent(plan, staged=staged)
        if not plan.reactivate:
            self._insert_judged(plan, where=WORK["return"], count=work["return"], staged=staged)
            return
        added = f"({WORK['add']} OR {WORK['return']})"
        self._insert_judged(plan, where=added, count=work["add"] + work["return"], staged=staged)

    def follow_opt_outs(self, group_id: int) -> None:
        # Few addresses are ever changed by hand; each is looked up by itself.
        self.execute(
            f"UPDATE recipients_optout SET deactivated = {FOLLOWED}"
            " WHERE group_id = %s AND moved_to IS NOT NULL AND deactivated IS NULL",
            [group_id],
        )

    def holds_anybody(self, group_id: int) -> bool:
        # By key: for any row of a list that is much of the table, PostgreSQL reads the table until it comes.
        first = "SELECT key FROM recipients_recipient WHERE group_id = %s ORDER BY key LIMIT 1"
        return bool(self.execute(first, [group_id]))

    def judged(self, change_id: int) -> int | None:
        judged = tables_of(change_id).judged
        if not self._has_table(judged):
            return None
        return self._count(judged)

    def remove_batch(self, group_id: int, *, most: int, after: str = "") -> tuple[int, str]:
        # By the keys of its first and last: what went before has left its mark in the index, and every
        # statement that begins at the beginning would step over all of it again.
        found = self.execute(
            "SELECT count(*), max(key) FROM (SELECT key FROM recipients_recipient"
            " WHERE group_id = %s AND key > %s ORDER BY key LIMIT %s) AS k",
            [group_id, after, most],
        )
        count, last = int(str(found[0][0])), str(found[0][1] or "")
        if not count:
            return 0, ""
        batch = "group_id = %s AND key > %s AND key <= %s"
        bounds = [group_id, after, last]
        self._remember_opt_outs(
            "SELECT account_id, group_id, key, deactivated, bounced FROM recipients_recipient"
            f" WHERE {batch} AND {HAS_LEFT}",
            bounds,
        )
        gone = f"SELECT id FROM recipients_recipient WHERE {batch}"
        self.execute(f"DELETE FROM recipients_activity WHERE recipient_id IN ({gone})", bounds)
        self.execute(f"DELETE FROM recipients_recipient WHERE {batch}", bounds)
        return count, last

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

    def _classified(
        self,
        plan: Plan,
        *,
        winners: str,
        values: Sequence[str] = VALUES,
        dialect: Dialect | None = None,
    ) -> str:
        is_blocking = self.execute(
            "SELECT EXISTS (SELECT 1 FROM recipients_blocklistentry WHERE account_id = %s)", [plan.account_id]
        )
        return classified(
            plan,
            dialect=dialect or self.dialect,
            winners=winners,
            is_blocking=bool(is_blocking[0][0]),
            values=values,
        )

    def _judged(self, plan: Plan, *, winners: str, leaves_new: bool, dialect: Dialect | None = None) -> str:
        """The SELECT of what becomes of each address, as `Judged` says, and of its recipient."""
        becomes = VALUES if plan.mode not in (Mode.DEACTIVATE, Mode.DELETE) else ()
        values = "".join(f", CASE WHEN rid IS NOT NULL THEN n_{name} END AS n_{name}" for name in becomes)
        select = self._classified(plan, winners=winners, values=becomes, dialect=dialect)
        wanted = "is_new = 0" if leaves_new else "verdict <> 'unchanged'"
        return (
            f"SELECT {JUDGED}, CASE WHEN verdict = 'safe' OR rid IS NOT NULL THEN email END AS email{values}"
            f" FROM ({select}) AS c WHERE {wanted}"
        )

    def _insert_new(self, plan: Plan, *, count: int, judged: Judged) -> int:
        """Add those whom the list does not know at all straight from the staged rows; how many."""
        if count == judged.addresses:
            return self._insert_all(plan)
        rows = self._strangers(plan) if judged.leaves_new else self._judged_rows(plan, where=WORK["add"])
        with self._finding(count, plan, staged=judged.addresses):
            # In the order of the index that they go into: half the time of any other order.
            return self._insert(plan, winners=f"SELECT * FROM ({rows}) AS u ORDER BY key")

    def _insert_all(self, plan: Plan) -> int:
        """Add the last line of each address, by key; how many."""
        return self._insert(plan, winners=self._winners(plan))

    def _insert(self, plan: Plan, *, winners: str) -> int:
        select = classified(plan, dialect=self.dialect, winners=winners, is_new=True)
        return self._insert_classified(plan, select=select)

    def _insert_classified(self, plan: Plan, *, select: str) -> int:
        parameters: Any = self._parameters(plan)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO recipients_recipient (account_id, group_id, change_id, {', '.join(WRITTEN)})"
                f" SELECT %(account)s, %(group)s, %(change)s, key, email,"
                f" {', '.join(f'n_{name}' for name in VALUES)} FROM ({select}) AS c WHERE writes = 1",
                parameters,
            )
            return int(cursor.rowcount)

    # Few whom the list knows, or nobody

    def _strangers(self, plan: Plan) -> str:
        """A SELECT of the staged rows of people whom the list does not know in any way.

        Whether they were judged or left out: who is missing here would be lost.
        """
        judged = tables_of(plan.change_id).judged
        return (
            f"SELECT s.* FROM ({self._winners(plan)}) AS s WHERE NOT EXISTS"
            f" (SELECT 1 FROM {judged} AS j WHERE j.key = s.key AND NOT ({WORK['add']}))"
        )

    def _is_first(self, plan: Plan) -> bool:
        """Whether the list is empty and nobody in it could be known: no opt-outs, no blocked people.

        Of the list that the rows come from only those count who left it.
        """
        if plan.mode not in ADDING or self.holds_anybody(plan.group_id):
            return False
        known = self.execute(f"SELECT EXISTS ({TRACES})", self._parameters(plan))
        return not known[0][0]

    def _all_added(self, plan: Plan) -> Verdicts:
        """The verdicts if everybody who is staged is new."""
        return self._added(plan, winners=self._winners(plan))

    def _added(self, plan: Plan, *, winners: str) -> Verdicts:
        shift = {tally.new_status: tally.rows for tally in self._tallies_of_new(plan, winners=winners)}
        return Verdicts(added=sum(shift.values()), shift=shift)

    def _tallies_of_new(self, plan: Plan, *, winners: str) -> list[Tally]:
        select = classified(plan, dialect=self.dialect, winners=winners, is_new=True)
        rows = self.execute(
            f"SELECT new_status, count(*) FROM ({select}) AS c GROUP BY new_status", self._parameters(plan)
        )
        return [Tally("added", None, str(status), "add", int(str(count))) for status, count in rows]

    def _filled(self, plan: Plan, *, added: int) -> Verdicts:
        """The verdicts where so many rows were put into a list that was empty."""
        # All but the active ones are in an index of their own.
        rows = self.execute(
            f"SELECT {status_sql('')}, count(*) FROM recipients_recipient WHERE group_id = %s"
            " AND (activated IS NULL OR deactivated IS NOT NULL OR bounced IS NOT NULL) GROUP BY 1",
            [plan.group_id],
        )
        shift = {str(status): int(str(count)) for status, count in rows}
        if active := added - sum(shift.values()):
            shift["active"] = active
        return Verdicts(added=added, shift=shift)

    def _parameters(self, plan: Plan) -> dict[str, object]:
        cleared = {name.removeprefix(ATTRIBUTE): None for name in plan.fields if name.startswith(ATTRIBUTE)}
        return {
            "change": plan.change_id,
            "account": plan.account_id,
            "group": plan.group_id,
            "source_group": plan.source_group_id,
            "source": plan.source_group_id or plan.group_id,
            "now": plan.now,
            "cleared": self.cleared_parameter(cleared),
        }

    def cleared_parameter(self, cleared: dict[str, None]) -> object:
        """The attributes that an empty cell clears, as `dialect.cleared_and_merged` wants them."""
        return compact_json(cleared)

    def _tallies(self, plan: Plan, *, judged: Judged) -> list[Tally]:
        """What was judged, in one look at all of it, and the strangers that were left out."""
        work = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in WORK.items())
        rows = self.execute(
            f"SELECT verdict, old_status, new_status, CASE {work} END AS work, count(*)"
            f" FROM {tables_of(plan.change_id).judged} GROUP BY verdict, old_status, new_status, work",
            [],
        )
        tallies = [Tally(*row) for row in rows]  # type: ignore[arg-type]  # as the statement says
        if not judged.leaves_new:
            return tallies
        known = [tally for tally in tallies if tally.work != "add"]
        return [*self._tallies_of_strangers(plan, known=known, staged=judged.addresses), *known]

    def _tallies_of_strangers(self, plan: Plan, *, known: Sequence[Tally], staged: int) -> list[Tally]:
        """All who are staged but those who are known: to look for each among them takes thrice as long."""
        counts = Counter(self._all_added(plan).shift)
        if count := sum(tally.rows for tally in known):
            with self._finding(count, plan, staged=staged):
                rows = self._judged_rows(plan, where=f"NOT ({WORK['add']})")
                counts.subtract(
                    {tally.new_status: tally.rows for tally in self._tallies_of_new(plan, winners=rows)}
                )
        return [Tally("added", None, status, "add", rows) for status, rows in counts.items() if rows]

    def _update_judged(self, plan: Plan, *, count: int, staged: int) -> None:
        """Give known recipients what was found when they were judged."""
        assignments = ", ".join(["email = v.email", *(f"{name} = v.n_{name}" for name in VALUES)])
        if plan.mode == Mode.DEACTIVATE:
            # It happens now, not when it was judged.
            assignments = "deactivated = %(now)s"
        if not count:
            return
        judged = tables_of(plan.change_id).judged
        with self._finding(count, plan, staged=staged) as dialect:
            self.execute(
                f"UPDATE recipients_recipient SET {assignments}, change_id = %(change)s FROM {judged} AS v"
                f" WHERE {WORK['update']} AND {dialect.is_same}",
                self._parameters(plan),
            )

    def _insert_judged(self, plan: Plan, *, where: str, count: int, staged: int) -> None:
        """Add those whom the list does not hold, but knows or may know otherwise."""
        if not count:
            return
        rows = self._judged_rows(plan, where=where)
        with self._finding(count, plan, staged=staged) as dialect:
            select = self._classified(plan, winners=rows, dialect=dialect)
            self._insert_classified(plan, select=f"{select} ORDER BY key")

    def _remove_judged(self, plan: Plan, *, staged: int) -> None:
        judged = tables_of(plan.change_id).judged
        parameters = {"group": plan.group_id}
        with self._finding(staged, plan, staged=staged) as dialect:
            gone = dialect.is_one_of.format(judged=f"{judged} WHERE writes = 1")
            ids = f"SELECT id FROM recipients_recipient WHERE {gone}"
            self._remember_opt_outs(
                "SELECT account_id, group_id, key, deactivated, bounced FROM recipients_recipient"
                f" WHERE {gone} AND {HAS_LEFT}",
                parameters,
            )
            self.execute(f"DELETE FROM recipients_activity WHERE recipient_id IN ({ids})", parameters)
            self.execute(f"DELETE FROM recipients_recipient WHERE {gone}", parameters)

    def _remember_opt_outs(self, select: str, parameters: Sequence[object] | Mapping[str, object]) -> None:
        self.execute(
            "INSERT INTO recipients_optout (account_id, group_id, key, deactivated, bounced)"
            f" {select} ON CONFLICT (group_id, key) DO UPDATE"
            " SET deactivated = excluded.deactivated, bounced = excluded.bounced",
            parameters,
        )

    def _remember_absent(self, plan: Plan, *, staged: int) -> None:
        """Whoever is to be unsubscribed and is not in the list just now does not come into it as active.

        Of erased people nothing is written down.
        """
        with self._finding(staged, plan, staged=staged):
            self.execute(
                "INSERT INTO recipients_optout (account_id, group_id, key, deactivated)"
                f" SELECT %(account)s, %(group)s, s.key, %(now)s FROM ({self._winners(plan)}) AS s"
                " WHERE NOT EXISTS (SELECT 1 FROM recipients_recipient AS r"
                " WHERE r.group_id = %(group)s AND r.key = s.key) AND s.digest NOT IN"
                " (SELECT pattern FROM recipients_blocklistentry WHERE account_id = %(account)s)"
                " ON CONFLICT (group_id, key) DO UPDATE SET deactivated ="
                " coalesce(recipients_optout.deactivated, excluded.deactivated)",
                self._parameters(plan),
            )

    def _forget_opt_outs(self, plan: Plan) -> None:
        """Who is made active again by an explicit choice is no longer remembered as opted out, with any of
        their addresses. Of who is active already nothing is forgotten, and nothing of another person who had
        one of these addresses afterwards and opted out by themselves, at another time.
        """
        judged = tables_of(plan.change_id).judged
        raised = (
            f"SELECT key FROM {judged} WHERE writes = 1 AND new_status = 'active'"
            " AND (old_status IS NULL OR old_status <> 'active')"
        )
        theirs = f"moved_to IN ({raised}) AND deactivated = {FOLLOWED}"
        self.execute(
            f"UPDATE recipients_optout SET deactivated = NULL WHERE group_id = %s AND {theirs}",
            [plan.group_id],
        )
        self.execute(
            f"DELETE FROM recipients_optout WHERE group_id = %s AND key IN ({raised})", [plan.group_id]
        )
