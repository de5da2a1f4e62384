"""Lists, their rows and their accounts."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Exists, F, Model, OuterRef, Q, QuerySet

from backups.invariants.finding import Broken
from backupsvc.accounts.models import Account, Member, Role
from backupsvc.jobs.models import ENDED, Job
from recipients.actions.groups import PURGE_JOB
from recipients.actions.staging import digest_for
from recipients.models import (
    UNDER_WAY,
    Activity,
    Attribute,
    BlocklistEntry,
    Change,
    ChangeKind,
    ChangeState,
    Group,
    OptOut,
    Recipient,
    Status,
)
from recipients.selectors import IN_STATUS

REPORT = "Tell those who make this program."


def rows_stay_in_their_account() -> Iterator[Broken]:
    """Whatever is in a list belongs to the list's account."""
    models: tuple[type[Model], ...] = (Recipient, Attribute, BlocklistEntry, OptOut, Change)
    for model in models:
        foreign: QuerySet[Model] = model._base_manager.filter(group__isnull=False)
        foreign = foreign.exclude(account=F("group__account")).order_by()
        for found in foreign.values("group_id").annotate(count=Count("pk")).order_by("group_id"):
            yield Broken(
                f"list {found['group_id']}",
                f"{found['count']} of its {model._meta.verbose_name_plural} belong to another account.",
                f"Stop the service until it is clear how that could happen. {REPORT}",
            )
    # The database itself does not hold this: it has no foreign keys of recipients.
    ownerless = Recipient.objects.filter(~Exists(Group.objects.filter(pk=OuterRef("group_id")))).order_by()
    for found in ownerless.values("group_id").annotate(count=Count("pk")).order_by("group_id"):
        yield Broken(
            f"list {found['group_id']}",
            f"{found['count']} recipients are of a list that is not there.",
            REPORT,
        )
    orphans = Activity.objects.filter(~Exists(Recipient.objects.filter(pk=OuterRef("recipient_id"))))
    if count := orphans.order_by().count():
        yield Broken("activities", f"{count} are of recipients that are not there.", REPORT)


def hidden_lists_have_a_deletion() -> Iterator[Broken]:
    """A list that nobody sees is being deleted, waits for its rows to go, or has none any more."""
    deletion = Change.objects.filter(group=OuterRef("pk"), kind=ChangeKind.DELETION)
    under_way = Exists(deletion.filter(state__in=UNDER_WAY))
    purge = Exists(Job.objects.filter(kind=PURGE_JOB, subject_id=OuterRef("pk")).exclude(state__in=ENDED))
    hidden = Group.objects.filter(hidden_at__isnull=False)
    for group in hidden.filter(~under_way, ~purge, deleted_at=None).iterator():
        yield Broken(
            _place(group),
            "It is hidden, but nothing is under way that would delete it or bring it back.",
            "Restore its last backup into it, or undo its deletion in the web application.",
        )
    done = Exists(deletion.filter(state=ChangeState.DONE))
    people = Exists(Recipient.objects.filter(group=OuterRef("pk")))
    for group in hidden.filter(~purge, people, deleted_at__isnull=False).iterator():
        yield Broken(
            _place(group),
            "It is deleted, but recipients are left and nothing is under way that would remove them.",
            f"Restore its last backup, then delete it again. {REPORT}",
        )
    # A list that was made for an import that came to nothing goes without a deletion.
    filled = Exists(Change.objects.filter(group=OuterRef("pk"), state=ChangeState.DONE))
    for group in hidden.filter(~done, filled, deleted_at__isnull=False).iterator():
        yield Broken(_place(group), "Its rows are gone, but no deletion of it was done.", REPORT)
    for group in Group.objects.filter(hidden_at=None).filter(under_way | Q(deleted_at__isnull=False)):
        yield Broken(_place(group), "It is shown although it is being deleted.", REPORT)


def erased_people_are_in_no_list() -> Iterator[Broken]:
    """No live row has an address that was erased from its account."""
    for account in Account.objects.filter(blocklist__kind=BlocklistEntry.Kind.ERASED).distinct():
        digest = digest_for(account)
        entries = BlocklistEntry.objects.filter(account=account, kind=BlocklistEntry.Kind.ERASED)
        erased = set(entries.values_list("pattern", flat=True))
        rows = Recipient.objects.filter(account=account).order_by().values_list("pk", "key", "group_id")
        for pk, key, group_id in rows.iterator():
            if digest is not None and digest(key) in erased:
                yield Broken(
                    f"recipient {pk} of list {group_id}",
                    "This person was erased, but is there.",
                    "Remove the recipient, and find out which change brought it back.",
                )


def counts_are_right() -> Iterator[Broken]:
    """What a list says about itself without counting is what counting gives."""
    for group in Group.objects.filter(deleted_at=None).order_by("pk").iterator():
        counted = Recipient.objects.filter(group=group).aggregate(
            **{status.value: Count("pk", filter=IN_STATUS[status]) for status in Status}
        )
        said = {status.value: getattr(group, f"{status.value}_count") for status in Status}
        if counted != said:
            yield Broken(_place(group), f"It says {_words(said)}, but there are {_words(counted)}.", REPORT)


def addresses_are_there_once() -> Iterator[Broken]:
    """One row for each address; the database itself should refuse a second."""
    keys = Recipient.objects.order_by().values("group_id", "key")
    for found in keys.annotate(count=Count("pk")).filter(count__gt=1):
        # No address in a report that people send around.
        yield Broken(f"list {found['group_id']}", f"An address is there {found['count']} times.", REPORT)


def accounts_have_an_owner() -> Iterator[Broken]:
    """Somebody can decide."""
    owners = Member.objects.filter(account=OuterRef("pk"), role=Role.OWNER, user__is_active=True)
    for account in Account.objects.filter(~Exists(owners)):
        yield Broken(
            f"account {account.slug}",
            "It has no owner who can sign in.",
            "Make one of its members an owner on the operators' pages.",
        )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _place(group: Group) -> str:
    return f"list {group.pk} (“{group.name}”)"
