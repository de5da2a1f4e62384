"""What must be there, told in plain Python apart from the product's own rules."""

from __future__ import annotations

from typing import NamedTuple

from backups import storage
from backups.actions.snapshots import open_archive
from backups.models import Snapshot, SnapshotState
from backupsvc.errors import Refusal
from recipients.bulk.copytext import COLUMNS, rows
from recipients.models import Group, OptOut, Recipient


class Person(NamedTuple):
    """A recipient as the tests tell of them: status, and the values that changes fight over."""

    status: str
    source: str = ""
    tags: str = ""
    name: str = ""


People = dict[str, Person]

# Every status, a value that spreadsheets would run, and one that no codec of one byte can hold.
PEOPLE: People = {
    "anna@example.com": Person("active", "shop", "a,vip", "Änna"),
    "bert@example.com": Person("unconfirmed", "", "", "=1+1"),
    "cleo@example.com": Person("inactive", "form", "", "Cleo"),
    "dora@example.com": Person("bounced", "", "x", "😀"),
    "emil@example.com": Person("active", "shop", "", "back\\slash"),
}
# Unsubscribed, then removed: nothing may bring her back as active.
GONE = "gone@example.com"
OUT = ("inactive", "bounced")

IMPORT = (
    "email,status,First name\n"
    "anna@example.com,active,Anna\n"
    "cleo@example.com,active,Cleopatra\n"
    "no address,active,Nobody\n"
    "gone@example.com,active,Gone\n"
    "new@example.com,active,Neva\n"
)


def file_of(people: People) -> str:
    """The people as a file to import."""
    lines = [
        f'{address},{person.status},{person.source},"{person.tags}",{person.name}'
        for address, person in people.items()
    ]
    return "\n".join(["email,status,source,tags,First name", *lines]) + "\n"


def after_import(mode: str) -> People:
    """The list after IMPORT, by the rules of the product's manual: consent only goes down."""
    anna = {"anna@example.com": PEOPLE["anna@example.com"]._replace(name="Anna")}
    cleo = {"cleo@example.com": PEOPLE["cleo@example.com"]._replace(name="Cleopatra")}
    new = {GONE: Person("inactive", name="Gone"), "new@example.com": Person("active", name="Neva")}
    match mode:
        case "reform_and_add":
            return PEOPLE | anna | cleo | new
        case "add_only":
            return PEOPLE | new
        case "update_only":
            return PEOPLE | anna | cleo
        case "deactivate":
            return PEOPLE | {"anna@example.com": PEOPLE["anna@example.com"]._replace(status="inactive")}
        case "delete":
            return {key: person for key, person in PEOPLE.items() if key not in {**anna, **cleo}}
    raise ValueError(mode)


def people_of(group_id: int) -> People:
    """The list as it is now; nobody where its rows have gone."""
    return {
        recipient.key: Person(
            str(recipient.status),
            recipient.source,
            ",".join(recipient.tags),
            recipient.attributes.get("First name", ""),
        )
        for recipient in Recipient.objects.filter(group_id=group_id)
    }


def every_value(group_id: int) -> list[tuple[object, ...]]:
    """All that is kept of the list's people, to the last value."""
    found = Recipient.objects.filter(group_id=group_id).order_by("key").values_list(*COLUMNS)
    return [tuple(map(repr, row)) for row in found]


def keys_in(snapshot: Snapshot) -> set[str]:
    """The addresses that the backup's file gives back when it is read to its end."""
    with open_archive(snapshot) as archive, archive.open_part() as part:
        return {cells[0] or "" for cells in rows(part)}


def is_safe(people: People, *, group_id: int) -> bool:
    """Whether each of the people is in the list, or in a complete backup of it that can be read."""
    missing = set(people) - set(people_of(group_id))
    if not missing:
        return True
    complete = Snapshot.objects.filter(group_id=group_id, state=SnapshotState.COMPLETE)
    return any(missing <= keys_in(snapshot) for snapshot in complete)


def holds_state(people: People, *, group_id: int) -> bool:
    """Whether a complete backup of the list holds exactly these people."""
    complete = Snapshot.objects.filter(group_id=group_id, state=SnapshotState.COMPLETE)
    return any(set(people) == keys_in(snapshot) for snapshot in complete)


def opted_out(group_id: int) -> set[str]:
    """Who has said no: in the list, or remembered after being removed from it."""
    out = {key for key, person in people_of(group_id).items() if person.status in OUT}
    return out | set(OptOut.objects.filter(group_id=group_id).values_list("key", flat=True))


def stray_files() -> list[str]:
    """Files that no backup refers to."""
    known = set(Snapshot.objects.values_list("archive", flat=True))
    return [key for key, _moment in storage.keys() if key not in known]  # noqa: SIM118  # a module's


def unreadable() -> list[str]:
    """Backups that call themselves complete and cannot be read to their end."""
    found = []
    for snapshot in Snapshot.objects.filter(state=SnapshotState.COMPLETE, damaged_code=""):
        try:
            keys_in(snapshot)
        except Refusal as refusal:
            found.append(f"{snapshot.pk}: {refusal}")
    return found


def is_shown(group_id: int) -> bool:
    """Whether people see the list."""
    return Group.objects.get(pk=group_id).is_live
