"""Rows checked: what goes into the staging table, what is rejected, and that consent never rises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backupsvc.errors import Refusal
from recipients.imports.check import Rejected, Rules, StagedRow, check_row, checker
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
    check = checker(Rules(ATTRIBUTES, Mapping(("email", "attribute:Text", "tags")), "keep", None, NOW))
    one, other = check(Row(2, ["a@x.com", "A", "t"])), check(Row(3, ["b@x.com", "", ""]))
    assert isinstance(one, StagedRow)
    assert isinstance(other, StagedRow)
    assert (one.attributes, one.tags) == ({"Text": "A"}, ["t"])
    assert (other.attributes, other.tags) == ({}, None)
