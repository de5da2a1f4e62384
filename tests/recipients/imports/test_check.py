"""Rows checked: what goes into the staging table, what is rejected, and that consent never rises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backupsvc.errors import Refusal
from recipients.imports.check import Rejected, RowCheck, Rules, StagedRow, check_row
from recipients.imports.mapping import AttributeSpec, Mapping
from recipients.imports.reader import Row

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
THEN = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
LATER = datetime(2025, 6, 7, 8, 9, tzinfo=UTC)
ATTRIBUTES = tuple(AttributeSpec(kind.title(), kind) for kind in ("text", "number", "gender", "date"))


def checked(columns: dict[str, str], **changes: Any) -> StagedRow | Rejected:
    fixed = changes.pop("fixed", ())
    rules = {
        "attributes": ATTRIBUTES,
        "mapping": Mapping(tuple(columns), fixed=fixed),
        "blank": "keep",
        "new_status": "unconfirmed",
        "now": NOW,
        "headers": tuple(f"<{target}>" for target in columns),
        **changes,
    }
    return check_row(Row(7, list(columns.values())), rules=Rules(**rules))


def staged(columns: dict[str, str], **changes: Any) -> StagedRow:
    row = checked({"email": "Ann@Example.com", **columns}, **changes)
    assert isinstance(row, StagedRow)
    return row


def test_a_row_is_staged_with_all_its_values() -> None:
    row = staged(
        {
            "": "ignored", "status": "active", "registered": str(THEN), "activated": str(LATER),
            "source": "fair", "signup_ip": "2001:DB8::1", "tags": "b,a", "attribute:Text": " x ",
            "attribute:Number": "1,5", "attribute:Gender": "Frau", "attribute:Date": "23.11.2026",
        },
        digest=lambda key: f"#{key}",
    )  # fmt: skip
    assert row == StagedRow(
        line=7, key="ann@example.com", email="Ann@Example.com", domain="example.com",
        digest="#ann@example.com", registered=THEN, activated=LATER, deactivated=None, bounced=False,
        source="fair", signup_ip="2001:db8::1", tags=["a", "b"],
        attributes={"Text": " x ", "Number": "1.5", "Gender": "female", "Date": "2026-11-23"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "column", "code"),
    [
        ({"email": "nobody"}, "<email>", "address.no_at_sign"),
        ({"email": "a@x.com", "status": "perhaps"}, "<status>", "value.status"),
        ({"email": "a@x.com", "activated": "soon"}, "<activated>", "value.time"),
        ({"email": "a@x.com", "signup_ip": "10.0.0"}, "<signup_ip>", "value.ip"),
        ({"email": "a@x.com", "source": "x" * 256}, "<source>", "value.too_long"),
        ({"email": "a@x.com", "attribute:Number": "many"}, "<attribute:Number>", "value.number"),
        ({"email": "a@x.com", "attribute:Date": "31.02.2026"}, "<attribute:Date>", "value.date"),
        ({"email": "a@x.com", "attribute:Text": "a\0"}, "<attribute:Text>", "value.control_characters"),
    ],
)
def test_one_bad_cell_rejects_the_row_and_is_named(columns: dict[str, str], column: str, code: str) -> None:
    row = checked(columns)
    assert isinstance(row, Rejected)
    assert (row.line, row.column, row.problem.code) == (7, column, code)
    assert row.cells == list(columns.values())


def test_a_damaged_row_is_rejected_with_its_own_problem() -> None:
    rules = Rules((), Mapping(("email",)), "keep", None, NOW)
    row = check_row(Row(3, ["a@x.com"], Refusal("row.quote")), rules=rules)
    assert isinstance(row, Rejected)
    assert (row.line, row.column, row.problem.code) == (3, "", "row.quote")


def test_empty_cells_follow_the_blank_rule() -> None:
    columns = {"attribute:Text": "", "attribute:Number": "", "attribute:Date": " "}
    assert staged(columns).attributes == {}
    assert staged(columns, blank="clear").attributes == {"Text": None, "Number": None, "Date": None}
    assert staged(columns, mapping=Mapping(("email", "", "", ""))).attributes == {}


@pytest.mark.parametrize(
    ("columns", "activated", "deactivated", "bounced"),
    [
        ({}, None, None, None),
        ({"status": ""}, None, None, None),
        ({"status": "unconfirmed"}, None, None, False),
        ({"status": "unconfirmed", "activated": str(THEN)}, None, None, False),
        ({"status": "active"}, NOW, None, False),
        ({"status": "active", "registered": str(THEN)}, THEN, None, False),
        ({"status": "active", "registered": str(THEN), "activated": str(LATER)}, LATER, None, False),
        ({"status": "active", "deactivated": str(LATER)}, NOW, LATER, False),
        ({"status": "inactive"}, None, NOW, False),
        ({"status": "inactive", "activated": str(THEN)}, THEN, NOW, False),
        ({"status": "inactive", "deactivated": str(LATER)}, None, LATER, False),
        ({"status": "bounced", "activated": str(THEN)}, THEN, None, True),
        ({"activated": str(THEN)}, THEN, None, None),
        ({"activated": ""}, None, None, None),
        ({"activated": "0", "deactivated": "0"}, None, None, None),
        ({"activated": str(THEN), "deactivated": str(LATER)}, THEN, LATER, None),
    ],
)
def test_the_safe_state_wins(
    columns: dict[str, str], activated: datetime | None, deactivated: datetime | None, bounced: bool | None
) -> None:
    row = staged(columns)
    assert (row.activated, row.deactivated, row.bounced) == (activated, deactivated, bounced)


def with_columns(*columns: tuple[str, str, str], **changes: Any) -> StagedRow:
    """A row of (header, target, cell)."""
    every = (("E-Mail", "email", "ann@example.com"), *columns)
    rules = Rules(
        ATTRIBUTES, Mapping(tuple(target for _, target, _ in every)), "keep", "active", NOW,
        headers=tuple(header for header, _, _ in every), **changes,
    )  # fmt: skip
    row = check_row(Row(7, [cell for _, _, cell in every]), rules=rules)
    assert isinstance(row, StagedRow), row
    return row


@pytest.mark.parametrize(
    ("header", "target", "cell", "activated", "deactivated", "bounced"),
    [
        ("Subscribed", "status", "yes", NOW, None, False),
        ("Subscribed", "status", "no", None, NOW, False),
        ("Opt-in", "status", "false", None, NOW, False),
        ("Newsletter", "status", "", NOW, None, None),
        ("Newsletter", "status", "x", NOW, None, False),
        ("BLACKLIST", "deactivated", "true", None, NOW, None),
        ("BLACKLIST", "deactivated", "1", None, NOW, None),
        ("BLACKLIST", "deactivated", "false", NOW, None, None),
        ("BLACKLIST", "deactivated", "0", NOW, None, None),
        ("Opted out", "deactivated", str(THEN), None, THEN, None),
        ("Abgemeldet", "deactivated", "abgemeldet", None, NOW, None),
        ("Abgemeldet", "deactivated", "aktiv", NOW, None, None),
        ("Abgemeldet", "deactivated", "x", None, NOW, None),
        ("Abgemeldet", "deactivated", "NA", NOW, None, None),
        # Mapped to the status by hand: a yes still says that the person is out.
        ("BLACKLIST", "status", "true", None, NOW, False),
        ("BLACKLIST", "status", "false", NOW, None, None),
        ("Unsubscribed", "status", str(THEN), None, NOW, False),
        ("Bounced", "status", "1700000000", None, None, True),
        ("Email hard bounce reason", "status", "Mailbox full", None, None, True),
        ("Bounced", "status", "0", NOW, None, None),
        ("Confirmed", "activated", "yes", NOW, None, None),
        ("Confirmed", "activated", "no", None, None, None),
        ("Confirmed", "activated", "NULL", None, None, None),
    ],
)
def test_flags_of_other_tools_are_read_on_the_safe_side(
    header: str,
    target: str,
    cell: str,
    activated: datetime | None,
    deactivated: datetime | None,
    bounced: bool | None,
) -> None:
    row = with_columns((header, target, cell))
    assert (row.activated, row.deactivated, row.bounced) == (activated, deactivated, bounced)


def test_whoever_is_out_by_one_of_several_columns_is_out() -> None:
    row = with_columns(
        ("Status", "status", "active"), ("Newsletter", "status", "no"), ("Bounced", "status", "")
    )
    assert (row.activated, row.deactivated, row.bounced) == (None, NOW, False)
    row = with_columns(("Status", "status", "unsubscribed"), ("Bounced", "status", "yes"))
    assert (row.deactivated, row.bounced) == (None, True)
    row = with_columns(
        ("Opt-out", "deactivated", str(THEN)),
        ("Left", "deactivated", str(LATER)),
        ("Out", "deactivated", "yes"),
    )
    assert row.deactivated == LATER
    row = with_columns(("Opt-out", "deactivated", ""), ("Out", "deactivated", "yes"))
    assert row.deactivated == NOW
    row = with_columns(("Opt-out", "deactivated", ""), ("Out", "deactivated", "no"))
    assert (row.activated, row.deactivated) == (NOW, None)


@pytest.mark.parametrize(
    "cell",
    ["0000-00-00 00:00:00", "00.00.0000", "0.0", "0 %", "Not bounced", "OK", "delivered", "NA", "nein"],
)
def test_a_zero_date_is_no_bounce(cell: str) -> None:
    row = with_columns(("Bounced", "status", cell))
    assert (row.activated, row.bounced) == (NOW, None)


@pytest.mark.parametrize("cell", ["2024-05-01", "1", "0.5", "x", "Mailbox full", "not delivered"])
def test_all_else_below_bounced_is_one(cell: str) -> None:
    assert with_columns(("Bounced", "status", cell)).bounced


@pytest.mark.parametrize(
    "header",
    [
        "Bounce",
        "Bounce-Datum",
        "Bounced (EST)",
        "Gelöscht",
        "Kündigung",
        "SMS opt-out",
        "Subscription cancelled",
        "Newsletter (abgemeldet)",
    ],
)
@pytest.mark.parametrize("cell", ["ja", "x", "1"])
def test_a_yes_below_bounce_makes_nobody_active(header: str, cell: str) -> None:
    row = with_columns((header, "status", cell))
    assert row.deactivated or row.bounced
    assert with_columns((header, "status", "nein")).bounced is None


def test_a_cross_is_no_status() -> None:
    row = checked({"email": "a@x.com", "status": "x"}, headers=("E-Mail", "Kundenstatus"))
    assert isinstance(row, Rejected)
    assert row.problem.code == "value.status"


def test_a_word_for_out_in_a_column_that_cannot_say_it_rejects_the_row() -> None:
    row = checked({"email": "a@x.com", "activated": "unsubscribed"})
    assert isinstance(row, Rejected)
    assert row.problem.code == "value.time"


def test_what_programs_write_for_nothing_is_empty_in_all_but_texts() -> None:
    row = staged(
        {
            "status": "NULL", "registered": "0000-00-00", "signup_ip": "-", "attribute:Text": "NULL",
            "attribute:Number": "n/a", "attribute:Gender": "unknown", "attribute:Date": "0/0/00",
        }
    )  # fmt: skip
    assert (row.registered, row.signup_ip, row.attributes) == (None, None, {"Text": "NULL"})
    names = ("status", "registered", "signup_ip", "attribute:Text", "attribute:Number", "attribute:Date")
    row = staged(dict.fromkeys(names, "NA"))
    # Namibia, or the initials of somebody.
    assert (row.registered, row.signup_ip, row.attributes) == (None, None, {"Text": "NA"})


def test_numbers_are_dates_and_years_have_two_figures_where_the_column_says_so() -> None:
    columns = {"registered": "46349", "attribute:Date": "46349", "attribute:Text": "46349"}
    row = staged(columns, serial=frozenset((1, 2)))
    assert row.registered == datetime(2026, 11, 23, tzinfo=UTC)
    assert row.attributes == {"Date": "2026-11-23", "Text": "46349"}
    born = (AttributeSpec("Geburtstag", "date"), AttributeSpec("Contract ends", "date"))
    assert staged({"attribute:Geburtstag": "1.5.55"}, attributes=born).attributes == {
        "Geburtstag": "1955-05-01"
    }
    assert staged({"registered": "1.5.24"}).registered == datetime(2024, 5, 1, tzinfo=UTC)
    row_ = checked({"email": "a@x.com", "attribute:Contract ends": "1.5.55"}, attributes=born)
    assert isinstance(row_, Rejected)
    assert row_.problem.code == "value.year"


def test_what_was_mended_is_told_with_the_cell_as_it_was() -> None:
    assert staged({}).mended == ""
    row = checked({"email": "Ann Smith <Ann@Example.com>"})
    assert isinstance(row, StagedRow)
    assert (row.email, row.mended) == ("Ann@Example.com", "Ann Smith <Ann@Example.com>")


def test_new_recipients_get_the_chosen_status_only_where_the_file_is_silent() -> None:
    assert staged({}, new_status="active").activated == NOW
    assert staged({"status": ""}, new_status="active").activated == NOW
    assert staged({"deactivated": ""}, new_status="active").activated == NOW
    assert staged({"deactivated": str(THEN)}, new_status="active").activated is None
    assert staged({"activated": ""}, new_status="active").activated is None
    assert staged({"status": "unconfirmed"}, new_status="active").activated is None


def test_registered_is_now_unless_the_file_has_a_column_for_it() -> None:
    assert staged({}).registered == NOW
    assert staged({"registered": ""}).registered is None
    assert staged({"registered": ""}, blank="clear").registered is None
    assert staged({}, blank="clear").registered == NOW


def test_fixed_values_are_the_same_in_all_rows() -> None:
    fixed = (("source", "fair"), ("status", "inactive"), ("attribute:Gender", "Herr"), ("tags", "x"))
    row = staged({}, fixed=fixed)
    assert (row.source, row.deactivated, row.tags, row.attributes) == ("fair", NOW, ["x"], {"Gender": "male"})
    with pytest.raises(Refusal):
        staged({}, fixed=(("status", "perhaps"),))


def test_a_fixed_value_that_stands_for_nothing_clears_only_where_empty_cells_do() -> None:
    fixed = (("attribute:Gender", "-"), ("attribute:Text", "x"))
    assert staged({}, fixed=fixed).attributes == {"Text": "x"}
    assert staged({}, fixed=fixed, blank="clear").attributes == {"Gender": None, "Text": "x"}


def test_safe_files_are_unescaped_and_others_never() -> None:
    columns = {"attribute:Text": "'=1+1"}
    assert staged(columns, unescape=True).attributes == {"Text": "=1+1"}
    assert staged(columns).attributes == {"Text": "'=1+1"}
    row = checked({"email": "'=a@x.com"}, unescape=True)
    assert isinstance(row, StagedRow)
    assert row.key == "=a@x.com"


def test_the_order_of_day_and_month_is_told_for_each_column() -> None:
    columns = {"attribute:Date": "03/04/2026", "registered": "03/04/2026"}
    row = staged(columns, day_first={1: True, 2: False})
    assert row.attributes == {"Date": "2026-04-03"}
    assert row.registered == datetime(2026, 3, 4, tzinfo=UTC)


def test_rows_do_not_share_their_values() -> None:
    check = RowCheck(Rules(ATTRIBUTES, Mapping(("email", "attribute:Text", "tags")), "keep", None, NOW))
    one, other = check(Row(2, ["a@x.com", "A", "t"])), check(Row(3, ["b@x.com", "", ""]))
    assert isinstance(one, StagedRow)
    assert isinstance(other, StagedRow)
    assert (one.attributes, one.tags) == ({"Text": "A"}, ["t"])
    assert (other.attributes, other.tags) == ({}, None)
