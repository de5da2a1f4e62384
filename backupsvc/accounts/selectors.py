"""Reading users, members and the log. Every query starts from the account."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from backupsvc.accounts.models import Account, AuditEntry, Member
from backupsvc.errors import NotFound


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
    """A page of the log, newest first: what came before `before_id`, or the page right after `after_id`."""
    entries = account.audit_entries.select_related("user")
    if group_id is not None:
        entries = entries.filter(group_id=group_id)
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
    return bool(audit_entries(account, group_id=group_id, before_id=before_id, after_id=after_id, limit=1))


def logged_lists(account: Account) -> list[tuple[int, str]]:
    """The lists the log speaks of, each under the name it was last called, by name."""
    rows = (
        account.audit_entries.filter(group_id__isnull=False)
        .exclude(target="")
        .filter(event__startswith="group.")
        .order_by("pk")
        .values_list("group_id", "target")
    )
    names: dict[int, str] = {group_id: target for group_id, target in rows if group_id is not None}
    return sorted(names.items(), key=lambda pair: (pair[1].lower(), pair[0]))


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
