"""The rules of a merge, as one SELECT over staged and live rows: preview and merge both stand on it.

Consent only ever goes down by itself. A row's rank is 2 active, 1 unconfirmed, 0 unsubscribed or bounced;
a row that would raise a recipient's rank keeps the recipient's status and is counted as kept safe, unless
the change carries an explicit reactivation. Blocked and erased people are never touched.

The SELECT is a chain of steps, each a CTE: winner (the last line of each address) → known (beside its
recipient, opt-outs, blocklist) → wanted (what the row asks for) → held (what it gets) → verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recipients.bulk.base import Plan
from recipients.models import Mode

SIGNUP = frozenset({"status", "activated", "deactivated"})
# The times that make a status.
STATUS = ("activated", "deactivated", "bounced")
VALUES = (
    "registered",
    "activated",
    "deactivated",
    "bounced",
    "source",
    "signup_ip",
    "tags",
    "attributes",
)


@dataclass(frozen=True)
class Dialect:
    """How a database spells what standard SQL leaves open."""

    # Infix operator: not equal, with NULL equal to NULL.
    differs: str
    # SELECT of the last line of each key among the staged rows {staged}.
    winners: str
    # Appended to a SELECT: nothing of it is computed twice, or before it is filtered.
    fence: str
    # The rows of {table} in one group, in the order of their keys where that helps. Those of which {only} is
    # not true are not needed, and may be left out.
    listed: str
    # NULL in the type of each of a recipient's columns.
    nulls: Mapping[str, str]
    empty_list: str
    empty_object: str
    # Attributes without those whose value is null, from the expression {value}.
    without_nulls: str
    # {old} with %(cleared)s taken away (a JSON object of nulls), then {new}, which has no null, laid over it.
    cleared_and_merged: str
    # {old} with {new}, which has no null, laid over it.
    merged: str
    # The condition that laying {new} over {old} changes nothing, or "" where only trying tells.
    is_merged: str
    # {value} in the spelling that the two above give, so that equal values compare equal.
    spelled: str
    # The condition that a row `v` of what is below is about the recipient of an UPDATE.
    is_same: str = "recipients_recipient.id = v.rid"
    # The condition that a recipient is one of those whom the rows {judged} are about.
    is_one_of: str = "id IN (SELECT rid FROM {judged})"
    # As `is_merged`, for `cleared_and_merged`.
    is_cleared_and_merged: str = ""


def classified(
    plan: Plan,
    *,
    dialect: Dialect,
    winners: str,
    is_new: bool = False,
    is_blocking: bool = True,
    values: Sequence[str] = VALUES,
) -> str:
    """The SELECT, with the parameters that `parameters` gives.

    `winners` is a SELECT of staged rows, one for each key. `is_new` says that none of them is known to
    the list in any way: no recipient, no opt-out, no entry of a blocklist. Without `is_blocking` the
    account blocks nobody.

    Columns: line, key, email, rid (None for a new recipient), n_<value> for each of `values`, old_status
    (None for a new recipient), new_status, why (of a row kept safe), verdict (added, updated, unchanged,
    safe), writes (1 or 0) and is_new (1: it can be added without looking at anything else, or 0).
    """
    # SQLite's fence needs the condition of `judged`, true of every row (optoverview.html, flattening, 19).
    # Of strangers nearly all is known beforehand, and the planner leaves it out: if no fence keeps it in.
    fence = "" if is_new else dialect.fence
    known = _known(plan, dialect=dialect, blocked=BLOCKED if is_blocking else "0")
    return f"""
        WITH winner AS ({winners}),
             known AS ({_unknown(dialect) if is_new else known}),
             wanted AS (SELECT known.*, {_wanted(plan, dialect=dialect)} FROM known),
             ranked AS (SELECT wanted.*, {_rank("w_")} AS w_rank, {_rank("r_")} AS r_rank FROM wanted),
             held AS (SELECT ranked.*, {_held(plan)} FROM ranked),
             compared AS (SELECT {_compared(values)}, {_changed(plan, dialect=dialect)} AS changed
                            FROM held {fence}),
             judged AS (SELECT compared.*, {_verdict(plan)} AS verdict, {_writes(plan)} AS writes
                          FROM compared WHERE line IS NOT NULL)
        SELECT line, key, {_email(plan)} AS email, rid, {"".join(f"n_{name}, " for name in values)}
               why, verdict, writes,
               CASE WHEN rid IS NOT NULL THEN {status_sql("r_")} END AS old_status,
               {status_sql("n_")} AS new_status,
               CASE WHEN verdict = 'added' AND o_deactivated IS NULL AND o_bounced IS NULL
                    THEN 1 ELSE 0 END AS is_new
          FROM judged
    """


def _compared(values: Sequence[str]) -> str:
    """The columns that are needed after the comparison: SQLite computes and copies all that are named."""
    new = dict.fromkeys((*values, *STATUS))
    old = ("r_email", *(f"r_{name}" for name in STATUS), "o_deactivated", "o_bounced")
    return ", ".join(("line", "key", "email", "rid", "blocked", "why", *old, *(f"n_{name}" for name in new)))


# Looked up in a set that is made once: for every row by itself it took a minute a million rows.
# Whom the list blocks that a backup came from is not let into another by it, as those who left it are not.
_PATTERNS = """SELECT pattern FROM recipients_blocklistentry WHERE account_id = %(account)s
                  AND (group_id IS NULL OR group_id IN (%(group)s, %(source_group)s))"""
BLOCKED = f"""CASE WHEN s.key IN ({_PATTERNS}) OR '*@' || s.domain IN ({_PATTERNS})
                       OR (s.digest <> '' AND s.digest IN ({_PATTERNS}))
                   THEN 1 ELSE 0 END"""


# Of a recipient who has left the list.
HAS_LEFT = "(deactivated IS NOT NULL OR bounced IS NOT NULL)"


def _known(plan: Plan, *, dialect: Dialect, blocked: str) -> str:
    """Each winning row beside its recipient, the opt-outs that outlived theirs, and the blocklist."""

    def beside(table: str, alias: str, group: str, *, only: str = "TRUE") -> str:
        listed = dialect.listed.format(table=table, group=group, only=only)
        return f"LEFT JOIN {listed} {alias} ON {alias}.group_id = {group} AND {alias}.key = s.key"

    deactivated, bounced, elsewhere = "o.deactivated", "o.bounced", ""
    if plan.source_group_id not in (None, plan.group_id):
        deactivated = "coalesce(o.deactivated, x.deactivated, l.deactivated)"
        bounced = "coalesce(o.bounced, x.bounced, l.bounced)"
        elsewhere = f"""
          {beside("recipients_optout", "x", "%(source_group)s")}
          {beside("recipients_recipient", "l", "%(source_group)s", only=HAS_LEFT)}"""
    return f"""
        SELECT s.line, s.key, s.email, s.says_status, r.id AS rid, r.email AS r_email,
               {", ".join(f"s.{name} AS s_{name}" for name in VALUES)},
               {", ".join(f"r.{name} AS r_{name}" for name in VALUES)},
               CASE WHEN r.id IS NULL THEN {deactivated} END AS o_deactivated,
               CASE WHEN r.id IS NULL THEN {bounced} END AS o_bounced,
               {blocked} AS blocked
          FROM winner s
          {beside("recipients_recipient", "r", "%(group)s")}
          {beside("recipients_optout", "o", "%(group)s")}{elsewhere}"""


def _unknown(dialect: Dialect) -> str:
    """Each winning row beside nobody."""
    nulls = dialect.nulls
    return f"""
        SELECT line, key, email, says_status, {nulls["id"]} AS rid, {nulls["email"]} AS r_email,
               {", ".join(f"{name} AS s_{name}" for name in VALUES)},
               {", ".join(f"{nulls[name]} AS r_{name}" for name in VALUES)},
               {nulls["deactivated"]} AS o_deactivated, {nulls["bounced"]} AS o_bounced, 0 AS blocked
          FROM winner"""


def _wanted(plan: Plan, *, dialect: Dialect) -> str:
    """What each row asks for, before consent is looked at: w_<value> for each of VALUES."""
    asked = {
        "registered": _registered_asked(plan),
        **_status_asked(plan),
        "source": _text_asked("source", plan=plan),
        "signup_ip": _text_asked("signup_ip", plan=plan),
        "tags": _tags_asked(plan, dialect=dialect),
        "attributes": _attributes_asked(plan, dialect=dialect),
    }
    return ", ".join(f"{asked[name]} AS w_{name}" for name in VALUES)


def _registered_asked(plan: Plan) -> str:
    asked = _time_asked("registered", plan=plan)
    if "registered" in plan.fields and not plan.clears:
        # A foreign file that does not know since when: a new recipient is registered now.
        return f"coalesce({asked}, CASE WHEN rid IS NULL THEN %(now)s END)"
    return asked


def _time_asked(name: str, *, plan: Plan) -> str:
    if name not in plan.fields:
        return f"CASE WHEN rid IS NULL THEN s_{name} ELSE r_{name} END"
    return f"s_{name}" if plan.clears else f"coalesce(s_{name}, r_{name})"


def _status_asked(plan: Plan) -> dict[str, str]:
    """The three times that make a status.

    A row that says its status is taken by its word; the times it does not give with it are kept where
    they agree with the status. A row that says none is taken by its times alone.
    """
    if not plan.fields & SIGNUP:
        activated = "CASE WHEN rid IS NULL THEN s_activated ELSE r_activated END"
        return {"activated": activated, "deactivated": "r_deactivated", "bounced": "r_bounced"}
    out = "(s_deactivated IS NOT NULL OR s_bounced IS NOT NULL)"
    if "activated" in plan.fields:
        told = (
            "s_activated" if plan.clears else f"coalesce(s_activated, CASE WHEN {out} THEN r_activated END)"
        )
    else:
        told = (
            "CASE WHEN s_activated IS NOT NULL THEN coalesce(r_activated, s_activated)"
            f" WHEN {out} THEN r_activated END"
        )
    # The later of two opt-outs is the one to remember.
    later = "CASE WHEN r_deactivated > s_deactivated THEN r_deactivated ELSE s_deactivated END"
    if "deactivated" in plan.fields:
        told_out, untold_out = later, later if plan.clears else f"coalesce({later}, r_deactivated)"
    else:
        told_out = "CASE WHEN s_deactivated IS NOT NULL THEN coalesce(r_deactivated, s_deactivated) END"
        untold_out = "r_deactivated"
    bounced = "CASE WHEN s_bounced IS NOT NULL THEN coalesce(r_bounced, s_bounced) END"
    return {
        "activated": f"CASE WHEN says_status THEN {told} ELSE {_time_asked('activated', plan=plan)} END",
        "deactivated": f"CASE WHEN says_status THEN {told_out} ELSE {untold_out} END",
        "bounced": f"CASE WHEN says_status THEN {bounced} ELSE r_bounced END",
    }


def _text_asked(name: str, *, plan: Plan) -> str:
    if name not in plan.fields:
        return f"coalesce(r_{name}, '')"
    return f"coalesce(s_{name}, '')" if plan.clears else f"coalesce(nullif(s_{name}, ''), r_{name}, '')"


def _tags_asked(plan: Plan, *, dialect: Dialect) -> str:
    if "tags" not in plan.fields:
        return f"coalesce(r_tags, {dialect.empty_list})"
    if plan.clears:
        return f"coalesce(s_tags, {dialect.empty_list})"
    return f"coalesce(nullif(s_tags, {dialect.empty_list}), r_tags, {dialect.empty_list})"


def _attributes_asked(plan: Plan, *, dialect: Dialect) -> str:
    merge = dialect.cleared_and_merged if plan.clears else dialect.merged
    # To look for nulls in every row took PostgreSQL a tenth of the time of writing it.
    fresh = dialect.without_nulls.format(value="s_attributes") if plan.nulls else "s_attributes"
    merged = merge.format(old="r_attributes", new=fresh)
    same = f"WHEN {is_merged} THEN r_attributes" if (is_merged := _is_merged(plan, dialect=dialect)) else ""
    return f"CASE WHEN rid IS NULL THEN {fresh} {same} ELSE {merged} END"


def _is_merged(plan: Plan, *, dialect: Dialect) -> str:
    """The condition that a row's attributes change nothing, as most do not: looking is cheaper than merging.

    "" where it cannot tell.
    """
    condition = dialect.is_cleared_and_merged if plan.clears else dialect.is_merged
    return condition.format(old="r_attributes", new="s_attributes")


def _held(plan: Plan) -> str:
    """What each row gets: n_<value> for each of VALUES, and why it stays safe."""
    if plan.mode == Mode.DEACTIVATE:
        kept = ", ".join(f"r_{name} AS n_{name}" for name in VALUES if name != "deactivated")
        return f"{kept}, coalesce(r_deactivated, %(now)s) AS n_deactivated, NULL AS why"
    if plan.reactivate:
        # Whoever stays out keeps since when and why.
        times = ", ".join(
            f"CASE WHEN w_rank = 0 THEN coalesce(w_{name}, r_{name}, o_{name}) ELSE w_{name} END AS n_{name}"
            for name in ("deactivated", "bounced")
        )
        values = ", ".join(
            f"w_{name} AS n_{name}" for name in VALUES if name not in ("deactivated", "bounced")
        )
        return f"{values}, {times}, CASE WHEN blocked = 1 THEN 'blocked' END AS why"
    # A source that says nothing of consent raises nobody: looking would be a fifth of the work.
    up = "rid IS NOT NULL AND w_rank > r_rank" if plan.fields & SIGNUP else "FALSE"
    gone = "w_rank > 0 AND (o_deactivated IS NOT NULL OR o_bounced IS NOT NULL)"
    free = ", ".join(
        f"w_{name} AS n_{name}" for name in VALUES if name not in ("activated", "deactivated", "bounced")
    )
    return f"""{free},
               CASE WHEN {up} THEN r_activated ELSE w_activated END AS n_activated,
               CASE WHEN {up} THEN r_deactivated
                    ELSE coalesce(w_deactivated, r_deactivated, o_deactivated) END AS n_deactivated,
               CASE WHEN {up} THEN r_bounced
                    ELSE coalesce(w_bounced, r_bounced, o_bounced) END AS n_bounced,
               CASE WHEN blocked = 1 THEN 'blocked'
                    WHEN {up} AND r_bounced IS NOT NULL THEN 'bounced'
                    WHEN {up} AND r_deactivated IS NOT NULL THEN 'unsubscribed'
                    WHEN {up} THEN 'unconfirmed'
                    WHEN {gone} AND o_deactivated IS NULL THEN 'bounced'
                    WHEN {gone} THEN 'unsubscribed' END AS why"""


def _changed(plan: Plan, *, dialect: Dialect) -> str:
    compared = [f"n_{name} {dialect.differs} r_{name}" for name in VALUES if name != "attributes"]
    spelled = dialect.spelled.format(value="r_attributes")
    attributes = f"n_attributes {dialect.differs} {spelled}"
    if is_merged := _is_merged(plan, dialect=dialect):
        attributes = f"(({is_merged}) IS NOT TRUE AND {attributes})"
    compared += [attributes, f"email {dialect.differs} r_email"]
    return f"CASE WHEN {' OR '.join(compared)} THEN 1 ELSE 0 END"


def _email(plan: Plan) -> str:
    """The spelling to keep: a file of people to deactivate says who, not how they are written."""
    return "coalesce(r_email, email)" if plan.mode == Mode.DEACTIVATE else "email"


def _verdict(plan: Plan) -> str:
    match plan.mode:
        case Mode.DELETE:
            return "CASE WHEN rid IS NULL THEN 'unchanged' ELSE 'updated' END"
        case Mode.DEACTIVATE:
            return "CASE WHEN rid IS NULL OR r_deactivated IS NOT NULL THEN 'unchanged' ELSE 'updated' END"
        case Mode.ADD_ONLY:
            skipped = "WHEN rid IS NOT NULL THEN 'unchanged' "
        case Mode.UPDATE_ONLY:
            skipped = "WHEN rid IS NULL THEN 'unchanged' "
        case _:
            skipped = ""
    return f"""CASE {skipped}WHEN why IS NOT NULL THEN 'safe' WHEN rid IS NULL THEN 'added'
                    WHEN changed = 1 THEN 'updated' ELSE 'unchanged' END"""


def _writes(plan: Plan) -> str:
    match plan.mode:
        case Mode.DELETE:
            wanted = "rid IS NOT NULL"
        case Mode.DEACTIVATE:
            wanted = "rid IS NOT NULL AND r_deactivated IS NULL"
        case Mode.ADD_ONLY:
            wanted = "blocked = 0 AND rid IS NULL"
        case Mode.UPDATE_ONLY:
            wanted = "blocked = 0 AND rid IS NOT NULL AND changed = 1"
        case _:
            wanted = "blocked = 0 AND (rid IS NULL OR changed = 1)"
    return f"CASE WHEN {wanted} THEN 1 ELSE 0 END"


def _rank(prefix: str) -> str:
    return (
        f"CASE WHEN {prefix}bounced IS NOT NULL OR {prefix}deactivated IS NOT NULL THEN 0"
        f" WHEN {prefix}activated IS NULL THEN 1 ELSE 2 END"
    )


def status_sql(prefix: str) -> str:
    """The expression that gives the words of `Status`, in the order of `Recipient.status`."""
    return (
        f"CASE WHEN {prefix}bounced IS NOT NULL THEN 'bounced'"
        f" WHEN {prefix}deactivated IS NOT NULL THEN 'inactive'"
        f" WHEN {prefix}activated IS NOT NULL THEN 'active' ELSE 'unconfirmed' END"
    )
