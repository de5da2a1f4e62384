"""Every row of a file is counted once, whatever is wrong with it, and found by its line in an editor."""

from __future__ import annotations

import random

import pytest

from recipients.actions.changes import WRITING
from recipients.models import Change, Mode, Recipient, RejectedRow, Status
from tests.fixtures.lists import Lists

COUNTED = ("added", "updated", "unchanged", "kept_safe", "rejected", "duplicates")
HEAD = "email,Name,status,registered\n"
# A record, how many lines it takes, and whether it can be used. {n} makes its address its own. Of a bad cell
# nothing is read where people are only taken out.
KINDS = [
    ("p{n}@example.com,New,,\n", 1, "good"),
    ("known{k}@example.com,Changed,,\n", 1, "good"),
    ("known{k}@example.com,Known,active,\n", 1, "good"),
    ("Out{k}@Example.com,Back,active,\n", 1, "good"),
    ("twice@example.com,Twice {n},,\n", 1, "good"),
    ('q{n}@example.com,"two\nlines, and ""quotes""",,\n', 2, "good"),
    ("Ann <r{n}@example.com>;,Mended,,\n", 1, "good"),
    ("nobody{n},No address,,\n", 1, "bad"),
    ("abuse@example.com,Role,,\n", 1, "bad"),
    ("a{n}@example.com,Bad word,perhaps,\n", 1, "bad cell"),
    ("b{n}@example.com,Bad time,,soon\n", 1, "bad cell"),
    ("c{n}@example.com,Too,many,cells,here,now\n", 1, "bad"),
    ("d{n}@example.com;too few\n", 1, "bad"),
    ("\n", 1, "empty"),
    (",,,\n", 1, "empty"),
]


def known() -> str:
    people = [f"known{n}@example.com,Known,active,\n" for n in range(4)]
    people += [f"out{n}@example.com,Gone,unsubscribed,\n" for n in range(4)]
    return HEAD + "".join(people)


def a_file(seed: int, *, mode: str) -> tuple[str, int, list[int]]:
    """A file of all kinds of rows: its text, how many rows it has, and the lines of those that are bad."""
    chance = random.Random(seed)
    text, line, rows, bad = HEAD, 2, 0, []
    for number in range(120):
        record, lines, kind = KINDS[number] if number < len(KINDS) else chance.choice(KINDS)
        text += record.format(n=number, k=chance.randrange(4))
        rows += kind != "empty"
        if kind == "bad" or (kind == "bad cell" and mode in WRITING):
            bad.append(line)
        line += lines
    return text, rows, bad


def sums(change: Change) -> tuple[int, int]:
    """Rows, and the sum of what became of them, in the preview and in the end."""
    return change.rows, sum(getattr(change, name) for name in COUNTED)


@pytest.mark.parametrize("mode", Mode.values)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_sum_comes_out_in_every_mode_and_bad_rows_are_named_by_line(
    lists: Lists, mode: str, seed: int
) -> None:
    group = lists.group(known())
    text, rows, bad = a_file(seed, mode=mode)
    change = lists.preview(text, into=group, mode=mode)
    preview = change.preview
    assert preview["rows"] == rows == sum(preview[name] for name in COUNTED)
    assert [row.line for row in RejectedRow.objects.filter(change=change)] == bad

    change = lists.load(text, into=group, mode=mode)
    assert sums(change) == (rows, rows)
    assert {name: preview[name] for name in COUNTED} == {name: getattr(change, name) for name in COUNTED}
    out = Recipient.objects.filter(group=group, key__startswith="out")
    assert {one.status for one in out} <= {Status.INACTIVE}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_an_editor_whatever_ends_them(lists: Lists, end: str) -> None:
    text = 'email,Name\nann@example.com,"three\n\nlines"\n\nbroken,X\nbob@example.com,B\nworse,Y'
    change = lists.preview(text.replace("\n", end))
    assert [(row.line, row.cells[0]) for row in RejectedRow.objects.filter(change=change)] == [
        (6, "broken"),
        (8, "worse"),
    ]
    assert change.preview["rows"] == 4
