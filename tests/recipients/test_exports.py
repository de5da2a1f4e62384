from __future__ import annotations

import csv
import errno
import gc
import io
import json
import re
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import load_workbook

from backupsvc.errors import Refusal
from recipients import exports
from recipients.exports import COLUMNS, csv_lines, xlsx_file
from recipients.values import SAFE_MARKER, unescape_formula

Row = list[str | None]

# What an attribute may hold: everything but what no database holds.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# U+FFFE and U+FFFF are no characters: the XLSX format has an escape for them that readers leave as it is.
SHEET_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"))
AWKWARD = st.text(st.sampled_from("\"',;\t\r\n =+-@＝'\ufeffa_x0041_<>&r/é😀\x01\x85\u2028"), max_size=12)

TRICKY = [
    "", " ", "  lead", "trail  ", "\u00a0", 'say "hi"', '"', '""', "a,b", "a;b", "a\tb", "a\nb", "a\rb",
    "a\r\nb", "\r", "\n", "=1+1", "+1", "-1", "@x", "'=1", "''=1", "'x", "＝1", "\t=1", "00123", "1.0", "1e5",
    "TRUE", "NULL", "\\N", "2026-01-01", "https://example.com", "mailto:a@x.it", "_x0041_", "_x0041_x0042_",
    "_x0041\x01", "_x000D_", "_x005F_", "\x01", "\x7f", "\x85", "\u2028", "<r><t>x</t></r>", "<r></r>",
    "<b>&amp;</b>", "😀", "e\u0301", "مرحبا", "\ufeffx",
]  # fmt: skip


def recipient(email: str = "a@x.it", **values: str | None) -> Row:
    """A row of copytext: an active recipient, but for what is said otherwise."""
    time = "2026-11-23 18:31:20+00"
    row: dict[str, str | None] = {
        "key": email.lower(), "email": email,
        "registered": time, "activated": time, "deactivated": None, "bounced": None,
        "source": "", "signup_ip": "", "tags": "[]", "attributes": "{}",
    }  # fmt: skip
    assert values.keys() <= row.keys()
    return list((row | values).values())


def with_attribute(value: str) -> Row:
    return recipient(source=value, attributes=json.dumps({"note": value}, ensure_ascii=False))


def exact(rows: Iterable[Row], *attributes: str) -> list[dict[str, str]]:
    """The exact CSV, as a strict reader of RFC 4180 understands it."""
    text = b"".join(csv_lines(rows, attributes=attributes)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def safe(rows: Iterable[Row], *attributes: str) -> list[list[str]]:
    text = b"".join(csv_lines(rows, attributes=attributes, spreadsheet_safe=True)).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def sheet(rows: Iterable[Row], *attributes: str) -> list[list[object]]:
    target = io.BytesIO()
    xlsx_file(rows, attributes=attributes, target=target)
    return [
        list(row) for row in load_workbook(io.BytesIO(target.getvalue())).get_sheet_by_index(0).to_python()
    ]


# Exact CSV


def test_the_file_is_what_it_has_always_been() -> None:
    rows = [
        recipient(
            "Anna@x.it",
            registered="2026-11-23 18:31:20.5+00",
            source="shop, Rome",
            signup_ip="10.0.0.1",
            tags='["a","b-1"]',
            attributes='{"città":"Roma \\"centro\\"","name":"Anna"}',
        ),
        recipient("b@x.it", registered=None, activated=None, attributes='{"name":""}'),
    ]
    assert b"".join(csv_lines(rows, attributes=["name", "città"])).decode() == (
        "email,status,registered,activated,deactivated,source,signup_ip,tags,name,città\r\n"
        "Anna@x.it,active,2026-11-23T18:31:20.500000Z,2026-11-23T18:31:20Z,,"
        '"shop, Rome",10.0.0.1,"a,b-1",Anna,"Roma ""centro"""\r\n'
        'b@x.it,unconfirmed,,,,"","",,"",\r\n'
    )


@given(TEXT | AWKWARD | st.sampled_from(TRICKY))
def test_every_value_comes_back_from_exact_csv(value: str) -> None:
    (row,) = exact([with_attribute(value)], "note")
    assert row["source"] == value
    assert row["note"] == value


def test_missing_and_empty_are_told_apart_by_the_quotes() -> None:
    rows = [recipient(attributes='{"note":""}'), recipient()]
    lines = b"".join(csv_lines(rows, attributes=["note"])).split(b"\r\n")
    assert lines[1].endswith(b',""')
    assert lines[2].endswith(b",")


@pytest.mark.parametrize(
    ("activated", "deactivated", "bounced", "status"),
    [
        (None, None, None, "unconfirmed"),
        ("t", None, None, "active"),
        (None, "t", None, "inactive"),
        ("t", "t", None, "inactive"),
        (None, None, "t", "bounced"),
        ("t", None, "t", "bounced"),
        ("t", "t", "t", "bounced"),
    ],
)
def test_the_status_follows_the_times(
    activated: str | None, deactivated: str | None, bounced: str | None, status: str
) -> None:
    time = "2026-11-23 18:31:20+00"
    (row,) = exact(
        [recipient(activated=activated and time, deactivated=deactivated and time, bounced=bounced and time)]
    )
    assert row["status"] == status


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2026-11-23 18:31:20+00", "2026-11-23T18:31:20Z"),
        ("2026-11-23 18:31:20.123456+00", "2026-11-23T18:31:20.123456Z"),
        ("2026-11-23 18:31:20.1+00", "2026-11-23T18:31:20.100000Z"),
        ("2026-11-23 18:31:20.000000+00", "2026-11-23T18:31:20Z"),
        ("2026-11-23 18:31:20.000100+00", "2026-11-23T18:31:20.000100Z"),
    ],
)
def test_times_are_iso_8601_in_utc(stored: str, shown: str) -> None:
    (row,) = exact([recipient(registered=stored)])
    assert row["registered"] == shown


def test_a_time_that_is_none_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not a time"):
        list(csv_lines([recipient(registered="yesterday")], attributes=[]))


def test_attributes_come_in_the_order_asked_for() -> None:
    rows = [recipient(attributes='{"a":"1","b":"2"}')]
    assert list(exact(rows, "b", "c", "a")[0].items())[len(COLUMNS) :] == [("b", "2"), ("c", ""), ("a", "1")]


def test_an_attribute_without_a_column_is_a_bug_and_never_lost_quietly() -> None:
    rows = [recipient(attributes='{"a":"1","b":"2"}')]
    with pytest.raises(ValueError, match="without a column"):
        list(csv_lines(rows, attributes=["a"]))
    with pytest.raises(ValueError, match="without a column"):
        xlsx_file(rows, attributes=["a"], target=io.BytesIO())


@pytest.mark.parametrize("attributes", [["a", "a"], ["email"]])
def test_two_columns_of_one_name_are_a_bug(attributes: list[str]) -> None:
    with pytest.raises(ValueError, match="a column twice"):
        list(csv_lines([], attributes=attributes))


def test_a_list_without_recipients_has_its_header() -> None:
    assert list(csv_lines([], attributes=["a"])) == [(",".join([*COLUMNS, "a"]) + "\r\n").encode()]


def test_a_header_is_quoted_like_any_cell() -> None:
    (row,) = exact([recipient(attributes='{"a, \\"b\\"\\n":"1"}')], 'a, "b"\n')
    assert row['a, "b"\n'] == "1"


def test_a_large_list_comes_in_chunks_and_memory_stays_flat() -> None:
    def many() -> Iterator[Row]:
        for number in range(60_000):
            yield recipient(f"{number:0100}@x.it")

    sizes = []
    tracemalloc.start()
    for chunk in csv_lines(many(), attributes=[]):
        sizes.append(len(chunk))  # noqa: PERF401  # a list would keep the chunks
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) > 9_000_000
    assert max(sizes) < 70_000
    assert min(sizes[:-1]) >= 64 * 1024
    assert most < 2_000_000


# Spreadsheet-safe


@given(TEXT | AWKWARD | st.sampled_from(TRICKY))
def test_every_value_comes_back_from_safe_csv_and_none_is_a_formula(value: str) -> None:
    header, cells = safe([with_attribute(value)], "note")
    assert header[-1] == SAFE_MARKER
    assert cells[-1] == ""
    assert unescape_formula(cells[5]) == value
    assert unescape_formula(cells[8]) == value
    assert not any(re.match("[=+\\-@\t\r\n＝＋－＠]", cell) for cell in cells)


def test_safe_csv_says_that_it_is_utf_8() -> None:
    chunks = b"".join(csv_lines([], attributes=["=x"], spreadsheet_safe=True))
    assert chunks == b"\xef\xbb\xbf" + ",".join([*COLUMNS, "'=x", SAFE_MARKER]).encode() + b"\r\n"


def test_an_address_that_looks_like_a_formula_is_escaped_too() -> None:
    _, cells = safe([recipient("=cmd@x.it")])
    assert cells[0] == "'=cmd@x.it"


@settings(max_examples=60)
@given(st.lists(SHEET_TEXT | AWKWARD, min_size=1, max_size=5))
def test_every_value_comes_back_from_a_sheet(values: list[str]) -> None:
    assert_sheet_gives_back(values)


def test_tricky_values_come_back_from_a_sheet() -> None:
    assert_sheet_gives_back(TRICKY)


def assert_sheet_gives_back(values: list[str]) -> None:
    header, *rows = sheet(map(with_attribute, values), "note")
    assert header == [*COLUMNS, "note", SAFE_MARKER]
    assert len(rows) == len(values)
    for row, value in zip(rows, values, strict=True):
        assert isinstance(row[8], str)
        assert unescape_formula(row[8]) == value
        assert row[5] == row[8]


def test_a_sheet_holds_texts_alone() -> None:
    target = io.BytesIO()
    xlsx_file(map(with_attribute, TRICKY), attributes=["note"], target=target)
    with zipfile.ZipFile(target) as file:
        xml = file.read("xl/worksheets/sheet1.xml").decode()
        assert not [name for name in file.namelist() if "external" in name.lower() or "vba" in name.lower()]
    assert "<f>" not in xml
    assert "<hyperlink" not in xml
    assert set(re.findall(r'<c [^>]*?t="(\w+)"', xml)) == {"inlineStr"}
    assert len(re.findall(r"<c ", xml)) == len(re.findall(r't="inlineStr"', xml))


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exports.MAX_SHEET_ROWS == 1_048_576
    monkeypatch.setattr(exports, "MAX_SHEET_ROWS", 4)
    assert len(sheet([recipient()] * 3)) == 4
    with pytest.raises(Refusal) as refused:
        sheet([recipient()] * 4)
    assert refused.value.code == "export.too_many_rows"
    assert refused.value.params == {"limit": 3}


@pytest.mark.parametrize(
    ("value", "fits"), [("a" * 32_767, True), ("a" * 32_768, False), ("😀" * 16_384, False)]
)
def test_a_value_longer_than_a_cell_is_refused_and_never_cut(value: str, fits: bool) -> None:
    if fits:
        assert sheet([with_attribute(value)], "note")[1][8] == value
        return
    with pytest.raises(Refusal) as refused:
        sheet([with_attribute(value)], "note")
    assert refused.value.code == "export.value_too_long"
    assert refused.value.params == {"row": 2, "column": 6}


def test_a_sheet_given_up_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def failing() -> Iterator[Row]:
        yield recipient()
        assert list(tmp_path.rglob("*"))
        raise KeyError("database gone")

    with pytest.raises(KeyError, match="database gone"):
        sheet(failing())
    assert list(tmp_path.iterdir()) == []
    sheet([recipient()])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_nothing_is_written_afterwards() -> None:
    class FullDisk(io.BytesIO):
        writes = 0

        def write(self, data: object, /) -> int:
            self.writes += 1
            raise OSError(errno.ENOSPC, "No space left on device")

    disk = FullDisk()
    with pytest.raises(OSError, match="No space left"):
        xlsx_file([recipient()], attributes=[], target=disk)
    before = disk.writes
    gc.collect()  # a ZIP file that was given up writes its directory when it is collected
    assert disk.writes == before


def test_too_many_columns_for_a_sheet_are_refused() -> None:
    with pytest.raises(Refusal) as refused:
        sheet([], *(f"a{number}" for number in range(exports.MAX_SHEET_COLUMNS)))
    assert refused.value.code == "export.too_many_columns"
