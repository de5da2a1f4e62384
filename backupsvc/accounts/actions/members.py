"""Who belongs to an account. The owner's work; there is always one owner left."""

from __future__ import annotations

from functools import partial

from allauth.account.models import EmailAddress
from allauth.account.utils import has_verified_email
from django.core.exceptions import ValidationError
from django.db import transaction

from backupsvc.accounts import audit
from backupsvc.accounts.access import Permission, require
from backupsvc.accounts.actions.invitations import send_invitation
from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Account, Member, Role, User
from backupsvc.errors import Refusal


@transaction.atomic
def add_member(account: Account, *, actor: Actor, email: str, role: str) -> Member:
    """Let a person in. Who cannot sign in yet, or never showed that the address is theirs, gets a mail
    with a link to choose a password.

    Refusals: user.email_invalid, member.role_unknown, member.already_in
    """
    require(actor, account=account, permission=Permission.MEMBERS)
    _check_role(role)
    user, _created = find_or_create_user(email)
    if Member.objects.filter(account=account, user=user).exists():
        raise Refusal("member.already_in", email=user.email)
    _forget_unproven_password(user)
    member = Member.objects.create(account=account, user=user, role=role)
    audit.record("member.added", account=account, actor=actor, target=user.email, role=role)
    # After the commit: nobody is invited into an account that then has not let them in. Robust: a mail
    # server that is down is in the log, and the person can still ask for a link on the sign-in page.
    transaction.on_commit(partial(send_invitation, member, actor=actor), robust=True)
    return member


@transaction.atomic
def change_role(member: Member, *, actor: Actor, role: str) -> Member:
    """Give a member another role. Refusals: member.role_unknown, member.last_owner"""
    require(actor, account=member.account, permission=Permission.MEMBERS)
    _check_role(role)
    member = _locked(member)
    if role == member.role:
        return member
    if member.role == Role.OWNER:
        _refuse_last_owner(member)
    old, member.role = member.role, role
    member.save(update_fields=["role"])
    audit.record(
        "member.role_changed",
        account=member.account,
        actor=actor,
        target=member.user.email,
        old={"role": old},
        new={"role": role},
    )
    return member


@transaction.atomic
def remove_member(member: Member, *, actor: Actor) -> None:
    """Take a member out of the account; the person keeps their sign-in. Refusal: member.last_owner"""
    require(actor, account=member.account, permission=Permission.MEMBERS)
    member = _locked(member)
    if member.role == Role.OWNER:
        _refuse_last_owner(member)
    audit.record(
        "member.removed", account=member.account, actor=actor, target=member.user.email, role=member.role
    )
    member.delete()


def find_or_create_user(email: str, *, password: str | None = None) -> tuple[User, bool]:
    """The user with the address, made if unknown, and whether they were made.

    A password is set only for a new user: knowing an address must not be enough to take a sign-in over.
    """
    email = email.strip().lower()
    try:
        User._meta.get_field("email").clean(email, None)
    except ValidationError as invalid:
        raise Refusal("user.email_invalid", email=email) from invalid
    user = User.objects.filter(email=email).first()
    if user is not None:
        return user, False
    user = User.objects.create_user(email, password)
    # Whoever makes users with a password answers for their address.
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=password is not None)
    return user, True


def _forget_unproven_password(user: User) -> None:
    """Whoever chose the password of an address that nobody has proven may be anybody: the mail decides."""
    # Operators are made by command, without a mail.
    if user.has_usable_password() and not user.is_superuser and not has_verified_email(user, user.email):
        user.set_unusable_password()
        user.save(update_fields=["password"])


def _locked(member: Member) -> Member:
    # The account's row is the lock: two owners who remove each other must not both succeed.
    Account.objects.select_for_update().get(pk=member.account_id)
    found = Member.objects.select_related("account", "user").filter(pk=member.pk).first()
    if found is None:
        raise Refusal("member.gone")
    return found


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise Refusal("member.role_unknown", role=role)


def _refuse_last_owner(member: Member) -> None:
    others = Member.objects.filter(account=member.account, role=Role.OWNER, user__is_active=True).exclude(
        pk=member.pk
    )
    if not others.exists():
        raise Refusal("member.last_owner", email=member.user.email)
