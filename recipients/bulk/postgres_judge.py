"""How PostgreSQL judges staged rows and writes the new ones: beside the list, one by one, or by traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from django.db import transaction

from recipients.bulk.base import Judged, KeptSafe, Plan, Verdicts
from recipients.bulk.merge import TRACES
from recipients.bulk.postgres_raw import RawEngine, in_order
from recipients.bulk.second import Second
from recipients.bulk.staged import FEW
from recipients.bulk.staging import half_of, tables_of
from recipients.bulk.verdict import Dialect

# The share of staged rows that are looked up to see whether the list knows many.
SAMPLED_PERCENT = 0.1
# By so many traces people are looked for in one pass over all rows; by more, row by row beside the list.
FEW_TRACES = 50_000
TRACED = {
    "addresses": "key = ANY(%(addresses)s)",
    "domains": "'*@' || domain = ANY(%(domains)s)",
    "digests": "digest = ANY(%(digests)s)",
}

# Of two connections each judges a half of the keys. Any character may stand in a key, a percent sign too.
BELOW, ABOVE = "key < %(middle)s", "key >= %(middle)s"
# The rows of a list, of all keys or of some, in their order.
LISTED = "(SELECT * FROM {table} WHERE group_id = {group} AND {only} {keys} ORDER BY key OFFSET 0)"
# The one row of a list with the address of the row `s`. Without the fence the planner, who knows nothing of a
# list that this transaction has filled, may read all of it for each address: minutes for ten thousand.
LOOKED_UP = "LATERAL (SELECT * FROM {table} WHERE group_id = {group} AND {only} AND key = s.key OFFSET 0)"
DIALECT = Dialect(
    differs="IS DISTINCT FROM",
    winners="SELECT DISTINCT ON (key) * FROM ({staged}) AS s ORDER BY key, line DESC",
    fence="OFFSET 0",
    listed=LISTED.replace("{keys}", ""),
    nulls={
        **dict.fromkeys(("registered", "activated", "deactivated", "bounced"), "NULL::timestamptz"),
        **dict.fromkeys(("source", "signup_ip", "email"), "NULL::text"),
        **dict.fromkeys(("tags", "attributes"), "NULL::jsonb"),
        "id": "NULL::bigint",
    },
    empty_list="'[]'::jsonb",
    empty_object="'{}'::jsonb",
    without_nulls="jsonb_strip_nulls({value})",
    cleared_and_merged="({old} - %(cleared)s::text[]) || {new}",
    merged="{old} || {new}",
    is_merged="{old} @> {new}",
    spelled="{value}",
    is_cleared_and_merged="{old} = {new}",
    # Both lie in this order, so that they can be read side by side.
    is_same="recipients_recipient.group_id = %(group)s AND recipients_recipient.key = v.key",
    is_one_of="group_id = %(group)s AND key IN (SELECT key FROM {judged})",
)
# Of those who were judged their ids are known: no word of their list, for the same reason.
FOUND_ONE_BY_ONE = replace(
    DIALECT,
    listed=LOOKED_UP,
    is_same="recipients_recipient.id = v.rid",
    is_one_of="id IN (SELECT rid FROM {judged})",
)


class JudgingEngine(RawEngine):
    dialect = DIALECT
    create_staging = "CREATE UNLOGGED TABLE"
    # Nobody waits for rows of a deleted list here; each commit is a wait for the disk.
    removes_at_once = 100_000

    def preview(self, plan: Plan, *, most_kept_safe: int) -> tuple[Verdicts, list[KeptSafe]]:
        # The planner's settings last as long as a transaction.
        with transaction.atomic():
            self._set_planner()
            return super().preview(plan, most_kept_safe=most_kept_safe)

    def merge(self, plan: Plan) -> Verdicts:
        self._set_planner()
        return super().merge(plan)

    def _winners(self, plan: Plan) -> str:
        is_settled = self._is_settled(plan.change_id)
        return self._staged(plan.change_id) if is_settled else super()._winners(plan)

    def make_ready(self, plan: Plan) -> None:
        if self._is_first(plan) or (self._traces(plan) is not None and self._leaves_new(plan)):
            return
        keyed = tables_of(plan.change_id).keyed
        half = half_of(keyed)
        if self._has_table(half) and self._is_long(keyed):
            with Second(needed=half) as second:
                if second.is_there:
                    upper = second.start(self._index_by_key, half)
                    self._index_by_key(keyed)
                    upper.result()
        self._index_keys(plan.change_id)

    def _sample(self, plan: Plan) -> tuple[int, int]:
        keyed = tables_of(plan.change_id).keyed
        if not self._has_table(keyed):
            return 0, 0
        with self._one_by_one(), self._without("seqscan"):
            found = self.execute(
                "SELECT count(*), count(known) FROM (SELECT"
                " (SELECT id FROM recipients_recipient WHERE group_id = %s AND key = s.key) AS known"
                f" FROM {keyed} AS s TABLESAMPLE SYSTEM ({SAMPLED_PERCENT}) WHERE key IS NOT NULL) AS t",
                [plan.group_id],
            )
        sampled, known = (int(str(count)) for count in found[0])
        return sampled, known

    def _traces(self, plan: Plan) -> dict[str, list[str]] | None:
        """All by which an empty list may know somebody: addresses, patterns of domains, hashes of addresses.

        None if there are many, or somebody is in the list.
        """
        if self.holds_anybody(plan.group_id):
            return None
        rows = self.execute(f"{TRACES} LIMIT {FEW_TRACES + 1}", self._parameters(plan))
        if len(rows) > FEW_TRACES:
            return None
        traces = [str(key) for (key,) in rows]
        return {
            "addresses": [trace for trace in traces if "@" in trace],
            "domains": [trace for trace in traces if trace.startswith("*@")],
            "digests": [trace for trace in traces if "@" not in trace],
        }

    def _judge(self, plan: Plan, *, leaves_new: bool, is_alone: bool) -> int:
        _raw, keyed, _plain, judged = tables_of(plan.change_id)
        staged = self._addresses(plan.change_id)
        traces = self._traces(plan) if leaves_new else None
        if traces is not None:
            self._drop(half_of(judged), judged)
            self._judge_traced(plan, traces=traces, into=judged)
            return staged
        self._index_keys(plan.change_id)
        with Second(needed=in_order(keyed)) as second:
            middle = self._middle("key", table=keyed) if not is_alone and self._has_table(keyed) else ""
            if not (middle and second.is_there):
                self._drop(half_of(judged), judged)
                self._judge_among(plan, staged=staged, leaves_new=leaves_new, into=judged)
                return staged
            # Each drops its own: one must not wait for what the other has not committed.
            second.start(self._drop, half_of(judged)).result()
            self._drop(judged)
            upper = second.start(
                self._judge_among,
                plan,
                staged=staged,
                leaves_new=leaves_new,
                into=half_of(judged),
                keys=ABOVE,
                middle=middle,
            )
            self._judge_among(
                plan, staged=staged, leaves_new=leaves_new, into=judged, keys=BELOW, middle=middle
            )
            upper.result()
            self._join(judged)
        return staged

    def _judge_among(
        self,
        plan: Plan,
        *,
        staged: int,
        leaves_new: bool,
        into: str,
        keys: str = "TRUE",
        middle: str = "",
    ) -> None:
        """Make a table of what becomes of the addresses of whose keys the condition is true."""
        with transaction.atomic():
            self._set_planner()
            with self._finding(staged, plan, staged=staged, keys=keys) as dialect:
                winners = f"SELECT * FROM ({self._winners(plan)}) AS w WHERE {keys}"
                select = self._judged(plan, winners=winners, leaves_new=leaves_new, dialect=dialect)
                parameters = self._parameters(plan) | {"middle": middle}
                self.execute(f"{self.create_staging} {into} AS {select}", parameters)
            self.execute(f"CREATE INDEX ON {into} (key)", [])

    def _judge_traced(self, plan: Plan, *, traces: Mapping[str, list[str]], into: str) -> None:
        """The same of those by whose traces an empty list may know them: all others are strangers.

        PostgreSQL hashes the traces, and reads all rows once without an order.
        """
        arms = [condition for name, condition in TRACED.items() if traces[name]]
        winners = f"SELECT * FROM ({self._winners(plan)}) AS w WHERE {' OR '.join(arms) or 'FALSE'} OFFSET 0"
        with self._one_by_one():
            select = self._judged(plan, winners=winners, leaves_new=True, dialect=FOUND_ONE_BY_ONE)
            parameters = {**self._parameters(plan), **traces}
            self.execute(f"{self.create_staging} {into} AS {select}", parameters)
        self.execute(f"CREATE INDEX ON {into} (key)", [])
        if self._count(into):
            self._index_keys(plan.change_id)

    def _insert_new(self, plan: Plan, *, count: int, judged: Judged) -> int:
        known = judged.addresses - count
        if not (judged.leaves_new and known and known * FEW <= judged.addresses):
            return super()._insert_new(plan, count=count, judged=judged)
        # The few who are known are hashed, and all others stay in the order in which they lie: that of keys.
        with self._without("mergejoin"):
            return self._insert(plan, winners=self._strangers(plan))

    def _all_added(self, plan: Plan) -> Verdicts:
        with self._side_by_side(plan):
            return super()._all_added(plan)

    def _insert_all(self, plan: Plan) -> int:
        with self._side_by_side(plan):
            return super()._insert_all(plan)

    @contextmanager
    def _finding(self, addresses: int, plan: Plan, *, staged: int, keys: str = "TRUE") -> Iterator[Dialect]:
        """Few are looked up one by one; beside more the list is read, of the keys with that condition."""
        counts = "active_count + unconfirmed_count + inactive_count + bounced_count"
        listed = self.execute(f"SELECT {counts} FROM recipients_group WHERE id = %s", [plan.group_id])
        known = int(str(listed[0][0])) if listed else 0
        if addresses * FEW < max(known, staged):
            with self._one_by_one():
                yield FOUND_ONE_BY_ONE
        else:
            with self._side_by_side(plan):
                yield replace(self.dialect, listed=LISTED.replace("{keys}", f"AND {keys}"))

    @contextmanager
    def _side_by_side(self, plan: Plan) -> Iterator[None]:
        """Rows are read in the order of their keys: no memory, whatever the planner believes of the sizes."""
        ways = ["hashjoin", "bitmapscan"]
        if self._has_table(tables_of(plan.change_id).keyed):
            # They lie in that order, which the planner does not know.
            ways.append("sort")
        with self._without(*ways):
            yield

    def _is_settled(self, change_id: int) -> bool:
        """Whether what is staged is one line of each address."""
        return self._has_table(tables_of(change_id).plain)

    def _addresses(self, change_id: int) -> int:
        if self._is_settled(change_id):
            return self._count(tables_of(change_id).plain)
        return super()._addresses(change_id)

    def cleared_parameter(self, cleared: dict[str, None]) -> object:
        return list(cleared)
