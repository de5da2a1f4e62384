"""Rows that say who is out and do not count, since a later one does or they cannot be used: it is said."""

from __future__ import annotations

from typing import Any

import pytest

from backupsvc.jobs.runner import drain
from recipients.actions import imports
from recipients.actions.changes import confirm_change
from recipients.models import Change
from tests.fixtures.lists import Lists, table

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["in one piece", "in halves"], autouse=True)
def size(request: pytest.FixtureRequest) -> None:
    """What PostgreSQL does with small files and with large ones."""
    if request.param == "in halves":
        request.getfixturevalue("halved")


def said(change: Change, code: str) -> dict[str, Any]:
    """What a preview's doubt of that code names; nothing if there is none."""
    return next((params for found, params in change.preview["doubts"] if found == code), {})


def told(change: Change) -> tuple[int, str] | None:
    """How many are said to be overruled, and who."""
    found = said(change, "doubt.overruled")
    return (found["count"], found["examples"]) if found else None


def others(*cells: str) -> str:
    """Rows of people about whom there is nothing to say."""
    return "".join(f"{','.join((f'p{number}@example.com', *cells))}\n" for number in range(60))


# Addresses that a database reads by itself, and those that the check has to look at.
PLAIN, ODD = "anna@example.com", "zoë@exämple.de"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(PLAIN, "inactive"), (PLAIN, "active")], (1, PLAIN)),
        ([(PLAIN, "bounced"), ("Anna@EXAMPLE.com", "unconfirmed")], (1, "Anna@EXAMPLE.com")),
        ([(ODD, "inactive"), (ODD, "active")], (1, ODD)),
        ([("<anna@example.com>", "inactive"), (PLAIN, "active")], (1, PLAIN)),
        ([(PLAIN, "inactive"), ("<anna@example.com>", "active")], (1, PLAIN)),
        ([(PLAIN, "inactive"), ("<anna@example.com>", "active"), (PLAIN, "")], (1, PLAIN)),
        ([(PLAIN, "active"), (PLAIN, "inactive"), (PLAIN, "active"), (PLAIN, "active")], (1, PLAIN)),
        ([(PLAIN, "active"), (PLAIN, "inactive")], None),
        ([(PLAIN, "inactive"), (PLAIN, "active"), ("<anna@example.com>", "inactive")], None),
        ([(PLAIN, "active"), (PLAIN, "active"), (ODD, "inactive")], None),
    ],
)
def test_who_is_out_by_an_earlier_row_is_named_before_anything_is_confirmed(
    lists: Lists, rows: list[tuple[str, str]], expected: tuple[int, str] | None
) -> None:
    text = "email,status\n" + others("active") + "".join(f"{email},{status}\n" for email, status in rows)
    change = lists.preview(text)
    assert told(change) == expected
    drain(confirm_change(change, actor=lists.actor))
    change.refresh_from_db()
    assert change.group is not None
    email, last = rows[-1]
    key = "zoë@xn--exmple-cua.de" if email == ODD else PLAIN
    assert bool(table(change.group)[key]["deactivated"]) == (last == "inactive")
    # Nobody is named any longer than needed.
    assert told(change) is None


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2026-05-01 10:00:00", "", (2, f"{PLAIN}, bob@example.com")),
        ("yes", "no", (2, f"{PLAIN}, bob@example.com")),
        ("0000-00-00", "", None),
        ("", "2026-05-01 10:00:00", None),
    ],
)
def test_a_time_of_unsubscribing_counts_as_well(
    lists: Lists, first: str, second: str, expected: tuple[int, str] | None
) -> None:
    rows = "".join(f"{email},{cell}\n" for cell in (first, second) for email in (PLAIN, "bob@example.com"))
    assert told(lists.preview(f"email,unsubscribed at\n{rows}")) == expected


def test_no_more_than_three_are_named(lists: Lists) -> None:
    rows = [f"p{number}@example.com" for number in range(5)]
    text = "email,status\n" + "".join(f"{email},inactive\n{email},active\n" for email in rows)
    assert told(lists.preview(text)) == (5, "p0@example.com, p1@example.com, p2@example.com")


def test_nothing_is_said_where_the_file_only_names_who_is_to_go(lists: Lists) -> None:
    text = f"email,status\n{PLAIN},inactive\n{PLAIN},active\n"
    group = lists.group(f"email\n{PLAIN}\n")
    assert told(lists.preview(text, into=group, mode="deactivate")) is None


@pytest.mark.parametrize("header", ["status", "unsubscribed at", ""])
def test_rows_that_cannot_be_used_and_say_who_is_out_are_counted(lists: Lists, header: str) -> None:
    out = "inactive" if header == "status" else "2026-05-01"
    rows = [
        (PLAIN, out, "2020-02-30"),
        (ODD, out, "never"),
        ("no-address", out, "2020-02-03"),
        ("bob@example.com", "", "2020-02-31"),
        ("cleo@example.com", out, "2020-02-03"),
    ]
    cells = "".join(f"{email},{word if header else ''},{day}\n" for email, word, day in rows)
    text = f"email,{header or 'note'},registered\n{others('', '2020-02-03')}{cells}"
    change = lists.preview(text)
    assert change.preview["rejected"] == 4
    assert said(change, "doubt.out_rejected").get("count") == (2 if header else None)


def test_rows_that_cannot_be_used_of_people_who_are_all_out_are_counted(lists: Lists) -> None:
    run = lists.draft(f"email,registered\n{others('2020-02-03')}{PLAIN},2020-02-30\n")
    mapping = {**run.mapping, "fixed": [["status", "inactive"]]}
    run = imports.set_mapping(run, actor=lists.actor, mapping=mapping)
    drain(imports.stage(run, actor=lists.actor))
    change = Change.objects.get(pk=run.pk)
    assert said(change, "doubt.out_rejected") == {"count": 1}


@pytest.mark.parametrize(
    ("row", "is_out"),
    [
        # A delimiter too many before the status, behind it, and a cell that is missing.
        ("anna@example.com,Anna, the first,inactive,Bonn\n", True),
        ("anna@example.com,Anna,inactive,Bonn, Rhein\n", True),
        ("anna@example.com,inactive,Bonn\n", True),
        ('anna@example.com,"Anna" the first,"bounced",Bonn\n', True),
        ('anna@example.com,"Anna,unsubscribed,Bonn\n', True),
        ("anna@example.com,Anna, the first,active,Bonn\n", False),
        ("anna@example.com,Anna,active,Bonn, Rhein\n", False),
        ("anna@example.com,active,Bonn\n", False),
        ('anna@example.com,"Anna,active,Bonn\n', False),
        ("nobody,Anna, the first,inactive,Bonn\n", False),
    ],
)
def test_damaged_rows_that_say_who_is_out_are_counted(lists: Lists, row: str, is_out: bool) -> None:
    rows = others("Pat", "active", "Ulm")
    change = lists.preview(f"email,name,status,city\n{rows}{row}zoe@example.com,Zoe,active,Ulm\n")
    assert (change.preview["rejected"], change.preview["added"]) == (1, 61)
    assert said(change, "doubt.out_rejected") == ({"count": 1} if is_out else {})


def test_a_quote_left_open_hides_nobody_who_is_out(lists: Lists) -> None:
    rows = others("Pat", "active", "Ulm")
    torn = 'anna@example.com,"Anna\nborn Muster,active,Bonn\nbob@example.com,"Bob,inactive,Bonn\n'
    change = lists.preview(f"email,name,status,city\n{rows}{torn}")
    assert change.preview["rejected"] == 2
    assert said(change, "doubt.out_rejected") == {"count": 1}
