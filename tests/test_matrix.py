"""Every address × method × kind of person: a route that this matrix does not know fails the test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from backups.actions.snapshots import request_snapshot
from backupsvc.accounts.access import OF_ROLE, OF_SUPPORT, Permission
from backupsvc.accounts.models import Account, Member, Role, User
from backupsvc.jobs.runner import drain
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.actions.deletion import delete_group
from recipients.models import Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

VIEW, EDIT, RESTORE, EXPORT = Permission.VIEW, Permission.EDIT, Permission.RESTORE, Permission.EXPORT
MANAGE, MEMBERS = Permission.MANAGE, Permission.MEMBERS


@dataclass(frozen=True)
class Door:
    """What a member must be allowed to do for GET and for POST; None: the method is not there (405)."""

    get: Permission | None
    post: Permission | None


READ = Door(VIEW, None)
DOORS: dict[str, Door] = {
    "accounts:account": READ,
    "accounts:log": READ,
    "accounts:privacy": Door(VIEW, MANAGE),
    "accounts:members": Door(VIEW, MEMBERS),
    "accounts:member-role": Door(None, MEMBERS),
    "accounts:member-remove": Door(MEMBERS, MEMBERS),
    "backups:list": READ,
    "backups:extras": READ,
    "backups:show": READ,
    "backups:row": READ,
    "backups:compare": READ,
    "backups:make": Door(None, RESTORE),
    "backups:make-before": Door(None, RESTORE),
    "backups:restore": Door(RESTORE, RESTORE),
    "backups:download": Door(None, EXPORT),
    "backups:pin": Door(None, RESTORE),
    "backups:unpin": Door(None, RESTORE),
    "backups:verify": Door(None, RESTORE),
    "backups:delete": Door(MANAGE, MANAGE),
}

DOORS |= {
    f"recipients:{name}": door
    for name, door in {
        "groups": READ,
        "group-new": Door(EDIT, EDIT),
        "group-show": READ,
        "group-changes": READ,
        "group-download": Door(None, EXPORT),
        "group-delete": Door(EDIT, EDIT),
        "deletion-undo": Door(None, EDIT),
        "group-settings": Door(VIEW, EDIT),
        "group-fields": Door(VIEW, EDIT),
        "field-delete": Door(MANAGE, MANAGE),
        "group-blocklist": Door(VIEW, EDIT),
        "blocklist-remove": Door(None, MANAGE),
        "blocklist-put-back": Door(None, MANAGE),
        "recipient-add": Door(EDIT, EDIT),
        "recipient-show": READ,
        "recipient-edit": Door(EDIT, EDIT),
        "recipient-unsubscribe": Door(EDIT, EDIT),
        "recipient-reactivate": Door(MANAGE, MANAGE),
        "recipient-remove": Door(EDIT, EDIT),
        "import-new": Door(EDIT, EDIT),
        "import-read": Door(EDIT, EDIT),
        "import-map": Door(EDIT, EDIT),
        "import-mode": Door(EDIT, EDIT),
        "change-preview": READ,
        "change-confirm": Door(VIEW, EDIT),
        "change-progress": READ,
        "change-result": READ,
        "change-cancel": Door(EDIT, EDIT),
        "change-retry": Door(None, EDIT),
        "change-rejected": Door(None, EXPORT),
    }.items()
}

# Addresses outside of any account: sign-in, the person's own pages, health, and the operators' site.
OUTSIDE = (
    "accounts/",
    "admin/",
    "healthz",
    "readyz",
    "i18n/",
    "profile/",
    "support/",
    "language/",
    "static/",
)


def routes() -> Iterator[tuple[str, str]]:
    """The name and pattern of every address in the project."""

    def walk(patterns: list[URLPattern | URLResolver], before: str, space: str) -> Iterator[tuple[str, str]]:
        for entry in patterns:
            path = before + str(entry.pattern)
            if isinstance(entry, URLResolver):
                inner = f"{space}{entry.namespace}:" if entry.namespace else space
                yield from walk(entry.url_patterns, path, inner)
            else:
                yield f"{space}{entry.name}", path

    yield from walk(get_resolver().url_patterns, "", "")


def inside() -> dict[str, str]:
    return {name: path for name, path in routes() if path.startswith("a/<slug:slug>")}


@pytest.mark.once
def test_every_address_is_in_the_matrix() -> None:
    assert set(inside()) == set(DOORS)
    strays = [path for _name, path in routes() if not path.startswith(("a/<slug:slug>", *OUTSIDE)) and path]
    assert strays == []


@dataclass
class House:
    """An account with one of everything, and the way to the address of a door."""

    account: Account
    ids: dict[str, int | str]

    def address(self, name: str, *, slug: str = "") -> str:
        wanted = set(re.findall(r"<\w+:(\w+)>", inside()[name])) - {"slug"}
        return reverse(
            name, kwargs={key: self.ids[key] for key in wanted} | {"slug": slug or self.account.slug}
        )


@pytest.fixture
def house(lists: Lists) -> House:
    group = lists.group("email\nanna@example.com\n")
    doomed = lists.group("email\nbob@example.com\n", name="Doomed")
    change = lists.preview("email\nzoe@example.com\n", into=group)
    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    attribute = create_attribute(lists.account, actor=lists.actor, name="City")
    entry = block(lists.account, actor=lists.actor, pattern="*@blocked.example")
    member = Member.objects.create(
        account=lists.account, user=User.objects.create_user("m@example.com"), role=Role.VIEWER
    )
    deletion = delete_group(doomed, actor=lists.actor)
    ids: dict[str, int | str] = {
        "group_id": group.pk,
        "change_id": change.pk,
        "deletion_id": deletion.pk,
        "snapshot_id": snapshot.pk,
        "recipient_id": Recipient.objects.get(group=group).pk,
        "attribute_id": attribute.pk,
        "entry_id": entry.pk,
        "member_id": member.pk,
        "kind": "csv",
    }
    return House(lists.account, ids)


def ask(client: Client, address: str, method: str) -> int:
    """The status of the answer; what the request wrote is taken back."""
    with transaction.atomic():
        answer = client.get(address) if method == "get" else client.post(address)
        if answer.streaming:
            b"".join(answer)
        transaction.set_rollback(True)
    return answer.status_code


METHODS: tuple[tuple[str, Callable[[Door], Permission | None]], ...] = (
    ("get", lambda door: door.get),
    ("post", lambda door: door.post),
)


@pytest.mark.parametrize("name", sorted(DOORS))
def test_each_role_gets_through_the_doors_it_may_and_no_others(
    name: str,
    house: House,
    client_of: ClientOf,
    olivia: User,
    adam: User,
    edith: User,
    victor: User,
    sam: User,
) -> None:
    address = house.address(name)
    granted = [(user, OF_ROLE[role]) for user, role in zip((olivia, adam, edith, victor), Role, strict=True)]
    for user, may in [*granted, (sam, OF_SUPPORT)]:
        client = client_of(user)
        for method, need_of in METHODS:
            need = need_of(DOORS[name])
            status = ask(client, address, method)
            if need is None:
                assert status == 405, (user, method, status)
            elif need in may:
                assert status not in (401, 403, 404, 405, 500), (user, method, status)
            else:
                assert status == 403, (user, method, status)


@pytest.mark.parametrize("name", sorted(DOORS))
def test_strangers_and_visitors_get_through_no_door(
    name: str, house: House, client_of: ClientOf, stranger: User
) -> None:
    for method, need_of in METHODS:
        expected = 405 if need_of(DOORS[name]) is None else 404
        assert ask(client_of(stranger), house.address(name), method) == expected
        visitor = ask(Client(), house.address(name), method)
        assert visitor == (405 if expected == 405 else 302)


@pytest.mark.parametrize("name", sorted(name for name in DOORS if inside().get(name, "").count("<") > 1))
def test_another_accounts_things_are_not_found_through_ones_own_account(
    name: str, house: House, client_of: ClientOf, stranger: User, other_account: Account
) -> None:
    for method, need_of in METHODS:
        expected = 405 if need_of(DOORS[name]) is None else 404
        assert ask(client_of(stranger), house.address(name, slug=other_account.slug), method) == expected
