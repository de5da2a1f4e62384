from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients.bulk import copytext
from recipients.bulk.copytext import RowBroken, decode_row, encode_row, format_time, parse_time, rows

# Every character that PostgreSQL's text can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
AWKWARD = st.text(st.sampled_from("\\N.tnrbfvx0\t\n\r\b\f\v aä€😀\x85\u2028\x1c'\""), max_size=12)
VALUE = st.none() | TEXT | AWKWARD
ROW = st.lists(VALUE, min_size=10, max_size=10)


@given(ROW)
def test_every_value_comes_back_as_it_was(row: list[str | None]) -> None:
    line = encode_row(row)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.count(b"\t") == 9
    assert decode_row(line) == row
    assert decode_row(line[:-1]) == row


@given(st.lists(ROW, max_size=6), st.data())
def test_rows_come_back_however_the_stream_is_cut(table: list[list[str | None]], data: st.DataObject) -> None:
    whole = b"".join(map(encode_row, table))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    blocks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert list(rows(blocks)) == table
    assert list(rows(io.BytesIO(whole))) == table


@given(st.lists(ROW, min_size=1, max_size=6))
def test_columns_hold_what_the_rows_do(table: list[list[str | None]]) -> None:
    found = copytext.columns(list(copytext.lines([b"".join(map(encode_row, table))])))
    assert list(found) == list(copytext.COLUMNS)
    assert [list(row) for row in zip(*found.values(), strict=True)] == table


@given(st.lists(ROW, min_size=1, max_size=6))
def test_columns_are_written_as_their_rows_are(table: list[list[str | None]]) -> None:
    assert copytext.encode_columns(list(zip(*table, strict=True))) == b"".join(map(encode_row, table))


@pytest.mark.parametrize("bad", ["a\0", "\ud800"])
def test_a_column_with_a_character_that_no_row_can_hold_is_refused(bad: str) -> None:
    with pytest.raises(Refusal) as refused:
        copytext.encode_columns([["a", "b"], ["\\", bad]])
    assert refused.value.code == "row.character_refused"


@pytest.mark.parametrize("bad", [rb"a\q", rb"a\N", b"a\tb", b"cut\\"])
@pytest.mark.parametrize("at", [0, 4, 9])
def test_a_broken_row_among_columns_is_named_by_its_line(bad: bytes, at: int) -> None:
    good = [b"x"] * 10
    row = [*good[:at], bad, *good[at + 1 :]]
    lines = copytext.lines([b"".join(b"\t".join(each) + b"\n" for each in (good, row, good))])
    with pytest.raises(RowBroken) as refused:
        copytext.columns(list(lines), number=5)
    assert refused.value.params["line"] == 6


def test_missing_is_not_empty_and_not_the_letters_of_null() -> None:
    assert encode_row([None, "", "\\N"]) == b"\\N\t\t\\\\N\n"
    assert decode_row(b"\\N\t\t\\\\N\n") == [None, "", "\\N"]


def test_each_special_character_has_the_escape_postgresql_writes() -> None:
    assert (
        encode_row(["\\", "\t", "\n", "\r", "\b", "\f", "\v"])
        == rb"\\" + b"\t" + b"\t".join([rb"\t", rb"\n", rb"\r", rb"\b", rb"\f", rb"\v"]) + b"\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        rb"a\qb",  # no such escape
        rb"a\x41",  # PostgreSQL reads it but never writes it
        rb"a\101",
        rb"\.",  # the end of data for PostgreSQL: rows behind it would be lost
        rb"a\N",  # NULL is a whole column
        rb"\Na",
        b"cut\\",
        b"a\nb",
        b"a\rb",
        b"a\0b",
        b"\xff",
        b"\xed\xa0\x80",  # half of a surrogate pair
    ],
)
def test_a_line_that_nobody_could_have_written_is_refused(line: bytes) -> None:
    with pytest.raises(RowBroken) as refused:
        decode_row(line, number=7)
    assert refused.value.code == "archive.row_broken"
    assert refused.value.params["line"] == 7


@pytest.mark.parametrize("bad", [b"a\xff\tb", b"a\rb\tc", b"a\0\tb", b"a\\q\tb", b"a", b"a\tb\tc", b""])
def test_a_broken_row_is_named_by_its_line_and_the_rows_before_it_are_given(bad: bytes) -> None:
    stream = rows([b"1\tx\n2\ty\n", bad + b"\n4\tz\n"], columns=2)
    assert [next(stream), next(stream)] == [["1", "x"], ["2", "y"]]
    with pytest.raises(RowBroken) as refused:
        next(stream)
    assert refused.value.params["line"] == 3


def test_a_last_line_without_its_end_is_refused() -> None:
    with pytest.raises(RowBroken) as refused:
        list(rows([b"1\tx\n2\ty"], columns=2))
    assert refused.value.params["line"] == 2


def test_a_row_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copytext, "MAX_ROW_BYTES", 1000)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b"1\tx\n"
        while True:
            taken += 1
            yield b"x" * 100

    with pytest.raises(RowBroken) as refused:
        list(rows(endless(), columns=2))
    assert refused.value.params["line"] == 2
    assert taken <= 11


def test_an_empty_stream_has_no_rows() -> None:
    assert list(rows(io.BytesIO(b""))) == []
    assert list(rows([])) == []


@pytest.mark.parametrize("value", ["a\0b", "a\ud800"])
def test_a_character_that_no_row_can_hold_is_refused_when_it_is_written(value: str) -> None:
    with pytest.raises(Refusal) as refused:
        encode_row([value])
    assert refused.value.code == "row.character_refused"


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_to_the_microsecond(moment: datetime) -> None:
    text = format_time(moment)
    assert parse_time(text) == moment
    assert "." not in text or text[-4] != "0"


def test_times_are_spelt_as_postgresql_spells_them() -> None:
    moment = datetime(2026, 11, 23, 18, 31, 20, 123456, tzinfo=UTC)
    assert format_time(moment) == "2026-11-23 18:31:20.123456+00"
    assert format_time(moment.replace(microsecond=120000)) == "2026-11-23 18:31:20.12+00"
    assert format_time(moment.replace(second=0, microsecond=0)) == "2026-11-23 18:31:00+00"
    rome = timezone(timedelta(hours=1))
    assert format_time(datetime(2026, 11, 23, 0, 30, tzinfo=rome)) == "2026-11-22 23:30:00+00"


def test_zeros_at_the_end_of_a_fraction_change_nothing() -> None:
    assert parse_time("2026-11-23 18:31:20.120000+00") == parse_time("2026-11-23 18:31:20.12+00")
    assert parse_time("2026-11-23 18:31:20.000+00") == parse_time("2026-11-23 18:31:20+00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-02-30 00:00:00+00",
        "2026-11-23 18:31:20",
        "2026-11-23 18:31:20+01",
        "infinity",
        "2026-11-23T18:31:20+00",
        "2026-11-23 18:31:20.1234567+00",
        "0044-03-15 00:00:00+00 BC",
        "٢٠٢٦-11-23 18:31:20+00",
    ],
)
def test_what_is_not_a_time_of_the_format_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_time(text)
    assert refused.value.code == "row.time_invalid"


def test_a_time_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        format_time(datetime(2026, 11, 23, tzinfo=UTC).replace(tzinfo=None))
