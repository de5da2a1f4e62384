"""What the database reads by itself, and what is checked many rows at once, is what the check reads row by
row: same rows, same values, same refusals."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backupsvc.accounts.models import Account
from backupsvc.errors import Refusal
from backupsvc.jobs.runner import drain
from recipients.actions import imports, loading
from recipients.actions.changes import confirm_change
from recipients.bulk import postgres_raw
from recipients.bulk.engine import engine
from recipients.bulk.plain import SAMPLED
from recipients.imports import blocks
from recipients.imports.blocks import Block
from recipients.imports.columns import FIELDS
from recipients.models import Attribute, BlocklistEntry, Change, Group, RejectedRow, StagedRow
from tests.fixtures.lists import Lists, table

NOW = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
HEADERS = "email,status,registered,activated,deactivated,source,signup_ip,tags,Text,Number,Gender,Date"
PEOPLE = st.sampled_from(
    ("anna", "Bob", "carl.x", "d'arc", "noreply", "abuse+x", "zoë", "K", ".dot", "two..dots", "x y", "", "+a")
)
HOSTS = st.sampled_from(
    (
        "example.com",
        "EXAMPLE.org",
        "münchen.de",
        "xn--mnchen-3ya.de",
        "a.b",
        "x.c1",
        "x.12",
        "-x.de",
        "x-.de",
        "ex--am.de",
        "nodot",
        "ex ample.de",
        "1.2.3.4",
        "[1.2.3.4]",
        "gmial.com",
    )
)
EMAILS = st.one_of(
    st.builds("{}@{}".format, PEOPLE, HOSTS),
    st.sampled_from(("", "nobody", " anna@example.com ", "Anna <anna@example.com>", "a@b@c.de", "a@x.de;")),
    st.text("ab.@-_+%'# ", max_size=12).map(lambda text: text + "@x.de"),
)
DAYS = st.sampled_from(
    (
        "2024-02-29",
        "2023-02-29",
        "1900-02-29",
        "2000-02-29",
        "2024-04-31",
        "2024-04-30",
        "2024-12-31",
        "1899-12-31",
        "1900-01-01",
        "2200-12-31",
        "2201-01-01",
        "2024-13-01",
        "2024-00-10",
        "2024-10-00",
        "2024-1-1",
        "03.04.2024",
        "03/04/2024",
        "13/04/2024",
        "20240131",
        "0000-00-00",
        "2026-03-29",
        "2026-10-25",
        "19a0-01-01",
        "٢٠٢٤-٠١-٠١",
    )
)
CLOCKS = st.sampled_from(
    (
        "",
        " 00:00:00",
        "T00:00:00",
        " 23:59:59",
        " 24:00:00",
        " 10:60:00",
        " 02:30:00",
        " 01:30:00",
        " 10:20",
        " 10:20:30.123",
        " 10:20:30.123456",
        " 10:20:30.1234567",
        "T10:20:30Z",
        " 10:20:30Z",
        " 10:20:30+00:00",
        " 10:20:30+02:00",
        " 10:20:30 PM",
        " 1:2:3",
        "  10:20:30",
        "\t10:20:30",
    )
)
TIMES = st.one_of(
    st.builds("{}{}".format, DAYS, CLOCKS),
    st.sampled_from(
        ("", "", "", "0", "1", "yes", "no", "now", "infinity", "epoch", "1700000000", "999999999")
    ),
    st.sampled_from(
        ("17000000000", "7000000000", "012345678", "1700000000123", "-", "NULL", "NA", "x", "45000")
    ),
)
WORDS = {
    "status": st.sampled_from(
        ("", "active", "Inaktiv", "pending", "bounced", "what", " ", "1", "cleaned", "NA", "x")
    ),
    "source": st.one_of(
        st.sampled_from(("", "web", " shop ", "-", "ß" * 255, "ß" * 256)), st.text("a'\\%;", max_size=4)
    ),
    "signup_ip": st.sampled_from(
        (
            "",
            "1.2.3.4",
            "01.2.3.4",
            "255.255.255.255",
            "256.1.1.1",
            "::1",
            "2001:DB8::1",
            "1.2.3",
            "x",
            "-",
            "NA",
            " 1.2.3.4",
        )
    ),
    "tags": st.sampled_from(("", "b,a", "a;a", " a b | c", ",", '"x", "y"', "ü" * 101)),
    "Text": st.one_of(
        st.sampled_from(
            ("", " ", "null", "NULL", "NA", "-", "{}", "\\N", "\\.", "a'b", "%s", "漢字", "x" * 300)
        ),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
    ),
    "Number": st.sampled_from(
        (
            "",
            "0",
            "-0",
            "007",
            "1.5",
            "1,5",
            "1.234,5",
            "1,234",
            "1e5",
            "-3",
            "+3",
            "1.",
            ".5",
            "9" * 40,
            "9" * 41,
            "٣",
            " 7 ",
            "NA",
        )
    ),
    "Gender": st.sampled_from(("", "m", "Frau", "x", "NA", "?", " ", "unknown")),
    "Date": st.one_of(DAYS, st.sampled_from(("", "", "0", "2024-01-01 00:00:00", "2024-01-01 10:00:00"))),
}
TEXTS = {"email": EMAILS, "registered": TIMES, "activated": TIMES, "deactivated": TIMES, **WORDS}
ROW = st.fixed_dictionaries({name: TEXTS[name] for name in HEADERS.split(",")})
ROWS = st.lists(ROW, min_size=1, max_size=12)
COUNTS = ("state", "rows", "added", "updated", "unchanged", "kept_safe", "rejected", "duplicates")
READ_AS = {
    "encoding": "utf-8",
    "delimiter": ",",
    "quote": '"',
    "header": True,
    "first_line": 1,
}


@pytest.fixture
def group(account: Account) -> Group:
    """A list with an attribute of each type."""
    group = Group.objects.create(account=account, name="News")
    for name in ("Text", "Number", "Gender", "Date"):
        Attribute.objects.create(account=account, group=group, name=name, type=name.lower())
    return group


def csv_of(rows: list[dict[str, str]], *, headers: str) -> str:
    target = io.StringIO()
    writer = csv.DictWriter(target, headers.split(","), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


def read(lists: Lists, text: str, *, group: Group, headers: str, way: str, **options: Any) -> dict[str, Any]:
    """The list, the rejected rows and all counts after a file was imported, however it was read; undone."""
    columns = [name if name in FIELDS else f"attribute:{name}" for name in headers.split(",")]
    mapping = {"columns": ["" if name in options["left_out"] else name for name in columns]}
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        if way == "by what is usual":
            patch.setattr(postgres_raw, "HALVED_FROM", 1)
            patch.setattr(postgres_raw, "USUAL_DOMAIN", SAMPLED)
            patch.setattr(postgres_raw, "USUAL_GAP", SAMPLED)
        if way not in ("by the database", "by what is usual", "in pieces"):
            patch.setattr(loading, "can_be_cut", lambda _dialect: False)
        if way == "in pieces":
            patch.setattr(type(engine()), "reads_raw", False)
            patch.setattr(loading, "PIECE_BYTES", 300)
        if way == "row by row":
            patch.setattr(loading, "BlockCheck", lambda _rules: lambda rows: Block({}, {}, list(rows)))
        if way == "column by column":
            patch.setattr(blocks, "VARIED", 0)
        patch.setattr(timezone, "now", lambda: NOW)
        run = imports.start_import(
            lists.account, actor=lists.actor, file=io.BytesIO(text.encode()), file_name="x.csv", group=group
        )
        run = imports.set_dialect(run, actor=lists.actor, overrides={**READ_AS, "columns": len(columns)})
        run = imports.set_mapping(run, actor=lists.actor, mapping=mapping, leaves_signup_out=True)
        run = imports.set_mode(
            run,
            actor=lists.actor,
            mode="reform_and_add",
            blank=options["blank"],
            new_status=options["status"],
        )
        found: dict[str, Any] = {}
        try:
            drain(imports.stage(run, actor=lists.actor))
        except Refusal as refusal:
            found["refused"] = refusal.code
        change = Change.objects.get(pk=run.pk)
        # Whatever staged it, the preview is the same.
        preview = {name: value for name, value in change.preview.items() if name != "staged_by"}
        found |= {"preview": preview, "state": change.state, "error": change.error_code}
        if change.state == "preview":
            drain(confirm_change(change, actor=lists.actor, backup=False, typed_name=group.name))
            change.refresh_from_db()
            rejected = RejectedRow.objects.filter(change=change).order_by("line")
            found["rejected"] = list(rejected.values_list("line", "column", "code", "params", "cells"))
            found["counts"] = [getattr(change, name) for name in COUNTS]
            found["list"] = table(group)
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=ROWS,
    blank=st.sampled_from(["keep", "clear"]),
    status=st.sampled_from(["active", "unconfirmed"]),
    left_out=st.sets(st.sampled_from(("status", "registered", "activated", "deactivated", "attribute:Date"))),
    is_own=st.booleans(),
    erased=st.booleans(),
)
def test_a_file_is_read_as_the_check_reads_each_row(
    lists: Lists,
    group: Group,
    zone: str,
    rows: list[dict[str, str]],
    blank: str,
    status: str,
    left_out: set[str],
    is_own: bool,
    erased: bool,
) -> None:
    headers = HEADERS if is_own else ",".join(reversed(HEADERS.split(",")))
    text = csv_of(rows, headers=headers)
    options: dict[str, Any] = {
        "group": group,
        "headers": headers,
        "blank": blank,
        "status": status,
        "left_out": left_out,
    }
    with transaction.atomic():
        Account.objects.filter(pk=lists.account.pk).update(time_zone=zone)
        lists.account.refresh_from_db()
        if erased:
            BlocklistEntry.objects.create(account=lists.account, kind="erased", pattern="0" * 64)
        slowly = read(lists, text, way="row by row", **options)
        assert read(lists, text, way="block by block", **options) == slowly
        assert read(lists, text, way="column by column", **options) == slowly
        assert read(lists, text, way="in pieces", **options) == slowly
        if engine().reads_raw:
            assert read(lists, text, way="by the database", **options) == slowly
            assert read(lists, text, way="by what is usual", **options) == slowly
        transaction.set_rollback(True)


AT_A_USUAL_DOMAIN = (
    "a@x.de", ".dot@x.de", "two..dots@x.de", "a@x.de@x.de", "a@x.de@", "a@x.de@y.example", "b@y.example@x.de",
    "c d@x.de", "E@X.DE", "noreply@x.de", "f--g@x.de", "zoë@x.de", "@x.de", "h@x.de.", "i@ x.de", "j.@x.de",
    f"{'k' * 60}@x.de", "l'm@x.de", "n+1@x.de", "abuse+2@x.de", "o@sub.x.de",
)  # fmt: skip


@pytest.mark.postgres
@pytest.mark.parametrize("blank", ["keep", "clear"])
def test_what_is_usual_in_a_file_changes_nothing_of_what_is_read(
    lists: Lists, group: Group, blank: str
) -> None:
    gaps = (("", "", ""), ("x", "", ""), ("x", "1", ""), ("", "", "f"), ("x", "1", "?"), ("", "2", "m"))
    rows = [
        dict(zip(("email", "registered", "Text", "Number", "Gender"), (email, at, *cells), strict=True))
        for email, cells, at in zip(
            AT_A_USUAL_DOMAIN,
            gaps * 4,
            ("0000-00-00 00:00:00", "2026-03-28 02:30:00", "2026-03-29 02:30:00", "", "2026-01-05") * 5,
            strict=False,
        )
    ]
    headers = "email,registered,Text,Number,Gender"
    options: dict[str, Any] = {
        "group": group,
        "headers": headers,
        "blank": blank,
        "status": "active",
        "left_out": (),
    }
    text = csv_of(rows, headers=headers)
    slowly = read(lists, text, way="row by row", **options)
    assert slowly["state"] == "preview"
    assert read(lists, text, way="by what is usual", **options) == slowly


@pytest.mark.postgres
def test_a_file_of_ordinary_rows_is_not_read_row_by_row(lists: Lists, group: Group) -> None:
    rows = "".join(f"anna{n}@example.com,2026-01-{n + 1:02},Ännä,{n},Frau\n" for n in range(20))
    lists.preview("email,registered,Text,Number,Gender\n" + rows, into=group)
    assert not StagedRow.objects.exists()
    assert engine().owners() == [Change.objects.get().pk]


@pytest.mark.postgres
def test_of_a_plain_and_a_checked_line_of_one_address_the_later_counts(lists: Lists, group: Group) -> None:
    """Checked rows lie beside the plain ones before anything is judged, each address once."""
    lines = [
        *("early@example.com,plain", "<early@example.com>,checked"),
        *("<late@example.com>,checked", "late@example.com,plain"),
        *("<twice@example.com>,first", "(twice@example.com),second", "bad,-"),
        *("alone@example.com,plain", "<wrapped@example.com>,checked", "ALONE@example.com,plain again"),
    ]
    text = "email,Text\n" + "\n".join(lines) + "\n"
    change = lists.preview(text, into=group)
    assert not StagedRow.objects.exists()
    told = [change.preview[name] for name in ("rows", "added", "rejected", "duplicates")]
    assert told == [10, 5, 1, 4]
    drain(confirm_change(change, actor=lists.actor, backup=False, typed_name=group.name))
    assert {key.partition("@")[0]: row["attributes"]["Text"] for key, row in table(group).items()} == {
        "early": "checked", "late": "plain", "twice": "second", "alone": "plain again", "wrapped": "checked",
    }  # fmt: skip
    # Once more into the list that knows them: the same rows, beside recipients.
    again = lists.load(text, into=group)
    assert (again.unchanged, again.duplicates, again.rejected) == (5, 4, 1)


def test_nothing_of_its_own_is_left_when_a_change_has_ended(lists: Lists, group: Group) -> None:
    change = lists.load("email,Text\nanna@example.com,x\nbad,y\n", into=group)
    assert (change.state, change.added, change.rejected) == ("done", 1, 1)
    assert engine().owners() == []


def test_rows_that_came_out_of_step_are_read_with_care(lists: Lists, group: Group) -> None:
    """One row too short, a quote astray, a blank line: each costs itself and no other."""
    lines = [f"p{n}@example.com,text {n}" for n in range(30)]
    lines[7], lines[11], lines[20] = "p7@example.com", 'p11@example.com,te"xt, 11', ""
    change = lists.load("email,Text\n" + "\n".join(lines) + "\n", into=group)
    assert (change.added, change.rows) == (27, 29)
    assert list(change.rejected_rows.values_list("line", flat=True)) == [9, 13]
