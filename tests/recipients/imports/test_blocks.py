"""Rows checked many at once are as the check says of each; whatever it refuses is left to it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients.actions.loading import stage_row
from recipients.bulk.plain import ROWS
from recipients.bulk.sqlite import ready
from recipients.imports import blocks
from recipients.imports.blocks import Block, BlockCheck
from recipients.imports.check import RowCheck, Rules, StagedRow
from recipients.imports.mapping import AttributeSpec, Mapping
from recipients.imports.reader import Row
from tests.recipients.bulk.test_plain_rows import TEXTS

NOW = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
ATTRIBUTES = ("Text", "Number", "Gender", "Date")
SPECS = (
    AttributeSpec("Text", "text"),
    AttributeSpec("Number", "number"),
    AttributeSpec("Gender", "gender"),
    AttributeSpec("Date", "date"),
)
# Headers that say which way a yes is meant.
HEADERS = {"status": ("status", "unsubscribed", "bounced"), "deactivated": ("deactivated", "opted out")}
FIXED = {
    "status": ("active", "inactive", "bounced", "yes"),
    "registered": ("2020-01-02",),
    "activated": ("2020-01-02 03:04:05", "yes", "no"),
    "deactivated": ("2020-01-02 03:04:05.678", "yes"),
    "source": ("fair",),
    "tags": ("b,a",),
    "attribute:Text": ('say "hi"', ""),
    "attribute:Number": ("1,5",),
}
# Cells that are read without a refusal, most of them.
ORDINARY = {
    "email": ("anna@example.com", "Bob.X@Example.ORG", "o'b+c@a-b.de", "+a@x.de"),
    "status": ("active", "Inaktiv", "pending", "bounced", "yes", "no", ""),
    "registered": (
        "2024-01-31 10:20:30",
        "2024-02-29",
        "13.4.2024 8:00",
        "1700000000",
        "2024-07-01T10:00:00Z",
        "",
    ),
    "activated": ("2024-01-31 10:20:30", "2024-03-31 02:30:00", "no", ""),
    "deactivated": ("2024-01-31 10:20:30", "2025-01-01 00:00:00.5", "no", "active", ""),
    "source": ("web", " shop ", "ß'\"\\", ""),
    "signup_ip": ("1.2.3.4", "2001:DB8::1", ""),
    "tags": ("b,a", "x", '"x", "y"', ""),
    "Text": ("x", 'a"b\\c\u2028', " ", "null", ":null", ""),
    "Number": ("0", "12", "7.50", "-3", "9" * 40, ""),
    "Gender": ("m", "Frau", "unknown", ""),
    "Date": ("2024-02-29", "31.1.2024", "-", ""),
}
FORMULAS = st.sampled_from(("'=1", "'+a@x.de", "''-", "'x", "=1"))


@st.composite
def files(draw: st.DrawFn) -> tuple[Rules, list[Row]]:
    """Rows, and the rules of a file that may map every field, some of them twice or to one value for all."""
    names = draw(st.lists(st.sampled_from([*TEXTS, "status", "deactivated"]), max_size=14))
    names = [name for at, name in enumerate(names) if name in HEADERS or name not in names[:at]]
    names = [*(name for name in names if name != "email"), "email"]
    names = draw(st.permutations(names))
    targets = tuple(f"attribute:{name}" if name in ATTRIBUTES else name for name in names)
    open_ones = sorted(FIXED.keys() - set(targets))
    fixed = draw(st.lists(st.sampled_from(open_ones), unique=True, max_size=3)) if open_ones else []
    rules = Rules(
        attributes=SPECS,
        mapping=Mapping(targets, fixed=tuple((name, draw(st.sampled_from(FIXED[name]))) for name in fixed)),
        blank=draw(st.sampled_from(["keep", "clear"])),
        new_status=draw(st.sampled_from(["active", "unconfirmed", None])),
        now=NOW,
        unescape=draw(st.booleans()),
        day_first={at: draw(st.sampled_from([True, False, None])) for at in range(len(names))},
        digest=draw(st.sampled_from([None, lambda key: f"#{key}"])),
        headers=tuple(draw(st.sampled_from(HEADERS.get(name, (name,)))) for name in names),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
        decimal={at: draw(st.sampled_from([",", ".", None])) for at in range(len(names))},
        serial=frozenset(draw(st.sets(st.sampled_from(range(len(names))), max_size=1))),
    )
    rows = []
    for line in range(2, draw(st.integers(3, 12))):
        cells = [draw(st.sampled_from(ORDINARY[name])) for name in names]
        for at in draw(st.sets(st.sampled_from(range(len(names))), max_size=1)):
            cells[at] = draw(TEXTS[names[at]] | FORMULAS)
        problem = Refusal("row.quote") if draw(st.integers(0, 9)) == 9 else None
        rows.append(Row(line, cells[: len(cells) - (draw(st.integers(0, 9)) == 9)], problem))
    return rules, rows


def rows_of(block: Block) -> list[tuple[object, ...]]:
    """The rows of a block that can be merged, as they are staged."""
    if not block.given:
        return []
    columns = [block.given[name] if name in block.given else repeat(block.same[name]) for name in ROWS]
    return list(zip(*columns, strict=False))


@settings(max_examples=300, deadline=None)
@given(files(), st.sampled_from([0, 3, 1_000]))
def test_a_block_is_checked_as_each_of_its_rows(file: tuple[Rules, list[Row]], varied: int) -> None:
    rules, rows = file
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "VARIED", varied)
        check = BlockCheck(rules)
        # Twice: the second time all cells are known.
        block = check(rows)
        assert check(rows) == block
        if rows and all(row.problem is None and len(row.cells) == len(rules.headers) for row in rows):
            cells = list(zip(*[row.cells for row in rows], strict=True))
            assert check.columns([row.line for row in rows], cells) == block
    one_by_one = [RowCheck(rules)(row) for row in rows]
    taken = {row[0] for row in rows_of(block)}
    assert [row.line for row in rows if row.line not in taken] == [row.line for row in block.odd]
    assert rows_of(block) == [
        ready(stage_row(row, bounced_at=NOW))
        for row in one_by_one
        if isinstance(row, StagedRow) and row.line in taken
    ]
    assert not any(row.mended for row in one_by_one if isinstance(row, StagedRow) and row.line in taken)


def rules_of(**columns: str) -> Rules:
    return Rules(
        attributes=SPECS, mapping=Mapping(tuple(columns)), blank="keep", new_status="active", now=NOW,
        headers=tuple(columns),
    )  # fmt: skip


def test_ordinary_rows_are_ready_at_once() -> None:
    columns = {"email": "a@x.de", "registered": "3.4.2020", "status": "aktiv", "attribute:Gender": "Frau"}
    block = BlockCheck(rules_of(**columns))([Row(2, list(columns.values()))])
    assert [row[:7] for row in rows_of(block)] == [
        (2, "a@x.de", "a@x.de", "x.de", "", "2020-04-03 00:00:00", "2020-04-03 00:00:00")
    ]
    assert rows_of(block)[0][-1] == '{"Gender":"female"}'
    assert block.odd == []


@pytest.mark.parametrize("cell", ["2026-02-29 10:00:00", "2026-04-31 10:00:00", "0000-00-00", "45000", " 1"])
def test_a_varied_column_with_a_strange_cell_is_read_cell_by_cell(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "VARIED", 0)
    rows = [Row(2, ["a@x.de", "2026-01-31 10:00:00"]), Row(3, ["b@x.de", cell])]
    block = BlockCheck(rules_of(email="", registered=""))(rows)
    assert [row[5] for row in rows_of(block) if row[0] == 2] == ["2026-01-31 10:00:00"]
    assert cell not in [row[5] for row in rows_of(block)]


def test_a_block_without_a_whole_row_is_odd() -> None:
    rows = [Row(2, ["a@x.de"]), Row(3, ["b@x.de", "x"], Refusal("row.quote"))]
    assert BlockCheck(rules_of(email="", source=""))(rows) == Block({}, {}, rows)
