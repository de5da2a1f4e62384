"""Reading users, members and the log. Every query starts from the account."""

from __future__ import annotations

from django.db import connection
from django.db.models import Q, QuerySet

from backupsvc.accounts.models import Account, AuditEntry, Member
from backupsvc.errors import NotFound

# Each list that the log speaks of, with the target of its newest entry about the list as a whole.
LISTS_BY_INDEX = """
    WITH RECURSIVE lists (group_id) AS (
        SELECT min(group_id) FROM accounts_auditentry WHERE account_id = %(account)s
        UNION ALL
        SELECT (SELECT min(e.group_id) FROM accounts_auditentry e
                 WHERE e.account_id = %(account)s AND e.group_id > lists.group_id)
          FROM lists WHERE lists.group_id IS NOT NULL
    )
    SELECT group_id,
           (SELECT e.target FROM accounts_auditentry e
             WHERE e.account_id = %(account)s AND e.group_id = lists.group_id AND e.target <> ''
               AND substr(e.event, 1, 6) IN ('group.', 'import', 'backup')
             ORDER BY e.id DESC LIMIT 1)
      FROM lists WHERE group_id IS NOT NULL
"""


def members_of(account: Account) -> QuerySet[Member]:
    """The account's members with their users, by address."""
    return Member.objects.filter(account=account).select_related("user").order_by("user__email")


def audit_entries(
    account: Account,
    *,
    group_id: int | None = None,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """A page of the log and its users, newest first: before `before_id`, or the one next to `after_id`."""
    entries = _entries(account, group_id=group_id).select_related("user")
    if after_id is not None:
        return list(entries.filter(pk__gt=after_id).order_by("pk")[:limit])[::-1]
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    return list(entries.order_by("-pk")[:limit])


def has_entries(
    account: Account,
    *,
    group_id: int | None = None,
    before_id: int | None = None,
    after_id: int | None = None,
) -> bool:
    """Whether the log has entries older than `before_id`, or newer than `after_id`."""
    entries = _entries(account, group_id=group_id)
    if before_id is not None:
        entries = entries.filter(pk__lt=before_id)
    if after_id is not None:
        entries = entries.filter(pk__gt=after_id)
    return entries.exists()


def _entries(account: Account, *, group_id: int | None) -> QuerySet[AuditEntry]:
    entries = AuditEntry.objects.filter(account=account)
    return entries if group_id is None else entries.filter(group_id=group_id)


def logged_lists(account: Account) -> list[tuple[int, str]]:
    """The lists the log speaks of, each under the name it was last called, by name."""
    # From list to list by index: a log of years is not read for a choice of lists.
    with connection.cursor() as cursor:
        cursor.execute(LISTS_BY_INDEX, {"account": account.pk})
        names = [(group_id, name) for group_id, name in cursor.fetchall() if name]
    return sorted(names, key=lambda pair: (pair[1].lower(), pair[0]))


def find_accounts(text: str, *, limit: int = 50) -> list[Account]:
    """Accounts by name, short name or the address of a member: for support staff."""
    accounts = Account.objects.order_by("name", "id")
    text = text.strip()
    if text:
        accounts = accounts.filter(
            Q(name__icontains=text) | Q(slug__icontains=text) | Q(members__user__email__icontains=text)
        ).distinct()
    return list(accounts[:limit])


def get_member(account: Account, *, member_id: int) -> Member:
    """A member of this account, or NotFound."""
    member = Member.objects.filter(account=account, pk=member_id).select_related("user", "account").first()
    if member is None:
        raise NotFound("member.not_found")
    return member
